"""The world of the model: real servers, shipped code as puppets, and everything that may go wrong between them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import psycopg2
from psycopg2 import extensions
from redis import Redis

from config.keyspace import Keyspace
from config.queues import PAYMENTS
from ingress.authentication import ApiKeys
from ingress.door import Door
from ingress.outlook import Outlook
from ingress.redis_gate import RedisGate, connection_pool
from ingress.waiting import WaitingRoom
from models.database import create_database_engine
from ops import journal
from tasks import upkeep
from tasks.contracts.ledger import PostFee
from tasks.contracts.payments import CreatePayment, RefreshPayment
from tasks.contracts.steps import Step
from tasks.intake import GROUP, Reader
from tests.builders.house import EVENTS, FEE, REFRESH
from tests.builders.ingress import ingress_settings
from tests.builders.worker import worker_settings
from tests.model import clock as clocks
from tests.model.broker import Broker, Message
from tests.model.clock import Clock
from tests.model.copies import Copies
from tests.model.fake_stripe import FakeStripe, generation_of
from tests.model.puppet import Puppet, stop, without_stops
from tests.model.requests import Requests
from tests.model.sight import Sight, read, read_views
from workers.jobs import run
from workers.jobs.attempt import Attempt
from workers.jobs.batch import run_batch
from workers.jobs.cancel import cancel
from workers.jobs.dead import replay
from workers.jobs.operator import Operator
from workers.jobs.pause import pause, resume
from workers.jobs.release import release
from workers.jobs.run import Service, run_job
from workers.runtime import Runtime
from workers.services import payments

OPERATOR = Operator("model", "to see what happens")
DAY = 24 * 3600.0  # for so long Redis keeps views and idempotency records here
DISPATCHERS = ("d0", "d1")
WORKERS = ("w0", "w1", "w2")
SLOTS = (*WORKERS, *(f"{name} {part}" for name in DISPATCHERS for part in ("intake", "upkeep")))
CHORES = ("rescue", "publish", "republish", "views", "epoch", "waiting entries", "trim")
SHORTEST_TTL_JUMP = 60.0  # what lives in Redis lives for an hour or more: shorter jumps need not shorten it
# What the model takes for granted: nothing stays frozen for longer and then goes on, since a supervisor or an operator
# has ended it.
FREEZE_SECONDS = 600.0
# And a request that is on its way arrives by then or never, though its worker be frozen as it sends it: below the two
# minutes after which Tollgate takes Stripe's list for the truth.
LATE_SECONDS = 60.0
# Looked up when they are called, so that a planted bug can take their place.
CREATE = Service(
    CreatePayment,
    lambda attempt, request: payments.create(attempt, request),  # noqa: PLW0108 - see above
    lambda *arguments: payments.settle_create(*arguments),  # noqa: PLW0108 - see above
)
SINGLES = {CreatePayment.KIND.name: CREATE, RefreshPayment.KIND.name: REFRESH, PostFee.KIND.name: FEE}
MILLISECONDS = 1000


class SteppedRuntime(Runtime):
    """A runtime whose transactions are places where its process may die or be overtaken."""

    __slots__ = ()

    @contextmanager
    def transaction(self, step: Step) -> Iterator[Any]:
        stop(step.value.name)
        with without_stops(), super().transaction(step) as session:
            yield session


class PatientRedis(Redis):
    """A client that never waits for entries."""

    def xreadgroup(self, *arguments: Any, **options: Any) -> Any:
        return super().xreadgroup(*arguments, **{**options, "block": None})


def _stand_before(step: Step) -> None:
    """Take the place of a step's entry: every step of the crash table is a stop."""
    stop(step.value.name)


class Complaints(logging.Handler):
    """Keeps what Tollgate logs as an error: the model meets nothing that it should not take in its stride."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        self.heard.append(record.getMessage() + cause)


class World:
    """Everything that one example plays with; `reset` makes it new."""

    def __init__(self, database_url: str, redis_url: str, prefix: str) -> None:
        self._open = ExitStack()
        self.connection = psycopg2.connect(database_url)
        self._open.callback(self.connection.close)
        self.connection.autocommit = True
        self.clock = Clock(self.connection)
        self.copies = Copies(self.connection)
        settings = worker_settings(database_url, redis_url, prefix, jobs={"claim_idle": 0.0})
        self.settings = dataclasses.replace(settings, view_seconds=int(DAY))
        self.keyspace: Keyspace = settings.redis.keyspace
        self.redis = PatientRedis.from_url(redis_url)
        self._open.callback(self.redis.close)
        engine = create_database_engine(settings.database, "model")
        engine.pool._pre_ping = False  # a server that does not go away need not be asked every time
        self._open.callback(engine.dispose)
        self._runtime = SteppedRuntime(
            "model", self.settings, engine, self.redis, cast("Any", None), cast("Any", None), lambda: 0.5
        )
        gate = RedisGate(connection_pool(settings.redis, size=2, socket_timeout=2.0))
        self._open.callback(gate.close)
        self.door = Door(
            ingress_settings(redis_url, prefix, idempotency_seconds=int(DAY)),
            gate,
            cast("ApiKeys", None),
            cast("WaitingRoom", None),
            Outlook(gate, self.keyspace, live=False, monotonic=self.clock.time),
            self.clock.time,
        )
        self.complaints = Complaints()
        self._patch()
        with self.connection.cursor() as cursor:
            cursor.execute("INSERT INTO clients (id, name) VALUES ('site', 'site') ON CONFLICT DO NOTHING")
        for copy in ("new", "kept"):
            self.copies.prepare(copy)
        self.copies.take("new")
        self.reset()

    def _patch(self) -> None:
        """Give the shipped code the model's clock where it reads its own, and its errors to the model."""
        monotonic = self.clock.time
        # Its time limits matter where servers freeze; here libpq's own waiting is the faster.
        self._open.callback(extensions.set_wait_callback, extensions.get_wait_callback())
        extensions.set_wait_callback(None)
        self._open.enter_context(patch.object(run, "time", SimpleNamespace(monotonic=monotonic)))
        self._open.enter_context(patch.object(Step, "__enter__", _stand_before))
        self._open.enter_context(patch.object(run, "Attempt", partial(Attempt, monotonic=monotonic)))
        logger = logging.getLogger("tollgate")
        propagates, level = logger.propagate, logger.level
        logger.addHandler(self.complaints)
        logger.propagate = False
        logger.setLevel(logging.ERROR)
        ingress = logging.getLogger("ingress")
        before = ingress.level
        ingress.setLevel(logging.CRITICAL)
        self._open.callback(logger.removeHandler, self.complaints)
        self._open.callback(setattr, logger, "propagate", propagates)
        self._open.callback(logger.setLevel, level)
        self._open.callback(ingress.setLevel, before)

    def reset(self) -> None:
        """Make the world new: empty tables, an empty Redis, idle processes."""
        self.copies.put_back("new")
        self.clock.set(clocks.START)
        self._forget_redis()
        self.strays: list[str] = []  # calls to Stripe that should not have been made
        self.stripe = FakeStripe(self.clock.time, self._watch)
        self.broker = Broker()
        self.runtime = self._named("model")
        self.copied_at: float | None = None
        self.puppets: dict[str, Puppet] = {}
        self.stood_since: dict[str, float] = {}
        self.frozen: set[str] = set()
        self.requests = Requests(self.door)
        self.lives = dict.fromkeys(SLOTS, 0)
        self.readers = {name: self._reader(name) for name in DISPATCHERS}
        self.redis.set(self.keyspace.epoch, 1)
        self.complaints.heard.clear()

    def close(self) -> None:
        """End all puppets and close everything."""
        self.kill_all()
        self._open.close()

    def look(self) -> Sight:
        """Look at PostgreSQL and Redis."""
        sight = read(self.connection, self.clock.now)
        views = read_views(self.redis, self.keyspace, self.requests.subjects())
        return dataclasses.replace(sight, views=views)

    # Processes

    def start(self, slot: str, do: Callable[[], Any]) -> Puppet:
        """Give an idle process something to do, and let it go to where it first matters."""
        puppet = self.puppets[slot] = Puppet(do, worker=self._life(slot))
        puppet.advance()
        self.stood_since[slot] = self.clock.now
        return puppet

    def is_idle(self, slot: str) -> bool:
        """Tell whether a process could begin something."""
        return slot not in self.puppets

    def advance(self, slot: str, fault: str | None = None) -> Puppet:
        """Let a process go on to its next stop; a call to Stripe that it makes there may be spoilt."""
        puppet = self.puppets[slot]
        self.stripe.fault = fault if puppet.at.startswith("call") else None
        puppet.advance()
        self.stripe.fault = None
        self.stood_since[slot] = self.clock.now
        if puppet.ended:
            del self.puppets[slot]
            self.frozen.discard(slot)
        return puppet

    def kill(self, slot: str) -> None:
        """Kill a process where it stands; the one that takes its place has a new name."""
        self.puppets.pop(slot).kill()
        self.frozen.discard(slot)
        self.lives[slot] += 1
        name, _, part = slot.partition(" ")
        if part == "intake":
            self.readers[name] = self._reader(name)

    def kill_all(self) -> None:
        """Kill every process that is at work."""
        for slot in list(self.puppets):
            self.kill(slot)

    def work(self, slot: str, message: Message) -> Callable[[], Any]:
        """Return what a worker does with a message."""
        runtime = self._named(self._life(slot))
        if message.kind in SINGLES:
            return lambda: [run_job(runtime, job_id, cast("Any", SINGLES[message.kind])) for job_id in message.job_ids]
        return lambda: run_batch(runtime, message.job_ids, EVENTS)

    def chore(self, slot: str, name: str) -> Callable[[], Any]:
        """Return a piece of a dispatcher's upkeep."""
        runtime = self._named(self._life(slot))
        [chore] = [
            each for each in upkeep.chores(runtime, cast("Any", self.broker), self.clock.time) if each.name == name
        ]
        return chore.do

    def _life(self, slot: str) -> str:
        return f"{slot.replace(' ', '.')}.{self.lives[slot]}"

    def _named(self, name: str) -> SteppedRuntime:
        return dataclasses.replace(self._runtime, name=name, stripe=cast("Any", self.stripe))

    def _reader(self, name: str) -> Reader:
        slot = f"{name} intake"
        reader = Reader(self._named(self._life(slot)), cast("Any", self.broker), self.redis)
        reader.join()
        return reader

    # Time and disasters

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once. Whatever would have been frozen all the while is ended first."""
        self.clock.jump(seconds)
        for slot, puppet in list(self.puppets.items()):
            stood = self.clock.now - self.stood_since.get(slot, self.clock.now)
            if stood > (LATE_SECONDS if puppet.at.startswith("call") else FREEZE_SECONDS):
                self.kill(slot)
        if seconds >= SHORTEST_TTL_JUMP:
            self._age_redis(seconds)

    def forget(self) -> None:
        """Let Redis forget everything, and with it what the broker held."""
        self._forget_redis()
        self.broker.bag.clear()
        self.requests.forget_records()
        self.copied_at = None  # a restore of PostgreSQL needs the journal

    def copy(self) -> None:
        """Take a copy of PostgreSQL, to be restored later."""
        self.copies.take("kept")
        self.copied_at = self.clock.now

    def restore(self) -> None:
        """Put the copy back as an operator does: all processes stopped, the journal read again under a new epoch."""
        self.kill_all()
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT epoch FROM projection_epoch")
            [(epoch,)] = cursor.fetchall()
            self.copies.put_back("kept")
            cursor.execute(str(journal._NEW_EPOCH.text))
            [(raised,)] = cursor.fetchall()
            if raised <= epoch:  # a second restore of one copy would give the same epoch again
                cursor.execute("UPDATE projection_epoch SET epoch = %s", (epoch + 1,))
        with self.runtime.transaction(Step.PUBLISH) as session:
            OPERATOR.record(session, "reread", {"journal": {"since": "0-0"}})
        journal._set_back(self.redis, self.keyspace, "0-0")
        self.requests.distrust_records()

    # Operators

    def toggle_pause(self) -> None:
        """Pause the queue of payments, or let it go on."""
        with self.runtime.transaction(Step.PUBLISH) as session:  # any step: an operator's command has none
            if not pause(session, PAYMENTS, OPERATOR):
                resume(session, PAYMENTS, OPERATOR)

    def resume(self) -> None:
        """Let the queue of payments go on."""
        with self.runtime.transaction(Step.PUBLISH) as session:
            resume(session, PAYMENTS, OPERATOR)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job."""
        with self.runtime.transaction(Step.PUBLISH) as session:
            cancel(session, [job_id], OPERATOR)

    def replay(self, job_id: str) -> None:
        """Replay a dead letter."""
        with self.runtime.transaction(Step.PUBLISH) as session:
            replay(session, [job_id], OPERATOR)

    def stop_worker(self, slot: str) -> None:
        """End a worker politely when its grace is over: it can ask nothing any more, and gives back what it runs."""
        name = self._life(slot)
        self.kill(slot)
        with self.runtime.transaction(Step.RELEASE) as session:
            release(session, name)

    def _watch(self, asked: dict[str, Any]) -> None:
        """Look at a request as it arrives at Stripe: its intent was committed before, and it was not cancelled."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT intent, cancel_asked_at < started_at FROM jobs "
                "JOIN attempts ON job_id = jobs.id AND attempts.fence = jobs.fence WHERE subject_id = %s AND kind = %s",
                (asked["metadata"]["tollgate_payment"], CreatePayment.KIND.name),
            )
            found = cursor.fetchall()
        operation = asked["operation"]
        if not any(intent == operation or _is_earlier(operation, intent) for intent, _ in found):
            self.strays.append(f"Stripe was asked for {operation}, which no job intends: {found}")
        if any(intent == operation and cancelled for intent, cancelled in found):
            self.strays.append(f"Stripe was asked for {operation} by an attempt that began after its cancellation")

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
        journal: Any = self.redis.xrange(self.keyspace.journal)
        waiting: Any = self.redis.xrange(self.keyspace.journal_waiting)
        groups: Any = self.redis.xinfo_groups(self.keyspace.journal)
        if not groups:
            return {fields[b"job_id"].decode() for _, fields in [*journal, *waiting]}
        pending: Any = self.redis.xpending_range(self.keyspace.journal, GROUP, "-", "+", count=1000)
        delivered = _order(groups[0]["last-delivered-id"])
        open_ids = {entry["message_id"] for entry in pending}
        left = [fields for name, fields in journal if _order(name) > delivered or name in open_ids]
        return {fields[b"job_id"].decode() for fields in [*left, *(fields for _, fields in waiting)]}

    def _forget_redis(self) -> None:
        keys = list(self.redis.scan_iter(match=f"{self.keyspace.prefix}*", count=1000))
        if keys:
            self.redis.delete(*keys)
        self._date_journal()

    def _date_journal(self) -> None:
        """Let the journal's next entry bear the model's time."""
        journal = self.keyspace.journal
        self.redis.xdel(journal, self.redis.xadd(journal, {"date": ""}, id=f"{int(self.clock.now * MILLISECONDS)}-*"))

    def _age_redis(self, seconds: float) -> None:
        """Let what lives in Redis be so much older, and the journal's next entries so much younger."""
        keys = list(self.redis.scan_iter(match=f"{self.keyspace.prefix}*", count=1000))
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.pttl(key)
            lifetimes = pipeline.execute()
            for key, left in zip(keys, lifetimes, strict=True):
                if left > 0:
                    pipeline.pexpire(key, max(0, left - int(seconds * MILLISECONDS)))
            pipeline.execute()
        self._date_journal()


def _is_earlier(operation: str, intent: str | None) -> bool:
    """Tell whether a sleeper asks for an earlier generation of what is intended by now."""
    return intent is not None and generation_of(operation) < generation_of(intent)


def _order(stream_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.decode().partition("-")
    return int(milliseconds), int(sequence or 0)
