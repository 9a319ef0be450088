"""Disputes: a card's holder has their bank take a charge back, or ask about it first (https://docs.stripe.com/disputes).

A *chargeback* withdraws its amount and a fee at once. An *inquiry*, whose statuses begin with `warning_`, moves no
money, leaves the charge refundable, and may be escalated to a chargeback, which is then the same dispute. What is sent
to the bank is decided by nobody here, unless its `uncategorized_text` is one of Stripe's magic words
(https://docs.stripe.com/testing#disputes) or the control API plays the bank.
"""

from typing import Any, Final

from sandbox.simulator import balance_transactions, charges, early_fraud_warnings
from sandbox.simulator.account import JsonObject
from sandbox.simulator.dispute_evidence import with_evidence, with_submission
from sandbox.simulator.dispute_object import (
    CHARGEBACK,
    DAY_SECONDS,
    INQUIRY,
    NEEDS_RESPONSE,
    REASONS,
    card_details,
    new_dispute,
)
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, identifier, listing, merged_metadata
from sandbox.simulator.state import Change

LIST: Final[Spec] = LIST_PARAMS | {"charge": Param(identifier), "payment_intent": Param(identifier)}
CLOSE: Final[Spec] = {"expand": Param(listing(identifier))}

OPEN: Final = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")
REVIEWED: Final = {"warning_needs_response": "warning_under_review", "needs_response": "under_review"}
# How a bank may end a chargeback, and an inquiry. A `prevented` one was settled before it became a chargeback.
OUTCOMES: Final = {CHARGEBACK: ("won", "lost"), INQUIRY: ("warning_closed", "prevented")}
# https://docs.stripe.com/testing#disputes
MAGIC: Final = {
    CHARGEBACK: {"winning_evidence": "won", "losing_evidence": "lost"},
    INQUIRY: {"winning_evidence": "warning_closed", "losing_evidence": "warning_closed"},
}
ESCALATION: Final = "escalate_inquiry_evidence"
# Evidence that comes after `due_by` is passed on as late, until the bank decides without any.
GRACE_SECONDS: Final = DAY_SECONDS
INQUIRY_SECONDS: Final = 120 * DAY_SECONDS  # after which an inquiry that came to nothing is closed


def begin(
    change: Change, charge: JsonObject, *, amount: int | None = None, reason: str = "fraudulent", inquiry: bool = False
) -> JsonObject:
    """Dispute a charge, or a part of it, or have its bank only ask about it.

    Raises:
        ApiError: the charge has taken no money or less than that, or the reason is none.
    """
    disputed = charge["amount_captured"] if amount is None else amount
    if not 0 < disputed <= charge["amount_captured"]:
        raise invalid(f"Of {charge['id']} {charge['amount_captured']} can be disputed, not {disputed}.")
    if reason not in REASONS:
        raise invalid(f"A dispute's reason is one of {', '.join(REASONS)}, not {reason!r}.")
    dispute = new_dispute(change, charge, disputed, reason, INQUIRY if inquiry else CHARGEBACK)
    change.put("charges", charge | {"disputed": True})
    if inquiry:
        emit(change, "charge.dispute.created", change.create("disputes", dispute))
    else:
        dispute |= {"balance_transactions": [balance_transactions.for_dispute(change, dispute)]}
        emit(change, "charge.dispute.created", change.create("disputes", dispute))
        emit(change, "charge.dispute.funds_withdrawn", dispute)
    early_fraud_warnings.settle(change, charge["id"])
    return dispute


def update(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Note metadata, stage evidence and, unless it says `submit=false`, send it to the bank.

    What the magic words bring about happens right after the answer, which shows the dispute under review, as Stripe's.

    Raises:
        ApiError: there is no such dispute, it is closed, its evidence was sent, or there is none to send.
    """
    before = _open(change, name)
    after = before
    if "metadata" in values:
        after = after | {"metadata": merged_metadata(before["metadata"], values["metadata"])}
    submits = values.get("submit", "evidence" in values)
    if "evidence" in values or submits:
        if before["status"] not in REVIEWED:
            raise invalid("The evidence of this dispute has already been submitted.", param="evidence")
        after = with_evidence(after, values.get("evidence", {}))
    if submits:
        after = _submitted(change, after)
    change.put("disputes", after)
    emit(change, "charge.dispute.updated", after, before)
    if submits:
        _do_magic(change, after)
    return after


def accept(change: Change, name: str, _values: dict[str, Any]) -> JsonObject:
    """Give in: a chargeback is lost, an inquiry is closed.

    Raises:
        ApiError: there is no such dispute, or it is closed.
    """
    dispute = _open(change, name)
    return _end(change, dispute, "lost" if case_of(dispute) == CHARGEBACK else "warning_closed")


def close(change: Change, name: str, outcome: str) -> JsonObject:
    """Decide a dispute, as the bank does: a dispute that is won gives the amount back, but not the fee.

    Raises:
        ApiError: there is none, it is decided, or that is no outcome of such a dispute.
    """
    dispute = _open(change, name)
    outcomes = OUTCOMES[case_of(dispute)]
    if outcome not in outcomes:
        raise invalid(f"This dispute ends as {' or '.join(outcomes)}, not {outcome!r}.")
    return _end(change, dispute, outcome)


def escalate(change: Change, name: str) -> JsonObject:
    """Make a chargeback of an inquiry: the money goes now, and there is as long to answer as for a new one.

    Raises:
        ApiError: there is none, it is closed, or it is a chargeback already.
    """
    before = _open(change, name)
    if case_of(before) != INQUIRY:
        raise invalid("This dispute is a chargeback already.")
    charge = charges.find(change, before["charge"], param="charge")
    fresh = new_dispute(change, charge, before["amount"], before["reason"], CHARGEBACK)
    details = before["evidence_details"] | {"due_by": fresh["evidence_details"]["due_by"]}
    after = before | {
        "balance_transactions": [balance_transactions.for_dispute(change, before)],
        "evidence_details": details,
        "is_charge_refundable": False,
        "payment_method_details": {"card": card_details(charge, before["reason"], CHARGEBACK), "type": "card"},
        "status": NEEDS_RESPONSE[CHARGEBACK],
    }
    change.put("disputes", after)
    emit(change, "charge.dispute.updated", after, before)
    emit(change, "charge.dispute.funds_withdrawn", after)
    return after


def expire(change: Change) -> None:
    """Decide what nobody has answered in time: a chargeback is lost, an inquiry has come to nothing."""
    now = change.clock.now()
    for dispute in change.state.all("disputes"):
        unanswered = dispute["status"] == NEEDS_RESPONSE[CHARGEBACK]
        asked = dispute["status"] in OPEN and case_of(dispute) == INQUIRY
        if unanswered and now > dispute["evidence_details"]["due_by"] + GRACE_SECONDS:
            _end(change, dispute, "lost")
        elif asked and now > dispute["created"] + INQUIRY_SECONDS:
            _end(change, dispute, "warning_closed")


def refuses_refunds(change: Change, charge: JsonObject) -> bool:
    """Tell whether a charge is, or was for good, charged back; an inquiry and a dispute that was won allow refunds."""
    found = change.all("disputes")
    return any(each["charge"] == charge["id"] and not each["is_charge_refundable"] for each in found)


def case_of(dispute: JsonObject) -> str:
    """Return `chargeback` or `inquiry`."""
    return str(dispute["payment_method_details"]["card"]["case_type"])


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one dispute.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("disputes", name)
    if known is None:
        raise missing_resource("dispute", name, param="dispute", status=NOT_FOUND)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List disputes, the newest first, of a charge or a PaymentIntent."""
    filters = {name: values[name] for name in ("charge", "payment_intent") if name in values}

    def matches(dispute: JsonObject) -> bool:
        return all(dispute[name] == wanted for name, wanted in filters.items())

    return page(change.state, "disputes", values, matches, url="/v1/disputes", noun="dispute")


def _open(change: Change, name: str) -> JsonObject:
    dispute = retrieve(change, name)
    if dispute["status"] not in OPEN:
        raise invalid("This dispute is already closed")
    return dispute


def _submitted(change: Change, dispute: JsonObject) -> JsonObject:
    if not dispute["evidence_details"]["has_evidence"]:
        raise invalid("There is no evidence to submit.", param="evidence")
    return with_submission(dispute, change.clock.now()) | {"status": REVIEWED[dispute["status"]]}


def _do_magic(change: Change, dispute: JsonObject) -> None:
    word = dispute["evidence"]["uncategorized_text"]
    case = case_of(dispute)
    if word in MAGIC[case]:
        _end(change, dispute, MAGIC[case][word])
    elif word == ESCALATION and case == INQUIRY:
        escalate(change, dispute["id"])


def _end(change: Change, before: JsonObject, status: str) -> JsonObject:
    after = before | {"status": status, "is_charge_refundable": status != "lost"}
    if status == "won":
        back = balance_transactions.for_won_dispute(change, before)
        after["balance_transactions"] = [*before["balance_transactions"], back]
        emit(change, "charge.dispute.funds_reinstated", after)
    change.put("disputes", after)
    emit(change, "charge.dispute.closed", after, before)
    return after
