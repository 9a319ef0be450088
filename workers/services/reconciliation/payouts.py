"""Payouts: what went to the bank (https://docs.stripe.com/api/payouts); the ledger has them from when they are paid."""

from typing import Final

from workers.services.reconciliation.noun import Noun

PAYOUTS: Final = Noun(
    "payout",
    {"payout": ("payout", "fee"), "payout_reversal": ("payout_failed", "fee")},
    is_accounts=True,
    unsettled=frozenset({"pending", "in_transit", "canceled"}),
)
