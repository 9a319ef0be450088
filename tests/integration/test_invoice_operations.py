"""Operations on invoices against the simulator: each once, in order, and refused with a reason."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from tasks.contracts.invoice_operations import (
    FinalizeInvoice,
    InvoiceOperation,
    MarkInvoiceUncollectible,
    PayInvoiceOutOfBand,
    SendInvoice,
    VoidInvoice,
)
from tasks.contracts.steps import Step
from tests.builders.entries import invoice_operation_entry
from tests.builders.house import House
from tests.builders.invoice_stage import (
    Asked,
    asked,
    at_stripe,
    hear,
    made,
    pay_by_card,
    run_until_over,
)
from tests.builders.simulator import Simulator
from workers.jobs.waiting import FRESH_SECONDS
from workers.services.flags import clear_flag, raise_flag

pytestmark = pytest.mark.servers
NOWHERE = "inv_aaaaaaaaaaaaaaaaaaaaaaaaaa"
ONCE: tuple[tuple[type[InvoiceOperation], str, str, str], ...] = (
    (VoidInvoice, "void", "void", "void"),
    (MarkInvoiceUncollectible, "mark_uncollectible", "uncollectible", "uncollectible"),
    (PayInvoiceOutOfBand, "pay", "paid", "paid"),
)


@pytest.fixture
def shop(shared_shop: House) -> House:
    """One house for all tests here, which look at invoices of their own alone."""
    return shared_shop


def operated(shop: House, operation: InvoiceOperation, **options: Any) -> str:
    """Take an operation in; return its job."""
    entry = invoice_operation_entry(operation, **options)
    shop.take_in(entry)
    return entry.job_id


def done(shop: House, operation: InvoiceOperation) -> None:
    job_id = operated(shop, operation)
    assert shop.operate_invoice(job_id).state == "done", shop.job(job_id)


def refusal(shop: House, operation: InvoiceOperation) -> str:
    job_id = operated(shop, operation)
    assert run_until_over(shop, job_id).state == "refused"
    return str(shop.job(job_id)["problem"]["code"])


@pytest.mark.parametrize("operation", [SendInvoice, FinalizeInvoice])
def test_a_draft_that_is_not_as_was_asked_for_goes_to_nobody_before_staff_have_looked(
    shop: House, stripe: Simulator, operation: type[InvoiceOperation]
) -> None:
    invoice = made(shop, draft=True)
    with shop.runtime.transaction(Step.OUTCOME) as session:
        raise_flag(session, shop.runtime, "invoice_astray", invoice.id, {})
    assert refusal(shop, operation(invoice.id, shown=True)) == "invoice_astray"
    assert mails(stripe, invoice) == 0
    with shop.runtime.transaction(Step.OUTCOME) as session:
        clear_flag(session, "invoice_astray", invoice.id)
    done(shop, operation(invoice.id, shown=True))


def mails(stripe: Simulator, invoice: Asked) -> int:
    [found] = at_stripe(stripe, invoice)
    return len([kind for kind, _ in stripe.events_of(found.id) if kind == "invoice.sent"])


@pytest.mark.parametrize(("contract", "_path", "at", "status"), ONCE, ids=[verb for _, verb, _, _ in ONCE])
def test_an_open_invoice_is_closed(
    shop: House, stripe: Simulator, contract: Any, _path: str, at: str, status: str
) -> None:
    invoice = made(shop)
    done(shop, contract(invoice.id))
    assert at_stripe(stripe, invoice)[0].status == at
    assert shop.invoice(invoice.id)["status"] == status
    assert shop.invoice_view(invoice.id).status == status


@pytest.mark.parametrize("effect", [True, False], ids=["acted", "did not act"])
@pytest.mark.parametrize(("contract", "path", "at", "_status"), ONCE, ids=[verb for _, verb, _, _ in ONCE])
def test_its_answer_may_be_lost(
    shop: House, stripe: Simulator, contract: Any, path: str, at: str, _status: str, effect: bool
) -> None:
    invoice = made(shop)
    job_id = operated(shop, contract(invoice.id))
    stripe.faults({"do": "drop", "effect": effect, "match": {"method": "POST", "path": f"/{path}$"}})
    assert shop.operate_invoice(job_id).state == "checking"
    assert run_until_over(shop, job_id).state == "done"
    assert at_stripe(stripe, invoice)[0].status == at


def test_a_draft_is_finalized(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, draft=True, send=False)
    done(shop, FinalizeInvoice(invoice.id))
    assert at_stripe(stripe, invoice)[0].status == "open"
    assert (shop.invoice(invoice.id)["status"], mails(stripe, invoice)) == ("open", 0)


def test_sending_a_draft_finalizes_it_first(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, draft=True, send=False)
    done(shop, SendInvoice(invoice.id))
    assert (shop.invoice(invoice.id)["status"], mails(stripe, invoice)) == ("sent", 1)


def test_an_invoice_is_mailed_again_as_often_as_it_is_asked_for(shop: House, stripe: Simulator) -> None:
    invoice = made(shop)
    done(shop, SendInvoice(invoice.id))
    assert mails(stripe, invoice) == 2


@pytest.mark.parametrize("effect", [True, False], ids=["acted", "did not act"])
def test_an_invoice_whose_mail_is_in_doubt_is_mailed_once(shop: House, stripe: Simulator, effect: bool) -> None:
    invoice = made(shop, send=False)
    job_id = operated(shop, SendInvoice(invoice.id))
    stripe.faults({"do": "drop", "effect": effect, "match": {"method": "POST", "path": "/send$"}})
    assert shop.operate_invoice(job_id).state == "checking"
    assert run_until_over(shop, job_id).state == "done"
    assert (mails(stripe, invoice), shop.invoice(invoice.id)["status"]) == (1, "sent")


def test_a_stored_failure_of_a_mail_is_cleared_up_by_its_event_alone(shop: House, stripe: Simulator) -> None:
    invoice = made(shop, send=False)
    job_id = operated(shop, SendInvoice(invoice.id))
    stripe.faults({"do": "status", "effect": True, "match": {"method": "POST", "path": "/send$"}})
    for _ in range(3):
        assert shop.operate_invoice(job_id).state == "checking"
        shop.age_intent(job_id, 500.0)
    assert mails(stripe, invoice) == 1
    shop.sql("UPDATE jobs SET intent_at = clock_timestamp() - interval '9 seconds' WHERE id = :id", id=job_id)
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for kind, body in stripe.events_of(found.id) if kind == "invoice.sent"))
    assert shop.operate_invoice(job_id).state == "done"
    assert mails(stripe, invoice) == 1


def test_stripes_word_that_an_invoice_is_overdue_holds_once_the_whole_day_has_passed(
    shop: House, stripe: Simulator
) -> None:
    """Stripe says so at the moment at which it is due, noon; who pays that evening pays in time."""
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    invoice = made(shop, due_date=day.isoformat(), days_until_due=None)
    due = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC)
    [found] = at_stripe(stripe, invoice)
    [told] = [body for kind, body in stripe.events_of(found.id) if kind == "invoice.sent"]
    for at, status in (
        (due, "sent"),
        (due + dt.timedelta(hours=11), "sent"),
        (due + dt.timedelta(hours=12), "overdue"),
    ):
        said = {**json.loads(told), "type": "invoice.overdue", "id": f"evt_{at:%d%H}", "created": int(at.timestamp())}
        hear(shop, json.dumps(said).encode())
        assert shop.invoice(invoice.id)["status"] == status, at


def test_what_was_paid_past_stripe_posts_nothing_and_says_so(shop: House, stripe: Simulator) -> None:
    invoice = made(shop)
    done(shop, PayInvoiceOutOfBand(invoice.id))
    row = shop.invoice(invoice.id)
    assert (row["paid_out_of_band"], row["payment_id"], row["amount_paid"]) == (True, None, row["total"])
    [found] = at_stripe(stripe, invoice)
    hear(shop, *(body for _, body in stripe.events_of(found.id)))
    assert shop.sql("SELECT 1 FROM payments WHERE invoice_id = :id", id=invoice.id) == []
    done(shop, PayInvoiceOutOfBand(invoice.id))


def test_a_given_up_invoice_may_still_be_paid(shop: House, stripe: Simulator) -> None:
    invoice = made(shop)
    done(shop, MarkInvoiceUncollectible(invoice.id))
    done(shop, PayInvoiceOutOfBand(invoice.id))
    assert shop.moves(invoice.id) == ["processing", "open", "sent", "uncollectible", "paid"]


def test_what_its_status_does_not_allow_is_refused(shop: House, stripe: Simulator) -> None:
    paid, void, draft = made(shop), made(shop), made(shop, draft=True, send=False)
    pay_by_card(stripe, paid)  # of which nothing was heard
    done(shop, VoidInvoice(void.id))
    assert refusal(shop, VoidInvoice(paid.id)) == "invoice_paid"
    assert shop.invoice(paid.id)["status"] == "paid"
    assert refusal(shop, SendInvoice(paid.id)) == "invoice_paid"
    assert refusal(shop, PayInvoiceOutOfBand(paid.id)) == "invoice_paid"
    assert refusal(shop, SendInvoice(void.id)) == "invoice_void"
    assert refusal(shop, VoidInvoice(draft.id)) == "invoice_is_draft"
    assert refusal(shop, PayInvoiceOutOfBand(draft.id)) == "invoice_is_draft"


def test_anothers_invoice_is_as_unknown_as_one_that_never_was(shop: House, stripe: Simulator) -> None:
    shop.add_client("other")
    invoice = made(shop)
    for name in (invoice.id, NOWHERE):
        job_id = operated(shop, VoidInvoice(name), client="other")
        assert {shop.operate_invoice(job_id).state for _ in range(8)} == {"waiting"}, "its entry may be on its way"
        shop.grow_older(job_id, FRESH_SECONDS)
        assert run_until_over(shop, job_id).state == "refused"
        assert shop.job(job_id)["problem"]["code"] == "invoice_unknown"
    assert at_stripe(stripe, invoice)[0].status == "open"


def test_an_operation_waits_while_the_invoice_is_made(shop: House, stripe: Simulator) -> None:
    invoice = asked(shop)
    job_id = operated(shop, VoidInvoice(invoice.id))
    assert shop.operate_invoice(job_id).state == "waiting"
    shop.make_invoice(invoice.job_id)
    assert run_until_over(shop, job_id).state == "done"
    assert at_stripe(stripe, invoice)[0].status == "void"


def test_what_was_never_made_is_refused(shop: House) -> None:
    invoice = asked(shop, due_date="2020-01-01", days_until_due=None)
    shop.make_invoice(invoice.job_id)
    assert refusal(shop, VoidInvoice(invoice.id)) == "invoice_not_made"
