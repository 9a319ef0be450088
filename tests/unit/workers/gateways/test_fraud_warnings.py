"""Early fraud warnings are read whole, and refused where they are not as documented."""

from __future__ import annotations

from typing import Any

import pytest

from config.errors import ContractError
from tests.builders.stripe_events import fraud_warning
from workers.gateways.fraud_warnings import FraudWarningSnapshot, fraud_warning_snapshot


def test_a_warning_tells_whether_anything_can_be_done() -> None:
    read = fraud_warning_snapshot(fraud_warning("pi_1", actionable=False))
    assert read == FraudWarningSnapshot("issfr_pi_1", actionable=False, fraud_type="made_with_stolen_card")


@pytest.mark.parametrize("changes", [{"object": "charge"}, {"id": None}, {"actionable": "yes"}, {"fraud_type": 3}])
def test_what_is_no_warning_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        fraud_warning_snapshot(fraud_warning("pi_1") | changes)
