"""invoices.create against the simulator: each invoice once, to the penny, whatever is lost on the way."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tasks.contracts.identity import system_id
from tasks.contracts.steps import Step
from tests.builders.entries import invoice_request, payment_entry, refund_entry
from tests.builders.house import House
from tests.builders.invoice_stage import (
    Asked,
    Paid,
    asked,
    at_stripe,
    hear,
    made,
    paid_on_site,
    pay_by_card,
    run_until_over,
    settle,
)
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe
from tests.builders.worker import DERIVATION_KEY
from workers.jobs import cancel
from workers.jobs.operator import Operator
from workers.timelines.timeline import timeline_of

pytestmark = pytest.mark.servers
CREATE = "^/v1/invoices$"
STEPS = {
    "create": CREATE,
    "add_lines": "^/v1/invoices/[^/]+/add_lines$",
    "finalize": "^/v1/invoices/[^/]+/finalize$",
    "send": "^/v1/invoices/[^/]+/send$",
}
LINES: list[dict[str, Any]] = [
    {"description": "First aid at work", "quantity": 2, "unit_amount": 4950, "tax": "exempt"},
    {"description": "Handbook", "quantity": 3, "unit_amount": 333, "tax": "gb_vat_standard"},
    {"description": "Fire safety", "quantity": 1, "unit_amount": 1010, "tax": "gb_vat_reduced"},
]
TOTAL = 9900 + (999 + 200) + (1010 + 51)  # pence
PAID = 4950
PAID_LINES = [{"description": "First aid at work", "quantity": 1, "unit_amount": PAID, "tax": "exempt"}]


@pytest.fixture
def shop(shared_shop: House) -> House:
    """One house for all tests here, which look at invoices of their own alone."""
    return shared_shop


def refusal(shop: House, invoice: Asked) -> str:
    row = shop.job(invoice.job_id)
    assert row["state"] == "refused", row["last_error"]
    return str(row["problem"]["code"])


def assert_one(shop: House, stripe: Simulator, invoice: Asked, status: str = "sent", mailed: int = 1) -> Any:
    """There is one invoice at Stripe, mailed so often, and ours says the same of it; return Stripe's."""
    [found] = at_stripe(stripe, invoice)
    row = shop.invoice(invoice.id)
    assert (row["status"], row["stripe_id"], row["number"]) == (status, found.id, found.number)
    assert (found.total, row["total"], row["reached"]) == (row["total"], found.total, "delivered")
    mails = [kind for kind, _ in stripe.events_of(found.id) if kind == "invoice.sent"]
    assert len(mails) == mailed
    return found


# What is made


def test_an_invoice_is_finalized_and_mailed_to_the_penny(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, lines=LINES, purchase_order="PO-4711", booking_reference="B-1", metadata={"course": "fa"})
    found = assert_one(shop, stripe, invoice)
    assert (found.total, sum(tax.amount for tax in found.total_taxes)) == (TOTAL, 251)
    assert (found.status, found.collection_method, found.auto_advance) == ("open", "send_invoice", False)
    [field] = found.custom_fields
    assert (field.name, field.value) == ("Purchase order", "PO-4711")
    assert found.to_dict()["metadata"] == {
        "course": "fa",
        "booking_reference": "B-1",
        "tollgate_invoice": invoice.id,
        "tollgate_operation": f"{invoice.id}/create/1",
        "tollgate_system": system_id(DERIVATION_KEY),
    }
    assert shop.moves(invoice.id) == ["processing", "open", "sent"]


def test_after_a_restore_it_is_not_mailed_again_under_a_key_that_stripe_may_have_forgotten(
    shop: House, stripe: Simulator
) -> None:
    invoice = made(shop)
    shop.force(
        "UPDATE jobs SET state = 'ready', intent = :intent, intent_at = clock_timestamp(), finished_at = NULL,"
        " accepted_at = accepted_at - interval '26 hours' WHERE id = :id",
        id=invoice.job_id,
        intent=f"{invoice.id}/create/1",
    )
    shop.force("UPDATE invoices SET status = 'processing', sent_at = NULL WHERE id = :id", id=invoice.id)
    for _ in range(2):
        assert shop.make_invoice(invoice.job_id).state == "checking"
    [found] = at_stripe(stripe, invoice)
    assert len([kind for kind, _ in stripe.events_of(found.id) if kind == "invoice.sent"]) == 1


@pytest.mark.parametrize(("step", "end", "status"), [("finalize", "cancelled", "draft"), ("send", "dead", "open")])
def test_one_that_is_cancelled_half_way_is_not_called_untouched(
    shop: House, stripe: Simulator, step: str, end: str, status: str
) -> None:
    stripe.faults({"do": "rate_limit", "match": {"method": "POST", "path": f"/{step}$"}})
    invoice = asked(shop)
    assert shop.make_invoice(invoice.job_id).state == "checking"
    with shop.runtime.transaction(Step.OUTCOME) as session:
        cancel.cancel(session, [invoice.job_id], Operator("ada", "posted by mistake"))
    assert shop.make_invoice(invoice.job_id).state == "checking"
    shop.sql(
        "UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds' WHERE id = :id", id=invoice.job_id
    )
    assert shop.make_invoice(invoice.job_id).state == end
    row = shop.job(invoice.job_id)
    if end == "cancelled":
        assert row["problem"]["detail"] == "An operator cancelled it half-way: at Stripe the invoice is draft."
    else:
        assert row["verdict"] == "reconcile_first"
    assert shop.invoice(invoice.id)["status"] == status


def test_its_view_tells_number_page_pdf_and_lines(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, lines=LINES)
    [found] = at_stripe(stripe, invoice)
    view = shop.invoice_view(invoice.id)
    assert (view.status, view.number) == ("sent", found.number)
    assert (view.hosted_invoice_url, view.invoice_pdf) == (found.hosted_invoice_url, found.invoice_pdf)
    assert (view.subtotal, view.tax_amount, view.total) == (TOTAL - 251, 251, TOTAL)
    assert view.lines[1] == LINES[1] | {"net": 999, "tax_amount": 200}
    assert view.due_at is not None
    assert shop.job_view(invoice.job_id).state == "done"


def test_prices_that_hold_their_tax_are_paid_as_they_are(shop: House, stripe: Simulator) -> None:
    line = {"description": "Handbook", "quantity": 1, "unit_amount": 100, "tax": "gb_vat_standard"}
    invoice = made(shop, lines=[line], tax_inclusive=True)
    found = assert_one(shop, stripe, invoice)
    assert (found.total, sum(tax.amount for tax in found.total_taxes)) == (100, 17)


def test_exempt_and_zero_rated_lines_are_told_apart(shop: House, stripe: Simulator) -> None:
    lines = [LINES[0], LINES[0] | {"tax": "zero_rated"}]
    invoice = made(shop, lines=lines)
    found = assert_one(shop, stripe, invoice)
    assert sorted(tax.taxability_reason for tax in found.total_taxes) == ["product_exempt", "zero_rated"]


def test_a_draft_stays_one_until_it_is_asked_for(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, draft=True, send=False)
    [found] = at_stripe(stripe, invoice)
    assert (found.status, found.number) == ("draft", None)
    assert (shop.invoice(invoice.id)["status"], shop.invoice(invoice.id)["reached"]) == ("draft", "lined")


def test_what_is_not_to_be_mailed_is_open(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, send=False)
    assert_one(shop, stripe, invoice, "open", mailed=0)


def test_a_due_date_is_that_day_in_every_time_zone(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, due_date="2099-04-30", days_until_due=None)
    [found] = at_stripe(stripe, invoice)
    assert shop.invoice_view(invoice.id).due_at == "2099-04-30T12:00:00.000Z"
    assert found.due_date is not None


def test_a_due_date_that_is_over_is_refused_before_anything_is_made(shop: House, stripe: Simulator) -> None:
    invoice = asked(shop, due_date="2020-04-30", days_until_due=None)
    shop.make_invoice(invoice.job_id)
    assert refusal(shop, invoice) == "due_date_past"
    assert at_stripe(stripe, invoice) == []
    assert shop.invoice_view(invoice.id).status == "refused"


# Whatever is lost


FAULTS = [
    {"do": "drop"},
    {"do": "reset", "effect": False},
    {"do": "status", "effect": True},
    {"do": "status", "status": 502, "stored": False},
    {"do": "rate_limit"},
]


@pytest.mark.parametrize(
    ("step", "fault"),
    list(itertools.product(STEPS, FAULTS)),
    ids=[f"{step}-{number}" for step in STEPS for number in range(len(FAULTS))],
)
def test_one_invoice_is_made_and_mailed_once_whatever_befalls_a_step(
    shop: House, stripe: Simulator, step: str, fault: dict[str, Any]
) -> None:
    invoice = asked(shop)
    stripe.faults(fault | {"match": {"method": "POST", "path": STEPS[step]}})
    assert shop.make_invoice(invoice.job_id).state in {"waiting", "checking"}
    assert shop.invoice(invoice.id)["status"] in {"processing", "checking", "open"}
    if (step, fault.get("do"), fault.get("effect")) == ("send", "status", True):
        # Stripe keeps a failure under the key: only its event tells that it has mailed the invoice.
        assert shop.make_invoice(invoice.job_id).state == "checking"
        [found] = at_stripe(stripe, invoice)
        hear(shop, *(body for kind, body in stripe.events_of(found.id) if kind == "invoice.sent"))
    assert run_until_over(shop, invoice.job_id).state == "done"
    assert_one(shop, stripe, invoice)


@pytest.mark.parametrize("effect", [True, False], ids=["acted", "did not act"])
@pytest.mark.parametrize("step", list(STEPS))
def test_a_worker_that_dies_in_any_step_leaves_one_invoice(
    shop: House, stripe: Simulator, step: str, effect: bool
) -> None:
    invoice = asked(shop)
    real = shop.runtime.stripe

    def die(*arguments: Any, **keywords: Any) -> Any:
        if effect:
            getattr(real.invoices, step)(*arguments, **keywords)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.make_invoice(invoice.job_id, shop.with_stripe(_Dying(real, step, die)))
    shop.lapse(invoice.job_id)
    shop.rescue()
    assert run_until_over(shop, invoice.job_id).state == "done"
    if (step, effect) != ("send", True):
        assert_one(shop, stripe, invoice)
        return
    assert_one(shop, stripe, invoice)  # the key is the same: Stripe mails it once


class _Dying:
    """The gateway, one of whose calls for invoices kills the worker."""

    def __init__(self, real: Any, step: str, die: Any) -> None:
        self._real = real
        self.invoices = _DyingInvoices(real.invoices, step, die)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _DyingInvoices:
    def __init__(self, real: Any, step: str, die: Any) -> None:
        self._real, self._step, self._die = real, step, die

    def __getattr__(self, name: str) -> Any:
        return self._die if name == self._step else getattr(self._real, name)


def test_the_same_job_again_changes_nothing(shop: House, stripe: Simulator) -> None:
    invoice = made(shop)
    before = shop.invoice(invoice.id)
    assert shop.make_invoice(invoice.job_id).state == "done"
    assert shop.invoice(invoice.id) == before


def test_a_draft_that_came_out_otherwise_is_never_finalized(shop: House, stripe: Simulator) -> None:
    """Somebody adds a line in the dashboard before the job goes on."""
    invoice = asked(shop)
    stripe.faults({"do": "reset", "effect": False, "match": {"method": "POST", "path": STEPS["finalize"]}})
    assert shop.make_invoice(invoice.job_id).state == "checking"
    [draft] = at_stripe(stripe, invoice)
    stripe.client.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 100, "description": "A pen"}]})
    assert shop.make_invoice(invoice.job_id).state == "refused"
    assert refusal(shop, invoice) == "invoice_astray"
    assert at_stripe(stripe, invoice)[0].status == "draft"
    assert shop.invoice(invoice.id)["status"] == "draft"
    [flag] = shop.sql("SELECT * FROM flags WHERE subject_id = :id", id=invoice.id)
    expected = invoice_request("x").total.gross
    assert (flag["kind"], flag["details"]["total"], flag["details"]["shown"]) == (
        "invoice_astray",
        expected,
        expected + 100,
    )


def test_a_customer_deleted_at_stripe_is_made_anew(shop: House, stripe: Simulator) -> None:
    made(shop, customer_email="gone@example.org")
    row = "SELECT customer_id FROM invoices ORDER BY created_at DESC LIMIT 1"
    gone = "UPDATE customers SET stripe_id = :gone WHERE id = :id"
    shop.sql(gone, gone="cus_gone", id=shop.one(row)["customer_id"])
    for _ in range(2):  # and the next one goes the usual way again
        assert_one(shop, stripe, made(shop, customer_email="gone@example.org"))


def test_what_is_cancelled_in_mid_way_stays_a_draft(shop: House, stripe: Simulator) -> None:
    invoice = asked(shop)
    stripe.faults({"do": "reset", "effect": False, "match": {"method": "POST", "path": STEPS["finalize"]}})
    shop.make_invoice(invoice.job_id)
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() WHERE id = :id", id=invoice.job_id)
    assert shop.make_invoice(invoice.job_id).state == "checking"
    ago = "UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds' WHERE id = :id"
    shop.sql(ago, id=invoice.job_id)
    assert shop.make_invoice(invoice.job_id).state == "cancelled"
    assert shop.invoice(invoice.id)["status"] == "draft"
    assert at_stripe(stripe, invoice)[0].status == "draft"


def test_a_restored_database_finds_the_invoice_instead_of_making_another(shop: House, stripe: Simulator) -> None:
    invoice = made(shop)
    shop.sql("DELETE FROM invoice_lines WHERE invoice_id = :id", id=invoice.id)
    shop.sql("DELETE FROM invoices WHERE id = :id", id=invoice.id)
    shop.sql("DELETE FROM attempts WHERE job_id = :id", id=invoice.job_id)
    shop.sql(
        "SET LOCAL session_replication_role = replica; "  # no move that the table knows
        "UPDATE jobs SET intent = NULL, intent_at = NULL, state = 'ready', finished_at = NULL, attempts = 0, "
        "accepted_at = created_at - interval '1 hour' WHERE id = :id",
        id=invoice.job_id,
    )
    assert run_until_over(shop, invoice.job_id).state == "done"
    [found] = at_stripe(stripe, invoice)
    assert shop.invoice(invoice.id)["stripe_id"] == found.id


def test_a_refused_look_up_proves_nothing(shop: House, stripe: Simulator) -> None:
    invoice = asked(shop)
    stripe.faults({"do": "drop", "match": {"method": "POST", "path": CREATE}})
    shop.make_invoice(invoice.job_id)
    stripe.faults({"do": "status", "status": 400, "match": {"method": "GET", "path": CREATE}})
    assert shop.make_invoice(invoice.job_id).state == "checking"
    assert shop.invoice(invoice.id)["status"] == "checking"
    assert run_until_over(shop, invoice.job_id).state == "done"
    assert_one(shop, stripe, invoice)


# Paid on the site before


@pytest.fixture
def paid(shop: House, stripe: Simulator) -> Paid:
    return paid_on_site(shop, stripe)


def for_payment(paid: Paid, **changes: Any) -> dict[str, Any]:
    return {
        "payment_id": paid.id,
        "customer_email": paid.email,
        "lines": PAID_LINES,
        "send": False,
        "shown": "paid",
        **changes,
    }


def test_an_invoice_of_a_payment_is_issued_as_paid_by_it(shop: House, stripe: Simulator, paid: Paid) -> None:
    invoice = made(shop, **for_payment(paid))
    found = assert_one(shop, stripe, invoice, "paid", mailed=0)
    assert found.amount_paid == PAID
    [by] = [each for each in found.payments.data if each.status == "paid"]
    assert by.payment.payment_intent == paid.intent
    row = shop.invoice(invoice.id)
    assert (row["payment_id"], row["paid_out_of_band"]) == (paid.id, False)
    assert shop.sql("SELECT 1 FROM payments WHERE invoice_id = :id", id=invoice.id) == []
    hear(shop, *(body for _, body in stripe.events_of(found.id)))
    assert shop.invoice(invoice.id)["status"] == "paid"


def test_its_answer_may_be_lost(shop: House, stripe: Simulator, paid: Paid) -> None:
    invoice = asked(shop, **for_payment(paid))
    stripe.faults({"do": "drop", "match": {"method": "POST", "path": "/attach_payment$"}})
    assert shop.make_invoice(invoice.job_id).state == "checking"
    assert run_until_over(shop, invoice.job_id).state == "done"
    assert_one(shop, stripe, invoice, "paid", mailed=0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payment_id": "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa", "shown": None}, "payment_unknown"),
        ({"lines": [PAID_LINES[0] | {"unit_amount": PAID - 1}]}, "payment_differs"),
        ({"currency": "eur"}, "payment_differs"),
        ({"customer_email": "somebody@example.org"}, "customer_differs"),
    ],
    ids=["unknown", "amount", "currency", "customer"],
)
def test_an_invoice_that_does_not_fit_its_payment_is_refused(
    shop: House, stripe: Simulator, paid: Paid, changes: dict[str, Any], code: str
) -> None:
    invoice = asked(shop, **for_payment(paid, **changes))
    shop.make_invoice(invoice.job_id)
    assert refusal(shop, invoice) == code
    assert at_stripe(stripe, invoice) == []


def test_an_invoice_waits_for_the_payment_that_was_accepted_before_it(shop: House) -> None:
    entry = payment_entry()
    shop.take_in(entry)
    invoice = asked(shop, **for_payment(Paid(entry.subject_id, "", "ada@example.org"), shown=None))
    assert shop.make_invoice(invoice.job_id).state == "waiting"
    assert shop.job(invoice.job_id)["last_error"]["type"] == "EarlierOperation"
    assert shop.create(entry.job_id).state == "done"
    shop.make_invoice(invoice.job_id)
    assert refusal(shop, invoice) == "payment_not_paid", "nobody has confirmed it"


def test_a_payment_is_invoiced_once(shop: House, stripe: Simulator, paid: Paid) -> None:
    made(shop, **for_payment(paid))
    second = asked(shop, **for_payment(paid))
    shop.make_invoice(second.job_id)
    assert refusal(shop, second) == "payment_already_invoiced"


def test_a_database_that_knows_less_than_the_client_was_shown_refuses_nothing(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    invoice = asked(shop, **for_payment(paid))
    shop.sql("UPDATE payments SET client_id = 'stripe' WHERE id = :id", id=paid.id)
    assert shop.make_invoice(invoice.job_id).state == "waiting"
    assert shop.sql("SELECT 1 FROM invoices WHERE id = :id", id=invoice.id) == []
    shop.sql("UPDATE payments SET client_id = 'site' WHERE id = :id", id=paid.id)
    assert run_until_over(shop, invoice.job_id).state == "done"


# Paid later


def test_a_card_payment_on_its_page_becomes_a_payment_of_ours(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, booking_reference="B-77")
    intent = pay_by_card(stripe, invoice)
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for _, body in stripe.events_of(found.id, intent)))
    assert_one(shop, stripe, invoice, "paid")
    row = shop.invoice(invoice.id)
    payment = shop.payment(row["payment_id"])
    assert (payment["stripe_id"], payment["status"], payment["invoice_id"]) == (intent, "paid", invoice.id)
    assert (payment["amount_received"], payment["booking_reference"]) == (row["total"], "B-77")
    assert shop.payment_view(payment["id"]).invoice_id == invoice.id
    booked = "SELECT sum(e.amount)::int AS amount FROM ledger_entries e JOIN ledger_transactions t"
    booked += " ON t.id = e.transaction_id WHERE t.payment_id = :id AND account = 'sales'"
    assert shop.one(booked, id=payment["id"])["amount"] == -row["total"]


@pytest.mark.parametrize("order", ["as they came", "backwards", "invoice.paid alone", "invoice_payment.paid alone"])
def test_its_events_come_to_the_same_in_any_order(shop: House, stripe: Simulator, order: str) -> None:
    invoice = made(shop)
    intent = pay_by_card(stripe, invoice)
    [found] = at_stripe(stripe, invoice)
    events = stripe.events_of(found.id, intent)
    chosen = {
        "as they came": events,
        "backwards": events[::-1],
        "invoice.paid alone": [each for each in events if each[0] == "invoice.paid"],
        "invoice_payment.paid alone": [each for each in events if each[0] == "invoice_payment.paid"],
    }[order]
    assert chosen
    hear(shop, *(body for _, body in chosen))
    hear(shop, *(body for _, body in chosen))  # and again
    row = shop.invoice(invoice.id)
    payment = shop.payment(row["payment_id"])
    assert (payment["status"], payment["amount_received"]) == ("paid", row["total"])
    if order != "invoice_payment.paid alone":
        assert (row["status"], row["dirty"]) == ("paid", False)
    assert len(shop.sql("SELECT 1 FROM payments WHERE invoice_id = :id", id=invoice.id)) == 1


def test_an_invoices_payment_is_no_second_one_of_its_booking(shop: House, stripe: Simulator) -> None:
    deposit = paid_on_site(shop, stripe, booking_reference="B-deposit")
    invoice = made(shop, booking_reference="B-deposit")
    intent = pay_by_card(stripe, invoice)
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for _, body in stripe.events_of(found.id, intent)))
    reviews = shop.sql("SELECT 1 FROM jobs WHERE kind = 'payments.review' AND subject_id = :id", id=deposit.id)
    assert reviews == []
    flagged = "SELECT 1 FROM flags WHERE kind = 'duplicate_payment' AND subject_id IN (:a, :b)"
    assert shop.sql(flagged, a=deposit.id, b=shop.invoice(invoice.id)["payment_id"]) == []


def test_an_event_may_come_before_the_answer(shop: House, stripe: Simulator) -> None:
    invoice = asked(shop)
    stripe.faults({"do": "drop", "match": {"method": "POST", "path": STEPS["finalize"]}})
    assert shop.make_invoice(invoice.job_id).state == "checking"
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for _, body in stripe.events_of(found.id)))
    assert shop.invoice(invoice.id)["status"] == "open"
    assert run_until_over(shop, invoice.job_id).state == "done"
    assert_one(shop, stripe, invoice)


def test_an_invoice_of_others_is_foreign_but_its_number_is_kept(shop: House, stripe: Simulator) -> None:
    customer = stripe.client.v1.customers.create({"email": "else@example.org"})
    client = stripe.client.v1.invoices
    draft = client.create({"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 7})
    client.add_lines(draft.id, {"lines": [{"amount": 1000, "description": "Else"}]})
    final = client.finalize_invoice(draft.id)
    hear(shop, *(body for _, body in stripe.events_of(draft.id)))
    outcomes = {
        row["outcome"] for row in shop.sql("SELECT outcome FROM stripe_events WHERE object_id = :id", id=draft.id)
    }
    assert outcomes == {"foreign"}
    [row] = shop.sql("SELECT * FROM invoice_numbers WHERE stripe_id = :id", id=draft.id)
    assert f"{row['prefix']}-{row['sequence']:04d}" == final.number


def test_a_refund_of_an_invoices_payment_is_a_refund_as_any(shop: House, stripe: Simulator) -> None:

    invoice = made(shop)
    intent = pay_by_card(stripe, invoice)
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for _, body in stripe.events_of(found.id, intent)))
    entry = refund_entry(shop.invoice(invoice.id)["payment_id"])
    shop.take_in(entry)
    assert shop.refund(entry.job_id).state == "done"
    assert shop.refund_row(entry.subject_id)["status"] == "succeeded"
    settle(shop)


def test_its_story_is_told_by_every_id_that_it_has(shop: House, stripe: Simulator) -> None:
    invoice = made(shop)
    intent = pay_by_card(stripe, invoice)
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for _, body in stripe.events_of(found.id, intent)))
    for name in (invoice.id, found.id, found.number, invoice.job_id, shop.invoice(invoice.id)["payment_id"]):
        with shop.runtime.reading() as session:
            timeline = timeline_of(session, str(name))
        assert timeline is not None, name
        assert [row["id"] for row in timeline.standing["invoices"]] == [invoice.id], name
        told = {line.what for line in timeline.lines if line.subject == invoice.id}
        assert told >= {"invoice", "move", "sent", "paid", "due"}, name
        assert "ledger" in {line.what for line in timeline.lines}, name
        assert "@example.org" not in str(timeline)


def test_without_a_gateway_nothing_is_asked_of_stripe(shop: House) -> None:
    """What is refused at once asks Stripe for nothing, not even for its customer."""
    invoice = asked(shop, due_date="2020-01-01", days_until_due=None)
    shop.make_invoice(invoice.job_id, shop.with_stripe(FakeStripe()))
    assert refusal(shop, invoice) == "due_date_past"
