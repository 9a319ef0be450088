"""Invoices at Stripe: each call under its operation's key, with what was asked for and nothing besides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from tests.builders.entries import invoice_request
from tests.unit.workers.gateways.objects import error, invoice, listed
from tests.unit.workers.gateways.scripted import answer, drop
from tests.unit.workers.gateways.test_stripe import talking
from workers.gateways.stripe import StripeGateway
from workers.gateways.stripe_invoices import Draft

OPERATION = "inv_1/create/1"
NOON = datetime(2026, 4, 30, 12, tzinfo=UTC)
DRAFT = Draft("cus_1", "gbp", None, 30, "PO-4711", None, None, {"course": "first-aid"})
Call = Callable[[StripeGateway], Any]
CALLS: dict[str, tuple[str, Call]] = {
    "create": ("/v1/invoices", lambda g: g.invoices.create(DRAFT, OPERATION)),
    "finalize": ("/v1/invoices/in_1/finalize", lambda g: g.invoices.finalize("in_1", OPERATION)),
    "send": ("/v1/invoices/in_1/send", lambda g: g.invoices.send("in_1", OPERATION)),
    "attach": (
        "/v1/invoices/in_1/attach_payment",
        lambda g: g.invoices.attach_payment("in_1", "pi_1", OPERATION),
    ),
    "pay": ("/v1/invoices/in_1/pay", lambda g: g.invoices.pay_out_of_band("in_1", OPERATION)),
    "void": ("/v1/invoices/in_1/void", lambda g: g.invoices.void("in_1", OPERATION)),
    "give up": (
        "/v1/invoices/in_1/mark_uncollectible",
        lambda g: g.invoices.mark_uncollectible("in_1", OPERATION),
    ),
}


@pytest.mark.parametrize(("path", "call"), CALLS.values(), ids=CALLS)
def test_a_change_is_asked_for_under_its_own_key(path: str, call: Call) -> None:
    with talking(answer(200, invoice())) as (made, server):
        assert call(made).value.id == "in_1"
    [heard] = server.heard
    assert (heard.method, heard.path) == ("POST", path)
    assert heard.headers["idempotency-key"] == f"tollgate/{OPERATION}"
    assert heard.body["expand[0]"] == ["payments"]


@pytest.mark.parametrize("call", [call for _, call in CALLS.values()], ids=CALLS)
def test_a_change_whose_answer_is_lost_is_in_doubt(call: Call) -> None:
    with talking(drop) as (made, _), pytest.raises(StripeOutcomeUnknownError):
        call(made)


def test_a_draft_does_nothing_by_itself() -> None:
    with talking(answer(200, invoice(status="draft"))) as (made, server):
        made.invoices.create(DRAFT, OPERATION)
    body = server.heard[0].body
    assert (body["auto_advance"], body["collection_method"]) == (["false"], ["send_invoice"])
    assert (body["pending_invoice_items_behavior"], body["days_until_due"]) == (["exclude"], ["30"])
    assert body["custom_fields[0][value]"] == ["PO-4711"]
    assert body["metadata[tollgate_operation]"] == [OPERATION]
    assert not {"due_date", "description", "footer"} & set(body)


def test_a_due_date_is_sent_as_the_moment_that_it_is() -> None:
    draft = Draft("cus_1", "gbp", NOON, None, None, "memo", "footer", {})
    with talking(answer(200, invoice())) as (made, server):
        made.invoices.create(draft, OPERATION)
    body = server.heard[0].body
    assert body["due_date"] == [str(int(NOON.timestamp()))]
    assert (body["description"], body["footer"]) == (["memo"], ["footer"])


@pytest.mark.parametrize("inclusive", [True, False])
def test_lines_go_with_the_taxes_that_we_have_worked_out(inclusive: bool) -> None:
    line = {"description": "Handbook", "quantity": 2, "unit_amount": 1200, "tax": "gb_vat_standard"}
    request = invoice_request("key", lines=[line], tax_inclusive=inclusive)
    with talking(answer(200, invoice(status="draft"))) as (made, server):
        made.invoices.add_lines("in_1", request.priced, currency="gbp", inclusive=inclusive, operation=OPERATION)
    body = server.heard[0].body
    total = request.total
    assert body["lines[0][quantity]"] == ["2"]
    assert body["lines[0][price_data][unit_amount]"] == ["1200"]
    assert body["lines[0][tax_amounts][0][amount]"] == [str(total.tax)]
    assert body["lines[0][tax_amounts][0][taxable_amount]"] == [str(total.net)]
    assert body["lines[0][tax_amounts][0][tax_rate_data][inclusive]"] == ["true" if inclusive else "false"]
    assert (total.net, total.tax) == ((2000, 400) if inclusive else (2400, 480))


def test_an_invoice_is_found_by_its_operation_on_a_later_page() -> None:
    first = listed(invoice(id="in_other", metadata={}), more=True)
    with talking(answer(200, first), answer(200, listed(invoice()))) as (made, server):
        found = made.invoices.find(customer_id="cus_1", operation="inv_1/create/2")
    assert found is not None
    assert found.value.id == "in_1"
    assert server.heard[1].query["starting_after"] == ["in_other"]


def test_none_is_found_where_there_is_none() -> None:
    with talking(answer(200, listed())) as (made, _):
        assert made.invoices.find(customer_id="cus_1", operation=OPERATION) is None


def test_a_refusal_proves_that_nothing_happened() -> None:
    refused = answer(400, error(type="invalid_request_error", code="invoice_not_editable"))
    with talking(refused) as (made, _), pytest.raises(StripeInvalidError) as raised:
        made.invoices.finalize("in_1", OPERATION)
    assert raised.value.code == "invoice_not_editable"
