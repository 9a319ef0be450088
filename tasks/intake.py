"""Reading the journal: entries are taken into PostgreSQL, committed, hinted at, and only then acknowledged."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Celery
from redis import Redis
from redis.exceptions import ResponseError

from config.errors import DatabaseAwayError, JournalNotReadableYetError, JournalRejectedError
from tasks.contracts.journal import JournalEntry
from tasks.contracts.kinds import kind_of
from tasks.contracts.steps import Step
from tasks.contracts.views import JobView
from tasks.publisher import send
from workers.jobs.intake import Taken, check_entry, take_in
from workers.jobs.publish import unmark
from workers.projections.instants import rfc3339_from_ms
from workers.projections.projector import Shown, current_epoch, write
from workers.runtime import Runtime, is_held_up

LOG = logging.getLogger("tollgate.intake")
GROUP = "dispatchers"
BLOCK_MS = 1000  # how long to wait for news; also how long a stop may take
REJECTED_KEPT = 10_000  # forged or broken entries kept for an operator
MILLISECONDS = 1000
FIRST_PROJECTED = 1  # newer than the first view that the ingress wrote

Entries = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(slots=True)
class Reader:
    """One dispatcher's place in the journal's consumer group.

    Args:
        redis: a client whose socket timeout is above the blocking time.
        block_ms: how long to wait for news, in milliseconds; None takes what is there, and waits for nothing.
        cursor: where the search for entries that a dead dispatcher left goes on.
        clock: seconds since 1970, UTC.
    """

    runtime: Runtime
    app: Celery
    redis: Redis
    block_ms: int | None = field(default=BLOCK_MS)
    cursor: bytes = field(default=b"0-0")
    clock: Callable[[], float] = field(default=time.time)

    def take_new(self) -> int:
        """Wait a moment for new entries and take them in; return how many there were.

        Raises:
            RedisError, DatabaseAwayError: nothing is lost, the entries stay pending.
        """
        jobs = self.runtime.settings.jobs
        journal = self.runtime.settings.redis.keyspace.journal
        try:
            with Step.READ:
                answer: Any = self.redis.xreadgroup(
                    GROUP, self.runtime.name, {journal: ">"}, count=jobs.intake_batch, block=self.block_ms
                )
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.join()
            return 0
        return self._take(answer[0][1]) if answer else 0

    def take_left(self) -> int:
        """Take in what a dead dispatcher read and never acknowledged; return how many there were.

        Raises:
            RedisError, DatabaseAwayError: nothing is lost, the entries stay pending.
        """
        jobs = self.runtime.settings.jobs
        journal = self.runtime.settings.redis.keyspace.journal
        idle_ms = int(jobs.claim_idle * 1000)
        try:
            with Step.TAKE_OVER:
                answer: Any = self.redis.xautoclaim(
                    journal, GROUP, self.runtime.name, idle_ms, self.cursor, count=jobs.intake_batch
                )
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.join()
            return 0
        self.cursor, entries = answer[0], answer[1]
        return self._take(entries) if entries else 0

    def join(self) -> None:
        """Make the consumer group, at the journal's beginning, unless it is there."""
        try:
            with Step.JOIN:
                self.redis.xgroup_create(self.runtime.settings.redis.keyspace.journal, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _take(self, entries: Entries) -> int:
        good: list[tuple[bytes, JournalEntry, dict[str, object]]] = []
        late: list[bytes] = []
        for stream_id, fields in entries:
            try:
                entry, row = check_entry(self.runtime.settings, fields)
                if self._is_late(entry):
                    late.append(stream_id)
                else:
                    good.append((stream_id, entry, row))
            except JournalRejectedError as error:
                self._reject(stream_id, fields, error)
            except JournalNotReadableYetError as error:
                self._set_aside(stream_id, fields, str(error))
        if good:
            self._commit(good)
        self._acknowledge(late)
        return len(entries)

    def _is_late(self, entry: JournalEntry) -> bool:
        """Tell whether nobody waits for it any more, and nobody ever asks what became of it."""
        kind = kind_of(entry.kind)
        return not kind.kept and self.clock() > entry.accepted_ms / MILLISECONDS + kind.max_age

    def _acknowledge(self, ids: Sequence[bytes]) -> None:
        if ids:
            with Step.ACKNOWLEDGE:
                self.redis.xack(self.runtime.settings.redis.keyspace.journal, GROUP, *ids)

    def _commit(self, good: Sequence[tuple[bytes, JournalEntry, dict[str, object]]]) -> None:
        try:
            with self.runtime.transaction(Step.INTAKE) as session:
                taken = take_in(session, [(entry, row) for _, entry, row in good])
                epoch = current_epoch(session)
        except DatabaseAwayError:
            raise
        except Exception as error:
            if is_held_up(error):
                # A dispatcher that froze in mid-intake, say. The entries stay pending until its session has ended.
                raise DatabaseAwayError("another transaction holds the rows of these entries") from error
            if len(good) == 1:
                LOG.exception("entry %s can't be taken in", good[0][1].job_id)
                self._set_aside(good[0][0], good[0][1].to_fields(), "PostgreSQL refuses it")
                return
            half = len(good) // 2
            self._commit(good[:half])
            self._commit(good[half:])
            return
        self._after_commit(good, taken, epoch)

    def _after_commit(
        self, good: Sequence[tuple[bytes, JournalEntry, dict[str, object]]], taken: Taken, epoch: int
    ) -> None:
        publish(self.runtime, self.app, taken.hints)
        keyspace = self.runtime.settings.redis.keyspace
        write(
            self.runtime,
            [
                Shown(entry.job_id, keyspace.view(entry.job_id), epoch, FIRST_PROJECTED, reused_view(entry))
                for entry in taken.reused
            ],
            Step.REFUSE,
        )
        self._correct_idempotency(taken)
        strange = {entry.job_id for entry in taken.strange}
        for stream_id, entry, _ in good:
            if entry.job_id in strange:
                self._set_aside(stream_id, entry.to_fields(), f"its client {entry.client_id} is unknown to PostgreSQL")
        self._acknowledge([stream_id for stream_id, entry, _ in good if entry.job_id not in strange])
        LOG.info(
            "journal taken in",
            extra={"new": len(taken.hints), "known": len(taken.known), "reused": len(taken.reused)},
        )

    def _correct_idempotency(self, taken: Taken) -> None:
        """Have Redis forget records that it made, having forgotten better ones, for bodies that are refused."""
        if taken.reused:
            keyspace = self.runtime.settings.redis.keyspace
            with Step.FORGET:
                self.redis.delete(*(keyspace.idempotency(entry.scope) for entry in taken.reused))

    def _set_aside(self, stream_id: bytes, fields: Mapping[bytes, bytes] | Mapping[str, bytes], why: str) -> None:
        """Move an entry to where it is neither lost nor in the way; `take_waiting` brings it back."""
        LOG.error("journal entry %s waits: %s", stream_id.decode(), why)
        keyspace = self.runtime.settings.redis.keyspace
        kept: Any = fields
        with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(keyspace.journal_waiting, kept)
            pipeline.xack(keyspace.journal, GROUP, stream_id)
            pipeline.xdel(keyspace.journal, stream_id)
            with Step.SET_ASIDE:
                pipeline.execute()

    def _reject(self, stream_id: bytes, fields: dict[bytes, bytes], error: JournalRejectedError) -> None:
        LOG.error("journal entry %s rejected: %s", stream_id.decode(), error)
        keyspace = self.runtime.settings.redis.keyspace
        rejected: Any = {**fields, b"rejected_because": str(error).encode(), b"rejected_id": stream_id}
        with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(keyspace.journal_rejected, rejected, maxlen=REJECTED_KEPT)
            pipeline.xack(keyspace.journal, GROUP, stream_id)
            with Step.REJECT:
                pipeline.execute()


def take_waiting(runtime: Runtime) -> int:
    """Bring entries that waited for a key, version or client back into the journal; return how many.

    What still can't be taken in will wait again.
    """
    keyspace = runtime.settings.redis.keyspace
    waiting: Any = runtime.redis.xrange(keyspace.journal_waiting, count=runtime.settings.jobs.intake_batch)
    for stream_id, fields in waiting:
        with runtime.redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(keyspace.journal, fields)
            pipeline.xdel(keyspace.journal_waiting, stream_id)
            with Step.BRING_BACK:
                pipeline.execute()
    return len(waiting)


def publish(runtime: Runtime, app: Celery, hints: Sequence[Any]) -> bool:
    """Send hints whose marks are committed, take the marks back of those that could not be sent; tell if all were."""
    unsent = send(app, hints) if hints else []
    if unsent:
        with runtime.transaction(Step.UNMARK) as session:
            unmark(session, unsent)
    return not unsent


def reused_view(entry: JournalEntry) -> JobView:
    """Return the view of a request whose idempotency key PostgreSQL knows with another body."""
    accepted = rfc3339_from_ms(entry.accepted_ms)
    return JobView(
        id=entry.job_id,
        client_id=entry.client_id,
        kind=entry.kind,
        state="refused",
        subject_id=entry.subject_id,
        attempts=0,
        problem={
            "code": "idempotency_key_reused",
            "detail": "This Idempotency-Key was used before with another body: use a new key for a new payment.",
        },
        created_at=accepted,
        updated_at=accepted,
    )


def stream_order(stream_id: str) -> tuple[int, int]:
    """Return an id of a stream's entry as what orders it: milliseconds, and the number within them."""
    milliseconds, _, number = stream_id.partition("-")
    return int(milliseconds), int(number or 0)
