"""Settings of jobs: their pace, in seconds unless named otherwise."""

from dataclasses import dataclass

from config.environment import Reader


@dataclass(frozen=True, slots=True)
class JobSettings:
    """The pace of jobs, all in seconds unless named otherwise."""

    lease: float
    longest_attempt: float
    stop_grace: float
    intake_batch: int
    publish_batch: int
    poll_interval: float
    republish_grace: float
    claim_idle: float
    repair_interval: float
    journal_keep: float
    backoff_base: float
    backoff_cap: float
    max_rescues: int
    generation_wait: float
    resend_limit: float
    event_settle: float
    reconcile_settle: float


def read_jobs(read: Reader) -> JobSettings:
    """Read the pace of jobs."""
    return JobSettings(
        lease=read.seconds("TOLLGATE_JOB_LEASE_SECONDS", 15.0),
        # Six of the longest calls to Stripe: no kind of job needs as many, unless Stripe or the database is in trouble.
        longest_attempt=read.seconds("TOLLGATE_JOB_SECONDS", 60.0),
        # Above the longest call to Stripe, so that an attempt that is asking one thing may hear the answer.
        stop_grace=read.seconds("TOLLGATE_STOP_GRACE_SECONDS", 12.0),
        intake_batch=read.whole("TOLLGATE_INTAKE_BATCH", 500, low=1),
        publish_batch=read.whole("TOLLGATE_PUBLISH_BATCH", 500, low=1),
        poll_interval=read.seconds("TOLLGATE_POLL_SECONDS", 0.5),
        republish_grace=read.seconds("TOLLGATE_REPUBLISH_SECONDS", 5.0),
        claim_idle=read.seconds("TOLLGATE_JOURNAL_CLAIM_SECONDS", 5.0),
        repair_interval=read.seconds("TOLLGATE_REPAIR_SECONDS", 2.0),
        # A database restored or failed over within a day takes the journal in again.
        journal_keep=read.seconds("TOLLGATE_JOURNAL_KEEP_SECONDS", 24 * 3600.0),
        backoff_base=read.seconds("TOLLGATE_BACKOFF_BASE_SECONDS", 1.0),
        backoff_cap=read.seconds("TOLLGATE_BACKOFF_CAP_SECONDS", 300.0),
        max_rescues=read.whole("TOLLGATE_MAX_RESCUES", 3, low=1),
        # Stripe's lists are consistent within seconds; two minutes leave room before a new generation is made.
        generation_wait=read.seconds("TOLLGATE_GENERATION_WAIT_SECONDS", 120.0),
        # Stripe may forget an idempotency key after 24 hours; an hour is left for clocks and slow calls.
        resend_limit=read.seconds("TOLLGATE_RESEND_LIMIT_SECONDS", 23 * 3600.0),
        # Stripe delivers most events within seconds; what is still on its way is not lost.
        event_settle=read.seconds("TOLLGATE_EVENT_SETTLE_SECONDS", 120.0),
        # By then lost webhooks have been looked for twice, and fees are posted.
        reconcile_settle=read.seconds("TOLLGATE_RECONCILE_SETTLE_SECONDS", 900.0),
    )
