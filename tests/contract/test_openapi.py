"""The OpenAPI document describes the routes, answers and problems that there are, and is the committed one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.version import VERSION
from ingress import invoice_answers, openapi, schemas
from ingress.app import create_app
from ingress.problems import PROBLEMS
from models.dispute import DISPUTE_MOVES
from models.invoice import INVOICE_MOVES
from models.refund import REFUND_MOVES
from tasks.contracts import representations
from tasks.contracts.views import FINAL_JOB_STATES, InvoiceView, JobView, PaymentView, RefundView
from tests.builders.ingress import ingress_settings

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT = openapi.document()
JOB = JobView("job_a", "site", "payments.create", "done", "pay_a", 1, {"code": "x", "detail": "y"}, "a", "b")
PAYMENT = PaymentView("pay_a", "site", "job_a", "paid", 1, 1, 0, "gbp", "B", "pi", "s", {"code": "x"}, "a", "b")
REFUND = RefundView("ref_a", "site", "pay_a", "job_a", "succeeded", 1, "gbp", None, None, "re", "a", "b")

LINE = {"description": "x", "quantity": 1, "unit_amount": 1, "tax": "exempt", "net": 1, "tax_amount": 0}
INVOICE = InvoiceView(
    "inv_a",
    "site",
    "job_a",
    "sent",
    "A-0001",
    "gbp",
    1,
    0,
    1,
    0,
    False,
    [LINE],
    None,
    None,
    None,
    False,
    None,
    None,
    None,
    None,
    None,
    "in_a",
    "a",
    "b",
)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_committed_document_is_what_the_code_says() -> None:
    assert openapi.main(["--check", str(COMMITTED)]) == 0


def test_a_committed_document_that_differs_fails_and_names_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "openapi.json"
    changed.write_text(COMMITTED.read_text().replace("Ask for a payment", "Beg for a payment"))
    assert openapi.main(["--check", str(changed)]) == 1
    assert f"python -m ingress.openapi --write {changed}" in capsys.readouterr().err
    assert openapi.main(["--write", str(changed)]) == 0
    assert openapi.main(["--check", str(changed)]) == 0


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    rules = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in create_app(ingress_settings()).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == rules


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        found: Any = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]


def test_every_problem_has_an_example_where_it_happens() -> None:
    text = json.dumps(DOCUMENT["paths"])
    unseen = {code for code in PROBLEMS if f'"{code}": {{"value"' not in text}
    assert unseen == {"method_not_allowed"}, "that one belongs to no described method"


def test_every_answer_names_the_request() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                assert "X-Request-Id" in answer["headers"], (path, method, status)


def test_answers_hold_exactly_the_described_fields() -> None:
    assert set(representations.job(JOB)) == set(schemas.JobSchema().fields)
    assert set(representations.payment(PAYMENT)) == set(schemas.PaymentSchema().fields)
    assert set(representations.refund(REFUND)) == set(schemas.RefundSchema().fields)
    assert set(representations.refund(REFUND)["links"]) == set(schemas.RefundLinksSchema().fields)
    assert set(representations.invoice(INVOICE)) == set(invoice_answers.InvoiceShownSchema().fields)
    assert set(representations.invoice(INVOICE)["links"]) == set(invoice_answers.InvoiceLinksSchema().fields)
    assert set(representations.invoice(INVOICE)["lines"][0]) == set(invoice_answers.InvoiceLineShownSchema().fields)
    assert set(representations.job(JOB)["links"]) == set(schemas.JobLinksSchema().fields)
    assert set(representations.payment(PAYMENT)["links"]) == set(schemas.PaymentLinksSchema().fields)


def test_every_status_of_a_refund_is_described() -> None:
    assert set(schemas.REFUND_STATUSES) == set(REFUND_MOVES.states)
    assert set(schemas.DISPUTE_STATUSES) == set(DISPUTE_MOVES.states)


def test_every_status_of_an_invoice_is_described() -> None:
    assert set(invoice_answers.INVOICE_STATUSES) == set(INVOICE_MOVES.states)


def test_every_job_state_is_described() -> None:
    assert set(schemas.JOB_STATES) >= FINAL_JOB_STATES | {"accepted", "checking"}


def test_small_answers_hold_exactly_the_described_fields() -> None:
    client = create_app(ingress_settings()).test_client()
    assert set(client.get("/").json) == set(schemas.IndexSchema().fields)
    assert client.get("/").json["version"] == VERSION
    assert set(client.get("/health/live").json) == set(schemas.LiveSchema().fields)
    problem = client.get("/nowhere").json
    assert set(problem) == set(schemas.ProblemSchema().fields) - {"errors"}
    assert client.get("/v1/openapi.json").json == DOCUMENT
