"""A noun: what one kind of Stripe's objects does to the balance, and how the ledger calls that."""

from collections.abc import Mapping
from dataclasses import dataclass

from workers.services.reconciliation.breaks import Fix


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of Stripe's objects.

    Args:
        name: Stripe's.
        postings: by Stripe's reporting category, the ledger's kind of the movement and of its fee.
        is_accounts: whether it is the account's own, whoever has made it; else it is ours if its payment is, or if it
            carries our operation.
        unsettled: statuses in which the balance has moved, and the ledger rightly says nothing yet.
        mends: what brings in one of which nothing is known here, if its payment is known.
    """

    name: str
    postings: Mapping[str, tuple[str, str]]
    is_accounts: bool = False
    unsettled: frozenset[str] = frozenset()
    mends: Fix = Fix.HEAL
