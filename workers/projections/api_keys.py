"""API keys in Redis: what the ingress knows of them is projected from PostgreSQL, where they are the record.

A key is live until it is revoked; one that is being rotated out has its end set ahead, and then Redis forgets it by
itself, whoever else is down at that moment.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from redis import Redis
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from config.keyspace import Keyspace
from models.client import ApiKey
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.steps import Step

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A key that opens the door, and until when (UTC; None for no end)."""

    key_id: str
    record: ApiKeyRecord
    until: dt.datetime | None


def load_live_keys(session: Session) -> list[LiveKey]:
    """Return the keys that are not revoked, by PostgreSQL's clock."""
    rows = session.scalars(
        select(ApiKey)
        .where(or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > func.clock_timestamp()))
        .order_by(ApiKey.id)
    )
    return [live_key(row) for row in rows]


def load_revoked_ids(session: Session) -> list[str]:
    """Return the ids of the keys that are revoked, by PostgreSQL's clock."""
    return list(
        session.scalars(select(ApiKey.id).where(ApiKey.revoked_at <= func.clock_timestamp()).order_by(ApiKey.id))
    )


def live_key(row: ApiKey) -> LiveKey:
    """Return a row as the ingress is to know it."""
    record = ApiKeyRecord(hashed=row.hashed, client_id=row.client_id, rate=row.rate, burst=row.burst, mac=row.mac)
    return LiveKey(row.id, record, row.revoked_at)


def project_api_keys(redis: Redis, keyspace: Keyspace, records: Iterable[LiveKey]) -> None:
    """Write keys to Redis, each whole or not at all. Raises redis-py's errors."""
    pipeline = redis.pipeline(transaction=True)
    for key in records:
        name = keyspace.api_key(key.key_id)
        pipeline.hset(name, items=[part for field in key.record.to_fields().items() for part in field])
        if key.until is None:
            pipeline.persist(name)
        else:
            pipeline.pexpireat(name, int(key.until.timestamp() * MILLISECONDS))
    with Step.API_KEYS:
        pipeline.execute()


def remove(redis: Redis, keyspace: Keyspace, key_ids: Iterable[str]) -> None:
    """Make the ingress forget keys. Raises redis-py's errors."""
    names = [keyspace.api_key(key_id) for key_id in key_ids]
    if names:
        with Step.API_KEYS:
            redis.delete(*names)


def project_all(session: Session, redis: Redis, keyspace: Keyspace) -> int:
    """Write every live key and remove every revoked one; return how many are live. Raises redis-py's errors."""
    live = load_live_keys(session)
    project_api_keys(redis, keyspace, live)
    # After the live ones: a key that was revoked since they were read is removed here.
    remove(redis, keyspace, load_revoked_ids(session))
    return len(live)
