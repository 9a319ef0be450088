"""Order: what a client has asked for of one thing is done in the order in which it was accepted."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import one_of
from tasks.contracts.views import FINAL_JOB_STATES
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.jobs.waiting import waiting_unless_asked

# Whoever else names the same thing is not waited for: it need not be theirs.
_EARLIER = text(f"""
SELECT id FROM jobs
WHERE subject_id = :subject AND client_id = :client AND kind = ANY(:kinds) AND id <> :id
    AND (accepted_at, id) < (:accepted_at, :id) AND NOT {one_of("state", tuple(sorted(FINAL_JOB_STATES)))}
LIMIT 1
""")  # noqa: S608 - built of constants

_OVERTAKEN = text("""
SELECT EXISTS (
    SELECT FROM jobs
    WHERE subject_id = :subject AND client_id = :client AND kind = :kind AND id <> :id
        AND (accepted_at, id) > (:accepted_at, :id) AND state = 'done'
)
""")


def earlier_job(session: Session, job: JobRow, subject_id: str, kinds: Sequence[str]) -> str | None:
    """Return a job of the same client and of one of the kinds, on a thing, that was accepted before and is not over."""
    asked = {"subject": subject_id, "client": job.client_id, "kinds": list(kinds)}
    found: str | None = session.scalar(_EARLIER, {**asked, "id": job.id, "accepted_at": job.accepted_at})
    return found


def is_overtaken(session: Session, job: JobRow) -> bool:
    """Tell whether a later job of the same kind and client on the same thing has been done already.

    It happens where the earlier one was given up and is replayed, or came in late: its row was not there to be waited
    for.
    """
    asked = {"subject": job.subject_id, "client": job.client_id, "kind": job.kind}
    return bool(session.scalar(_OVERTAKEN, {**asked, "id": job.id, "accepted_at": job.accepted_at}))


def wait_for_earlier(
    attempt: Attempt, session: Session, subject_id: str, kinds: Sequence[str], noun: str
) -> Outcome | None:
    """Return the outcome of an attempt that waits for an earlier job on the same thing; None if there is none.

    Args:
        attempt: of a job that has had no effect yet.
        session: only reads.
        subject_id: the thing.
        kinds: of the jobs that are done one after the other.
        noun: what the thing is, in words.

    Raises:
        StripeOutcomeUnknownError: as `waiting_unless_asked` does.
    """
    earlier = earlier_job(session, attempt.job, subject_id, kinds)
    if earlier is None:
        return None
    return waiting_unless_asked(attempt, "EarlierOperation", f"{earlier} on the same {noun} was accepted before")
