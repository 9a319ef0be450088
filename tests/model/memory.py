"""Redis as the model plays with it: what lives there grows older, is forgotten, or can't be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from config.keyspace import Keyspace
from tasks.intake import GROUP
from tests.model.clock import Clock

MILLISECONDS = 1000


class Memory:
    """What Redis holds under one prefix."""

    def __init__(self, redis: Redis, keyspace: Keyspace, clock: Clock) -> None:
        self.redis = redis
        self.keyspace = keyspace
        self._clock = clock

    def forget(self) -> None:
        """Forget everything."""
        keys = self._keys()
        if keys:
            self.redis.delete(*keys)
        self._date_journal()

    def age(self, seconds: float) -> None:
        """Let what lives in Redis be so much older, and the journal's next entries so much younger."""
        keys = self._keys()
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.pttl(key)
            lifetimes = pipeline.execute()
            for key, left in zip(keys, lifetimes, strict=True):
                if left > 0:
                    pipeline.pexpire(key, max(0, left - int(seconds * MILLISECONDS)))
            pipeline.execute()
        self._date_journal()

    @contextmanager
    def broken_journal(self) -> Iterator[None]:
        """Let the journal take no entries: the accept script fails in its middle."""
        journal, kept = self.keyspace.journal, f"{self.keyspace.journal}.kept"
        self.redis.rename(journal, kept)
        self.redis.set(journal, "no stream")
        try:
            yield
        finally:
            self.redis.rename(kept, journal)

    def outstanding(self) -> set[str]:
        """Return the ids of the jobs whose journal entries are still to be taken in."""
        keyspace = self.keyspace
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.xrange(keyspace.journal)
            pipeline.xrange(keyspace.journal_waiting)
            pipeline.xinfo_groups(keyspace.journal)
            pipeline.xpending_range(keyspace.journal, GROUP, "-", "+", count=1000)
            journal, waiting, groups, pending = pipeline.execute(
                raise_on_error=False
            )  # without a group none is pending
        delivered = _order(groups[0]["last-delivered-id"]) if groups else (0, 0)
        open_ids = {entry["message_id"] for entry in pending} if groups else set()
        left = [fields for name, fields in journal if _order(name) > delivered or name in open_ids]
        return {fields[b"job_id"].decode() for fields in [*left, *(fields for _, fields in waiting)]}

    def _keys(self) -> list[bytes]:
        return list(self.redis.scan_iter(match=f"{self.keyspace.prefix}*", count=1000))

    def _date_journal(self) -> None:
        """Let the journal's next entry bear the model's time."""
        journal = self.keyspace.journal
        self.redis.xdel(journal, self.redis.xadd(journal, {"date": ""}, id=f"{int(self._clock.now * MILLISECONDS)}-*"))


def _order(stream_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.decode().partition("-")
    return int(milliseconds), int(sequence or 0)
