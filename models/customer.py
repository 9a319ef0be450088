"""Customers: one per client and e-mail address, and their counterpart at Stripe."""

import hashlib
import hmac

from sqlalchemy import ARRAY, ForeignKey, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded


class Customer(Base):
    """A shopper as one client knows them. Name and address are sealed, the address is found by its keyed hash.

    Columns of note:
        former_stripe_ids: of customers that are gone at Stripe; what was made for them is still theirs.
    """

    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("client_id", "email_hash"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    email_hash: Mapped[str]
    name: Mapped[bytes]
    email: Mapped[bytes]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    former_stripe_ids: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    created_at: Mapped[Recorded]


def email_hash(key: bytes, email: str) -> str:
    """Return the keyed hash by which a customer is found; addresses that differ in case alone are one customer's."""
    return hmac.new(key, email.casefold().encode(), hashlib.sha256).hexdigest()
