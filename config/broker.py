"""kombu's Redis transport, which survives what is no message.

Of itself it raises in the worker's own loop, so that every such thing in a queue ends one worker, one after another. A
hint is harmless to lose: what can't be read is logged, without its words, and dropped.
"""

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis

LOG = logging.getLogger("tollgate.broker")


class Channel(redis.Channel):
    """Takes messages off their queues."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the stubs leave it out
        except ValueError as error:
            LOG.error("something in a queue was no JSON and was dropped: %s", type(error).__name__)  # noqa: TRY400 - the trace quotes it
            raise Empty from None


class Transport(redis.Transport):
    """Hands messages to the consumers of their queues."""

    Channel = Channel

    def _deliver(self, message: Any, queue: Any) -> None:
        if isinstance(message, dict):
            super()._deliver(message, queue)
        else:
            LOG.error("something in queue %s was no message and was dropped: %s", queue, type(message).__name__)
