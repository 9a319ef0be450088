"""Settings of a worker or dispatcher for tests, with the keys of `tests.builders.ingress`: both fit together."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from config.keyring import Keyring
from config.keyspace import Keyspace
from config.sealing import OpeningKeys
from config.settings import (
    DatabaseSettings,
    JobSettings,
    LogSettings,
    RedisSettings,
    StripeSettings,
    WebsiteSettings,
    WorkerSettings,
)
from tests.builders.ingress import MACS, NOWHERE, PRIVATE, VIEWS
from tests.builders.settings import complete_settings

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"  # port 1 answers nobody
NO_STRIPE = "http://127.0.0.1:1"
ENCRYPTION = Keyring("e1", {"e1": b"e" * 32})
DERIVATION_KEY = b"d" * 32
IDENTITY_KEY = b"i" * 32  # that of `tests.builders.ingress`

JOBS = JobSettings(
    lease=15.0,
    longest_attempt=60.0,
    stop_grace=12.0,
    intake_batch=500,
    publish_batch=500,
    poll_interval=0.1,
    republish_grace=5.0,
    claim_idle=5.0,
    repair_interval=0.2,
    journal_keep=24 * 3600.0,
    backoff_base=1.0,
    backoff_cap=300.0,
    max_rescues=3,
    generation_wait=120.0,
    resend_limit=23 * 3600.0,
    event_settle=120.0,
    reconcile_settle=900.0,
)


def worker_settings(
    database_url: str = NO_DATABASE,
    redis_url: str = NOWHERE,
    prefix: str = "t:",
    *,
    stripe_url: str = NO_STRIPE,
    broker_url: str | None = None,
    jobs: dict[str, Any] | None = None,
    stripe: dict[str, Any] | None = None,
    database: dict[str, Any] | None = None,
) -> WorkerSettings:
    """Return settings; `jobs`, `stripe` and `database` change single fields of theirs."""
    return WorkerSettings(
        environment="sandbox",
        log=LogSettings("INFO", "json"),
        redis=RedisSettings(redis_url, Keyspace(prefix), connect_timeout=0.5, socket_timeout=1.0, pool_size=16),
        broker_url=broker_url or redis_url,
        concurrency=4,
        database=dataclasses.replace(
            DatabaseSettings(
                database_url,
                pool_size=8,
                pool_timeout=2.0,
                connect_timeout=2,
                statement_timeout=5.0,
                lock_timeout=3.0,
            ),
            **(database or {}),
        ),
        stripe=dataclasses.replace(
            StripeSettings(
                api_key="sk_test_simulator",
                api_base=stripe_url,
                connect_timeout=0.5,
                read_timeout=2.0,
                breaker_failures=50,
                breaker_reset=15.0,
            ),
            **(stripe or {}),
        ),
        jobs=dataclasses.replace(JOBS, **(jobs or {})),
        websites=WebsiteSettings(connect_timeout=0.5, read_timeout=1.0, on_loopback=True),
        journal_mac_keys=MACS,
        journal_private_keys=OpeningKeys(PRIVATE),
        view_keys=VIEWS,
        encryption_keys=ENCRYPTION,
        derivation_key=DERIVATION_KEY,
        identity_key=IDENTITY_KEY,
        view_seconds=3600,
    )


def operators_environment(settings: WorkerSettings) -> dict[str, str]:
    """Return the environment in which the command line finds the servers and keys of these settings."""

    def ring(keys: Keyring) -> str:
        return ",".join(f"{name}:{_base64(key)}" for name, key in keys.keys.items())

    return complete_settings(
        TOLLGATE_DATABASE_URL=settings.database.url,
        TOLLGATE_REDIS_URL=settings.redis.url,
        TOLLGATE_REDIS_PREFIX=settings.redis.keyspace.prefix,
        TOLLGATE_STRIPE_API_BASE=settings.stripe.api_base,
        TOLLGATE_STRIPE_API_KEY=settings.stripe.api_key,
        TOLLGATE_ENCRYPTION_KEYS=ring(settings.encryption_keys),
        TOLLGATE_DERIVATION_KEY=_base64(settings.derivation_key),
        TOLLGATE_IDENTITY_KEY=_base64(settings.identity_key),
    )


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode()
