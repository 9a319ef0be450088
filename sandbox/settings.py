"""The sandbox's settings: fresh secrets, kept in the run folder, and for each process only what it may know."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.secrets import generate
from sandbox.simulator.account import SECRET_KEY

SECRETS_FILE = "secrets.json"
REDIS_USER = "ingress"
PASSWORD_BYTES = 24
WEBHOOK_SECRET_BYTES = 24
# What the web process alone, the workers and dispatcher alone, and Flower alone may know.
WEB = (
    "TOLLGATE_API_KEY_PEPPER",
    "TOLLGATE_IDENTITY_KEY",
    "TOLLGATE_JOURNAL_MAC_KEYS",
    "TOLLGATE_JOURNAL_PUBLIC_KEY",
    "TOLLGATE_VIEW_KEYS",
    "TOLLGATE_STRIPE_WEBHOOK_SECRETS",
)
WORKERS = (
    "TOLLGATE_DERIVATION_KEY",
    "TOLLGATE_ENCRYPTION_KEYS",
    "TOLLGATE_IDENTITY_KEY",
    "TOLLGATE_JOURNAL_MAC_KEYS",
    "TOLLGATE_JOURNAL_PRIVATE_KEYS",
    "TOLLGATE_VIEW_KEYS",
)
OPERATOR = ("TOLLGATE_API_KEY_PEPPER", "TOLLGATE_ENCRYPTION_KEYS")
FLOWER = ("TOLLGATE_FLOWER_BASIC_AUTH",)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens; all on 127.0.0.1. The URLs hold passwords."""

    web_port: int
    flower_port: int
    simulator_url: str
    redis_url: str = field(repr=False)
    ingress_redis_url: str = field(repr=False)
    database_url: str = field(repr=False)


def keep_secrets(folder: Path) -> dict[str, str]:
    """Return the secrets kept in the folder, made and kept now if there are none."""
    path = folder / SECRETS_FILE
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    values = generate() | {
        "TOLLGATE_STRIPE_WEBHOOK_SECRETS": f"whsec_{secrets.token_urlsafe(WEBHOOK_SECRET_BYTES)}",
        "redis_password": secrets.token_hex(PASSWORD_BYTES),
        "ingress_redis_password": secrets.token_hex(PASSWORD_BYTES),
    }
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(values, file)
    return values


def environments(
    values: Mapping[str, str],
    addresses: Addresses,
    overrides: Mapping[str, str],
    surroundings: Mapping[str, str],
    stripe_key: str | None = None,
) -> dict[str, dict[str, str]]:
    """Return each process's own environment, by its name in the Procfile; `operator` is the command line's.

    Args:
        values: the secrets.
        addresses: where everything listens.
        overrides: settings that differ from the defaults, for all processes.
        surroundings: what processes need of ours, such as PATH and HOME.
        stripe_key: a key of Stripe's test mode, or None for the simulator.
    """
    common = {**surroundings, "TOLLGATE_ENV": "test" if stripe_key else "sandbox"}
    common |= {"PYTHONUNBUFFERED": "1", **overrides}
    if stripe_key is None:
        common["TOLLGATE_WEBSITES_ON_LOOPBACK"] = "yes"
    full = common | {"TOLLGATE_REDIS_URL": addresses.redis_url, "TOLLGATE_DATABASE_URL": addresses.database_url}
    workers = full | _some(values, WORKERS)
    if stripe_key is None:
        workers |= {"TOLLGATE_STRIPE_API_KEY": SECRET_KEY, "TOLLGATE_STRIPE_API_BASE": addresses.simulator_url}
    else:
        workers["TOLLGATE_STRIPE_API_KEY"] = stripe_key
    web = common | _some(values, WEB) | {"TOLLGATE_REDIS_URL": addresses.ingress_redis_url}
    return {
        "release": full,
        "operator": full | _some(values, OPERATOR),
        "web": web | {"PORT": str(addresses.web_port)},
        "dispatcher": workers,
        "worker": workers,
        "worker-webhooks": workers,
        "worker-background": workers,
        "worker-notifications": workers,
        "worker-quarantine": workers,
        "flower": common
        | _some(values, FLOWER)
        | {"TOLLGATE_REDIS_URL": addresses.redis_url, "TOLLGATE_FLOWER_PORT": str(addresses.flower_port)},
    }


def _some(values: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: values[name] for name in names}
