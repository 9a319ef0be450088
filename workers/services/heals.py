"""Healing: Stripe's list of events compared with those that came, and the ones whose webhooks were lost brought in.

A look goes through a window of time, from newer to older events. What is missing becomes the job that its webhook would
have made; a webhook that comes after all is that same job. The cursor moves with the commit that ends a whole look.
"""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.orm import Session

from config.schedules import HEAL
from config.settings import WorkerSettings
from models.base import one_of
from models.client import OWN_CLIENT
from models.event_cursor import EventCursor
from models.job import DUE_STATES
from tasks.contracts.events import CLIENT, HealEvents, StripeEvent, identity_of_event
from workers.gateways.listings import ListedEvent
from workers.gateways.stripe import API_VERSION
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue, insert_job
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.flags import clear_flag, raise_flag
from workers.services.stripe_events import matters

LOG = logging.getLogger("tollgate.heals")
CURSOR: Final = "stripe"
FLAG: Final = ("webhooks_missed", "stripe.events")
PAGES: Final = 10  # that one job reads: a thousand events, in one transaction of a second or two
# Stripe does not promise that an event is listed the moment after it happened: each look begins so much before the end
# of the last one. It costs the pages of a quarter of an hour.
OVERLAP: Final = dt.timedelta(minutes=15)
_HERE = text("SELECT id FROM jobs WHERE id = ANY(:jobs)")
_HANDLED = text("SELECT id FROM stripe_events WHERE id = ANY(:events)")
_GOES_ON = text(f"""
SELECT EXISTS (
    SELECT FROM event_cursors JOIN jobs ON jobs.id = event_cursors.goes_on_in
    WHERE {one_of("jobs.state", (*DUE_STATES, "running"))}
)
""")  # noqa: S608 - built of constants
# The first look says from where on Stripe's events are compared; a later one moves the cursor only if it leaves no gap.
_MOVE = text("""
INSERT INTO event_cursors AS cursor (name, through, event_id) VALUES (:name, :until, :event)
ON CONFLICT (name) DO UPDATE SET through = GREATEST(cursor.through, EXCLUDED.through), looked_at = clock_timestamp(),
    event_id = CASE WHEN EXCLUDED.through >= cursor.through THEN COALESCE(EXCLUDED.event_id, cursor.event_id)
        ELSE cursor.event_id END,
    goes_on_in = NULL
WHERE :since <= cursor.through
RETURNING missed
""")
_COUNT = text("""
UPDATE event_cursors SET missed = missed + :count, missed_since = LEAST(missed_since, :since) WHERE name = :name
RETURNING missed, missed_since
""")
_HEALTHY = text("UPDATE event_cursors SET missed = 0, missed_since = NULL WHERE name = :name")
_CHAINED = text("UPDATE event_cursors SET goes_on_in = :job WHERE name = :name")


@dataclass(slots=True)
class Look:
    """How far a look has come.

    Args:
        since: from when on events are compared, by Stripe's clock.
        until: up to when; None until Stripe has said what time it is there.
        after: the event that was looked at last.
        missed: lost events that were brought in, or would be.
        events: how many were looked at.
        whole: whether all of the window was looked at.
        newest: the newest event of the window.
        lost: those that are not here and not brought in yet.
        accepted: those of them whose webhook came, and waits in the journal: they are not lost.
    """

    since: dt.datetime
    until: dt.datetime | None = None
    after: str | None = None
    missed: int = 0
    events: int = 0
    whole: bool = False
    newest: str | None = None
    lost: list[ListedEvent] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)


def heal(attempt: Attempt, request: HealEvents) -> Outcome:
    """Compare the next events and bring in what is missing; leaves a job behind if there are more."""
    runtime = attempt.runtime
    with runtime.reading() as session:
        known = cursor(session)
        if request.after is None and session.execute(_GOES_ON).scalar_one():
            return done(lambda _session: None)  # a look that began before is not whole yet; it ends up here
    look = _begun(request, known)
    for _ in range(PAGES):
        read_page(runtime, look, attempt.before_call)
        if look.whole:
            break

    def conclude(session: Session) -> None:
        write(session, runtime, look)
        if not look.whole:
            _go_on(session, attempt, look)

    return done(conclude)


def settle(_session: Session, _runtime: Runtime, _job: JobRow, _request: HealEvents, _outcome: Outcome) -> None:
    """Leave everything as it is: the cursor has not moved, so the next look begins where this one did."""


def cursor(session: Session) -> EventCursor | None:
    """Return how far events were compared; None before the first look."""
    return session.get(EventCursor, CURSOR)


def since_cursor(known: EventCursor | None) -> dt.datetime:
    """Return from when on a look compares that goes on where the last one ended; the first one begins now."""
    return (dt.datetime.now(dt.UTC) if known is None else known.through) - OVERLAP


def _begun(request: HealEvents, known: EventCursor | None) -> Look:
    since = since_cursor(known) if request.since is None else dt.datetime.fromisoformat(request.since)
    until = None if request.until is None else dt.datetime.fromisoformat(request.until)
    return Look(since, until, request.after, request.missed, newest=request.newest)


def read_page(runtime: Runtime, look: Look, before_call: Callable[[], object]) -> None:
    """Read one page of Stripe's events, and note which of them have not come."""
    before_call()
    answer = runtime.stripe.list_events(since=look.since, until=look.until, after=look.after)
    if look.until is None:
        settle_time = dt.timedelta(seconds=runtime.settings.jobs.event_settle)
        look.until = answer.as_of.replace(microsecond=0) - settle_time
    page = answer.value
    settled = [each for each in page.objects if each.created < look.until]
    if settled and look.newest is None:
        look.newest = settled[0].id
    look.events += len(settled)
    look.after = page.last
    look.whole = page.last is None
    looked_for = [each for each in settled if matters(each.type)]
    with runtime.reading() as session:
        missing = absent(session, runtime.settings, looked_for)
    look.lost += missing
    look.accepted |= _on_the_way(runtime, missing)


def absent(session: Session, settings: WorkerSettings, events: Sequence[ListedEvent]) -> list[ListedEvent]:
    """Return those events of which there is neither a job nor a record that they were handled."""
    jobs = {each.id: identity_of_event(settings.identity_key, each.id).job_id for each in events}
    here = set(session.scalars(_HERE, {"jobs": list(jobs.values())}))
    left = [each for each in events if jobs[each.id] not in here]
    handled = set(session.scalars(_HANDLED, {"events": [each.id for each in left]})) if left else set()
    return [each for each in left if each.id not in handled]


def write(session: Session, runtime: Runtime, look: Look) -> None:
    """Bring in what is missing, in the order in which it happened, and move the cursor if the look is whole."""
    lost, look.lost = sorted(look.lost, key=lambda each: each.created), []
    brought = [each for each in lost if _bring_in(session, runtime.settings, each)]
    counted = [each for each in brought if each.id not in look.accepted]
    odd = {each.api_version for each in brought if each.api_version != API_VERSION}
    if odd:
        LOG.warning("events are brought in that are written in another API version: %s", ", ".join(map(str, odd)))
    look.missed += len(counted)
    moved = _moved(session, look)
    if counted:
        total = session.execute(_COUNT, {"name": CURSOR, "count": len(counted), "since": counted[0].created}).first()
        details = _details(len(counted) if total is None else total.missed, total, counted[0].created)
        raise_flag(session, runtime, *FLAG, details)
    elif moved and look.missed == 0:
        session.execute(_HEALTHY, {"name": CURSOR})
        clear_flag(session, *FLAG)
    LOG.info(
        "events compared: %d, %d of them lost",
        look.events,
        len(counted),
        extra={"events": look.events, "brought_in": len(brought), "lost": len(counted), "whole": look.whole},
    )


def _details(missed: int, total: Any, first: dt.datetime) -> dict[str, Any]:
    since = first if total is None or total.missed_since is None else total.missed_since
    return {"events": missed, "since": since.astimezone(dt.UTC).isoformat()}


def _bring_in(session: Session, settings: WorkerSettings, event: ListedEvent) -> bool:
    return insert_job(
        session,
        settings,
        StripeEvent(event.body),
        identity_of_event(settings.identity_key, event.id),
        client_id=CLIENT,
        subject_id=event.id,
        request_id="",
    )


def _on_the_way(runtime: Runtime, events: Sequence[ListedEvent]) -> set[str]:
    """Return those whose webhook was accepted: Redis remembers its id for as long as the journal keeps it."""
    if not events:
        return set()
    keyspace, key = runtime.settings.redis.keyspace, runtime.settings.identity_key
    names = [keyspace.idempotency(identity_of_event(key, each.id).scope) for each in events]
    try:
        found: Any = runtime.redis.mget(names)
    except RedisError:
        return set()  # who can't be asked has accepted nothing
    return {each.id for each, record in zip(events, found, strict=True) if record is not None}


def _moved(session: Session, look: Look) -> bool:
    if not look.whole:
        return False
    parameters = {"name": CURSOR, "until": look.until, "since": look.since, "event": look.newest}
    return session.execute(_MOVE, parameters).first() is not None


def _go_on(session: Session, attempt: Attempt, look: Look) -> None:
    until = None if look.until is None else look.until.isoformat()
    job_id = enqueue(
        session,
        attempt.runtime.settings,
        HealEvents(look.since.isoformat(), until, look.after, look.missed, look.newest),
        client_id=OWN_CLIENT,
        subject_id=HEAL.name,
        slot=f"{attempt.job.id}/{look.after}",
        request_id="",
    )
    session.execute(_CHAINED, {"name": CURSOR, "job": job_id})
