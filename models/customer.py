"""Customers: one per client and e-mail address, and their counterpart at Stripe."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded


class Customer(Base):
    """A shopper as one client knows them. Name and address are sealed, the address is found by its keyed hash."""

    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("client_id", "email_hash"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    email_hash: Mapped[str]
    name: Mapped[bytes]
    email: Mapped[bytes]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[Recorded]
