"""The numbers of finalized invoices, ours and those that others made in the same Stripe account.

By them is told whether a number is missing in between: numbers of invoices must follow one another without a gap
(https://www.gov.uk/guidance/vat-guide-notice-700, section 16.3.1).
"""

from sqlalchemy import BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded


class InvoiceNumber(Base):
    """One number. Stripe counts for each prefix: a customer's, or the account's if it is set so.

    Columns of note:
        prefix, sequence: `ABCD-0012` is number 12 of `ABCD`.
    """

    __tablename__ = "invoice_numbers"
    __table_args__ = (CheckConstraint("sequence >= 0", name="sequence"),)

    prefix: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    stripe_id: Mapped[str]
    recorded_at: Mapped[Recorded]
