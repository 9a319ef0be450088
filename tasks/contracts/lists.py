"""Lists: which things belong together, and under which name their list lies in Redis.

A list's name is a keyed hash of its client and of what its things have in common, so that neither a booking nor an
address can be read, or tried out, in Redis. The key is one that both sides have: the one that seals views. While that
is being rotated, lists are written under the names by every key of the ring, and read under the one by the current: a
process whose ring is behind finds a list that it can't open, never one that is no longer kept.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.keyring import Keyring
from tasks.contracts.identity import derived_id

BOOKING: Final = "booking"
CUSTOMER: Final = "customer"
PAYMENT: Final = "payment"
INVOICES_OF_BOOKING: Final = "booking_invoices"
INVOICES_OF_CUSTOMER: Final = "customer_invoices"
NOUNS: Final = (BOOKING, CUSTOMER, PAYMENT, INVOICES_OF_BOOKING, INVOICES_OF_CUSTOMER)
OF_CUSTOMERS: Final = (CUSTOMER, INVOICES_OF_CUSTOMER)
PREFIX: Final = "lst"
LONGEST: Final = 100  # things on one list; what is older is on the next, which a worker is asked for


@dataclass(frozen=True, slots=True)
class ListKey:
    """Names a list: payments or invoices of a booking or customer, or refunds of a payment, the newest in front.

    Args:
        noun: one of `NOUNS`.
        value: the booking's reference, the customer's e-mail address or the payment's id.
        before: only what is older than the thing of that id; None for the newest.
    """

    client_id: str
    noun: str
    value: str
    before: str | None = None

    def name(self, ring: Keyring) -> str:
        """Return the name by the ring's current key."""
        return self._name(ring.current)

    def names(self, ring: Keyring) -> Sequence[str]:
        """Return the names by every key of the ring, the current one's in front."""
        return [self._name(key) for key in ring.keys.values()]

    def _name(self, key: bytes) -> str:
        naming_key = hmac.digest(key, b"names of lists", hashlib.sha256)
        # Addresses that differ in case alone are one customer's (`models.customer`).
        value = self.value.casefold() if self.noun in OF_CUSTOMERS else self.value
        return derived_id(PREFIX, naming_key, self.client_id, self.noun, value, self.before or "")
