"""When a job's time has come: one condition for whoever publishes and whoever claims."""

from models.base import one_of
from models.job import DUE_STATES

# A paused queue holds everything back but what is to be cancelled: its end needs no more than its own row.
RUNNABLE = (
    "(jobs.cancel_asked_at IS NOT NULL"
    " OR jobs.queue NOT IN (SELECT queues.name FROM queues WHERE queues.paused_at IS NOT NULL))"
)
DUE = f"({one_of('state', DUE_STATES)} AND next_run_at <= clock_timestamp() AND {RUNNABLE})"
