"""What becomes of an invoice after its draft (https://docs.stripe.com/invoicing/overview#invoice-statuses)."""

from typing import Any, Final

from sandbox.simulator import confirmation, customers, invoice_payments
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import invalid
from sandbox.simulator.events import emit
from sandbox.simulator.invoices import changed, find, of_customer, retrieve
from sandbox.simulator.money import is_too_small
from sandbox.simulator.state import Change

PAGES: Final = "/invoice/"  # where the hosted pages are
NOT_OPEN: Final = "You can only pass in open invoices. This invoice isn't open."


def finalize(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Make a draft binding: it gets its number, its page and the PaymentIntent to pay it by.

    An invoice over less than Stripe can charge is paid at once, and its amount stays on the customer's balance.

    Raises:
        ApiError: there is none, or it is finalized already.
    """
    draft = find(change, name, param="id")
    if draft["status"] != "draft":
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    return _finalize(change, draft, values)


def send(change: Change, name: str, _values: dict[str, Any]) -> JsonObject:
    """Send an invoice to its customer; a draft is finalized first.

    Raises:
        ApiError: there is none, or it is neither a draft nor open.
    """
    invoice = retrieve(change, name)
    if invoice["status"] == "draft":
        invoice = _finalize(change, invoice, {})
    elif invoice["status"] != "open":
        raise invalid(
            "This invoice cannot be sent right now. Please contact us via https://support.stripe.com/contact with "
            "details, so we can help."
        )
    emit(change, "invoice.sent", invoice)
    return invoice


def pay(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Pay an invoice: outside Stripe, or by a payment method; a draft is finalized first.

    Raises:
        ApiError: it can't be paid, there is nothing to pay it by, or, 402, the card is declined.
    """
    invoice = find(change, name, param="id")
    if invoice["status"] == "draft":
        invoice = _finalize(change, invoice, {})
        if invoice["status"] == "paid":
            return invoice
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid")
    if invoice["status"] == "void":
        raise invalid("This invoice can no longer be paid.")
    if values.get("paid_out_of_band"):
        return _pay_out_of_band(change, invoice)
    method = values.get("payment_method") or invoice["default_payment_method"]
    if method is None:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    by = {"payment_method": method, "off_session": values.get("off_session", True)}
    confirmation.confirm(change, invoice_payments.default_of(change, invoice), by)
    invoice_payments.settle(change)
    return retrieve(change, name)


def void(change: Change, name: str, _values: dict[str, Any]) -> JsonObject:
    """Take an open invoice back; it stays for the records.

    Raises:
        ApiError: it is not open.
    """
    invoice = find(change, name, param="id")
    if invoice["status"] == "paid":
        raise invalid("Invoices with `paid` payments cannot be voided.")
    after = _leave_open(change, invoice, "void", "voided_at")
    invoice_payments.close_default(change, after, "void_invoice")
    emit(change, "invoice.voided", after)
    return after


def mark_uncollectible(change: Change, name: str, _values: dict[str, Any]) -> JsonObject:
    """Give up an open invoice; it can still be paid.

    Raises:
        ApiError: it is not open.
    """
    invoice = find(change, name, param="id")
    if invoice["status"] == "uncollectible":
        raise invalid("This invoice has already been marked uncollectible.")
    after = _leave_open(change, invoice, "uncollectible", "marked_uncollectible_at")
    emit(change, "invoice.marked_uncollectible", after)
    return after


def attach_payment(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Let a PaymentIntent pay an open invoice, now or once it succeeds.

    Raises:
        ApiError: the invoice is not open, or the intent does not fit it.
    """
    invoice = retrieve(change, name)
    if invoice["status"] != "open":
        raise invalid(NOT_OPEN)
    invoice_payments.attach(change, invoice, values["payment_intent"])
    return retrieve(change, name)


def tell_overdue(change: Change) -> None:
    """Tell, once each, of the open invoices whose due date has passed."""
    for deadline in change.state.all("invoice_deadlines"):
        invoice = change.get("invoices", deadline["id"])
        if deadline["at"] > change.clock.now():
            continue
        change.remove("invoice_deadlines", deadline["id"])
        if invoice is not None and invoice["status"] == "open":
            emit(change, "invoice.overdue", invoice)


def _finalize(change: Change, draft: JsonObject, values: dict[str, Any]) -> JsonObject:
    now = change.clock.now()
    customer = customers.find(change, draft["customer"], param="customer")
    owed = draft["total"] + customer["balance"]
    due = 0 if owed <= 0 or is_too_small(owed, draft["currency"]) else owed
    secret = change.identifiers.letters(32)
    change.put("invoice_pages", {"id": secret, "invoice": draft["id"]})
    url = f"{change.base_url}{PAGES}{secret}"
    after = (
        draft
        | of_customer(customer)
        | {
            "amount_due": due,
            "amount_remaining": due,
            "attempted": due == 0,
            "auto_advance": values.get("auto_advance", draft["auto_advance"]) and due > 0,
            "automatically_finalizes_at": None,
            "effective_at": draft["effective_at"] or now,
            "ending_balance": owed - due,
            "hosted_invoice_url": url,
            "invoice_pdf": f"{url}/pdf",
            "number": draft["number"] or customers.next_invoice_number(change, draft["customer"]),
            "starting_balance": customer["balance"],
            "status": "open" if due else "paid",
            "status_transitions": draft["status_transitions"] | {"finalized_at": now, "paid_at": None if due else now},
        }
    )
    if owed - due != customer["balance"]:
        customers.add_balance(change, draft["customer"], owed - due - customer["balance"])
    changed(change, after, draft)
    emit(change, "invoice.finalized", after)
    if due:
        invoice_payments.begin_default(change, after)
        if after["due_date"] is not None:
            change.put("invoice_deadlines", {"id": after["id"], "at": after["due_date"]})
    else:
        emit(change, "invoice.paid", after)
        emit(change, "invoice.payment_succeeded", after)
    return after


def _pay_out_of_band(change: Change, invoice: JsonObject) -> JsonObject:
    left = invoice["amount_remaining"]
    after = (
        invoice
        | invoice_payments.paid_at(invoice, change.clock.now())
        | {
            "amount_paid": invoice["amount_paid"] + left,
            "amount_paid_off_stripe": invoice["amount_paid_off_stripe"] + left,
            "amount_remaining": 0,
        }
    )
    invoice_payments.close_default(change, after, "automatic")
    changed(change, after, invoice)
    emit(change, "invoice.paid", after)
    return after


def _leave_open(change: Change, invoice: JsonObject, status: str, when: str) -> JsonObject:
    if invoice["status"] != "open":
        raise invalid(NOT_OPEN)
    moved = invoice["status_transitions"] | {when: change.clock.now()}
    return changed(change, invoice | {"status": status, "auto_advance": False, "status_transitions": moved}, invoice)
