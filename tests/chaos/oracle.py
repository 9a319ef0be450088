"""The oracle: what is wrong with a payment, by the simulator's own ledger, the rows and what the client is shown."""

from __future__ import annotations

from typing import Any

from config.errors import SealBrokenError
from tests.chaos.stage import Posted, Stage

VIEWS_OF = {"requires_confirmation": "done", "paid": "done"}


def unsettled(
    stage: Stage, posted: Posted, status: str = "requires_confirmation", *, with_fee: bool = False
) -> list[str]:
    """Return what is not yet as it must be in the end; empty once all is well.

    A fee is looked up a little later than its capture: it must be posted only `with_fee`.
    """
    wrong = [f"{row['kind']} {row['id']} is {row['state']}" for row in stage.unfinished()]
    jobs = stage.house.sql("SELECT * FROM jobs WHERE id = :id", id=posted.job_id)
    payments = stage.house.sql("SELECT * FROM payments WHERE id = :id", id=posted.payment_id)
    if not jobs or not payments:
        return [*wrong, "there is no row"]
    if jobs[0]["state"] != "done":
        wrong.append(f"the job is {jobs[0]['state']}: {jobs[0]['last_error']}")
    if payments[0]["status"] != status or payments[0]["dirty"]:
        wrong.append(f"the payment is {payments[0]['status']}, dirty {payments[0]['dirty']}")
    wrong += _unshown(stage, posted, payments[0])
    wrong += _unposted(stage, posted, payments[0], with_fee=with_fee)
    if stage.house.pending():
        wrong.append(f"{stage.house.pending()} entries are pending")
    if stage.house.runtime.redis.xlen(stage.house.keyspace.journal_waiting):
        wrong.append("an entry waits")
    return wrong


def _unposted(stage: Stage, posted: Posted, row: dict[str, Any], *, with_fee: bool) -> list[str]:
    """Return where our ledger differs from the simulator's."""
    ours = {
        (each["kind"], each["account"]): each["amount"]
        for each in stage.house.sql(
            "SELECT kind, account, amount FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id"
            " WHERE payment_id = :id AND account <> 'stripe'",
            id=posted.payment_id,
        )
    }
    theirs = {}
    if row["status"] in {"paid", "refunded"}:
        charge = stage.stripe.client.v1.charges.retrieve(row["stripe_charge_id"], {"expand": ["balance_transaction"]})
        theirs["capture", "sales"] = -charge.amount_captured
        if with_fee or ("fee", "fees") in ours:
            theirs["fee", "fees"] = getattr(charge.balance_transaction, "fee", 0)
    if row["status"] == "refunded":
        theirs["refund", "refunds"] = row["amount_refunded"]
    return [] if ours == theirs else [f"posted are {ours}, and not {theirs}"]


def _unshown(stage: Stage, posted: Posted, row: dict[str, Any]) -> list[str]:
    try:
        job, payment = stage.house.job_view(posted.job_id), stage.house.payment_view(posted.payment_id)
    except SealBrokenError:
        return ["there is no view"]
    wrong = []
    if job.state != "done":
        wrong.append(f"the job is shown as {job.state}")
    if (payment.status, payment.stripe_payment_intent) != (row["status"], row["stripe_id"]):
        wrong.append(f"the payment is shown as {payment.status}, {payment.stripe_payment_intent}")
    behind = stage.house.sql(
        "SELECT id FROM jobs WHERE version > projected_version UNION ALL "
        "SELECT id FROM payments WHERE version > projected_version UNION ALL "
        "SELECT id FROM refunds WHERE version > projected_version"
    )
    return wrong + [f"{each['id']} is taken for not shown" for each in behind]


def doubled(stage: Stage, posted: Posted) -> list[str]:
    """Return what Stripe was made to do wrongly, by its own ledger: more or less than one of anything."""
    ledger = stage.stripe.control("GET", "ledger")
    intents = [
        each for each in ledger["payment_intents"] if each["metadata"].get("tollgate_payment") == posted.payment_id
    ]
    email = posted.document["customer"]["email"]
    customers = [each for each in ledger["customers"] if each["email"] == email]
    [row] = stage.house.sql("SELECT * FROM payments WHERE id = :id", id=posted.payment_id)
    wrong = []
    if [each["id"] for each in intents] != [row["stripe_id"]]:
        wrong.append(f"Stripe made {[each['id'] for each in intents]}, we know {row['stripe_id']}")
    if [each["id"] for each in customers] != sorted({each["customer"] for each in intents}):
        wrong.append(f"Stripe made the customers {[each['id'] for each in customers]}")
    charges = [each for each in ledger["charges"] if each["payment_intent"] == row["stripe_id"] and each["paid"]]
    if len(charges) != (row["status"] in {"paid", "refunded"}):
        wrong.append(f"{len(charges)} charges for a payment that is {row['status']}")
    captured = sum(each["amount_captured"] for each in charges)
    if captured != row["amount_received"]:
        wrong.append(f"Stripe took {captured}, we know of {row['amount_received']}")
    refunds = [each["id"] for each in ledger["refunds"] if each["payment_intent"] == row["stripe_id"]]
    known = stage.house.sql("SELECT stripe_id FROM refunds WHERE payment_id = :id", id=posted.payment_id)
    if refunds != [each["stripe_id"] for each in known] or len(refunds) != (row["status"] == "refunded"):
        wrong.append(f"Stripe made {refunds}, we know {known}, and the payment is {row['status']}")
    return wrong
