"""Stripe's objects and events as plain JSON, and a Stripe that answers from a test's hand."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from workers.gateways.balance_snapshots import DisputeSnapshot
from workers.gateways.snapshots import (
    Answer,
    PaymentIntentSnapshot,
    RefundSnapshot,
    payment_intent_snapshot,
    refund_snapshot,
)

START = 1_800_000_000  # seconds since 1970, UTC
AMOUNT = 4950
Object = dict[str, Any]


def intent(name: str, status: str, *, operation: str | None = None, **changes: Any) -> Object:
    """Return a PaymentIntent; its latest charge is the id `charge` or a charge's fields."""
    return {
        "id": name,
        "object": "payment_intent",
        "status": status,
        "amount": AMOUNT,
        "amount_received": AMOUNT if status == "succeeded" else 0,
        "currency": "gbp",
        "client_secret": f"{name}_secret_abc",
        "created": START,
        "metadata": {} if operation is None else {"tollgate_operation": operation},
        "latest_charge": None,
        "last_payment_error": None,
        **changes,
    }


def charge(intent_name: str, status: str, *, operation: str | None = None, **changes: Any) -> Object:
    """Return a charge of a PaymentIntent."""
    return {
        "id": f"ch_{intent_name}",
        "object": "charge",
        "payment_intent": intent_name,
        "status": status,
        "amount": AMOUNT,
        "amount_captured": AMOUNT if status == "succeeded" else 0,
        "amount_refunded": 0,
        "currency": "gbp",
        "disputed": False,
        "created": START,
        "metadata": {} if operation is None else {"tollgate_operation": operation},
        **changes,
    }


def dispute(intent_name: str, *balances: Object, **changes: Any) -> Object:
    """Return a dispute, which carries nothing of ours but the PaymentIntent's id."""
    return {
        "id": f"dp_{intent_name}",
        "object": "dispute",
        "payment_intent": intent_name,
        "status": "needs_response",
        "reason": "fraudulent",
        "amount": AMOUNT,
        "currency": "gbp",
        "created": START,
        "balance_transactions": list(balances),
        **changes,
    }


def fraud_warning(intent_name: str, *, actionable: bool = True, name: str | None = None) -> Object:
    """Return an early fraud warning, which carries nothing of ours but the PaymentIntent's id."""
    return {
        "id": name or f"issfr_{intent_name}",
        "object": "radar.early_fraud_warning",
        "actionable": actionable,
        "charge": f"ch_{intent_name}",
        "created": START,
        "fraud_type": "made_with_stolen_card",
        "payment_intent": intent_name,
    }


def balance_transaction(name: str, amount: int, fee: int = 0, at: int = 0) -> Object:
    """Return a balance transaction that moved the balance `at` seconds after the start."""
    return {
        "id": name,
        "object": "balance_transaction",
        "amount": amount,
        "fee": fee,
        "net": amount - fee,
        "currency": "gbp",
        "created": START + at,
    }


def payout(name: str, amount: int, status: str) -> Object:
    """Return a payout."""
    return {"id": name, "object": "payout", "amount": amount, "currency": "gbp", "status": status, "created": START}


def refund(intent_name: str, amount: int, status: str = "succeeded", **changes: Any) -> Object:
    """Return a refund, which carries nothing of ours but the PaymentIntent's id, unless changes give it a metadata."""
    return {
        "id": f"re_{intent_name}",
        "object": "refund",
        "payment_intent": intent_name,
        "charge": f"ch_{intent_name}",
        "amount": amount,
        "currency": "gbp",
        "status": status,
        "reason": None,
        "created": START,
        "metadata": {},
        **changes,
    }


def refunds_of(*things: Object, at: int) -> Answer[Sequence[RefundSnapshot]]:
    """Return what the gateway makes of Stripe's list of refunds."""
    as_of = dt.datetime.fromtimestamp(START + at, dt.UTC)
    return Answer([refund_snapshot(each) for each in things], "req_list", False, as_of)


DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}


def event(kind: str, thing: Object, at: int = 0, name: str | None = None) -> bytes:
    """Return the body of an event that happened `at` seconds after the start."""
    return json.dumps(
        {
            "id": name or f"evt_{secrets.token_hex(10)}",
            "object": "event",
            "type": kind,
            "created": START + at,
            "data": {"object": thing},
        }
    ).encode()


def answer_of(thing: Object, at: int, *, replayed: bool = False) -> Answer[PaymentIntentSnapshot]:
    """Return what the gateway makes of Stripe's answer, `at` seconds after the start."""
    as_of = dt.datetime.fromtimestamp(START + at, dt.UTC)
    return Answer(payment_intent_snapshot(thing), "req_answer", replayed, as_of)


def no_disputes(name: str) -> Answer[Sequence[DisputeSnapshot]]:
    """Return what the gateway makes of an empty list of disputes."""
    return Answer((), "req_list", False, dt.datetime.fromtimestamp(START, dt.UTC))


class FakeDisputes:
    """The part of the gateway for disputes."""

    def __init__(self, stripe: FakeStripe) -> None:
        self._stripe = stripe

    def of_intent(self, name: str, _between: Callable[[], None]) -> Any:
        return self._stripe._ask("list_disputes", {"name": name})

    def retrieve(self, name: str) -> Any:
        return self._stripe._ask("retrieve_dispute", {"name": name})


class FakeStripe:
    """A gateway that answers from a test's hand, and remembers what it was asked."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        self.answers = {"list_disputes": no_disputes, **answers}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.disputes = FakeDisputes(self)

    def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        self.asked.append((name, arguments))
        return self.answers[name](**arguments)

    def create_customer(self, **arguments: Any) -> Any:
        return self._ask("create_customer", arguments)

    def find_customer(self, **arguments: Any) -> Any:
        return self._ask("find_customer", arguments)

    def create_payment_intent(self, **arguments: Any) -> Any:
        return self._ask("create_payment_intent", arguments)

    def find_payment_intent(self, **arguments: Any) -> Any:
        return self._ask("find_payment_intent", arguments)

    def retrieve_payment_intent(self, name: str) -> Any:
        return self._ask("retrieve_payment_intent", {"name": name})

    def capture_payment_intent(self, name: str, **arguments: Any) -> Any:
        return self._ask("capture_payment_intent", {"name": name, **arguments})

    def cancel_payment_intent(self, name: str, **arguments: Any) -> Any:
        return self._ask("cancel_payment_intent", {"name": name, **arguments})

    def update_payment_intent(self, name: str, **arguments: Any) -> Any:
        return self._ask("update_payment_intent", {"name": name, **arguments})

    def list_saved_cards(self, customer_id: str) -> Any:
        return self._ask("list_saved_cards", {"customer_id": customer_id})

    def create_refund(self, **arguments: Any) -> Any:
        return self._ask("create_refund", arguments)

    def find_refund(self, **arguments: Any) -> Any:
        return self._ask("find_refund", arguments)

    def list_refunds(self, name: str, _between: Callable[[], None]) -> Any:
        return self._ask("list_refunds", {"name": name})

    def list_payouts(self, **arguments: Any) -> Any:
        return self._ask("list_payouts", arguments)

    def list_events(self, **arguments: Any) -> Any:
        return self._ask("list_events", arguments)

    def retrieve_charge_booking(self, name: str) -> Any:
        return self._ask("retrieve_charge_booking", {"name": name})

    def retrieve_refund_booking(self, name: str) -> Any:
        return self._ask("retrieve_refund_booking", {"name": name})

    def longest_call(self) -> float:
        return 2.5

    def names(self) -> list[str]:
        """Return what was asked, in order."""
        return [name for name, _ in self.asked]
