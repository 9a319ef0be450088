"""The world of the model: real servers, shipped code as puppets, and everything that may go wrong between them."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import Any, cast

import psycopg2

from ingress.authentication import ApiKeys
from ingress.door import Door
from ingress.outlook import Outlook
from ingress.redis_gate import RedisGate, connection_pool
from ingress.waiting import WaitingRoom
from models.database import create_database_engine
from ops import journal
from tests.builders.ingress import ingress_settings
from tests.builders.worker import worker_settings
from tests.model import clock as clocks
from tests.model.arrivals import Arrivals
from tests.model.broker import Broker
from tests.model.clock import Clock
from tests.model.complaints import Complaints
from tests.model.copies import Copies
from tests.model.fake_stripe import FakeStripe
from tests.model.memory import Memory
from tests.model.operators import ACT, OPERATOR
from tests.model.processes import Processes
from tests.model.requests import RECORD_SECONDS, Requests
from tests.model.sight import Lookout, Sight
from tests.model.stepped import PatientRedis, SteppedRuntime, stepping

SHORTEST_TTL_JUMP = 60.0  # what lives in Redis lives for an hour or more: shorter jumps need not shorten it


class World:
    """Everything that one example plays with; `reset` makes it new.

    Attributes:
        processes: the workers and dispatchers, and what they have in hand.
        requests: what was asked at the ingress's door, and what was promised.
        stripe: what was made there, and how.
        broker: the messages under way.
        memory: what Redis holds.
        arrivals: what should not have been asked of Stripe.
        complaints: what was logged as an error.
        copied_at: when PostgreSQL was copied, if it was.
    """

    def __init__(self, database_url: str, redis_url: str, prefix: str) -> None:
        self._open = ExitStack()
        self._connection = psycopg2.connect(database_url)
        self._open.callback(self._connection.close)
        self._connection.autocommit = True
        self.clock = Clock(self._connection)
        self._copies = Copies(self._connection)
        settings = worker_settings(database_url, redis_url, prefix, jobs={"claim_idle": 0.0})
        self.settings = dataclasses.replace(settings, view_seconds=int(RECORD_SECONDS))
        redis = PatientRedis.from_url(redis_url, single_connection_client=True)  # only one puppet moves at a time
        self._open.callback(redis.close)
        self.memory = Memory(redis, settings.redis.keyspace, self.clock)
        self._lookout = Lookout(self._connection, redis, settings.redis.keyspace)
        engine = create_database_engine(settings.database, "model")
        engine.pool._pre_ping = False  # a server that does not go away need not be asked every time
        self._open.callback(engine.dispose)
        self._runtime = SteppedRuntime(
            "model", self.settings, engine, redis, cast("Any", None), cast("Any", None), lambda: 0.5
        )
        self._door = self._open_door(redis_url, prefix)
        self.complaints = Complaints()
        self._open.enter_context(self.complaints.listening())
        self._open.enter_context(stepping(self.clock))
        with self._connection.cursor() as cursor:
            cursor.execute("INSERT INTO clients (id, name) VALUES ('site', 'site') ON CONFLICT DO NOTHING")
        for copy in ("new", "kept"):
            self._copies.prepare(copy)
        self._copies.take("new")
        self.reset()

    def _open_door(self, redis_url: str, prefix: str) -> Door:
        settings = ingress_settings(redis_url, prefix, idempotency_seconds=int(RECORD_SECONDS))
        gate = RedisGate(connection_pool(settings.redis, size=2, socket_timeout=2.0))
        self._open.callback(gate.close)
        return Door(
            settings,
            gate,
            cast("ApiKeys", None),
            cast("WaitingRoom", None),
            Outlook(gate, settings.redis.keyspace, live=False, monotonic=self.clock.time),
            self.clock.time,
        )

    def reset(self) -> None:
        """Make the world new: empty tables, an empty Redis, idle processes."""
        self._copies.put_back("new")
        self.clock.set(clocks.START)
        self.memory.forget()
        self.memory.redis.set(self.memory.keyspace.epoch, 1)
        self.complaints.heard.clear()
        self.copied_at: float | None = None
        self.arrivals = Arrivals(self._connection)
        self.stripe = FakeStripe(self.clock.time, self.arrivals.look)
        self.broker = Broker()
        self.requests = Requests(self._door)
        self.runtime = dataclasses.replace(self._runtime, stripe=cast("Any", self.stripe))
        self.processes = Processes(self.runtime, self.broker, self.stripe, self.clock)

    def close(self) -> None:
        """End all puppets and close everything."""
        self.processes.kill_all()
        self._open.close()

    def look(self) -> Sight:
        """Look at PostgreSQL and Redis."""
        return self._lookout.look(self.clock.now, self.requests.subjects())

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once. Whatever would have been frozen all the while is ended first."""
        self.clock.jump(seconds)
        self.processes.end_the_frozen()
        if seconds >= SHORTEST_TTL_JUMP:
            self.memory.age(seconds)

    def forget(self) -> None:
        """Let Redis forget everything, and with it what the broker held."""
        self.memory.forget()
        self.broker.bag.clear()
        self.requests.forget_records()
        self.copied_at = None  # a restore of PostgreSQL needs the journal

    def copy(self) -> None:
        """Take a copy of PostgreSQL, to be restored later."""
        self._copies.take("kept")
        self.copied_at = self.clock.now

    def restore(self) -> None:
        """Put the copy back as an operator does: all processes stopped, the journal read again under a new epoch."""
        self.processes.kill_all()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT epoch FROM projection_epoch")
            [(epoch,)] = cursor.fetchall()
            self._copies.put_back("kept")
            cursor.execute(str(journal._NEW_EPOCH.text))
            [(raised,)] = cursor.fetchall()
            if raised <= epoch:  # a second restore of one copy would give the same epoch again
                cursor.execute("UPDATE projection_epoch SET epoch = %s", (epoch + 1,))
        with self.runtime.transaction(ACT) as session:
            OPERATOR.record(session, "reread", {"journal": {"since": "0-0"}})
        journal._set_back(self.memory.redis, self.memory.keyspace, "0-0")
        self.requests.distrust_records()
