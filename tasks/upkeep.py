"""Upkeep: what the dispatcher does by the clock: schedule, publish, republish, rescue, repair, trim."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from celery import Celery

from tasks.contracts.repairs import WAITING_SECONDS
from tasks.contracts.steps import Step
from tasks.intake import GROUP, publish, stream_order, take_waiting
from tasks.publisher import empty_queues
from tasks.schedules import give_out_slots
from workers.jobs.forget import forget
from workers.jobs.presence import PRESENCE_SECONDS, forget_old, give_sign
from workers.jobs.publish import mark_due, mark_lost, overdue_queues
from workers.jobs.rescue import CutOff, rescue
from workers.projections.repair import repair_api_keys, repair_forgotten, repair_views
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.dispatcher")
CUT_OFF_SECONDS = 3.0  # without PostgreSQL: workers may have missed a sign of life or an outcome meanwhile
SCHEDULES = "schedules"
API_KEYS_SECONDS = 10.0  # a key issued or revoked while Redis was away follows this soon
TRIM_SECONDS = 60.0
FORGET_SECONDS = 3600.0
FORGET_JOBS_SECONDS = 60.0
PUBLISH_ROUNDS = 10  # of a long backlog at a time, so that rescue and repair are not kept waiting
IDLE_CONSUMER_MS = 3_600_000  # a dispatcher that has read nothing for an hour is gone for good


@dataclass(slots=True)
class Chore:
    """A piece of upkeep and its period in seconds."""

    name: str
    period: float
    do: Callable[[], object]
    due_at: float = field(default=0.0)


def chores(runtime: Runtime, app: Celery, clock: Callable[[], float] = time.time) -> list[Chore]:
    """Return all chores of a dispatcher."""
    jobs = runtime.settings.jobs
    return [
        Chore("epoch", jobs.repair_interval, lambda: repair_forgotten(runtime)),
        Chore("presence", PRESENCE_SECONDS, lambda: be_seen(runtime)),
        Chore(SCHEDULES, jobs.repair_interval, lambda: give_out_slots(runtime)),
        Chore("rescue", jobs.poll_interval, Rescuer(runtime).give_back),
        Chore("publish", jobs.poll_interval, lambda: publish_due(runtime, app)),
        Chore("republish", jobs.republish_grace / 2, lambda: publish_lost(runtime, app)),
        Chore("views", jobs.repair_interval, lambda: repair_views(runtime)),
        Chore("api keys", API_KEYS_SECONDS, lambda: repair_api_keys(runtime)),
        Chore("waiting entries", WAITING_SECONDS, lambda: take_waiting(runtime)),
        Chore("trim", TRIM_SECONDS, lambda: trim(runtime, clock)),
        Chore("forget jobs", FORGET_JOBS_SECONDS, lambda: forget_jobs(runtime)),
        Chore("forget processes", FORGET_SECONDS, lambda: forget_processes(runtime)),
    ]


def be_seen(runtime: Runtime) -> None:
    """Tell PostgreSQL that this dispatcher lives."""
    with runtime.transaction(Step.PRESENCE) as session:
        give_sign(session, runtime.name)


@dataclass(slots=True)
class Rescuer:
    """Gives back jobs whose lease ran out, and remembers when PostgreSQL could not be reached.

    Args:
        reached: when it last could, by the monotonic clock; None before the first time.
        cut_off: beginning and end of the last time it could not.
    """

    runtime: Runtime
    monotonic: Callable[[], float] = time.monotonic
    reached: float | None = None
    cut_off: tuple[float, float] | None = None

    def give_back(self) -> None:
        """Make jobs due again whose lease ran out.

        Raises:
            DatabaseAwayError: if PostgreSQL is away; this counts as being cut off from it.
        """
        jobs = self.runtime.settings.jobs
        with self.runtime.transaction(Step.RESCUE) as session:
            now = self.monotonic()
            if self.reached is not None and now - self.reached > CUT_OFF_SECONDS:
                self.cut_off = (self.reached, now)
            ago = None if self.cut_off is None else CutOff(*(now - moment for moment in self.cut_off))
            rescued = rescue(session, jobs.publish_batch, max_rescues=jobs.max_rescues, cut_off=ago)
        self.reached = now
        for each in rescued:
            LOG.warning(
                "the lease ran out: the job is due again%s",
                ", alone in quarantine" if each.quarantined else "",
                extra={"job_id": each.job_id, "worker_died": each.worker_died},
            )


def publish_due(runtime: Runtime, app: Celery) -> None:
    """Hint at jobs whose time has come, until none is left, the broker is away, or other chores should have a turn."""
    most = runtime.settings.jobs.publish_batch
    for _ in range(PUBLISH_ROUNDS):
        with runtime.transaction(Step.PUBLISH) as session:
            hints = mark_due(session, most)
        if not publish(runtime, app, hints) or len(hints) < most:
            return


def publish_lost(runtime: Runtime, app: Celery, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Hint again at jobs whose hint was lost, until none is left or other chores should have a turn.

    A queue that was empty is soon empty no longer; what was published before it was found so is lost all the same. By
    the end of the grace that can't be told from what was sent since.
    """
    jobs = runtime.settings.jobs
    with runtime.reading() as session:
        queues = overdue_queues(session, jobs.republish_grace)
    if not queues:
        return
    looked = monotonic()
    empty = empty_queues(app, queues)
    for _ in range(PUBLISH_ROUNDS):
        with runtime.transaction(Step.REPUBLISH) as session:
            hints = mark_lost(session, grace=jobs.republish_grace, empty_queues=empty, most=jobs.publish_batch)
        if hints:
            LOG.warning("%d hints were lost and are sent again", len(hints))
        sent = publish(runtime, app, hints)
        if not sent or len(hints) < jobs.publish_batch or monotonic() - looked > jobs.republish_grace / 2:
            return


def trim(runtime: Runtime, clock: Callable[[], float]) -> None:
    """Let the journal forget what was taken in long ago; what is not acknowledged stays, however old.

    How long ago that was no entry tells, only when it was accepted: with PostgreSQL away for a day it may be taken in a
    day later. So each time it is noted how far all has been taken in, and a note that is old enough is where to cut.
    """
    keyspace, redis = runtime.settings.redis.keyspace, runtime.redis
    journal, notes = keyspace.journal, keyspace.journal_taken_in
    groups = [group for group in redis.xinfo_groups(journal) if group["name"] == GROUP.encode()]
    if not groups:
        return
    now, pending = clock(), redis.xpending(journal, GROUP)
    horizon = (pending["min"] or groups[0]["last-delivered-id"]).decode()
    with Step.TRIM:
        redis.zadd(notes, {horizon: now}, nx=True)
        old: Any = redis.zrevrangebyscore(
            notes, now - runtime.settings.jobs.journal_keep, "-inf", 0, 1, withscores=True
        )
        for taken_in, noted in old:
            # An operator may have set the journal back since: what is to be read again stays.
            redis.xtrim(journal, minid=min(taken_in.decode(), horizon, key=stream_order), approximate=True)
            redis.zremrangebyscore(notes, "-inf", f"({noted!r}")
    for consumer in redis.xinfo_consumers(journal, GROUP):
        if not consumer["pending"] and consumer["idle"] > IDLE_CONSUMER_MS:
            with Step.FORGET_READER:
                redis.xgroup_delconsumer(journal, GROUP, consumer["name"])


def forget_jobs(runtime: Runtime) -> None:
    """Delete the rows of jobs that are not kept, until none is left or other chores should have a turn."""
    most = runtime.settings.jobs.publish_batch
    for _ in range(PUBLISH_ROUNDS):
        with runtime.transaction(Step.FORGET_JOBS) as session:
            if forget(session, most) < most:
                return


def forget_processes(runtime: Runtime) -> None:
    """Forget processes that are gone for long."""
    with runtime.transaction(Step.PRESENCE) as session:
        forget_old(session)
