"""What PostgreSQL and Redis hold at one moment, read in one round trip each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg2.extensions
from redis import Redis

from config.keyspace import Keyspace

Row = dict[str, Any]
# Instants as seconds, so that they compare with the model's clock; the rest of a row as it is, but for what is sealed.
_READ = """
SELECT json_build_object(
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
        'amount_received', amount_received, 'dirty', dirty)) FROM payments))
"""


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


def read(connection: psycopg2.extensions.connection, now: float) -> Sight:
    """Look at PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        [(found,)] = cursor.fetchall()
    return Sight(
        now,
        found["epoch"],
        found["jobs"] or {},
        [AttemptRow(*row) for row in found["attempts"] or ()],
        found["payments"] or {},
        found["paused"] or [],
    )


def read_views(redis: Redis, keyspace: Keyspace, subjects: list[str]) -> dict[str, tuple[int, int]]:
    """Look at the views in Redis."""
    if not subjects:
        return {}
    keys = [keyspace.view(subject) for subject in subjects]
    with redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, "e", "v")
        found: list[list[bytes | None]] = pipeline.execute()
    return {
        key: (int(epoch), int(version))
        for key, (epoch, version) in zip(keys, found, strict=True)
        if epoch is not None and version is not None
    }
