"""Dispatchers and workers as real processes, with the settings of `tests.builders.worker`."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from config.keyring import Keyring
from tests.builders.ingress import MACS, PRIVATE, VIEWS
from tests.builders.worker import DERIVATION_KEY, ENCRYPTION, IDENTITY_KEY

ROOT = Path(__file__).parents[2]
STOP_S = 20.0
DISPATCHER = ("-m", "tasks.dispatcher")
WORKER = (
    "-m",
    "celery",
    "--quiet",
    "-A",
    "celery_app",
    "worker",
    "-n",
    "tested@here",
    "-Q",
    "payments,webhooks,views,maintenance",
)


def environment(database_url: str, redis_url: str, prefix: str, stripe_url: str, **changes: str) -> dict[str, str]:
    """Return a whole environment; nothing of Tollgate's is inherited."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
    return {
        **inherited,
        "TOLLGATE_ENV": "sandbox",
        "TOLLGATE_LOG_FORMAT": "json",
        "TOLLGATE_REDIS_URL": redis_url,
        "TOLLGATE_REDIS_PREFIX": prefix,
        "TOLLGATE_DATABASE_URL": database_url,
        "TOLLGATE_STRIPE_API_KEY": "sk_test_simulator",
        "TOLLGATE_STRIPE_API_BASE": stripe_url,
        "TOLLGATE_STRIPE_CONNECT_TIMEOUT": "0.5",
        "TOLLGATE_STRIPE_READ_TIMEOUT": "3",
        "TOLLGATE_WORKER_THREADS": "4",
        "TOLLGATE_WEBSITE_CONNECT_TIMEOUT": "0.5",
        "TOLLGATE_WEBSITE_READ_TIMEOUT": "2",
        "TOLLGATE_JOB_LEASE_SECONDS": "4",
        "TOLLGATE_STOP_GRACE_SECONDS": "4",
        "TOLLGATE_POLL_SECONDS": "0.1",
        "TOLLGATE_REPUBLISH_SECONDS": "1",
        "TOLLGATE_JOURNAL_CLAIM_SECONDS": "0.5",
        "TOLLGATE_REPAIR_SECONDS": "0.3",
        "TOLLGATE_BACKOFF_BASE_SECONDS": "0.2",
        "TOLLGATE_JOURNAL_MAC_KEYS": written(MACS),
        "TOLLGATE_JOURNAL_PRIVATE_KEYS": written(PRIVATE),
        "TOLLGATE_VIEW_KEYS": written(VIEWS),
        "TOLLGATE_ENCRYPTION_KEYS": written(ENCRYPTION),
        "TOLLGATE_IDENTITY_KEY": base64.b64encode(IDENTITY_KEY).decode(),
        "TOLLGATE_DERIVATION_KEY": base64.b64encode(DERIVATION_KEY).decode(),
        **changes,
    }


def written(ring: Keyring) -> str:
    """Write a ring as the settings have it."""
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in ring.keys.items())


class Process:
    """A process of Tollgate's and what it logs."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.popen = popen
        self._log = log

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait(STOP_S)

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(STOP_S)


@contextmanager
def running(arguments: tuple[str, ...], variables: dict[str, str], log: Path) -> Iterator[Process]:
    """Run a process; whatever becomes of the test, it is gone afterwards. Its log is appended to."""
    file: IO[bytes]
    with log.open("ab") as file:
        popen = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=variables, stdout=file, stderr=file)
    process = Process(popen, log)
    try:
        yield process
    finally:
        if popen.poll() is None:
            process.kill()
