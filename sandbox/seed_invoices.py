"""How an invoice gets into each state: by what website, customer and Stripe do, never by writing to a table."""

from typing import Any, Final

from sandbox.demo.bookings import Booking
from sandbox.demo.fates import GOOD_CARD
from sandbox.seed_states import ACCEPTED, WAIT_SECONDS, SeedError, Site, State

UNKNOWN_PAYMENT: Final = "pay_" + "a" * 26


def _post(site: Site, booking: Booking, **more: Any) -> dict[str, Any]:
    """Post an invoice over a booking's price and VAT and return it."""
    body = {
        "customer": booking.body["customer"],
        "currency": booking.body["currency"],
        "lines": [_line(booking, "gb_vat_standard")],
        "booking_reference": booking.reference,
        "purchase_order": f"PO-{booking.reference}",
        **more,
    }
    answer = site.api.post_invoice(body, f"invoice {booking.reference}", wait=WAIT_SECONDS)
    if answer.status not in ACCEPTED:
        raise SeedError(f"{booking.reference}: {answer.status} {answer.body.get('detail')}")
    invoice: dict[str, Any] = answer.body["invoice"]
    return invoice


def _line(booking: Booking, tax: str) -> dict[str, Any]:
    return {"description": booking.body["description"], "unit_amount": booking.body["amount"], "tax": tax}


def _sent(site: Site, booking: Booking) -> dict[str, Any]:
    return _post(site, booking)


def _open(site: Site, booking: Booking) -> dict[str, Any]:
    return _post(site, booking, send=False)


def _draft(site: Site, booking: Booking) -> dict[str, Any]:
    return _post(site, booking, draft=True)


def _paid(site: Site, booking: Booking) -> dict[str, Any]:
    invoice = site.wait_for(_post(site, booking), "sent")
    site.simulator.pay_invoice(invoice["stripe_invoice"], GOOD_CARD)
    return invoice


def _paid_before(site: Site, booking: Booking) -> dict[str, Any]:
    payment = site.wait_for(site.pay(site.make(booking), GOOD_CARD), "paid")
    return _post(site, booking, payment=payment["id"], lines=[_line(booking, "exempt")])


def _operated(site: Site, booking: Booking, verb: str) -> dict[str, Any]:
    invoice = site.wait_for(_post(site, booking), "sent")
    answer = site.api.operate_invoice(invoice["id"], verb, f"{verb} {booking.reference}", wait=WAIT_SECONDS)
    if answer.status not in ACCEPTED:
        raise SeedError(f"{booking.reference}: {verb} {answer.status} {answer.body.get('detail')}")
    return invoice


def _paid_past_stripe(site: Site, booking: Booking) -> dict[str, Any]:
    return _operated(site, booking, "pay_out_of_band")


def _void(site: Site, booking: Booking) -> dict[str, Any]:
    return _operated(site, booking, "void")


def _uncollectible(site: Site, booking: Booking) -> dict[str, Any]:
    return _operated(site, booking, "mark_uncollectible")


def _refused(site: Site, booking: Booking) -> dict[str, Any]:
    return _post(site, booking, payment=UNKNOWN_PAYMENT)


# `overdue` has no door: a due day must lie ahead when the invoice is asked for.
INVOICE_STATES: Final = (
    State("sent", 12, _sent),
    State("paid", 8, _paid),
    State("paid", 3, _paid_before),
    State("paid", 2, _paid_past_stripe),
    State("open", 5, _open),
    State("draft", 4, _draft),
    State("void", 3, _void),
    State("uncollectible", 2, _uncollectible),
    State("refused", 1, _refused),
)
