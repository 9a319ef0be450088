"""What is done by itself about a payment that may be fraud."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from config.currencies import CODES, MAXIMUM_AMOUNT
from config.environment import Reader
from config.errors import SettingsError

REFUND_BELOW: Final = "TOLLGATE_FRAUD_REFUND_BELOW"
NOWHERE: Final = "none"
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FraudSettings:
    """The policy.

    Args:
        refund_below: for each currency, an amount in minor units: a payment below it is given back as soon as the
            card's bank warns of it. Of a currency that is not named none is.
    """

    refund_below: Mapping[str, int] = field(default_factory=lambda: _NOTHING)

    def gives_back(self, amount: int, currency: str) -> bool:
        """Tell whether so much is given back on a warning; minor units."""
        return amount < self.refund_below.get(currency, 0)


def read_fraud(read: Reader) -> FraudSettings:
    """Read the policy, `gbp:2000,eur:2500` for instance; by default an operator decides on every payment.

    Raises:
        SettingsError: a currency is unknown or named twice, or an amount is no whole number above 0.
    """
    written = read.text(REFUND_BELOW, NOWHERE)
    if written.strip() == NOWHERE:
        return FraudSettings()
    below: dict[str, int] = {}
    for part in written.split(","):
        currency, _, amount = (each.strip() for each in part.partition(":"))
        if currency not in CODES:
            raise SettingsError(f"{REFUND_BELOW} names '{currency}', which is no currency: write it as gbp:2000")
        if currency in below:
            raise SettingsError(f"{REFUND_BELOW} names '{currency}' twice")
        if not (amount.isascii() and amount.isdigit() and 0 < int(amount) <= MAXIMUM_AMOUNT):
            wanted = f"a whole number from 1 to {MAXIMUM_AMOUNT}, in minor units"
            raise SettingsError(f"{REFUND_BELOW}: '{amount}' of {currency} must be {wanted}")
        below[currency] = int(amount)
    return FraudSettings(MappingProxyType(below))
