"""Both sides of a reconciliation: what Stripe has told, what is compared, and what a fix comes to."""

from __future__ import annotations

import datetime as dt
import secrets

from tasks.contracts.steps import Step
from tests.builders.entries import event_entry
from tests.builders.house import HEAL, House
from tests.builders.invoice_stage import settle
from tests.builders.simulator import Simulator
from workers.jobs.run import run_job
from workers.services.reconciliation.at_stripe import Asking, pieces
from workers.services.reconciliation.fixes import leave_fixes
from workers.services.reconciliation.reconcile import reconcile_piece, settled_until
from workers.services.reconciliation.result import Result

AN_HOUR = 3600


def hear_all(house: House, stripe: Simulator) -> None:
    """Tell the house of all that Stripe has events of, and let it look up what follows."""
    for _, body in stripe.events_of():
        entry = event_entry(body)
        house.take_in(entry)
        house.handle(entry.job_id)
    house.refresh_all()
    house.collect_fees()


def pass_time(stripe: Simulator, seconds: int = AN_HOUR) -> None:
    stripe.control("POST", "clock", {"advance_seconds": seconds})


def compared(house: House) -> Result:
    """Reconcile the last day."""
    asking, result = Asking(house.runtime.stripe, lambda: None), Result()
    settled = settled_until(house.runtime, asking)
    for piece in pieces(settled - dt.timedelta(days=1), settled):
        result.add(reconcile_piece(house.runtime, piece, settled, asking))
    return result


def mend(house: House, result: Result) -> dict[str, int]:
    """Leave the fixes behind and do their jobs."""
    with house.runtime.transaction(Step.OUTCOME) as session:
        left = leave_fixes(session, house.runtime.settings, f"rec_{secrets.token_hex(4)}", result.breaks)
    for row in house.sql("SELECT id FROM jobs WHERE kind = 'events.heal' AND state = 'ready'"):
        assert run_job(house.runtime, row["id"], HEAL).state == "done"
    house.handle(*(row["id"] for row in house.jobs("stripe.event") if row["state"] == "ready"))
    settle(house)
    house.collect_fees()
    return left
