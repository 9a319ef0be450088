"""The hosted invoice page: where an invoice's customer reads it and pays it by card.

https://docs.stripe.com/invoicing/hosted-invoice-page
"""

from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from sandbox.simulator import confirmation, invoice_lines, invoice_payments, invoices
from sandbox.simulator.account import ACCOUNT_NAME, JsonObject
from sandbox.simulator.errors import NOT_FOUND, ApiError, invalid, missing_resource
from sandbox.simulator.invoice_pdf import pdf
from sandbox.simulator.invoice_states import PAGES
from sandbox.simulator.money import shown
from sandbox.simulator.state import Change

PAYABLE: Final = ("open", "uncollectible")

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Simulated invoice</title>
<h1>Simulated invoice</h1>
<pre>{text}</pre>
<p><a href="{pdf}">As a PDF</a></p>
{form}
</html>
"""
FORM: Final = """<form method="post">
<label>Card number <input name="number" inputmode="numeric" autocomplete="cc-number" required></label>
<button>Pay {amount}</button>
</form>"""


def opened(change: Change, path: str) -> tuple[JsonObject, str]:
    """Return the invoice of a page's path, and what of it is wanted: the page itself, empty, or ``pdf``.

    Raises:
        ApiError: 404, there is no such page.
    """
    secret, _, wanted = path.removeprefix(PAGES).partition("/")
    known = change.get("invoice_pages", secret)
    if known is None or wanted not in {"", "pdf"}:
        raise missing_resource("invoice page", secret, param="id", status=NOT_FOUND)
    return invoices.retrieve(change, known["invoice"]), wanted


def page(change: Change, invoice: JsonObject) -> str:
    """Return the HTML of an invoice's page, with a form to pay it as long as it can be paid."""
    amount = escape(shown(invoice["amount_remaining"], invoice["currency"]))
    return PAGE.format(
        text=escape("\n".join(_text(change, invoice))),
        pdf=escape(invoice["invoice_pdf"]),
        form=FORM.format(amount=amount) if invoice["status"] in PAYABLE else "",
    )


def document(change: Change, invoice: JsonObject) -> bytes:
    """Return the PDF of an invoice."""
    return pdf(_text(change, invoice))


def pay(change: Change, invoice: JsonObject, number: str) -> JsonObject:
    """Pay an invoice by the card of a number, as its customer does, and return where that leads.

    ``payment_intent_status`` is ``requires_action`` when the bank asks first, at ``authentication_url``; a declined
    card leaves the invoice as it is, with a ``code`` that says why.

    Raises:
        ApiError: the invoice can't be paid, or the number is no card's.
    """
    if invoice["status"] not in PAYABLE:
        raise invalid(
            "Invoice is already paid" if invoice["status"] == "paid" else "This invoice can no longer be paid."
        )
    intent = invoice_payments.default_of(change, invoice)
    code = None
    try:
        after = confirmation.confirm(change, intent, _card(number) | {"return_url": invoice["hosted_invoice_url"]})
    except ApiError as declined:
        if not declined.keeps_effects:
            raise
        after, code = declined.details["payment_intent"], declined.code
    else:
        invoice_payments.settle(change)
    return {
        "id": invoice["id"],
        "status": invoices.retrieve(change, invoice["id"])["status"],
        "payment_intent": after["id"],
        "payment_intent_status": after["status"],
        "charge": after["latest_charge"],
        "code": code,
        "authentication_url": ((after["next_action"] or {}).get("redirect_to_url") or {}).get("url"),
    }


def _card(number: str) -> dict[str, Any]:
    return {"payment_method_data": {"type": "card", "card": {"number": number}}}


def _text(change: Change, invoice: JsonObject) -> list[str]:
    code = invoice["currency"]
    lines = [
        f"{each['quantity']} x {each['description'] or ''}: {shown(each['amount'], code)}"
        for each in invoice_lines.of(change, invoice["id"])
    ]
    fields = [f"{each['name']}: {each['value']}" for each in invoice["custom_fields"] or []]
    tax = invoice["total"] - invoice["total_excluding_tax"]
    due = invoice["due_date"] and f"Due: {datetime.fromtimestamp(invoice['due_date'], UTC):%Y-%m-%d}"
    return [
        f"{ACCOUNT_NAME}: invoice {invoice['number']}",
        f"To: {invoice['customer_name'] or invoice['customer_email'] or invoice['customer']}",
        *([due] if due else []),
        *fields,
        "",
        *lines,
        "",
        f"Total excluding tax: {shown(invoice['total_excluding_tax'], code)}",
        f"Tax: {shown(tax, code)}",
        f"Total: {shown(invoice['total'], code)}",
        f"Amount due: {shown(invoice['amount_remaining'], code)}",
        f"Status: {invoice['status']}",
        *(invoice["footer"] or "").splitlines(),
    ]
