"""Views: what the website may read of a job or a payment, sealed in Redis and never older over newer.

A view lies in Redis as a hash of its epoch `e`, its version `v` and the sealed bytes `d`. They are bound to the key and
to epoch and version, so that nobody who can write Redis can put an old view, or another's, in its place.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from config.errors import SealBrokenError
from config.keyring import Keyring
from config.sealing import place, seal, unseal

FIRST_VERSION = 0  # of the view that the accept script writes; everything projected is newer
# What ends a wait. `checking` does not: it is no outcome, and mostly becomes one within a second or two.
FINAL_JOB_STATES = frozenset({"done", "refused", "dead", "cancelled"})


class SealedView:
    """Sealing and opening, shared by all views; base of frozen dataclasses of JSON values."""

    __slots__ = ()

    def seal(self, ring: Keyring, key: str, epoch: int, version: int) -> bytes:
        """Return the view's bytes for that Redis key, epoch and version."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass
        plaintext = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
        return seal(ring, plaintext, _where(key, epoch, version))

    @classmethod
    def open(cls, ring: Keyring, key: str, fields: Mapping[bytes, bytes]) -> Self:
        """Open what lies under a Redis key.

        Raises:
            SealBrokenError: if it was not written by us for this key, epoch and version.
            KeyringError: if its key is not in the ring.
        """
        try:
            epoch, version, sealed = int(fields[b"e"]), int(fields[b"v"]), fields[b"d"]
        except (KeyError, ValueError):
            raise SealBrokenError(f"what lies under {key} is no view") from None
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]  # see above
        read = json.loads(unseal(ring, sealed, _where(key, epoch, version)))
        try:
            # While versions of Tollgate run side by side, a newer one's fields are passed over.
            return cls(**{name: value for name, value in read.items() if name in known})
        except TypeError:
            raise SealBrokenError(f"the view under {key} lacks fields that this version needs") from None


def _where(key: str, epoch: int, version: int) -> bytes:
    return place("view", key, str(epoch), str(version))


@dataclass(frozen=True, slots=True)
class JobView(SealedView):
    """A job as its client may see it.

    Args:
        state: `accepted` until the row exists, then the row's state.
        problem: why it was refused or died, as `{code, detail}`, else None.
        created_at: RFC 3339, UTC.
    """

    id: str
    client_id: str
    kind: str
    state: str
    subject_id: str
    attempts: int
    problem: Mapping[str, Any] | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class PaymentView(SealedView):
    """A payment as its client may see it.

    Args:
        amount: minor units, as asked; likewise the amounts received, refunded and held for a capture.
        capture: `automatic` or `manual`.
        capture_before: until when the amount is held, if that is known and it is held still.
        client_secret: for Stripe.js, once the PaymentIntent exists.
        decline: `{code, message}` with words fit for the customer, after a decline.
        seat_hold: `{token, expires_at, late}` as it was asked for, if it was.
        flags: what staff should look at, by kind.
        invoice_id: the invoice for which Stripe made it; None for what was asked of us.
        dispute: the newest one, `{id, status, reason, amount, currency, due_by, answered}`; None if there is none.
    """

    NOUN: ClassVar[str] = "payment"

    id: str
    client_id: str
    job_id: str
    status: str
    amount: int
    amount_received: int
    amount_refunded: int
    currency: str
    booking_reference: str
    stripe_payment_intent: str | None
    client_secret: str | None
    decline: Mapping[str, str] | None
    created_at: str
    updated_at: str
    # Of views that an older version wrote; each field that comes later has a default.
    amount_capturable: int = 0
    capture: str = "automatic"
    capture_before: str | None = None
    seat_hold: Mapping[str, str | None] | None = None
    flags: list[str] = field(default_factory=list)
    invoice_id: str | None = None
    dispute: Mapping[str, Any] | None = None


def seat_hold(token: str | None, expires_at: str | None, late: str | None) -> Mapping[str, str | None] | None:
    """Return a payment's seat hold as its view tells it; None if it has none."""
    return None if token is None else {"token": token, "expires_at": expires_at, "late": late}


@dataclass(frozen=True, slots=True)
class RefundView(SealedView):
    """A refund as its client may see it.

    Args:
        job_id: that makes it; None if it was made in Stripe's dashboard.
        amount: minor units; 0 while it is not known how much is left to be refunded.
        currency: None until the payment has been looked at.
        failure_reason: Stripe's word, if the customer's bank sent it back.
    """

    NOUN: ClassVar[str] = "refund"

    id: str
    client_id: str
    payment_id: str
    job_id: str | None
    status: str
    amount: int
    currency: str | None
    reason: str | None
    failure_reason: str | None
    stripe_refund: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class InvoiceView(SealedView):
    """An invoice as its client may see it.

    Args:
        number: Stripe's, once it is finalized.
        subtotal, tax_amount, total, amount_paid: minor units.
        lines: `{description, quantity, unit_amount, tax, net, tax_amount}` each.
        payment_id: that paid it, or by which it is to be issued as paid.
        due_at, sent_at, paid_at: by Stripe's clock; sent_at is when it was mailed last.
        hosted_invoice_url, invoice_pdf: show it to whoever has them.
    """

    NOUN: ClassVar[str] = "invoice"

    id: str
    client_id: str
    job_id: str
    status: str
    number: str | None
    currency: str
    subtotal: int
    tax_amount: int
    total: int
    amount_paid: int
    tax_inclusive: bool
    lines: Sequence[Mapping[str, Any]]
    purchase_order: str | None
    booking_reference: str | None
    payment_id: str | None
    paid_out_of_band: bool
    due_at: str | None
    sent_at: str | None
    paid_at: str | None
    hosted_invoice_url: str | None
    invoice_pdf: str | None
    stripe_invoice: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class BatchView(SealedView):
    """A batch of invoices as its client may see it; how far its invoices are, their own views tell.

    Args:
        entries: `{line, invoice}` or `{line, problem}` for each line that was posted, in their order; with the `job`
            of an invoice once it has one.
        opened: whether its invoices have jobs of their own by now.
    """

    NOUN: ClassVar[str] = "batch"

    id: str
    client_id: str
    job_id: str
    entries: Sequence[Mapping[str, Any]]
    opened: bool
    created_at: str
    updated_at: str

    @property
    def invoices(self) -> list[str]:
        """The ids of its invoices."""
        return [entry["invoice"] for entry in self.entries if "invoice" in entry]

    @property
    def jobs(self) -> dict[str, str]:
        """The jobs of its invoices by the invoices' ids; none before it is opened."""
        return {entry["invoice"]: entry["job"] for entry in self.entries if "job" in entry}


@dataclass(frozen=True, slots=True)
class ListView(SealedView):
    """What belongs together, the newest in front; its version is the number of things there are, which only grows.

    Args:
        id: the list's name.
        entries: ids, as many as one list holds.
        more: whether there are older things than these.
    """

    id: str
    client_id: str
    entries: Sequence[str]
    more: bool


@dataclass(frozen=True, slots=True)
class AbsentView(SealedView):
    """Says that there was nothing by that id when a worker looked; lies beside the place of its view.

    Args:
        until: how long it counts, in seconds since 1970, UTC.
    """

    id: str
    until: float


Subject = PaymentView | RefundView | InvoiceView | BatchView  # what a job is about
