"""Invariants of money: checked by the clock for what has changed, and for everything at an operator's word.

A check only reads; what it found is flagged, and what holds no more is cleared, in the transaction in which it ends.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.schedules import INVARIANTS
from models.client import OWN_CLIENT
from tasks.contracts.invariants import CheckInvariants
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.findings import Finding, cured, cured_others, of_others, of_payments
from workers.services.flags import clear_flag, raise_flag

LOG = logging.getLogger("tollgate.invariants")
CHUNK: Final = 500  # payments that are looked at together: a few milliseconds for each question
CHUNKS: Final = 20  # that one job looks at, well within its lease; another job goes on
MOST_FLAGS: Final = 500  # that one job raises and clears; the rest is found again
# What is written in a transaction that began before a check and was committed after it is seen by the next one: no
# transaction of ours lasts nearly as long.
OVERLAP: Final = dt.timedelta(minutes=2)
LONGEST_WINDOW: Final = dt.timedelta(days=1)  # beyond that it is cheaper to walk over all payments
_LAST = text("""
SELECT schedules.slot, clock_timestamp() - schedules.slot AS age FROM schedules JOIN jobs ON jobs.id = schedules.job_id
WHERE schedules.name = :name AND jobs.state = 'done' ORDER BY schedules.slot DESC LIMIT 1
""")
_CHANGED = text("""
SELECT id FROM (
    SELECT subject_id AS id FROM history WHERE noun = 'payment' AND recorded_at >= :since
    UNION SELECT refunds.payment_id FROM history JOIN refunds ON refunds.id = history.subject_id
        WHERE history.noun = 'refund' AND history.recorded_at >= :since
    UNION SELECT payment_id FROM ledger_transactions WHERE recorded_at >= :since
    UNION SELECT subject_id FROM flags WHERE cleared_at IS NULL
    UNION SELECT refunds.payment_id FROM flags JOIN refunds ON refunds.id = flags.subject_id
        WHERE flags.cleared_at IS NULL
) AS changed
WHERE id LIKE 'pay\\_%' AND id > :after ORDER BY id LIMIT :most
""")
_ALL = text("SELECT id FROM payments WHERE id > :after ORDER BY id LIMIT :most")


@dataclass(slots=True)
class Checked:
    """What a check has looked at so far, and found.

    Args:
        after: the last payment that was looked at.
        whole: whether there is nothing left to look at.
    """

    payments: int = 0
    after: str = ""
    whole: bool = False
    found: list[Finding] = field(default_factory=list)
    cured: list[tuple[str, str]] = field(default_factory=list)
    written: set[tuple[str, str]] = field(default_factory=set)

    def unwritten(self) -> list[tuple[str, str]]:
        """Return kind and subject of the next flags to be raised or cleared, in the order in which rows are locked."""
        pairs = {(each.kind, each.subject_id) for each in self.found} | set(self.cured)
        return sorted(pairs - self.written, key=lambda pair: (pair[1], pair[0]))[:MOST_FLAGS]


def check(attempt: Attempt, request: CheckInvariants) -> Outcome:
    """Check what has changed since the last check, and raise and clear flags; leaves a job behind if that is much."""
    runtime = attempt.runtime
    checked = Checked(after=request.after)
    with runtime.reading() as session:
        since = request.since if request.since is not None or request.full else since_last(session)
        if not request.after:
            look_at_others(session, since, checked)
        for _ in look(session, since, checked):
            if checked.payments >= CHUNK * CHUNKS:
                break

    def conclude(session: Session) -> None:
        write(session, runtime, checked)
        if not checked.whole:
            _go_on(session, attempt, CheckInvariants(since, checked.after, full=since is None))

    return done(conclude, touched=tuple(subject for _, subject in checked.unwritten()))


def settle(_session: Session, _runtime: Runtime, _job: JobRow, _request: CheckInvariants, _outcome: Outcome) -> None:
    """Leave everything as it is: a check that was not done is made up by the next one."""


def since_last(session: Session) -> str | None:
    """Return since when what has changed is to be looked at; None to look at everything."""
    last = session.execute(_LAST, {"name": INVARIANTS.name}).first()
    if last is None or last.age > LONGEST_WINDOW:
        return None
    since: dt.datetime = last.slot - OVERLAP
    return since.isoformat()


def look(session: Session, since: str | None, checked: Checked) -> Iterator[int]:
    """Look at the payments that changed since then, or at all, chunk by chunk; yields after each, with its size."""
    while not checked.whole:
        parameters = {"after": checked.after, "most": CHUNK, "since": since}
        ids: Sequence[str] = session.scalars(_ALL if since is None else _CHANGED, parameters).all()
        found = of_payments(session, ids)
        checked.found += found
        checked.cured += cured(session, ids, found)
        checked.payments += len(ids)
        checked.after = ids[-1] if ids else checked.after
        checked.whole = len(ids) < CHUNK
        session.expunge_all()
        yield len(ids)


def look_at_others(session: Session, since: str | None, checked: Checked) -> None:
    """Look at what is on its way, whenever it changed last, and at what was written of no payment since then."""
    found = of_others(session, since, MOST_FLAGS)
    checked.found += found
    if len(found) < MOST_FLAGS:  # else some that hold still may be beyond the limit
        checked.cured += cured_others(session, found)


def write(session: Session, runtime: Runtime | None, checked: Checked) -> tuple[Counter[str], Counter[str]]:
    """Raise and clear the next of the flags; return how many of each kind were raised, and how many cleared."""
    found = {(each.kind, each.subject_id): each for each in checked.found}
    raised, cleared = Counter[str](), Counter[str]()
    for kind, subject in checked.unwritten():
        finding = found.get((kind, subject))
        if finding is not None:
            raised[kind] += raise_flag(session, runtime, kind, subject, finding.details)
        else:
            cleared[kind] += clear_flag(session, kind, subject)
        checked.written.add((kind, subject))
    LOG.info(
        "invariants checked: %d payment(s), %d finding(s)",
        checked.payments,
        len(checked.found),
        extra={
            "payments": checked.payments,
            "findings": dict(Counter(each.kind for each in checked.found)),
            "raised": dict(+raised),
            "cleared": dict(+cleared),
        },
    )
    return +raised, +cleared


def _go_on(session: Session, attempt: Attempt, request: CheckInvariants) -> None:
    enqueue(
        session,
        attempt.runtime.settings,
        request,
        client_id=OWN_CLIENT,
        subject_id=INVARIANTS.name,
        slot=f"{attempt.job.id}/{request.after}",
        request_id="",
    )
