"""The lines of invoices, as they were asked for; they never change."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from config.vat import TAXES
from models.base import Base, one_of


class InvoiceLine(Base):
    """One line of an invoice.

    Columns of note:
        position: from 1, as it is printed.
        description: sealed; it may name who took a course. Its cell is named by `line_cell`.
        unit_amount, net, tax_amount: minor units.
    """

    __tablename__ = "invoice_lines"
    __table_args__ = (
        CheckConstraint(one_of("tax", TAXES), name="tax"),
        CheckConstraint("quantity > 0 AND unit_amount >= 0 AND net >= 0 AND tax_amount >= 0", name="amounts"),
    )

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    description: Mapped[bytes]
    quantity: Mapped[int]
    unit_amount: Mapped[int] = mapped_column(BigInteger)
    tax: Mapped[str]
    net: Mapped[int] = mapped_column(BigInteger)
    tax_amount: Mapped[int] = mapped_column(BigInteger)


def line_cell(invoice_id: str, position: int) -> str:
    """Return by what name a line's sealed cell is bound to its row."""
    return f"{invoice_id}/{position}"
