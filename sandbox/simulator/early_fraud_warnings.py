"""Early fraud warnings: a card's bank says that a charge may be fraud, often before its holder disputes it.

See https://docs.stripe.com/api/radar/early_fraud_warnings.
"""

from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, identifier
from sandbox.simulator.state import Change

LIST: Final[Spec] = LIST_PARAMS | {"charge": Param(identifier), "payment_intent": Param(identifier)}
FRAUD_TYPES: Final = (
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
)


def warn(change: Change, charge: JsonObject, fraud_type: str = "misc") -> JsonObject:
    """Warn of a charge.

    Raises:
        ApiError: there is no such type of fraud.
    """
    if fraud_type not in FRAUD_TYPES:
        raise invalid(f"A type of fraud is one of {', '.join(FRAUD_TYPES)}, not {fraud_type!r}.")
    warning = change.create(
        "early_fraud_warnings",
        {
            "id": change.identifiers.new("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": _is_actionable(charge),
            "charge": charge["id"],
            "created": change.clock.now(),
            "fraud_type": fraud_type,
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        },
    )
    emit(change, "radar.early_fraud_warning.created", warning)
    return warning


def settle(change: Change, charge: str) -> None:
    """Note on a charge's warnings that nothing can be done any more, once it is disputed or fully refunded."""
    now = change.get("charges", charge)
    for before in change.all("early_fraud_warnings"):
        if before["charge"] == charge and before["actionable"] and now is not None and not _is_actionable(now):
            after = change.put("early_fraud_warnings", before | {"actionable": False})
            emit(change, "radar.early_fraud_warning.updated", after, before)


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one warning.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("early_fraud_warnings", name)
    if known is None:
        raise missing_resource("early fraud warning", name, param="early_fraud_warning", status=NOT_FOUND)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List warnings, the newest first, of a charge or a PaymentIntent."""
    filters = {name: values[name] for name in ("charge", "payment_intent") if name in values}

    def matches(warning: JsonObject) -> bool:
        return all(warning[name] == wanted for name, wanted in filters.items())

    url = "/v1/radar/early_fraud_warnings"
    return page(change.state, "early_fraud_warnings", values, matches, url=url, noun="early fraud warning")


def _is_actionable(charge: JsonObject) -> bool:
    return not charge["disputed"] and not charge["refunded"]
