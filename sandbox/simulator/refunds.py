"""Refunds of charges (https://docs.stripe.com/api/refunds)."""

from typing import Any, Final

from sandbox.simulator import balance_transactions, charges, disputes, early_fraud_warnings, payment_methods
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.money import check_rounded, shown
from sandbox.simulator.params import Param, Spec, choice, identifier, integer, listing, merged_metadata, metadata
from sandbox.simulator.state import Change

CREATE: Final[Spec] = {
    "charge": Param(identifier),
    "payment_intent": Param(identifier),
    "amount": Param(integer(1)),
    "reason": Param(choice("duplicate", "fraudulent", "requested_by_customer")),
    "metadata": Param(metadata),
    "expand": Param(listing(identifier)),
}
LIST: Final[Spec] = LIST_PARAMS | {"charge": Param(identifier), "payment_intent": Param(identifier)}
LATER_SECONDS: Final = 60  # "some time later", as Stripe says of its test cards
FAILURE: Final = "unknown"  # the reason that a failed refund gives


def check_create(values: dict[str, Any]) -> None:
    """Refuse a refund that names nothing to refund."""
    if "charge" not in values and "payment_intent" not in values:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")


def create(change: Change, values: dict[str, Any]) -> JsonObject:
    """Give back a charge, or a part of it.

    Raises:
        ApiError: there is nothing to refund, or less than was asked for.
    """
    charge = _charge(change, values)
    if disputes.refuses_refunds(change, charge):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise invalid(message, code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    amount = values.get("amount", left)
    check_rounded(amount, charge["currency"], param="amount")
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    if amount > left:
        code = charge["currency"]
        raise invalid(
            f"Refund amount ({shown(amount, code)}) is greater than unrefunded amount on charge ({shown(left, code)})",
            param="amount",
        )
    refund = _store(change, charge, amount, values)
    after = _move(change, charge, amount)
    emit(change, "refund.created", refund)
    emit(change, "charge.refunded", after, charge)
    early_fraud_warnings.settle(change, charge["id"])
    return refund


def finish(change: Change, *, at_once: bool = False) -> int:
    """Bring refunds that are not over to their ends, when their time has come or at once; return how many."""
    due = [each for each in change.state.all("refund_fates") if at_once or each["at"] <= change.clock.now()]
    for fate in due:
        change.remove("refund_fates", fate["id"])
        _finish(change, retrieve(change, fate["id"]), fate["becomes"])
    return len(due)


def _finish(change: Change, refund: JsonObject, status: str) -> None:
    after = refund | {"status": status}
    if status == "failed":
        back = balance_transactions.for_failed_refund(change, refund)
        after |= {"failure_balance_transaction": back["id"], "failure_reason": FAILURE}
        _move(change, charges.find(change, refund["charge"], param="charge"), -refund["amount"])
    change.put("refunds", after)
    for kind in ("refund.updated", "charge.refund.updated", *(["refund.failed"] if status == "failed" else [])):
        emit(change, kind, after, refund)


def _move(change: Change, charge: JsonObject, amount: int) -> JsonObject:
    """Let so much more of a charge be given back, or less if the amount is below zero."""
    refunded = charge["amount_refunded"] + amount
    return change.put("charges", charge | {"amount_refunded": refunded, "refunded": refunded == charge["amount"]})


def retrieve(change: Change, refund: str) -> JsonObject:
    """Return one refund.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("refunds", refund)
    if known is None:
        raise missing_resource("refund", refund, param="id", status=NOT_FOUND)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List refunds, the newest first, of a charge or a PaymentIntent."""
    filters = {name: values[name] for name in ("charge", "payment_intent") if name in values}

    def matches(refund: JsonObject) -> bool:
        return all(refund[name] == wanted for name, wanted in filters.items())

    return page(change.state, "refunds", values, matches, url="/v1/refunds", noun="refund")


def _charge(change: Change, values: dict[str, Any]) -> JsonObject:
    if "charge" in values:
        charge = charges.find(change, values["charge"], param="charge")
        noun = f"Charge {charge['id']}"
    else:
        intent = change.get("payment_intents", values["payment_intent"])
        if intent is None:
            raise missing_resource("payment_intent", values["payment_intent"], param="payment_intent")
        noun = f"This PaymentIntent ({intent['id']})"
        if intent["latest_charge"] is None:
            raise invalid(f"{noun} does not have a successful charge to refund.")
        charge = charges.find(change, intent["latest_charge"], param="charge")
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(f"{noun} does not have a successful charge to refund.", code=_code(charge))
    return charge


def _code(charge: JsonObject) -> str | None:
    return "charge_not_refundable" if charge["status"] == "succeeded" else None


def _store(change: Change, charge: JsonObject, amount: int, values: dict[str, Any]) -> JsonObject:
    card = payment_methods.card_of(change, charge["payment_method"])
    refund: JsonObject = {
        "id": change.identifiers.new("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": change.clock.now(),
        "currency": charge["currency"],
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        "metadata": merged_metadata({}, values.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "reason": values.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": card.refunded_as,
        "transfer_reversal": None,
    }
    if card.refund_ends is not None:
        fate = {"id": refund["id"], "becomes": card.refund_ends, "at": change.clock.now() + LATER_SECONDS}
        change.put("refund_fates", fate)
    refund["balance_transaction"] = balance_transactions.for_refund(change, refund)["id"]
    return change.create("refunds", refund)
