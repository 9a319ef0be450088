"""API keys in PostgreSQL: what a command does with their rows, inside the caller's transaction."""

import datetime as dt
import secrets

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.orm import Session

from config.errors import TollgateError
from config.settings import OperatorSettings
from models.client import ApiKey, Client
from tasks.contracts.api_keys import ApiKeyRecord, ApiKeyToken, issue_token


def add_client(session: Session, client_id: str, name: str) -> bool:
    """Create the client if it is missing; tell whether it was."""
    created = session.scalar(
        insert(Client).values(id=client_id, name=name).on_conflict_do_nothing().returning(Client.id)
    )
    return created is not None


def add_key(session: Session, settings: OperatorSettings, client_id: str, *, rate: float, burst: int) -> ApiKeyToken:
    """Make a key for a client and store its keyed hash, with a MAC over what it may do.

    Args:
        session: its transaction is the caller's.
        settings: name the environment and hold the pepper.
        client_id: of a client that exists.
        rate: requests per second on average.
        burst: requests at once.
    """
    token = issue_token(settings.environment, secrets.token_bytes)
    while session.get(ApiKey, token.key_id) is not None:  # one in 2^40 for each key there is
        token = issue_token(settings.environment, secrets.token_bytes)
    pepper = settings.api_key_pepper
    record = ApiKeyRecord(token.hashed(pepper), client_id, rate, burst).signed(pepper, token.key_id)
    session.add(
        ApiKey(
            id=token.key_id,
            client_id=client_id,
            environment=token.environment,
            hashed=record.hashed,
            rate=record.rate,
            burst=record.burst,
            mac=record.mac,
        )
    )
    session.flush()
    return token


def find_keys(session: Session, client_id: str | None, *, with_revoked: bool) -> list[ApiKey]:
    """Return keys, oldest first; those that are revoked only if asked for."""
    query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)
    if client_id is not None:
        query = query.where(ApiKey.client_id == client_id)
    if not with_revoked:
        query = query.where(_is_live())
    return list(session.scalars(query))


def live_key(session: Session, key_id: str) -> ApiKey:
    """Return a key that works, locked against others.

    Raises:
        TollgateError: if there is none of that id, or it is revoked.
    """
    row = session.scalar(select(ApiKey).where(ApiKey.id == key_id).with_for_update())
    if row is None:
        raise TollgateError(f"there is no key '{key_id}': see 'tollgate keys list' for the ids")
    if session.scalar(select(ApiKey.id).where(ApiKey.id == key_id, _is_live())) is None:
        raise TollgateError(f"the key '{key_id}' is revoked already")
    return row


def end_key(session: Session, row: ApiKey, after: dt.timedelta) -> dt.datetime:
    """Set a key's end, by PostgreSQL's clock, never later than it was; return it (UTC)."""
    now = session.execute(select(func.clock_timestamp(type_=TIMESTAMP(timezone=True)))).scalar_one()
    ends = now + after
    earliest = ends if row.revoked_at is None else min(ends, row.revoked_at)
    row.revoked_at = earliest
    session.flush()
    return earliest


def _is_live() -> ColumnElement[bool]:
    return or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > func.clock_timestamp())
