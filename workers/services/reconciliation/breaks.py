"""Breaks: where Stripe and the books here do not say the same, each of a kind, with what to do about it."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class BreakKind(Enum):
    """What is not the same; the value is its name in reports and in JSON."""

    AT_STRIPE_NOT_HERE = "at_stripe_not_here"
    HERE_NOT_AT_STRIPE = "here_not_at_stripe"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    STATUS_DIFFERS = "status_differs"
    FEE_DIFFERS = "fee_differs"
    LEDGER_MISSING = "ledger_missing"
    LEDGER_EXTRA = "ledger_extra"
    DUPLICATE = "duplicate"
    PAYOUT_MISMATCH = "payout_mismatch"
    # These explain a difference, and nothing is wrong.
    FOREIGN = "foreign"
    CONVERTED = "converted"
    IN_TRANSIT = "in_transit"

    @property
    def is_notice(self) -> bool:
        """Whether it explains a difference in which nothing is wrong."""
        return self in NOTICES


NOTICES: Final = frozenset({BreakKind.FOREIGN, BreakKind.CONVERTED, BreakKind.IN_TRANSIT})
SUGGESTIONS: Final[Mapping[BreakKind, str]] = {
    BreakKind.AT_STRIPE_NOT_HERE: "Stripe moved money of which nothing is known here: fetch it (--fix).",
    BreakKind.HERE_NOT_AT_STRIPE: "Stripe knows no such object: see `tollgate explain` and Stripe's dashboard.",
    BreakKind.AMOUNT_DIFFERS: "The amounts are not the same: see `tollgate explain`, and correct by a posting.",
    BreakKind.CURRENCY_DIFFERS: "The currencies are not the same: see `tollgate explain`.",
    BreakKind.STATUS_DIFFERS: "Something was not heard of: fetch it (--fix).",
    BreakKind.FEE_DIFFERS: "Stripe keeps another amount than is posted: a fee that is missing is posted by --fix.",
    BreakKind.LEDGER_MISSING: "The payment or refund is known, and its posting is missing: see `tollgate ledger show`.",
    BreakKind.LEDGER_EXTRA: "The ledger tells of money that Stripe has not moved: see `tollgate ledger show`.",
    BreakKind.DUPLICATE: "Stripe moved the money of one object twice: ask Stripe's support.",
    BreakKind.PAYOUT_MISMATCH: "The movements that a payout pays out do not add up to it: ask Stripe's support.",
    BreakKind.FOREIGN: "It was not made by Tollgate, and is not in its books.",
    BreakKind.CONVERTED: "Stripe settles it in another currency than it was paid in.",
    BreakKind.IN_TRANSIT: "The payout has left Stripe's balance and has not reached the bank.",
}


class Fix(Enum):
    """What `--fix` leaves behind: ordinary jobs, which find out for themselves."""

    REFRESH = "refresh"  # fetch the payment
    REFRESH_INVOICE = "refresh_invoice"  # fetch the invoice
    FEE = "fee"  # look the fee up, and post it
    HEAL = "heal"  # bring in Stripe's events of that time


@dataclass(frozen=True, slots=True)
class Break:
    """One difference. Holds ids and amounts, and nothing of persons.

    Args:
        day: of the movement, UTC.
        noun: what it is about, in Stripe's words: charge, refund, payout, payment_intent, …
        stripe_id: Stripe's id of it.
        payment_id, invoice_id: ours, if the payment, or the invoice, is known.
        at_stripe, here: what each says: minor units, None where it says nothing; a status for `status_differs`.
        effect: by how much Stripe's balance moved beyond what the ledger says of it, minor units.
        fix: what `--fix` does about it; None: a person must.
    """

    kind: BreakKind
    day: dt.date
    currency: str
    noun: str
    stripe_id: str
    payment_id: str | None
    at_stripe: int | str | None
    here: int | str | None
    effect: int = 0
    fix: Fix | None = None
    invoice_id: str | None = None

    @property
    def suggestion(self) -> str:
        """What to do about it."""
        return SUGGESTIONS[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Write it as JSON's types."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        fix = None if self.fix is None else self.fix.value
        return {**fields, "kind": self.kind.value, "day": self.day.isoformat(), "fix": fix}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Break":
        """Read it back."""
        fix = None if fields["fix"] is None else Fix(fields["fix"])
        return cls(
            **{**fields, "kind": BreakKind(fields["kind"]), "day": dt.date.fromisoformat(fields["day"]), "fix": fix}
        )
