"""Complete, made-up settings for tests that load them from the environment."""

from __future__ import annotations

import os

import pytest

from ops.secrets import generate

REDIS_URL = "redis://127.0.0.1:1/0"  # nobody listens on port 1
DATABASE_URL = "postgresql://nobody:secret@127.0.0.1:1/none"


def complete_settings(**changes: str) -> dict[str, str]:
    """Every variable that some kind of process needs, for a sandbox; `changes` are put on top."""
    return {
        **generate(),
        "TOLLGATE_ENV": "sandbox",
        "TOLLGATE_REDIS_URL": REDIS_URL,
        "TOLLGATE_DATABASE_URL": DATABASE_URL,
        "TOLLGATE_STRIPE_API_KEY": "sk_test_made_up",
        "TOLLGATE_STRIPE_API_BASE": "http://127.0.0.1:12111",
        "TOLLGATE_STRIPE_WEBHOOK_SECRETS": "whsec_made_up_secret",
        **changes,
    }


def put(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Make these the only settings of Tollgate in the environment."""
    for name in [name for name in os.environ if name.startswith("TOLLGATE_") or name == "PORT"]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
