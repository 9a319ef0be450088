"""Scheduled work: which job does each slot's work, and the round in which a dispatcher gives slots out."""

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import Final

from config.schedules import DISPUTES, HEAL, INVARIANTS, INVOICES, RECONCILIATION
from tasks.contracts.disputes import WatchDisputes
from tasks.contracts.events import HealEvents
from tasks.contracts.invariants import CheckInvariants
from tasks.contracts.invoices import RemindInvoices
from tasks.contracts.job import Contract
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.steps import Step
from workers.jobs.schedule import due, give_out
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.schedules")

WORK: Final[Mapping[str, Callable[[dt.datetime], Contract]]] = {
    INVARIANTS.name: lambda _slot: CheckInvariants(),
    HEAL.name: lambda _slot: HealEvents(),
    RECONCILIATION.name: lambda _slot: Reconcile(),
    INVOICES.name: lambda _slot: RemindInvoices(),
    DISPUTES.name: lambda _slot: WatchDisputes(),
}


def give_out_slots(runtime: Runtime) -> None:
    """Give out the slots that are due, each in a transaction of its own.

    Raises:
        DatabaseAwayError: if PostgreSQL is away.
    """
    with runtime.reading() as session:
        plans = [plan for plan in runtime.settings.plans if due(session, plan) is not None]
    for plan in plans:
        with runtime.transaction(Step.GIVE_OUT) as session:
            job_id = give_out(session, runtime.settings, plan, WORK[plan.name])
        if job_id is not None:
            LOG.info("scheduled: %s", plan.name, extra={"schedule": plan.name, "job_id": job_id})
