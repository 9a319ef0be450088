"""The stage of the crash points: real servers, a website, and the dispatcher and worker that take over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from config.settings import OperatorSettings
from ops.key_store import add_key
from tasks import upkeep
from tasks.contracts.identity import system_id
from tasks.contracts.steps import Step
from tests.builders.actors import Actors
from tests.builders.entries import new_key
from tests.builders.house import House, Row, open_house
from tests.builders.ingress import PEPPER, Site, body
from tests.builders.simulator import Simulator
from tests.builders.time_ahead import TimeAhead
from tests.chaos.roles import dispatch, work
from tests.unit.workers.gateways.scripted import ScriptedServer, answer, scripted
from workers.gateways.stripe import StripeGateway, stripe_breaker
from workers.projections.api_keys import load_live_keys, project_api_keys

QUEUES = ("payments", "refunds", "invoices", "webhooks", "views", "maintenance", "notifications")
JOURNAL = ["join", "left", "new"]
MOST = 100
SOON = 5.0  # seconds, by when a doubt of a few seconds' age is looked at again
# The ledger and the history refuse to forget, and so does what they speak of: here a new case begins.
FORGET = """
SET LOCAL session_replication_role = replica; DELETE FROM ledger_entries; DELETE FROM ledger_transactions;
DELETE FROM endpoints; DELETE FROM stripe_events; DELETE FROM refunds; DELETE FROM invoice_lines; DELETE FROM invoices;
DELETE FROM invoice_numbers; DELETE FROM disputes; DELETE FROM payment_evidence;
DELETE FROM payments; DELETE FROM customers;
DELETE FROM flags; DELETE FROM schedules; DELETE FROM event_cursors; DELETE FROM reconciliations;
DELETE FROM attempts; DELETE FROM jobs
"""
ROUNDS = 3  # a hint's job may leave a follow-up job, whose views follow
NARROW = {"lock_timeout": 0.3}  # seconds; a frozen transaction is waited for in vain, and the test waits with it


@dataclass(frozen=True)
class Posted:
    """A payment that a client has asked for."""

    key: str
    document: dict[str, Any]
    job_id: str
    payment_id: str


@dataclass
class Stage:
    """One house, used by one case after the other."""

    house: House
    site: Site
    stripe: Simulator
    time: TimeAhead
    actors: Actors
    website: ScriptedServer
    plan: dict[str, Any] = field(default_factory=dict)
    ran: dict[str, float] = field(default_factory=dict)
    began: int = 0  # when this case did, by the simulator's clock, in seconds since 1970

    def post(self, key: str | None = None, **changes: Any) -> Posted:
        """Post a payment, of a new customer unless told otherwise, and have it accepted."""
        key = key or new_key()
        document = body(**{"customer": {"name": "Ada Lovelace", "email": f"ada.{key}@example.org"}, **changes})
        answer = self.site.post(document, key)
        assert answer.status_code in {200, 202}, answer.json
        assert answer.json is not None
        return Posted(key, document, answer.json["job"]["id"], answer.json["payment"]["id"])

    def invoice(self, key: str, **changes: Any) -> tuple[str, str]:
        """Post an invoice of a new customer, and have it accepted; return the ids of its job and of itself."""
        line = {"description": "First aid at work", "quantity": 1, "unit_amount": 4950, "tax": "exempt"}
        customer = {"name": "Ada Byron", "email": f"invoice.{key}@example.org"}
        document = {"customer": customer, "currency": "gbp", "lines": [line], **changes}
        answer = self.site.invoice(document, f"invoice {key}")
        assert answer.status_code in {200, 202}, answer.json
        assert answer.json is not None
        return answer.json["job"]["id"], answer.json["invoice"]["id"]

    @property
    def since(self) -> dict[str, int]:
        """What to ask the simulator for to be listed what was made since the case began, and nothing older."""
        return {"created[gte]": self.began}

    def take_in(self, *do: str) -> None:
        """Do a dispatcher's rounds; by default it takes the journal in."""
        dispatch(self.house.runtime, self.house.app, list(do) or JOURNAL)

    def work(self, queue: str = "payments") -> None:
        """Do a worker's work, until its queue is empty."""
        work(self.house.runtime, queue, most=MOST)

    def hear(self, events: Iterable[bytes]) -> None:
        """Let Stripe deliver events, and have them taken in."""
        for event in events:
            assert self.site.post_event(event).status_code == 200
        self.take_in()

    def learn(self, events: Iterable[bytes]) -> None:
        """Let Stripe deliver events, and have them handled."""
        self.hear(events)
        self.work("webhooks")

    def come_again(self) -> None:
        """Let what is looked at again within seconds be due."""
        self.time.advance(SOON)
        self.take_in("publish")

    def posted_and_done(self, **changes: Any) -> Posted:
        """Return a payment that has its PaymentIntent."""
        posted = self.post(**changes)
        self.take_in()
        self.work()
        return posted

    def just_ran(self) -> None:
        """Begin to take over, at the worst moment: all that is done now and then has just been done."""
        self.ran = dict.fromkeys(self.periods, self.time.seconds)

    def take_over(self) -> None:
        """Be the dispatcher and the worker that are left: each piece of work is done when its time has come."""
        for _ in range(ROUNDS):
            due = [name for name, period in self.periods.items() if self.time.seconds >= self.ran[name] + period]
            self.ran.update(dict.fromkeys(due, self.time.seconds))
            self.take_in("join", "new", *due)
            if sum(work(self.house.runtime, queue, most=MOST) for queue in QUEUES) == 0:
                break
            self.time.advance(self.house.runtime.settings.jobs.poll_interval)

    @cached_property
    def periods(self) -> dict[str, float]:
        """After how many seconds each piece of a dispatcher's work is done again."""
        chores = upkeep.chores(self.house.runtime, self.house.app)
        # A case sets the time ahead by minutes, and each would bring a slot of scheduled work: that has its own scene.
        periods = {each.name: each.period for each in chores if each.name != upkeep.SCHEDULES}
        return {"left": self.house.runtime.settings.jobs.claim_idle} | periods

    def clear(self) -> None:
        """Begin a new case: nothing in PostgreSQL and Redis but the API key, the true time, no faults, no doubts."""
        redis, keyspace = self.house.runtime.redis, self.house.keyspace
        names = list(redis.scan_iter(match=f"{keyspace.prefix}*"))
        if names:
            redis.delete(*names)
        redis.set(keyspace.epoch, 1)
        with self.house.runtime.reading() as session:
            project_api_keys(redis, keyspace, load_live_keys(session))
        self.house.sql(FORGET)
        self.house.runtime.stripe.close()
        settings = self.house.runtime.settings
        breaker = stripe_breaker(settings.stripe)
        gateway = StripeGateway(settings.stripe, breaker, system=system_id(settings.derivation_key))
        self.house.runtime = dataclasses.replace(self.house.runtime, stripe=gateway)
        self.stripe.control("DELETE", "faults")
        self.began = self.stripe.control("GET", "clock")["now"]
        self.website.heard.clear()
        self.time.reset()

    def unfinished(self) -> list[Row]:
        """Return the jobs that have not come to an end, but for a fee's whose time has not come."""
        return self.house.sql(
            "SELECT * FROM jobs WHERE state NOT IN ('done', 'refused', 'dead', 'cancelled')"
            " AND NOT (kind = 'ledger.fee' AND state = 'ready' AND next_run_at > clock_timestamp())"
        )


@contextmanager
def staged(database_url: str, redis_url: str, prefix: str, stripe: Simulator, actors: Actors) -> Iterator[Stage]:
    """Open the stage, with an API key that PostgreSQL knows."""
    with (
        scripted(answer(200)) as website,
        open_house(database_url, redis_url, prefix, stripe.url, database=NARROW) as first,
    ):
        time = TimeAhead(database_url, first.runtime.redis, first.keyspace.journal)
        settings = first.runtime.settings
        operator = OperatorSettings("test", settings.redis, settings.database, PEPPER)
        with first.runtime.transaction(Step.API_KEYS) as session:
            token = add_key(session, operator, "site", rate=1000.0, burst=1000)
        first.runtime.engine.dispose()  # connections from now on see the time that is set
        site = Site(redis_url, prefix)
        site.token = token
        plan = {
            "database_url": database_url,
            "redis_url": redis_url,
            "prefix": prefix,
            "stripe_url": stripe.url,
            "database": NARROW,
        }
        try:
            yield Stage(first, site, stripe, time, actors, website, plan)
        finally:
            site.close()
            time.close()
