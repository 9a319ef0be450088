"""The oracle: what is wrong with a payment, by the simulator's own ledger, the rows and what the client is shown."""

from __future__ import annotations

from typing import Any

from config.errors import SealBrokenError
from tests.chaos.stage import Posted, Stage

VIEWS_OF = {"requires_confirmation": "done", "paid": "done"}
TAKEN = frozenset({"paid", "refunded", "disputed"})  # statuses in which the money was taken once


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
    if row["status"] in TAKEN:
        charge = stage.stripe.client.v1.charges.retrieve(row["stripe_charge_id"], {"expand": ["balance_transaction"]})
        theirs["capture", "sales"] = -charge.amount_captured
        if with_fee or ("fee", "fees") in ours:
            theirs["fee", "fees"] = getattr(charge.balance_transaction, "fee", 0)
    if row["status"] == "refunded":
        theirs["refund", "refunds"] = row["amount_refunded"]
    if row["status"] == "disputed":
        [dispute] = stage.stripe.client.v1.disputes.list({"payment_intent": row["stripe_id"]}).data
        [withdrawn] = dispute.balance_transactions
        theirs["dispute", "disputes"], theirs["dispute_fee", "fees"] = -withdrawn.amount, withdrawn.fee
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
        "SELECT id FROM refunds WHERE version > projected_version UNION ALL "
        "SELECT id FROM invoices WHERE version > projected_version"
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
    if len(charges) != (row["status"] in TAKEN):
        wrong.append(f"{len(charges)} charges for a payment that is {row['status']}")
    captured = sum(each["amount_captured"] for each in charges)
    if captured != row["amount_received"]:
        wrong.append(f"Stripe took {captured}, we know of {row['amount_received']}")
    refunds = [each["id"] for each in ledger["refunds"] if each["payment_intent"] == row["stripe_id"]]
    known = stage.house.sql("SELECT stripe_id FROM refunds WHERE payment_id = :id", id=posted.payment_id)
    if refunds != [each["stripe_id"] for each in known] or len(refunds) != (row["status"] == "refunded"):
        wrong.append(f"Stripe made {refunds}, we know {known}, and the payment is {row['status']}")
    return wrong


def unsettled_invoice(stage: Stage, invoice_id: str, status: str) -> list[str]:
    """Return what is not yet as it must be with an invoice; one that was mailed, was mailed once."""
    rows = stage.house.sql("SELECT * FROM invoices WHERE id = :id", id=invoice_id)
    if not rows:
        return ["there is no row of the invoice"]
    listed = stage.stripe.listed("invoices", **stage.since)
    made = [each["id"] for each in listed if each["metadata"].get("tollgate_invoice") == invoice_id]
    wrong = []
    if made != [rows[0]["stripe_id"]]:
        wrong.append(f"Stripe made the invoices {made}, we know {rows[0]['stripe_id']}")
    if (rows[0]["status"], rows[0]["dirty"]) != (status, False):
        wrong.append(f"the invoice is {rows[0]['status']}, dirty {rows[0]['dirty']}")
    events = stage.stripe.listed("events", type="invoice.sent", **stage.since)
    mails = [each for each in events if each["data"]["object"]["id"] == rows[0]["stripe_id"]]
    if len(mails) != rows[0]["sends"]:
        wrong.append(f"the invoice was mailed {len(mails)} times")
    try:
        shown = stage.house.invoice_view(invoice_id).status
    except SealBrokenError:
        return [*wrong, "there is no view of the invoice"]
    return wrong if shown == status else [*wrong, f"the invoice is shown as {shown}"]


def unsettled_dispute(stage: Stage, dispute_id: str, status: str, submissions: int) -> list[str]:
    """Return what is not yet as it must be with a dispute, here and at Stripe."""
    [row] = stage.house.sql("SELECT * FROM disputes WHERE id = :id", id=dispute_id)
    there = stage.stripe.client.v1.disputes.retrieve(row["stripe_id"])
    wanted = (status, submissions)
    found = {
        "here": (row["status"], row["submissions"]),
        "at Stripe": (there.status, there.evidence_details.submission_count),
    }
    return [f"the dispute is {each} {where}, and not {wanted}" for where, each in found.items() if each != wanted]
