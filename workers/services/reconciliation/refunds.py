"""Refunds: what was given back, and what came back of that (https://docs.stripe.com/api/refunds)."""

from typing import Final

from workers.services.reconciliation.breaks import Fix
from workers.services.reconciliation.noun import Noun

REFUNDS: Final = Noun(
    "refund", {"refund": ("refund", "fee"), "refund_failure": ("refund_failed", "fee")}, mends=Fix.REFRESH
)
