"""The broker as a bag of hints: what is in it may be taken out in any order, more than once, or never."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from kombu.exceptions import OperationalError


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """One Celery message: a hint at jobs of one kind."""

    kind: str
    job_ids: tuple[str, ...]
    queue: str


class Broker:
    """Stands in for the Celery application of a dispatcher.

    The bag is kept in order: `UPDATE … RETURNING` tells rows as they happen to lie in the table, and the same seed must
    be the same run.
    """

    def __init__(self) -> None:
        self.bag: list[Message] = []
        self.away = False
        self.producer_pool = self
        self.default_channel = self

    @contextmanager
    def acquire(self, **_: Any) -> Iterator[None]:
        """Lend a producer."""
        yield

    def send_task(self, name: str, args: list[list[str]], *, queue: str, **_: Any) -> None:
        """Take a message."""
        if self.away:
            raise OperationalError
        insort(self.bag, Message(name, tuple(sorted(args[0])), queue))

    @contextmanager
    def connection_for_write(self) -> Iterator[Broker]:
        """Lend a connection."""
        if self.away:
            raise OperationalError
        yield self

    def queue_declare(self, queue: str, **_: Any) -> SimpleNamespace:
        """Tell how many messages a queue holds."""
        return SimpleNamespace(message_count=sum(message.queue == queue for message in self.bag))
