"""Endpoints in PostgreSQL: what a command does with their rows, inside the caller's transaction."""

import base64
import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Session

from config.errors import TollgateError
from config.keyring import Keyring
from models.client import STRIPE_CLIENT, Client
from models.encrypted import decrypt, encrypt
from models.endpoint import Endpoint
from workers.gateways.standard_webhooks import new_secret

ID_BYTES: Final = 16  # of chance, as in every other id


def add_endpoint(session: Session, ring: Keyring, client_id: str, url: str, types: Sequence[str]) -> tuple[str, str]:
    """Make an endpoint of a client that exists; return its id and its secret, which is shown this once.

    Raises:
        TollgateError: if there is no such client, or it has an endpoint of that URL.
    """
    if client_id == STRIPE_CLIENT or session.get(Client, client_id) is None:
        raise TollgateError(f"there is no client '{client_id}': see 'tollgate keys list' for the clients")
    wanted = (Endpoint.client_id == client_id, Endpoint.url == url)
    known = session.scalar(select(Endpoint.id).where(*wanted).limit(1))
    if known is not None:
        raise TollgateError(f"'{client_id}' has an endpoint of that URL already: {known}")
    endpoint_id = "end_" + base64.b32encode(secrets.token_bytes(ID_BYTES)).decode().rstrip("=").lower()
    secret = new_secret()
    sealed = encrypt(ring, "endpoints", "secret", endpoint_id, secret)
    session.add(Endpoint(id=endpoint_id, client_id=client_id, url=url, secret=sealed, types=list(types)))
    session.flush()
    return endpoint_id, secret


def find_endpoints(session: Session, client_id: str | None) -> Sequence[Endpoint]:
    """Return endpoints, oldest first."""
    query = select(Endpoint).order_by(Endpoint.created_at, Endpoint.id)
    return session.scalars(query if client_id is None else query.where(Endpoint.client_id == client_id)).all()


def endpoint(session: Session, endpoint_id: str) -> Endpoint:
    """Return an endpoint, locked against others.

    Raises:
        TollgateError: if there is none of that id.
    """
    row = session.scalar(select(Endpoint).where(Endpoint.id == endpoint_id).with_for_update())
    if row is None:
        raise TollgateError(f"there is no endpoint '{endpoint_id}': see 'tollgate endpoints list' for the ids")
    return row


def rotate(session: Session, ring: Keyring, row: Endpoint, overlap: dt.timedelta | None) -> str:
    """Give an endpoint a new secret and return it; the former one signs as well, for so long or until `finish`.

    Raises:
        TollgateError: if a former secret still signs: whoever verifies by it would be cut off.
    """
    moment = now(session)
    if row.former_secret is not None and (row.former_until is None or row.former_until > moment):
        raise TollgateError(f"{row.id} is being rotated already: end that with --finish first")
    former = decrypt(ring, "endpoints", "secret", row.id, row.secret)
    secret = new_secret()
    row.former_secret = encrypt(ring, "endpoints", "former_secret", row.id, former)
    row.former_until = None if overlap is None else moment + overlap
    row.secret = encrypt(ring, "endpoints", "secret", row.id, secret)
    session.flush()
    return secret


def finish(session: Session, row: Endpoint) -> bool:
    """Forget the former secret; tell whether there was one."""
    was_there = row.former_secret is not None
    row.former_secret = row.former_until = None
    session.flush()
    return was_there


def now(session: Session) -> dt.datetime:
    """Return the time by PostgreSQL's clock (UTC)."""
    return session.execute(select(func.clock_timestamp(type_=TIMESTAMP(timezone=True)))).scalar_one()
