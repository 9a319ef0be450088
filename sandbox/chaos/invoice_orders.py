"""Orders of invoices: what one client of the API asks for at once, how each goes on, and every answer that it got."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox.chaos.orders import ALL_PAY, IMPATIENT_SHARE, Order, Posted, make_orders

InvoiceFate = Literal[
    "is sent",
    "is issued",
    "stays a draft",
    "is finalized later",
    "is sent later",
    "is voided",
    "is paid",
    "is for a payment",
    "is refused",
]
# What the invoice must read in the end.
INVOICE_ENDS: Final[Mapping[InvoiceFate, str]] = {
    "is sent": "sent",
    "is issued": "open",
    "stays a draft": "draft",
    "is finalized later": "open",
    "is sent later": "sent",
    "is voided": "void",
    "is paid": "paid",
    "is for a payment": "paid",
    "is refused": "refused",
}
DRAFTS: Final[frozenset[InvoiceFate]] = frozenset({"stays a draft", "is finalized later", "is sent later"})
# Which Stripe mails, once; one that a payment has paid already is for nobody to pay.
MAILED: Final[frozenset[InvoiceFate]] = frozenset({"is sent", "is sent later", "is voided", "is paid"})
WEIGHTS: Final[Mapping[InvoiceFate, int]] = {
    "is sent": 4,
    "is issued": 2,
    "stays a draft": 1,
    "is finalized later": 2,
    "is sent later": 1,
    "is voided": 2,
    "is paid": 4,
    "is for a payment": 3,
}
BATCH_EVERY: Final = 8  # each so many-th order is a batch
BATCH: Final[Sequence[InvoiceFate]] = ("is sent", "is issued", "is paid", "is refused", "is voided", "is sent")
PAYMENTS_PER_ORDER: Final = 12  # an order of invoices comes beside so many payments: each takes Stripe five calls
# VAT in per cent, worked out here by itself, so that our own rounding is under test too.
VAT: Final[Mapping[str, int]] = {"gb_vat_standard": 20, "gb_vat_reduced": 5, "zero_rated": 0, "exempt": 0}
WRONG_TAX: Final = "no_such_vat"
PRICES: Final = (995, 4_950, 18_333)  # pence; VAT of most of them has to be rounded


@dataclass(slots=True)
class Invoice:
    """One invoice as its client asks for it."""

    reference: str
    body: dict[str, Any]
    fate: InvoiceFate
    invoice_ids: set[str] = field(default_factory=set)
    operation_id: str | None = None
    status: str = ""
    stripe_id: str | None = None

    @property
    def acceptable(self) -> bool:
        """Whether there is nothing in it to be refused for."""
        return self.fate != "is refused"

    @property
    def end(self) -> str:
        """What it must read in the end."""
        return INVOICE_ENDS[self.fate]

    @property
    def mails(self) -> int:
        """How often it must be mailed in all."""
        return int(self.fate in MAILED)

    @property
    def total(self) -> int:
        """What it must be over, in minor units, VAT included."""
        return sum(_gross(line) for line in self.body["lines"])

    @property
    def invoice_id(self) -> str:
        """Its id; of an accepted one only."""
        return min(self.invoice_ids)


@dataclass(slots=True)
class InvoiceOrder(Posted):
    """What is posted at once: one invoice, or a batch of them."""

    invoices: Sequence[Invoice]
    batch: bool = False
    batch_id: str | None = None
    payment: Order | None = None  # made on the site before, for which the invoice is

    @property
    def wanted(self) -> Sequence[Invoice]:
        """Those that have to be made."""
        return [each for each in self.invoices if each.acceptable]

    def note(self, invoice_ids: Sequence[str | None]) -> None:
        """Keep what an answer called the invoices, in their order; None for one that was refused."""
        for invoice, invoice_id in zip(self.invoices, invoice_ids, strict=True):
            if invoice_id is not None:
                invoice.invoice_ids.add(invoice_id)


def make_invoice_orders(
    payments: int, run: str, chance: random.Random, *, impatient: bool = False
) -> list[InvoiceOrder]:
    """Return orders of invoices to come beside so many payments, the same for the same chance.

    Args:
        payments: how many are in the load.
        run: what their references begin with; nothing else of the same system may share it.
        chance: decides everything.
        impatient: whether some clients give up when they don't know whether they were accepted.
    """
    fates = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=payments // PAYMENTS_PER_ORDER)
    paid = iter(make_orders(fates.count("is for a payment"), f"{run}-site", chance, ALL_PAY))
    orders = []
    for number, fate in enumerate(fates):
        payment = next(paid) if fate == "is for a payment" else None
        batch = number % BATCH_EVERY == BATCH_EVERY - 1 and payment is None
        reference = f"{run}-{number:03d}"
        chosen = BATCH if batch else (fate,)
        orders.append(
            InvoiceOrder(
                number=number,
                reference=reference,
                invoices=[
                    _make(f"{reference}.{line}", f"office.{reference}@example.org".lower(), each, chance, payment)
                    for line, each in enumerate(chosen)
                ],
                batch=batch,
                payment=payment,
                impatient=impatient and chance.random() < IMPATIENT_SHARE,
            )
        )
    return orders


def _make(reference: str, email: str, fate: InvoiceFate, chance: random.Random, payment: Order | None) -> Invoice:
    body: dict[str, Any] = {
        "customer": {"name": f"Office {reference}", "email": email},
        "currency": "gbp",
        "lines": [_line(chance) for _ in range(chance.randint(1, 3))],
        "booking_reference": reference,
        "purchase_order": f"PO {reference}",
    }
    if fate in DRAFTS:
        body["draft"] = True
    if fate == "is issued":
        body["send"] = False
    if fate == "is refused":
        body["lines"][0]["tax"] = WRONG_TAX
    if payment is not None:
        body["customer"] = payment.body["customer"]
        body["lines"] = [{"description": "Course", "unit_amount": payment.body["amount"], "tax": "exempt"}]
    return Invoice(reference, body, fate)


def _line(chance: random.Random) -> dict[str, Any]:
    return {
        "description": "Course",
        "quantity": chance.randint(1, 4),
        "unit_amount": chance.choice(PRICES),
        "tax": chance.choice(list(VAT)),
    }


def _gross(line: Mapping[str, Any]) -> int:
    net: int = line.get("quantity", 1) * line["unit_amount"]
    return net + (net * VAT.get(line["tax"], 0) + 50) // 100  # half a penny goes upwards
