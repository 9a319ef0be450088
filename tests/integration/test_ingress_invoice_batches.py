"""Batches of invoices at the door: one journal entry for all, and each line accepted or refused by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from ingress.invoice_batches import MAXIMUM_BYTES, MOST_ERRORS, MOST_INVOICES
from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.invoices import CreateInvoice
from tests.builders.ingress import Site

pytestmark = pytest.mark.servers
CARD = "4242 4242 4242 4242"


def invoice_body(**changes: Any) -> dict[str, Any]:
    """Return an acceptable invoice with some fields changed."""
    return {
        "customer": {"name": "Ada Lovelace", "email": "ada@example.org"},
        "currency": "gbp",
        "lines": [{"description": "First aid at work", "quantity": 2, "unit_amount": 4950, "tax": "exempt"}],
        "purchase_order": "PO-1",
    } | changes


def post(site: Site, *lines: Any, key: str | None = "k1", **headers: str) -> TestResponse:
    return post_raw(site, json.dumps({"invoices": lines}), key, **headers)


def post_raw(site: Site, body: str, key: str | None = "k1", **headers: str) -> TestResponse:
    everything = {"Content-Type": "application/json"} | site.headers(key) | headers
    return site.client().post("/v1/invoices/batch", data=body, headers=everything)


def kept(site: Site) -> CreateInvoiceBatch:
    (entry,) = site.journal()
    return CreateInvoiceBatch.from_bytes(site.opened(entry))


def test_a_batch_is_kept_whole_sealed_and_shown(site: Site) -> None:
    answer = post(site, invoice_body(), invoice_body(purchase_order="PO-2"))
    assert answer.status_code == 202, answer.json
    job, batch = answer.json["job"], answer.json["batch"]
    assert (job["kind"], job["status"], answer.headers["Location"]) == (
        "invoices.batch",
        "accepted",
        f"/v1/jobs/{job['id']}",
    )
    assert (batch["invoices"], batch["accepted"], batch["refused"], batch["finished"]) == (2, 2, 0, False)
    contract = kept(site)
    assert contract.batch_id == batch["id"]
    assert [each["line"] for each in contract.invoices] == [0, 1]
    read = [CreateInvoice.from_bytes(json.dumps(each["invoice"]).encode()) for each in contract.invoices]
    assert [each.purchase_order for each in read] == [invoice_body().get("purchase_order"), "PO-2"]
    assert [line["invoice"] for line in batch["lines"]] == [each.invoice_id for each in read]
    assert len({each.invoice_id for each in read}) == 2
    shown = site.get(batch["links"]["self"])
    assert (shown.status_code, shown.json) == (200, batch)


def test_each_line_is_accepted_or_refused_by_itself(site: Site) -> None:
    bad = invoice_body(currency="xxx")
    answer = post(site, invoice_body(), bad, "no object", invoice_body())
    assert answer.status_code == 202
    lines = answer.json["batch"]["lines"]
    assert [line["status"] for line in lines] == ["accepted", "refused", "refused", "accepted"]
    assert answer.json["batch"]["statuses"] == {"accepted": 2, "refused": 2}
    assert [line["problem"] and line["problem"]["code"] for line in lines] == [
        None,
        "validation_failed",
        "validation_failed",
        None,
    ]
    (error,) = lines[1]["problem"]["errors"]
    assert (error["field"], error["code"]) == ("/invoices/1/currency", "currency_unknown")
    assert [each["line"] for each in kept(site).invoices] == [0, 3]


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [({"memo": f"Card: {CARD}"}, "card_number_refused"), ({"memo": "a\u0000b"}, "malformed_body")],
    ids=["a card number", "a control character"],
)
def test_what_must_not_enter_spoils_its_own_line_alone(site: Site, spoilt: dict[str, Any], code: str) -> None:
    answer = post(site, invoice_body(**spoilt), invoice_body())
    assert answer.status_code == 202
    lines = answer.json["batch"]["lines"]
    assert [line["status"] for line in lines] == ["refused", "accepted"]
    assert lines[0]["problem"]["code"] == code
    assert lines[0]["problem"]["errors"][0]["field"] == "/invoices/0/memo"
    (entry,) = site.journal()
    assert CARD.encode() not in site.opened(entry)


def test_where_no_line_is_acceptable_nothing_is_kept(site: Site) -> None:
    answer = post(site, invoice_body(currency="xxx"), {})
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert {error["field"].split("/")[2] for error in answer.json["errors"]} == {"0", "1"}
    assert site.journal() == []


@pytest.mark.parametrize(
    "body",
    ["[]", "{}", '{"invoices": {}}', '{"invoices": []}', '{"invoices": [{}], "more": 1}', '{"invoices": null}'],
)
def test_what_is_no_batch_is_refused_as_a_whole(site: Site, body: str) -> None:
    answer = post_raw(site, body)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert site.journal() == []


def test_a_card_number_beside_the_lines_refuses_the_whole(site: Site) -> None:
    answer = post_raw(site, json.dumps({"invoices": [invoice_body()], "note": CARD}))
    assert answer.json["code"] == "card_number_refused"


def test_five_hundred_invoices_fit_and_one_more_does_not(site: Site) -> None:
    body = json.dumps({"invoices": [invoice_body()] * MOST_INVOICES})
    assert len(body) < MAXIMUM_BYTES
    answer = post_raw(site, body)
    assert (answer.status_code, answer.json["batch"]["accepted"]) == (202, MOST_INVOICES)
    assert len(site.journal()) == 1
    one_more = post(site, *[invoice_body()] * (MOST_INVOICES + 1), key="k2")
    assert (one_more.status_code, one_more.json["errors"][0]["code"]) == (422, "not_in_range")


def test_a_body_beyond_a_mebibyte_is_refused(site: Site) -> None:
    answer = post_raw(site, '{"invoices": [' + " " * MAXIMUM_BYTES + "{}]}")
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_a_repeat_is_the_same_batch_and_another_body_is_refused(site: Site) -> None:
    first, again = post(site, invoice_body(), {}), post(site, invoice_body(), {})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["batch"] == first.json["batch"]
    assert len(site.journal()) == 1
    other = post(site, invoice_body())
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_whose_batch_it_is_others_do_not_learn(site: Site) -> None:
    path = post(site, invoice_body()).json["batch"]["links"]["self"]
    assert site.get(path, token=site.new_key("stranger")).status_code == 404


def test_few_of_a_hostile_lines_flaws_are_kept(site: Site) -> None:
    answer = post(site, invoice_body(metadata={f"m{n}": "\u0000" for n in range(500)}), invoice_body())
    assert len(answer.json["batch"]["lines"][0]["problem"]["errors"]) == MOST_ERRORS
