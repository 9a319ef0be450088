"""Dead letters: finding them, replaying them as their verdict allows, and putting them away."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from tasks.contracts.kinds import CONTRACTS
from workers.jobs.operator import Operator

# `%` and `_` in what is looked for stand for themselves.
_CHOSEN = """
state = 'dead' AND discarded_at IS NULL
    AND (CAST(:ids AS text[]) IS NULL OR id = ANY(:ids))
    AND (CAST(:queue AS text) IS NULL OR queue = :queue)
    AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    AND (CAST(:verdict AS text) IS NULL OR verdict = :verdict)
    AND (CAST(:error AS text) IS NULL OR strpos(lower(last_error::text), lower(:error)) > 0)
    AND (CAST(:since AS timestamptz) IS NULL OR finished_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR finished_at < :until)
"""
_FIND = text(f"""
SELECT id, kind, queue, subject_id, attempts, rescues, replays, verdict, problem, first_error, last_error,
       accepted_at, finished_at
FROM jobs WHERE {_CHOSEN} AND (finished_at, id) > (:after_time, :after_id)
ORDER BY finished_at, id LIMIT :most
""")  # noqa: S608 - built of constants
_COUNT = text(f"SELECT verdict, count(*) AS number FROM jobs WHERE {_CHOSEN} GROUP BY verdict")  # noqa: S608 - see above

# `safe_to_replay`: it is certain that nothing happened, so all begins anew, under a key that was never used. Otherwise
# the intent stays, and the service looks before it asks, and asks only while Stripe surely remembers the key. One that
# died in quarantine runs there again.
_REPLAYABLE = "id = ANY(:ids) AND state = 'dead' AND discarded_at IS NULL AND verdict IS DISTINCT FROM 'never'"
# In doubt is what may have been asked of Stripe, whoever has put it out of the way meanwhile.
_IN_DOUBT = """
id = ANY(:ids) AND state = 'dead' AND (verdict IS NULL OR verdict = 'reconcile_first') AND kind = ANY(:kinds)
"""
_AGAIN = """
WITH chosen AS (
    SELECT id, verdict, last_error, finished_at FROM jobs WHERE {chosen} ORDER BY id FOR UPDATE
), ages AS (
    SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ages AS float[])) AS ages (kind, max_age)
)
UPDATE jobs
SET state = CASE WHEN jobs.verdict = 'safe_to_replay' THEN 'ready' ELSE 'checking' END,
    queue = CASE WHEN quarantined THEN 'quarantine' ELSE queue END,
    rescues = CASE WHEN quarantined THEN rescues - 1 ELSE 0 END,
    intent_generation = intent_generation
        + CASE WHEN jobs.verdict = 'safe_to_replay' AND intent IS NOT NULL THEN 1 ELSE 0 END,
    intent = CASE WHEN jobs.verdict = 'safe_to_replay' THEN NULL ELSE intent END,
    intent_at = CASE WHEN jobs.verdict = 'safe_to_replay' THEN NULL ELSE intent_at END,
    began_anew_at = CASE WHEN jobs.verdict = 'safe_to_replay' THEN clock_timestamp() ELSE began_anew_at END,
    expires_at = clock_timestamp() + make_interval(secs => ages.max_age),
    attempts = 0, replays = replays + 1, cancel_asked_at = {stopped}, not_done_said_at = {stopped},
    discarded_at = NULL, finished_at = NULL, problem = NULL, verdict = NULL,
    next_run_at = clock_timestamp(), published_at = NULL, version = version + 1, updated_at = clock_timestamp()
FROM chosen, ages WHERE jobs.id = chosen.id AND ages.kind = jobs.kind
RETURNING jobs.id, jobs.state, chosen.verdict, chosen.last_error, chosen.finished_at
"""
_REPLAY = text(_AGAIN.format(chosen=_REPLAYABLE, stopped="NULL"))
_NOT_DONE = text(_AGAIN.format(chosen=_IN_DOUBT, stopped="clock_timestamp()"))
_DOUBTS = text(f"SELECT id FROM jobs WHERE {_IN_DOUBT} ORDER BY id")  # noqa: S608 - built of constants
_DISCARD = text("""
WITH chosen AS (
    SELECT id FROM jobs WHERE id = ANY(:ids) AND state = 'dead' AND discarded_at IS NULL ORDER BY id FOR UPDATE
)
UPDATE jobs SET discarded_at = clock_timestamp(), updated_at = clock_timestamp()
FROM chosen WHERE jobs.id = chosen.id RETURNING jobs.id, jobs.state, jobs.verdict, jobs.last_error, jobs.finished_at
""")
_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant; what is None does not matter.

    Args:
        queue: the queue of their kind, without `.dead`.
        error: words of the last error, in whatever case.
        since, until: when they died, UTC; the end is not included.
    """

    ids: Sequence[str] | None = None
    queue: str | None = None
    kind: str | None = None
    verdict: str | None = None
    error: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """Return it as the parameters of the statements."""
        chosen = {name: getattr(self, name) for name in ("queue", "kind", "verdict", "error", "since", "until")}
        return {**chosen, "ids": None if self.ids is None else list(self.ids)}


def find(session: Session, wanted: Filter, most: int, after: Row[Any] | None = None) -> Sequence[Row[Any]]:
    """Return dead letters, those that died first in front, after the one given."""
    place = (
        {"after_time": after.finished_at, "after_id": after.id} if after else {"after_time": _LONG_AGO, "after_id": ""}
    )
    return session.execute(_FIND, {**wanted.parameters(), **place, "most": most}).all()


def count(session: Session, wanted: Filter) -> dict[str, int]:
    """Return how many there are by verdict."""
    return {row.verdict or "none": row.number for row in session.execute(_COUNT, wanted.parameters())}


def replay(session: Session, ids: Sequence[str], operator: Operator) -> dict[str, str]:
    """Make dead jobs due again, and return the state of each; `never` is passed over, as is what is not dead.

    A job is not forced: the replay obeys its verdict, and the promises about Stripe hold for it as for any other.
    """
    rows = session.execute(_REPLAY, _asked(ids, asking=False)).all()
    operator.record(session, "replay", {row.id: _before(row) for row in rows})
    return {row.id: row.state for row in rows}


def not_done(session: Session, ids: Sequence[str], operator: Operator) -> list[str]:
    """Take an operator's word that Stripe did nothing for dead jobs in doubt; return the ids of those that were.

    A worker looks at Stripe once more, sends nothing, and cancels the job, which frees what it has reserved; what it
    finds after all is done. Where it can't look, the doubt stays. What is not in doubt is passed over.
    """
    rows = session.execute(_NOT_DONE, _asked(ids, asking=True)).all()
    operator.record(session, "not_done", {row.id: _before(row) for row in rows})
    return sorted(row.id for row in rows)


def in_doubt(session: Session, ids: Sequence[str]) -> list[str]:
    """Return those of the jobs that `not_done` would act on, and change nothing."""
    asked = _asked(ids, asking=True)
    return list(session.scalars(_DOUBTS, {"ids": asked["ids"], "kinds": asked["kinds"]}))


def _asked(ids: Sequence[str], *, asking: bool) -> dict[str, Any]:
    """Return the ids with the maximum ages of all kinds, or of those alone that ask Stripe for something."""
    kinds = {name: each.KIND.max_age for name, each in CONTRACTS.items() if each.KIND.asks or not asking}
    return {"ids": list(ids), "kinds": list(kinds), "ages": list(kinds.values())}


def discard(session: Session, ids: Sequence[str], operator: Operator) -> list[str]:
    """Put dead jobs out of the dead letters for good, and return their ids; their rows and errors stay."""
    rows = session.execute(_DISCARD, {"ids": list(ids)}).all()
    operator.record(session, "discard", {row.id: _before(row) for row in rows})
    return [row.id for row in rows]


def _before(row: Row[Any]) -> dict[str, Any]:
    died = None if row.finished_at is None else row.finished_at.isoformat()
    return {"verdict": row.verdict, "last_error": row.last_error, "died_at": died}
