"""kombu's Redis transport, which survives what is no message.

Of itself it raises in the worker's own loop, so that every such thing in a queue ends one worker, one after another. A
hint is harmless to lose: what can't be read is logged, without its words, and dropped.
"""

import base64
import json
import logging
import threading
from collections.abc import Mapping
from queue import Empty
from typing import Any, Final

from kombu.transport import redis

LOG = logging.getLogger("tollgate.broker")
# What Celery's header says where nothing is asked for.
_PLAIN: Final[Mapping[str, Any]] = {
    "compression": None,
    "eta": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "parent_id": None,
    "replaced_task_nesting": 0,
    "retries": 0,
    "shadow": None,
    "stamped_headers": None,
    "timelimit": [None, None],
}


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
        except (ValueError, RecursionError) as error:
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
    """Tell whether it has what kombu and Celery take for granted, and asks Celery for nothing that no hint asks for.

    Without the first kombu takes the connection for broken, puts the thing back, and so loses one worker after another.
    The second is for times, chains and callbacks, which Celery obeys before any of our code sees them.
    """
    match parsed:
        case {
            "headers": dict() as headers,
            "properties": {
                "delivery_tag": str(),
                "delivery_info": {"exchange": str(), "routing_key": str()},
                "body_encoding": "base64",
            },
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "body": str() as body,
        }:
            is_task = "task" in headers  # else it is what operators' tools and workers tell each other
            return _is_readable(body, is_task=is_task) and (not is_task or _is_plain(headers))
        case _:
            return False


def _is_plain(headers: Mapping[str, Any]) -> bool:
    return all(isinstance(headers.get(name), str) for name in ("task", "id")) and all(
        headers.get(name, plain) == plain for name, plain in _PLAIN.items()
    )


def _is_readable(body: str, *, is_task: bool) -> bool:
    try:
        parsed = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError):
        return False
    match parsed:
        case [list(), dict(), dict() as options]:
            return not any(options.values())
        case _:
            return not is_task
