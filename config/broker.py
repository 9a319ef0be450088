"""kombu's Redis transport, which survives what is no message.

Of itself it raises in the worker's own loop, so that every such thing in a queue ends one worker, one after another. A
hint is harmless to lose: what can't be read is logged, without its words, and dropped.
"""

import base64
import json
import logging
import threading
from queue import Empty
from typing import Any

from kombu.transport import redis

LOG = logging.getLogger("tollgate.broker")


class StrayCounter:
    """Counts what came off a queue and was no hint; kombu and Celery call by name, so there is one in each process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self) -> None:
        """Count one."""
        with self._lock:
            self._count += 1

    @property
    def count(self) -> int:
        """How many there were since the process began."""
        return self._count


STRAYS = StrayCounter()


class Channel(redis.Channel):
    """Takes messages off their queues."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the stubs leave it out
        except ValueError as error:
            LOG.error("something in a queue was no JSON and was dropped: %s", type(error).__name__)  # noqa: TRY400 - the trace quotes it
            STRAYS.add()
            raise Empty from None


class Transport(redis.Transport):
    """Hands messages to the consumers of their queues."""

    Channel = Channel

    def _deliver(self, message: Any, queue: Any) -> None:
        if is_message(message):
            super()._deliver(message, queue)
        else:
            STRAYS.add()
            LOG.error("something in queue %s was no message and was dropped: %s", queue, type(message).__name__)


def is_message(parsed: Any) -> bool:
    """Tell whether it has what kombu and Celery take for granted.

    Without it kombu takes the connection for broken, and Celery writes the whole of it into the log.
    """
    if not isinstance(parsed, dict) or not isinstance(parsed.get("headers"), dict):
        return False
    properties, body = parsed.get("properties"), parsed.get("body")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_tag"), str):
        return False
    if not isinstance(body, str) or properties.get("body_encoding") not in (None, "base64"):
        return False
    try:
        raw = base64.b64decode(body, validate=True) if properties.get("body_encoding") else body.encode()
        if parsed.get("content-type") == "application/json":
            json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True
