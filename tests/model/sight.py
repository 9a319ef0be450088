"""What PostgreSQL and Redis hold at one moment, looked at in one round trip each after every step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2.extensions
from redis import Redis

from config.keyspace import Keyspace

Row = dict[str, Any]
# Prepared once for each connection. Nothing that is committed escapes it: every transaction that may have written has a
# number, and a snapshot tells which of them are over. Instants as seconds, so that they compare with the model's clock;
# the rest of a row as it is, but for what is sealed.
_PREPARE = """
PREPARE look (text) AS
SELECT pg_current_snapshot()::text, CASE WHEN pg_current_snapshot()::text <> $1 THEN json_build_object(
    'epoch', (SELECT epoch FROM projection_epoch),
    'jobs', (SELECT json_object_agg(id, json_build_object(
        'kind', kind, 'queue', queue, 'scope', scope, 'subject_id', subject_id, 'state', state, 'version', version,
        'projected_version', projected_version, 'fence', fence, 'attempts', attempts, 'rescues', rescues,
        'snoozes', snoozes, 'intent', intent, 'intent_generation', intent_generation, 'verdict', verdict,
        'lease_until', EXTRACT(EPOCH FROM lease_until), 'intent_at', EXTRACT(EPOCH FROM intent_at),
        'next_run_at', EXTRACT(EPOCH FROM next_run_at), 'published_at', EXTRACT(EPOCH FROM published_at),
        'replays', replays, 'cancelling', cancel_asked_at IS NOT NULL, 'problem', problem)) FROM jobs),
    'paused', (SELECT json_agg(name) FROM queues WHERE paused_at IS NOT NULL),
    'attempts', (SELECT json_agg(json_build_array(job_id, fence, worker, outcome, ended_at IS NOT NULL) ORDER BY id)
        FROM attempts),
    'payments', (SELECT json_object_agg(id, json_build_object(
        'status', status, 'stripe_id', stripe_id, 'version', version, 'projected_version', projected_version,
        'amount_received', amount_received, 'dirty', dirty)) FROM payments)) END
"""
_VIEWS = "local views = {} for n, key in ipairs(KEYS) do views[n] = redis.call('HMGET', key, 'e', 'v') end return views"


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One row of `attempts`."""

    job_id: str
    fence: int
    worker: str
    outcome: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at everything.

    Args:
        now: the model's time.
        paused: the queues that are.
        views: epoch and version of every view that Redis holds, by its key.
    """

    now: float
    epoch: int
    jobs: dict[str, Row]
    attempts: list[AttemptRow]
    payments: dict[str, Row]
    paused: list[str]
    views: dict[str, tuple[int, int]] = field(default_factory=dict)

    def is_running(self, job_id: str, fence: int) -> bool:
        """Tell whether that attempt owns the job."""
        job = self.jobs.get(job_id)
        return job is not None and job["state"] == "running" and job["fence"] == fence


class Lookout:
    """Looks at PostgreSQL and Redis. What nobody can have changed since the last look is not read again.

    Args:
        connection: to PostgreSQL, in no transaction.
        redis: which holds the views.
        keyspace: of the views.
    """

    def __init__(self, connection: psycopg2.extensions.connection, redis: Redis, keyspace: Keyspace) -> None:
        self._cursor = connection.cursor()
        self._cursor.execute(_PREPARE)
        self._views = redis.register_script(_VIEWS)
        self._keyspace = keyspace
        self._snapshot = ""
        self._last = Sight(0.0, 0, {}, [], {}, [])

    def look(self, now: float, subjects: list[str]) -> Sight:
        """Return what is there.

        Args:
            now: the model's time.
            subjects: the jobs and payments that may have views.
        """
        self._cursor.execute("EXECUTE look (%s)", (self._snapshot,))
        [(self._snapshot, found)] = self._cursor.fetchall()
        if found is not None:
            self._last = _sight(now, found)
        return replace(self._last, now=now, views=self._look_at_views(subjects))

    def _look_at_views(self, subjects: list[str]) -> dict[str, tuple[int, int]]:
        keys = [self._keyspace.view(subject) for subject in subjects]
        found = self._views(keys) if keys else []
        return {
            key: (int(epoch), int(version))
            for key, (epoch, version) in zip(keys, found, strict=True)
            if epoch is not None and version is not None
        }


def _sight(now: float, found: dict[str, Any]) -> Sight:
    return Sight(
        now,
        found["epoch"],
        found["jobs"] or {},
        [AttemptRow(*row) for row in found["attempts"] or ()],
        found["payments"] or {},
        found["paused"] or [],
    )
