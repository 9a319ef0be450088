"""The simulator's invoices, asked by stripe-python as Tollgate asks Stripe: drafts, ends, payments and refusals."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe

from tests.builders.simulator import Simulator

GOOD = "4242 4242 4242 4242"
DECLINED = "4000000000000002"
DAY = 24 * 60 * 60
LINE: dict[str, Any] = {
    "description": "First aid at work",
    "quantity": 3,
    "price_data": {"currency": "gbp", "unit_amount": 5000, "product_data": {"name": "Course"}},
    "tax_amounts": [
        {
            "amount": 3000,
            "taxable_amount": 15_000,
            "taxability_reason": "standard_rated",
            "tax_rate_data": {"display_name": "VAT", "inclusive": False, "percentage": 20.0, "country": "GB"},
        }
    ],
}


@pytest.fixture
def simulator(modules_simulator: Simulator) -> Simulator:
    return modules_simulator


@pytest.fixture
def client(simulator: Simulator) -> stripe.StripeClient:
    return simulator.client


@pytest.fixture
def customer(client: stripe.StripeClient) -> str:
    return client.v1.customers.create({"name": "Ada", "email": "ada@example.com"}).id


def draft(client: stripe.StripeClient, customer: str, *lines: Any, **params: Any) -> stripe.Invoice:
    asked: Any = {"customer": customer, "collection_method": "send_invoice", "days_until_due": 30, "currency": "gbp"}
    invoice = client.v1.invoices.create(asked | {"auto_advance": False} | params)
    added: Any = {"lines": list(lines) or [LINE]}
    return client.v1.invoices.add_lines(str(invoice.id), added)


def opened(client: stripe.StripeClient, customer: str, *lines: Any, **params: Any) -> stripe.Invoice:
    invoice = draft(client, customer, *lines, **params)
    return client.v1.invoices.finalize_invoice(str(invoice.id), {"auto_advance": False})


def shopper_pays(simulator: Simulator, invoice: stripe.Invoice, number: str = GOOD) -> Any:
    return simulator.control("POST", "invoices/pay", {"invoice": invoice.id, "number": number})


def events_of(client: stripe.StripeClient, invoice: str) -> list[str]:
    """Return the types of the events about an invoice and its payments, the oldest first."""
    listed = [each.to_dict() for each in client.v1.events.list({"limit": 100}).data]
    about = [each for each in listed if invoice in {(seen := each["data"]["object"])["id"], seen.get("invoice")}]
    return [each["type"] for each in reversed(about)]


def payments_of(client: stripe.StripeClient, invoice: stripe.Invoice) -> list[tuple[str, Any, bool]]:
    listed = client.v1.invoice_payments.list({"invoice": str(invoice.id)}).data
    return [(each.status, each.amount_paid, each.is_default) for each in listed]


def fact_of(simulator: Simulator, invoice: stripe.Invoice) -> Any:
    return next(each for each in simulator.control("GET", "ledger")["invoices"] if each["id"] == invoice.id)


def test_an_invoice_goes_from_draft_to_paid_at_its_customers_hand(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    field = {"name": "Purchase order", "value": "PO-77"}
    invoice = draft(client, customer, custom_fields=[field], metadata={"tollgate_operation": "op-paid"})
    assert (invoice.status, invoice.number, invoice.hosted_invoice_url) == ("draft", None, None)
    assert (invoice.subtotal, invoice.total_excluding_tax, invoice.total) == (15_000, 15_000, 18_000)
    [line] = invoice.lines.data
    assert (line.amount, line.quantity, line.description) == (15_000, 3, "First aid at work")
    invoice = client.v1.invoices.finalize_invoice(str(invoice.id))
    assert (invoice.status, invoice.amount_due, invoice.due_date) == ("open", 18_000, invoice.created + 30 * DAY)
    assert client.v1.invoices.send_invoice(str(invoice.id)).status == "open"
    done = shopper_pays(simulator, invoice)
    paid = client.v1.invoices.retrieve(str(invoice.id), {"expand": ["payments.data.payment.payment_intent"]})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 18_000, 0)
    assert paid.payments is not None
    intent = paid.payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (intent.id, intent.amount_received, intent.customer) == (done["payment_intent"], 18_000, customer)
    assert "tollgate_operation" not in intent.metadata
    assert events_of(client, str(invoice.id)) == [
        "invoice.created",
        "invoiceitem.created",
        "invoice.updated",
        "invoice.updated",
        "invoice.finalized",
        "invoice.sent",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    [payment] = fact_of(simulator, invoice)["payments"]
    assert (payment["payment_intent"], payment["charge"]) == (intent.id, done["charge"])
    assert (payment["amount_paid"], payment["status"]) == (18_000, "paid")
    charge = next(each for each in simulator.control("GET", "ledger")["charges"] if each["id"] == done["charge"])
    assert (charge["invoice"], charge["amount"]) == (invoice.id, 18_000)


def test_numbers_are_without_gaps_and_drafts_take_none(client: stripe.StripeClient, customer: str) -> None:
    first = opened(client, customer)
    client.v1.invoices.delete(str(draft(client, customer).id))
    second = opened(client, customer)
    prefix = str(first.number).partition("-")[0]
    assert (first.number, second.number) == (f"{prefix}-0001", f"{prefix}-0002")


def test_a_declined_card_leaves_the_invoice_open_for_another(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    invoice = opened(client, customer)
    declined = shopper_pays(simulator, invoice, DECLINED)
    assert (declined["status"], declined["code"]) == ("open", "card_declined")
    assert "invoice.payment_failed" in events_of(client, str(invoice.id))
    assert shopper_pays(simulator, invoice)["status"] == "paid"
    assert payments_of(client, invoice) == [("paid", 18_000, True)]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        shopper_pays(simulator, invoice)


def test_the_hosted_page_shows_the_invoice_takes_a_card_and_has_a_pdf(
    client: stripe.StripeClient, customer: str
) -> None:
    invoice = opened(client, customer, footer="Thank you <3")
    url = str(invoice.hosted_invoice_url)
    page = read(url)
    assert b"First aid at work" in page
    assert b"Thank you &lt;3" in page
    assert b'name="number"' in page
    assert read(str(invoice.invoice_pdf)).startswith(b"%PDF-1.4")
    with pytest.raises(urllib.error.HTTPError, match="402"):
        read(url, {"number": DECLINED})
    assert b'"status":"paid"' in read(url, {"number": GOOD})
    assert b'name="number"' not in read(url)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(f"{url}x")


def read(url: str, form: dict[str, str] | None = None) -> bytes:
    body = urllib.parse.urlencode(form).encode() if form is not None else None
    with urllib.request.urlopen(url, body, timeout=10) as response:  # noqa: S310  # the scheme is ours
        return bytes(response.read())


def test_a_card_that_asks_its_bank_pays_after_the_answer(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    invoice = opened(client, customer)
    asked = shopper_pays(simulator, invoice, "4000002760003184")
    assert (asked["status"], asked["payment_intent_status"]) == ("open", "requires_action")
    read_status = urllib.request.Request(asked["authentication_url"], b"outcome=complete")  # noqa: S310  # ours
    with urllib.request.urlopen(read_status, timeout=10):  # noqa: S310  # it leads back to the invoice's page
        pass
    assert client.v1.invoices.retrieve(str(invoice.id)).status == "paid"


def test_paid_outside_stripe_makes_no_charge_and_cancels_the_default_payment(
    client: stripe.StripeClient, customer: str
) -> None:
    invoice = opened(client, customer)
    paid = client.v1.invoices.pay(str(invoice.id), {"paid_out_of_band": True})
    assert (paid.status, paid.attempted, paid.amount_paid_off_stripe) == ("paid", False, 18_000)
    assert payments_of(client, invoice) == [("canceled", None, True)]
    assert client.v1.charges.list({"customer": customer}).data == []
    assert "invoice.payment_succeeded" not in events_of(client, str(invoice.id))


def test_a_succeeded_intent_pays_the_invoice_it_is_attached_to_at_once(
    client: stripe.StripeClient, customer: str
) -> None:
    invoice = opened(client, customer)
    intent = succeeded(client, customer, 18_000)
    paid = client.v1.invoices.attach_payment(str(invoice.id), {"payment_intent": intent})
    assert (paid.status, paid.amount_paid) == ("paid", 18_000)
    assert payments_of(client, invoice) == [("paid", 18_000, False), ("canceled", None, True)]
    found = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}}).data
    assert [each.invoice for each in found] == [invoice.id]


def test_an_intent_that_succeeds_later_pays_then(client: stripe.StripeClient, customer: str) -> None:
    invoice = opened(client, customer)
    asked: Any = {"amount": 18_000, "currency": "gbp", "customer": customer}
    intent = client.v1.payment_intents.create(asked)
    attached = client.v1.invoices.attach_payment(str(invoice.id), {"payment_intent": intent.id})
    assert attached.status == "open"
    client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa", "return_url": "http://x"})
    assert client.v1.invoices.retrieve(str(invoice.id)).status == "paid"


def test_a_part_leaves_the_rest_to_the_default_payment_and_too_much_becomes_credit(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    part = opened(client, customer)
    after = client.v1.invoices.attach_payment(str(part.id), {"payment_intent": succeeded(client, customer, 10_000)})
    assert (after.status, after.amount_paid, after.amount_remaining) == ("open", 10_000, 8_000)
    assert shopper_pays(simulator, part)["status"] == "paid"
    assert payments_of(client, part) == [("paid", 10_000, False), ("paid", 8_000, True)]
    over = opened(client, customer)
    after = client.v1.invoices.attach_payment(str(over.id), {"payment_intent": succeeded(client, customer, 20_000)})
    assert (after.status, after.amount_paid, after.amount_overpaid) == ("paid", 18_000, 2_000)
    assert client.v1.customers.retrieve(customer).balance == -2_000
    assert opened(client, customer).amount_due == 16_000


def succeeded(client: stripe.StripeClient, customer: str, amount: int) -> str:
    asked: Any = {"amount": amount, "currency": "gbp", "customer": customer, "payment_method": "pm_card_visa"}
    intent = client.v1.payment_intents.create(asked | {"confirm": True, "return_url": "http://x"})
    return str(intent.id)


def test_an_invoice_is_told_overdue_once_when_its_due_date_has_passed(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    late, paid = opened(client, customer, days_until_due=7), opened(client, customer, days_until_due=7)
    client.v1.invoices.pay(str(paid.id), {"paid_out_of_band": True})
    for days, times in ((6, 0), (2, 1), (30, 1)):
        simulator.control("POST", "clock", {"advance_seconds": days * DAY})
        assert events_of(client, str(late.id)).count("invoice.overdue") == times
    assert "invoice.overdue" not in events_of(client, str(paid.id))


def test_an_invoice_over_nothing_is_paid_as_it_is_finalized(client: stripe.StripeClient, customer: str) -> None:
    free = opened(client, customer, {"amount": 0, "description": "Free place"})
    assert (free.status, free.amount_due, payments_of(client, free)) == ("paid", 0, [])
    small = opened(client, customer, {"amount": 20, "description": "Less than Stripe can charge"})
    assert (small.status, small.amount_due, small.ending_balance) == ("paid", 0, 20)


def test_lines_are_paged_and_the_invoice_shows_the_first_ten(client: stripe.StripeClient, customer: str) -> None:
    invoice = draft(client, customer, *({"amount": 100 + each, "description": str(each)} for each in range(12)))
    assert (len(invoice.lines.data), invoice.lines.has_more, invoice.total) == (10, True, 1266)
    every = list(client.v1.invoices.line_items.list(str(invoice.id), {"limit": 5}).auto_paging_iter())
    assert [each.description for each in every] == [str(each) for each in range(12)]


def test_one_tax_rate_is_kept_for_the_same_data(client: stripe.StripeClient, customer: str) -> None:
    taxes = [draft(client, customer).total_taxes for _ in range(2)]
    names = {each[0].tax_rate_details.tax_rate for each in taxes if each and each[0].tax_rate_details}
    assert len(names) == 1
    assert client.v1.tax_rates.retrieve(names.pop()).active is False


def test_an_invoice_item_becomes_a_line_now_or_with_its_customers_next_invoice(
    client: stripe.StripeClient, customer: str
) -> None:
    client.v1.invoice_items.create({"customer": customer, "amount": 700, "currency": "gbp", "description": "Lunch"})
    rate = client.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": True})
    invoice = client.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    client.v1.invoice_items.create(
        {"customer": customer, "invoice": str(invoice.id), "amount": 1200, "currency": "gbp", "tax_rates": [rate.id]}
    )
    found = client.v1.invoices.retrieve(str(invoice.id))
    assert [each.amount for each in found.lines.data] == [1200, 700]
    assert (found.total, found.total_excluding_tax) == (1900, 1700)
    assert client.v1.invoice_items.list({"pending": True, "customer": customer}).data == []


def test_a_list_is_narrowed_by_customer_and_status(client: stripe.StripeClient, customer: str) -> None:
    waiting, _ = opened(client, customer), draft(client, customer)
    assert [each.id for each in client.v1.invoices.list({"customer": customer, "status": "open"}).data] == [waiting.id]
    assert len(client.v1.invoices.list({"customer": customer}).data) == 2


def test_the_books_tell_which_invoices_one_operation_has_doubled(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    pair = [opened(client, customer, metadata={"tollgate_operation": "twice"}) for _ in range(2)]
    alone = opened(client, customer, metadata={"tollgate_operation": "once"})
    assert [fact_of(simulator, each)["doubled"] for each in (*pair, alone)] == [True, True, False]


def test_the_books_tell_how_often_an_invoice_was_mailed(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    issued, mailed = opened(client, customer), opened(client, customer)
    for _ in range(2):
        client.v1.invoices.send_invoice(str(mailed.id))
    assert [fact_of(simulator, each)["mailed"] for each in (issued, mailed)] == [0, 2]


def test_a_lost_answer_leaves_one_invoice_and_its_key_replays_it(
    simulator: Simulator, client: stripe.StripeClient, customer: str
) -> None:
    options: Any = {"idempotency_key": "invoice-lost"}
    for path in ("invoices$", "finalize$"):
        simulator.faults({"do": "drop", "effect": True, "match": {"method": "POST", "path": path}})
    with pytest.raises(stripe.APIConnectionError):
        client.v1.invoices.create({"customer": customer}, options)
    invoice = client.v1.invoices.create({"customer": customer}, options)
    assert [each.id for each in client.v1.invoices.list({"customer": customer}).data] == [invoice.id]
    with pytest.raises(stripe.APIConnectionError):
        client.v1.invoices.finalize_invoice(str(invoice.id), None, {"idempotency_key": "finalize-lost"})
    again = client.v1.invoices.finalize_invoice(str(invoice.id), None, {"idempotency_key": "finalize-lost"})
    assert again.number is not None
    simulator.control("DELETE", "faults")


@pytest.mark.parametrize(
    ("state", "act", "message"),
    [
        ("open", "update", "Finalized invoices can't be updated in this way"),
        ("open", "add_lines", "no longer editable"),
        ("open", "finalize", "can't re-finalize"),
        ("open", "delete", "only delete draft invoices"),
        ("draft", "void", "isn't open"),
        ("draft", "attach", "isn't open"),
        ("paid", "void", "`paid` payments cannot be voided"),
        ("paid", "pay", "already paid"),
        ("paid", "send", "cannot be sent right now"),
        ("void", "pay", "can no longer be paid"),
        ("void", "mark_uncollectible", "isn't open"),
        ("uncollectible", "mark_uncollectible", "already been marked uncollectible"),
        ("open", "pay_by_nothing", "no attached payment source"),
        ("draft", "too_many_lines", "at most 250 lines"),
        ("draft", "two_prices", "only specify one of these parameters: amount, quantity"),
        ("draft", "other_currency", "The currencies of an invoice and of its items must match"),
        ("draft", "unknown_line_param", "Received unknown parameter: lines\\[0\\]\\[colour\\]"),
    ],
)
def test_what_stripe_refuses_is_refused(
    client: stripe.StripeClient, customer: str, state: str, act: str, message: str
) -> None:
    invoices, invoice = client.v1.invoices, draft(client, customer)
    name = str(invoice.id)
    if state != "draft":
        invoices.finalize_invoice(name)
    if state == "paid":
        invoices.pay(name, {"paid_out_of_band": True})
    elif state == "void":
        invoices.void_invoice(name)
    elif state == "uncollectible":
        invoices.mark_uncollectible(name)
    euro: Any = LINE | {"price_data": LINE["price_data"] | {"currency": "eur"}}
    lines: dict[str, Any] = {
        "add_lines": [LINE],
        "too_many_lines": [{"amount": 1}] * 251,
        "two_prices": [{"amount": 1, "quantity": 2}],
        "other_currency": [euro],
        "unknown_line_param": [{"amount": 1, "colour": "red"}],
    }
    acts = {
        "update": lambda: invoices.update(name, {"description": "x"}),
        "finalize": lambda: invoices.finalize_invoice(name),
        "delete": lambda: invoices.delete(name),
        "void": lambda: invoices.void_invoice(name),
        "attach": lambda: invoices.attach_payment(name, {"payment_intent": "pi_1"}),
        "pay": lambda: invoices.pay(name, {"paid_out_of_band": True}),
        "pay_by_nothing": lambda: invoices.pay(name),
        "send": lambda: invoices.send_invoice(name),
        "mark_uncollectible": lambda: invoices.mark_uncollectible(name),
    }
    with pytest.raises(stripe.InvalidRequestError, match=message):
        acts[act]() if act in acts else invoices.add_lines(name, {"lines": lines[act]})


def test_metadata_may_change_for_ever_and_an_unknown_invoice_is_not_found(
    client: stripe.StripeClient, customer: str
) -> None:
    invoice = opened(client, customer)
    changed = client.v1.invoices.update(str(invoice.id), {"metadata": {"a": "b"}}).to_dict()
    assert changed["metadata"] == {"a": "b"}
    with pytest.raises(stripe.InvalidRequestError, match="No such invoice: 'in_none'") as refused:
        client.v1.invoices.retrieve("in_none")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"collection_method": "send_invoice"}, "you must specify 'due_date' or 'days_until_due'"),
        ({"days_until_due": 3}, "if invoice collection method is 'send_invoice'"),
        ({"collection_method": "send_invoice", "due_date": 1000}, "must be in the future"),
        ({"collection_method": "send_invoice", "due_date": 1000, "days_until_due": 3}, "only specify one of these"),
        ({"custom_fields": [{"name": str(each), "value": "x"} for each in range(5)]}, "up to 4 custom fields"),
        ({"currency": "xxx"}, "Invalid currency"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(
    client: stripe.StripeClient, customer: str, params: Any, message: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message):
        client.v1.invoices.create(params | {"customer": customer})
