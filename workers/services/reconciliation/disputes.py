"""Disputes: what was withdrawn, and given back if it was won (https://docs.stripe.com/api/disputes)."""

from typing import Final

from workers.services.reconciliation.noun import Noun

DISPUTES: Final = Noun(
    "dispute",
    {"dispute": ("dispute", "dispute_fee"), "dispute_reversal": ("dispute_reinstated", "dispute_fee")},
)
