"""Early fraud warnings as Tollgate reads them (https://docs.stripe.com/api/radar/early_fraud_warnings/object)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers.gateways.fields import flag, require, text


@dataclass(frozen=True, slots=True)
class FraudWarningSnapshot:
    """A warning of one charge by its card's bank.

    Args:
        actionable: whether anything can still be done: the charge is neither disputed nor given back in full.
        fraud_type: what the bank supposes, in Stripe's words.
    """

    id: str
    actionable: bool
    fraud_type: str


def fraud_warning_snapshot(fields: Mapping[str, Any]) -> FraudWarningSnapshot:
    """Read a warning; raises ContractError if the fields are not those of one."""
    require(fields, "radar.early_fraud_warning")
    return FraudWarningSnapshot(
        id=text(fields, "id"), actionable=flag(fields, "actionable"), fraud_type=text(fields, "fraud_type")
    )
