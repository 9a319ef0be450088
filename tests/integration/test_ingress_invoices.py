"""Invoices at the door: kept once for each key, sealed, and shown with what they come to."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.contracts.invoice_operations import SendInvoice
from tasks.contracts.invoices import CreateInvoice
from tests.builders.ingress import Site

pytestmark = pytest.mark.servers
INVOICE = "inv_" + "a" * 26
LINE: dict[str, Any] = {"description": "First aid at work", "quantity": 2, "unit_amount": 4950, "tax": "exempt"}
ASKED: dict[str, Any] = {
    "customer": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "currency": "gbp",
    "lines": [LINE, {"description": "Handbook", "unit_amount": 333, "quantity": 3, "tax": "gb_vat_standard"}],
    "purchase_order": "PO-4711",
}
OPERATIONS = ("finalize", "send", "void", "mark_uncollectible", "pay_out_of_band")


def test_an_invoice_is_accepted_sealed_and_shown(site: Site) -> None:
    answer = site.invoice(ASKED)
    assert answer.status_code == 202
    job, invoice = answer.json["job"], answer.json["invoice"]
    assert (job["kind"], job["invoice"], job["payment"]) == ("invoices.create", invoice["id"], None)
    assert (invoice["status"], invoice["number"]) == ("processing", None)
    assert (invoice["subtotal"], invoice["tax_amount"], invoice["total"]) == (10899, 200, 11099)
    assert invoice["lines"][1]["tax_amount"] == 200
    (entry,) = site.journal()
    contract = CreateInvoice.from_bytes(site.opened(entry))
    assert (contract.invoice_id, contract.purchase_order, contract.send) == (invoice["id"], "PO-4711", True)
    assert site.get(invoice["links"]["self"]).json == invoice
    assert site.get(job["links"]["invoice"]).json == invoice


def test_a_key_holds_for_one_invoice(site: Site) -> None:
    first, again = site.invoice(ASKED), site.invoice(ASKED)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json
    reused = site.invoice(ASKED | {"purchase_order": "PO-1"})
    assert (reused.status_code, reused.json["code"]) == (422, "idempotency_key_reused")


def test_what_the_client_could_read_of_its_payment_goes_with_it(site: Site) -> None:
    payment = site.post(key="p").json["payment"]["id"]
    site.invoice(ASKED | {"payment": payment})
    contract = CreateInvoice.from_bytes(site.opened(site.journal()[-1]))
    assert (contract.payment_id, contract.shown, contract.send) == (payment, "processing", False)


def test_nothing_personal_lies_readable_in_redis(site: Site) -> None:
    site.invoice(ASKED)
    raw = b"".join(site.redis.dump(key) or b"" for key in site.redis.scan_iter(match=f"{site.keyspace.prefix}*"))
    assert not any(word in raw for word in (b"Lovelace", b"ada@example.org", b"Handbook", b"PO-4711"))


@pytest.mark.parametrize("verb", OPERATIONS)
def test_an_operation_is_accepted_and_tells_nothing_of_an_invoice_that_may_be_anothers(site: Site, verb: str) -> None:
    answer = site.operate_invoice(INVOICE, verb)
    assert answer.status_code == 202
    assert answer.json["invoice"] is None
    assert (answer.json["job"]["kind"], answer.json["job"]["invoice"]) == (f"invoices.{verb}", INVOICE)


def test_an_operation_tells_whether_its_client_could_read_the_invoice(site: Site) -> None:
    invoice = site.invoice(ASKED, key="i").json["invoice"]
    own = site.operate_invoice(invoice["id"], "send", key="a")
    assert own.json["invoice"]["id"] == invoice["id"]
    site.operate_invoice(INVOICE, "send", key="b")
    contracts = [SendInvoice.from_bytes(site.opened(entry)) for entry in site.journal()[1:]]
    assert [contract.shown for contract in contracts] == [True, False]


def test_each_operation_has_keys_of_its_own(site: Site) -> None:
    jobs = {site.operate_invoice(INVOICE, verb, key="same").json["job"]["id"] for verb in OPERATIONS}
    assert len(jobs) == len(OPERATIONS)


def test_an_operation_asks_for_nothing_besides_itself(site: Site) -> None:
    answer = site.operate_invoice(INVOICE, "void", json={"reason": "duplicate"})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "unknown_field")


@pytest.mark.parametrize("path", ["/v1/invoices/inv_1", "/v1/invoices/pay_" + "a" * 26])
def test_what_is_no_id_of_an_invoice_is_not_found(site: Site, path: str) -> None:
    assert site.get(path).status_code == 404
