"""Reads of batches: each invoice as it is, from the first moment on, and never older than it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.invoice_operations import VoidInvoice
from tasks.contracts.shows import ShowViews
from tests.builders.entries import invoice_operation_entry
from tests.builders.house import House
from tests.builders.ingress import Site
from tests.builders.simulator import Simulator
from workers.jobs.run import Service, run_job
from workers.jobs.waiting import FRESH_SECONDS
from workers.projections.missing import show_missing
from workers.services import invoice_batches

pytestmark = pytest.mark.servers
OPEN = Service(CreateInvoiceBatch, invoice_batches.open_batch, invoice_batches.settle_open)
CLIENT = "site"
LINE = {"description": "First aid at work", "quantity": 1, "unit_amount": 4950, "tax": "exempt"}


@pytest.fixture
def site(shop: House, redis_url: str, redis_prefix: str) -> Iterator[Site]:
    shop.add_client(CLIENT)
    site = Site(redis_url, redis_prefix)
    yield site
    site.close()


def invoice(number: int) -> dict[str, Any]:
    customer = {"name": "Ada Lovelace", "email": f"ada.{number}@example.org"}
    return {"customer": customer, "currency": "gbp", "lines": [LINE]}


def post(site: Site) -> Any:
    headers = {"Content-Type": "application/json", **site.headers("k1")}
    return site.client().post("/v1/invoices/batch", json={"invoices": [invoice(1), invoice(2)]}, headers=headers)


@pytest.fixture
def accepted(shop: House, site: Site) -> Any:
    """Return the answer to a batch of two invoices, which has been taken in and not opened yet."""
    answer = post(site)
    assert answer.status_code == 202, answer.json
    shop.reader().take_new()
    return answer.json


@pytest.fixture
def batch(shop: House, accepted: Any) -> str:
    """Return the id of the batch, which has just been opened."""
    assert run_job(shop.runtime, accepted["job"]["id"], OPEN).state == "done"
    return str(accepted["batch"]["id"])


def statuses(site: Site, batch: str) -> dict[str, int]:
    answer = site.get(f"/v1/batches/{batch}")
    assert answer.status_code == 200, answer.json
    found: dict[str, int] = answer.json["statuses"]
    assert answer.json["finished"] is (set(found) == {"sent"})
    return found


def show(shop: House, batch: str) -> None:
    """Do what a worker does when a read has found something missing."""
    show_missing(shop.runtime, [(CLIENT, ShowViews(batch))])


def test_a_batch_whose_invoices_are_not_begun_is_shown_with_what_is_known(shop: House, site: Site, batch: str) -> None:
    show(shop, batch)
    assert statuses(site, batch) == {"accepted": 2}


def test_an_invoice_that_is_made_is_shown_beside_one_that_waits(shop: House, site: Site, batch: str) -> None:
    show(shop, batch)
    first, second = (row["id"] for row in shop.jobs("invoices.create"))
    assert shop.make_invoice(first).state == "done"
    assert statuses(site, batch) == {"accepted": 1, "sent": 1}
    assert shop.make_invoice(second).state == "done"
    assert statuses(site, batch) == {"sent": 2}


def test_an_invoice_that_is_not_begun_reads_as_it_was_accepted(shop: House, site: Site, batch: str) -> None:
    first, second = (str(row["subject_id"]) for row in shop.jobs("invoices.create"))
    for name in (first, second):
        show(shop, name)
    answer = site.get(f"/v1/invoices/{first}")
    assert answer.status_code == 200, answer.json
    shown = answer.json
    assert (shown["status"], shown["number"], shown["total"], shown["stripe_invoice"]) == (
        "processing",
        None,
        4950,
        None,
    )
    assert [line["description"] for line in shown["lines"]] == [LINE["description"]]
    job = next(row["id"] for row in shop.jobs("invoices.create") if row["subject_id"] == first)
    assert shown["links"]["job"].endswith(job)
    assert shop.make_invoice(job).state == "done"
    assert site.get(f"/v1/invoices/{first}").json["status"] == "sent"
    show(shop, first)
    assert site.get(f"/v1/invoices/{first}").json["status"] == "sent"
    assert site.get(f"/v1/invoices/{second}").json["status"] == "processing"


def test_an_invoice_of_a_batch_that_is_not_opened_is_not_called_absent(shop: House, site: Site, accepted: Any) -> None:
    [name, _] = [line["invoice"] for line in accepted["batch"]["lines"]]
    show(shop, name)
    assert site.get(f"/v1/invoices/{name}").status_code == 503
    stranger = f"pay_{name.partition('_')[2]}"
    show(shop, stranger)
    assert site.get(f"/v1/payments/{stranger}").status_code == 404
    assert run_job(shop.runtime, accepted["job"]["id"], OPEN).state == "done"
    show(shop, name)
    assert site.get(f"/v1/invoices/{name}").json["status"] == "processing"
    stranger = f"inv_{name[5:]}a"
    show(shop, stranger)
    assert site.get(f"/v1/invoices/{stranger}").status_code == 404


def test_what_is_asked_of_a_batchs_invoice_waits_until_the_batch_is_opened(shop: House, accepted: Any) -> None:
    [name, _] = [line["invoice"] for line in accepted["batch"]["lines"]]
    entry = invoice_operation_entry(VoidInvoice(name))
    shop.take_in(entry)
    shop.grow_older(entry.job_id, FRESH_SECONDS)
    for _ in range(8):
        assert shop.operate_invoice(entry.job_id).state == "waiting"
    assert run_job(shop.runtime, accepted["job"]["id"], OPEN).state == "done"
    assert shop.operate_invoice(entry.job_id).state == "waiting", "it is made first"
    [made] = [row["id"] for row in shop.jobs("invoices.create") if row["subject_id"] == name]
    assert shop.make_invoice(made).state == "done"
    assert shop.operate_invoice(entry.job_id).state == "done"
    assert shop.invoice(name)["status"] == "void"


def test_a_batch_is_not_finished_while_an_invoice_of_it_waits_to_be_mailed(
    shop: House, site: Site, stripe: Simulator, batch: str
) -> None:
    show(shop, batch)
    first, second = (row["id"] for row in shop.jobs("invoices.create"))
    assert shop.make_invoice(first).state == "done"
    stripe.faults({"do": "refuse", "match": {"method": "POST", "path": "/send$"}})
    assert shop.make_invoice(second).state in {"waiting", "checking"}
    assert statuses(site, batch) == {"open": 1, "sent": 1}
    stripe.control("DELETE", "faults")
    assert shop.make_invoice(second).state == "done"
    assert statuses(site, batch) == {"sent": 2}


def test_a_batch_that_is_posted_again_is_answered_with_how_far_it_is(shop: House, site: Site, batch: str) -> None:
    jobs = [row["id"] for row in shop.jobs("invoices.create")]
    assert shop.make_invoice(jobs[0]).state == "done"
    show(shop, batch)
    again = post(site)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert (again.json["batch"]["statuses"], again.json["batch"]["finished"]) == ({"accepted": 1, "sent": 1}, False)
    assert shop.make_invoice(jobs[1]).state == "done"
    answer = post(site).json["batch"]
    assert (answer["statuses"], answer["finished"]) == ({"sent": 2}, True)
    assert answer == site.get(f"/v1/batches/{batch}").json
    shop.runtime.redis.delete(shop.keyspace.view(jobs[1]))
    unknown = post(site).json["batch"]
    assert (unknown["statuses"], unknown["finished"]) == ({"accepted": 2}, False), "what is not at hand is not guessed"


def test_an_invoice_that_redis_has_lost_is_fetched_and_never_taken_for_one_that_waits(
    shop: House, site: Site, batch: str
) -> None:
    jobs = [row["id"] for row in shop.jobs("invoices.create")]
    assert {shop.make_invoice(job).state for job in jobs} == {"done"}
    lost = [row["id"] for row in shop.sql("SELECT id FROM invoices")]
    shop.runtime.redis.delete(*(shop.keyspace.view(name) for name in (*lost, *jobs)))
    assert site.get(f"/v1/batches/{batch}").status_code == 503
    show(shop, batch)
    assert statuses(site, batch) == {"sent": 2}
