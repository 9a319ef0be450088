"""A house and a simulator for tests of disputes: a payment is made, disputed, and all of it heard of."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tasks.contracts.disputes import DisputeOperation
from tasks.contracts.payments import RefreshPayment
from tasks.contracts.steps import Step
from tests.builders.house import House, Row
from tests.builders.invoice_stage import hear, paid_on_site
from tests.builders.simulator import Simulator
from workers.jobs.follow_up import enqueue

ACCOUNTS = """
SELECT account, sum(amount)::bigint AS total FROM ledger_entries JOIN ledger_transactions
    ON ledger_transactions.id = transaction_id
WHERE payment_id = :id GROUP BY account
"""


@dataclass(frozen=True)
class Disputed:
    """A payment, and its dispute at Stripe."""

    payment: str
    intent: str
    at_stripe: str


def disputed(shop: House, stripe: Simulator, *, heard: bool = True, **how: Any) -> Disputed:
    """Let a payment be made, and its bank dispute it; by default both are heard of."""
    paid = paid_on_site(shop, stripe)
    return dispute(shop, stripe, paid.id, paid.intent, heard=heard, **how)


def dispute(shop: House, stripe: Simulator, payment: str, intent: str, *, heard: bool, **how: Any) -> Disputed:
    charge = str(stripe.client.v1.payment_intents.retrieve(intent).latest_charge)
    opened = stripe.control("POST", "disputes", {"charge": charge, **how})
    found = Disputed(payment, intent, opened["id"])
    if heard:
        hear_of(shop, stripe, found)
    return found


def hear_of(shop: House, stripe: Simulator, found: Disputed, *kinds: str) -> None:
    """Let Stripe's events of a dispute come, of some types or all, the oldest first, and fetch what is in doubt."""
    bodies = [body for kind, body in stripe.events_of(found.at_stripe) if not kinds or kind in kinds]
    hear(shop, *bodies)


def close(shop: House, stripe: Simulator, found: Disputed, outcome: str) -> None:
    """Let the bank decide, and that be heard of."""
    stripe.control("POST", "disputes/close", {"dispute": found.at_stripe, "outcome": outcome})
    hear_of(shop, stripe, found)


def row_of(house: House, found: Disputed) -> Row:
    return house.one("SELECT * FROM disputes WHERE stripe_id = :id", id=found.at_stripe)


def decided(house: House, kind: type[DisputeOperation], found: Disputed, **fields: Any) -> str:
    """Let an operator have decided; return the job's id."""
    dispute_id = row_of(house, found)["id"]
    with house.runtime.transaction(Step.OUTCOME) as session:
        return enqueue(
            session,
            house.runtime.settings,
            kind(dispute_id, **fields),
            client_id="site",
            subject_id=dispute_id,
            slot=secrets.token_hex(4),
            request_id="",
        )


def accounts(house: House, payment: str) -> dict[str, int]:
    """Return what a payment has moved, by account."""
    return {row["account"]: row["total"] for row in house.sql(ACCOUNTS, id=payment)}


def ask_for_fetch(house: House, found: Disputed) -> None:
    """Leave the job that fetches a payment, whatever is known of it."""
    payment = house.payment(found.payment)
    with house.runtime.transaction(Step.OUTCOME) as session:
        enqueue(
            session,
            house.runtime.settings,
            RefreshPayment(found.payment, even_if_clear=True),
            client_id=payment["client_id"],
            subject_id=found.payment,
            slot=secrets.token_hex(4),
            request_id="",
        )
