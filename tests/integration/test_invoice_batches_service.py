"""Batches of invoices behind the door: a job for each invoice, all of them or none."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tasks.contracts import identity
from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.invoices import CreateInvoice
from tasks.contracts.steps import Step
from tasks.contracts.views import BatchView
from tests.builders.entries import CLIENT, IDENTITY_KEY, entry_of, invoice_request, new_key
from tests.builders.house import House
from workers.jobs import dead
from workers.jobs.operator import Operator
from workers.jobs.run import Service, run_job
from workers.projections.projector import project
from workers.services import invoice_batches

pytestmark = pytest.mark.servers
OPEN = Service(CreateInvoiceBatch, invoice_batches.open_batch, invoice_batches.settle_open)
ROUTE = "invoices/batch"
PROBLEM = {"code": "validation_failed", "detail": "Not acceptable.", "errors": []}


def invoice() -> CreateInvoice:
    return invoice_request(new_key())


def posted(house: House, *invoices: CreateInvoice, refused: tuple[int, ...] = ()) -> tuple[str, CreateInvoiceBatch]:
    """Take a batch in; the refused lines stand at those places between the others."""
    free = [line for line in range(len(invoices) + len(refused)) if line not in refused]
    key = new_key()
    contract = CreateInvoiceBatch(
        batch_id=identity.batch_id(IDENTITY_KEY, CLIENT, ROUTE, key),
        invoices=[{"line": line, "invoice": asdict(each)} for line, each in zip(free, invoices, strict=True)],
        refused=[{"line": line, "problem": PROBLEM} for line in refused],
    )
    entry = entry_of(contract, client=CLIENT, route=ROUTE, key=key, subject=contract.batch_id)
    house.take_in(entry)
    return entry.job_id, contract


def view_of(house: House, batch_id: str) -> BatchView:
    key = house.keyspace.view(batch_id)
    return BatchView.open(house.runtime.settings.view_keys, key, house.view_fields(key))


def test_each_invoice_gets_a_job_of_its_own_and_the_batch_tells_of_all_lines(house: House) -> None:
    invoices = [invoice(), invoice()]
    job_id, contract = posted(house, *invoices, refused=(1,))
    assert run_job(house.runtime, job_id, OPEN).state == "done"
    jobs = {row["subject_id"]: row for row in house.jobs("invoices.create")}
    assert set(jobs) == {invoice.invoice_id for invoice in invoices}
    assert {row["state"] for row in jobs.values()} == {"ready"}
    view = view_of(house, contract.batch_id)
    assert view.opened
    assert [entry["line"] for entry in view.entries] == [0, 1, 2]
    assert [entry.get("invoice") for entry in view.entries] == [
        invoices[0].invoice_id,
        None,
        invoices[1].invoice_id,
    ]
    assert view.entries[1]["problem"] == PROBLEM
    assert [entry.get("job") for entry in view.entries if "job" in entry] == [
        jobs[invoice.invoice_id]["id"] for invoice in invoices
    ]


def test_its_jobs_are_as_old_as_the_batch_so_that_what_was_asked_for_later_waits_for_them(house: House) -> None:
    job_id, _ = posted(house, invoice())
    house.sql("UPDATE jobs SET accepted_at = accepted_at - interval '1 hour' WHERE id = :id", id=job_id)
    assert run_job(house.runtime, job_id, OPEN).state == "done"
    [job] = house.jobs("invoices.create")
    assert job["accepted_at"] == house.job(job_id)["accepted_at"]
    [claimed] = house.claim(job["id"])
    assert claimed.may_have_asked


def test_what_each_job_is_to_make_is_sealed_at_rest(house: House) -> None:
    asked = invoice()
    job_id, _ = posted(house, asked)
    run_job(house.runtime, job_id, OPEN)
    (row,) = house.jobs("invoices.create")
    assert asked.customer_email.encode() not in bytes(row["payload"])
    assert json.loads(house.payload(row["id"]))["customer_email"] == asked.customer_email


def test_opened_again_after_its_outcome_was_lost_it_leaves_the_same_jobs(house: House) -> None:
    job_id, _ = posted(house, invoice(), invoice())
    run_job(house.runtime, job_id, OPEN)
    before = house.jobs("invoices.create")
    house.force("UPDATE jobs SET state = 'ready', finished_at = NULL WHERE id = :id", id=job_id)
    run_job(house.runtime, job_id, OPEN)
    assert [row["id"] for row in house.jobs("invoices.create")] == [row["id"] for row in before]
    assert len(house.sql("SELECT id FROM invoice_batches")) == 1


def test_a_batch_that_died_is_finished_and_says_why_and_a_replay_opens_it(house: House) -> None:
    job_id, contract = posted(house, invoice(), refused=(1,))
    house.sql("UPDATE jobs SET expires_at = clock_timestamp() WHERE id = :id", id=job_id)
    assert run_job(house.runtime, job_id, OPEN).state == "dead"
    view = view_of(house, contract.batch_id)
    assert (view.opened, view.invoices) == (True, [])
    assert [entry["problem"]["code"] for entry in view.entries] == ["gave_up", "validation_failed"]
    with house.runtime.transaction(Step.OUTCOME) as session:
        dead.replay(session, [job_id], Operator("ada", "all is well again"))
    assert run_job(house.runtime, job_id, OPEN).state == "done"
    assert view_of(house, contract.batch_id).invoices == [contract.invoices[0]["invoice"]["invoice_id"]]


def test_the_clients_of_the_jobs_may_read_them(house: House) -> None:
    job_id, _ = posted(house, invoice())
    run_job(house.runtime, job_id, OPEN)
    (row,) = house.jobs("invoices.create")
    project(house.runtime, [row["id"]])
    assert house.job_view(row["id"]).state == "ready"
