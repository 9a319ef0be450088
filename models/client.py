"""Clients of the API and their keys."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded

STRIPE_CLIENT = "stripe"  # the client in whose name webhooks are accepted
OWN_CLIENT = "tollgate"  # the client in whose name scheduled work runs


class Client(Base):
    """Who may ask: a website, or Stripe for its webhooks."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[Recorded]


class ApiKey(Base):
    """One API key of a client, as a keyed hash.

    Args (columns):
        rate: requests per second on average; burst: how many at once.
        mac: binds id, hash, client and limits; made with the pepper when the key is issued, checked by the ingress.
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    environment: Mapped[str]
    hashed: Mapped[str]
    rate: Mapped[float]
    burst: Mapped[int]
    mac: Mapped[str]
    created_at: Mapped[Recorded]
    revoked_at: Mapped[Instant | None]
