"""Waiting in tests: for the thing itself, with a deadline, never for luck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

INTERVAL_S = 0.02  # fine enough that waiting costs a test nothing to speak of

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, within_s: float = 20.0) -> T:
    """Return the condition's first true answer; after `within_s` seconds raise AssertionError that names `what`."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        pause.wait(INTERVAL_S)
    return answer
