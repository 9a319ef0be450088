"""Jobs: what was accepted, what is being done about it, and what came of it."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of
from models.states import Moves

JOB_MOVES = Moves(
    "job",
    {
        "ready": frozenset({"running", "cancelled", "dead"}),
        "running": frozenset({"ready", "waiting", "checking", "done", "refused", "dead", "cancelled"}),
        "waiting": frozenset({"running", "cancelled", "dead"}),
        "checking": frozenset({"running", "cancelled", "dead"}),  # cancelled only after a look has found nothing
        "done": frozenset(),
        "refused": frozenset(),
        "dead": frozenset({"ready", "checking"}),  # by an operator's replay
        "cancelled": frozenset(),
    },
)
DUE_STATES = ("ready", "waiting", "checking")  # those that the dispatcher publishes when their time has come
_DUE = one_of("state", DUE_STATES)
VERDICTS = ("safe_to_replay", "reconcile_first", "never")


class Job(Base):
    """One job.

    Columns of note:
        scope: names (client, route, idempotency key); unique for ever.
        payload: sealed contract, bound to this row.
        version: grows with every change that a view shows; what is above `projected_version` is projected anew.
        fence: grows with every claim; a write that carries an older fence is refused.
        publish_number: grows with every hint, below zero for one that was sent again; claimed_publish: how far the
            queue had moved when the job was claimed.
        rescues: how often a worker died of it, as far as that is certain (`workers.jobs.rescue`).
        quarantined: it runs in the quarantine's queue, alone, until it is over.
        intent…: what was committed before Stripe was asked: operation, generation of its key, and since when.
        cancel_asked_at: an operator wants it to end; nothing more is sent on its behalf.
        began_anew_at: its dead letter, of which it was certain that nothing had happened, was replayed then.
        not_done_said_at: an operator has looked, and says that Stripe did nothing for it.
        discarded_at: an operator has put it out of the dead letters.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("scope"),
        CheckConstraint(one_of("state", JOB_MOVES.states), name="state"),
        CheckConstraint("verdict IS NULL OR " + one_of("verdict", VERDICTS), name="verdict"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease"),
        Index("ix_jobs_due", "queue", "next_run_at", postgresql_where=text(f"{_DUE} AND published_at IS NULL")),
        Index(
            "ix_jobs_published",
            "queue",
            text("abs(publish_number)"),
            postgresql_where=text(f"{_DUE} AND published_at IS NOT NULL"),
        ),
        Index("ix_jobs_cancelling", "next_run_at", postgresql_where=text(f"{_DUE} AND cancel_asked_at IS NOT NULL")),
        Index("ix_jobs_leases", "lease_until", postgresql_where=text("state = 'running'")),
        Index("ix_jobs_unprojected", "id", postgresql_where=text("version > projected_version")),
        Index("ix_jobs_claimed", "queue", "claimed_publish"),
        Index("ix_jobs_accepted", "accepted_at", "id"),
        Index("ix_jobs_request", "request_id"),
        # What is not kept for ever (`Kind.kept`) is found to be deleted.
        Index("ix_jobs_fleeting", "finished_at", postgresql_where=text("kind = 'views.show'")),
        Index("ix_jobs_dead", "finished_at", "id", postgresql_where=text("state = 'dead' AND discarded_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    queue: Mapped[str]
    contract_version: Mapped[int]
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    subject_id: Mapped[str] = mapped_column(index=True)
    scope: Mapped[str]
    fingerprint: Mapped[str]
    request_id: Mapped[str]
    payload: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default="ready")
    version: Mapped[int] = mapped_column(server_default="1")
    projected_version: Mapped[int] = mapped_column(server_default="0")
    fence: Mapped[int] = mapped_column(server_default="0")
    lease_until: Mapped[Instant | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    rescues: Mapped[int] = mapped_column(server_default="0")
    snoozes: Mapped[int] = mapped_column(server_default="0")
    quarantined: Mapped[bool] = mapped_column(server_default="false")
    intent: Mapped[str | None]
    intent_generation: Mapped[int] = mapped_column(server_default="1")
    intent_at: Mapped[Instant | None]
    next_run_at: Mapped[Recorded]
    published_at: Mapped[Instant | None]
    publish_number: Mapped[int | None] = mapped_column(BigInteger)
    claimed_publish: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    first_error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    last_error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    verdict: Mapped[str | None]
    replays: Mapped[int] = mapped_column(server_default="0")
    cancel_asked_at: Mapped[Instant | None]
    not_done_said_at: Mapped[Instant | None]
    began_anew_at: Mapped[Instant | None]
    discarded_at: Mapped[Instant | None]
    accepted_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    created_at: Mapped[Recorded]
    updated_at: Mapped[Recorded]
    finished_at: Mapped[Instant | None]


class Attempt(Base):
    """One try at a job: which fence, from when to when, how it ended, and Stripe's request id if it asked."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("job_id", "fence"),
        Index(
            "ix_attempts_stripe_request",
            "stripe_request_id",
            postgresql_where=text("stripe_request_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    fence: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[Recorded]
    ended_at: Mapped[Instant | None]
    outcome: Mapped[str | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    stripe_request_id: Mapped[str | None]
