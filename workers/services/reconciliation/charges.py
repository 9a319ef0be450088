"""Charges: what was taken from a card (https://docs.stripe.com/api/charges)."""

from typing import Final

from workers.services.reconciliation.breaks import Fix
from workers.services.reconciliation.noun import Noun

CHARGES: Final = Noun("charge", {"charge": ("capture", "fee")}, mends=Fix.REFRESH)
