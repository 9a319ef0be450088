"""Every endpoint, asked whatever the OpenAPI document allows and much that it does not, answers as the document says.

[Schemathesis](https://schemathesis.readthedocs.io/) makes the requests from the document and compares the answers with
it: status, headers, media type, body, and that what the document forbids is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.currencies import CODES
from ingress import openapi
from tests.builders.ingress import Site

pytestmark = pytest.mark.servers
# Of these the requests must try both what is accepted and what is refused; elsewhere ids are random and unknown.
ACCEPTS_SOME = {
    "POST /v1/payment-intents": {2, 4},
    "GET /health/live": {2},
    "GET /v1/openapi.json": {2},
}
BY_THE_LINE = {"POST /v1/invoices/batch"}  # a wrong line is refused by itself, and the others are accepted
UNAVAILABLE = 503
EXAMPLES = 15  # for each operation
MORE_EXAMPLES = 100  # where some must be accepted: most bodies that the document allows break a rule that it can't tell


def answers_for_itself(ctx: Any, response: Any, case: Any) -> bool | None:
    """Pass what fails nobody: what is not at hand is fetched by a worker, of which there is none here."""
    if response.status_code == UNAVAILABLE and response.json()["code"] == "view_unavailable":
        return None
    return schemathesis.checks.not_a_server_error(ctx, response, case)


CHECKS = [
    answers_for_itself,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def site(redis_url: str) -> Iterator[Site]:
    prefix = f"tollgate_test:{secrets.token_hex(6)}:"
    site = Site(redis_url, prefix, currencies=CODES)  # the document allows all of them
    yield site
    for key in site.redis.scan_iter(match=f"{prefix}*"):
        site.redis.delete(key)


OPERATIONS = sorted(
    f"{method.upper()} {path}" for path, methods in openapi.document()["paths"].items() for method in methods
)
SECURED = " /v1/"  # what takes parameters that can be wrong; the document itself does not


@pytest.mark.parametrize(
    ("operation", "mode"),
    [(operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
    + [
        (operation, GenerationMode.NEGATIVE)
        for operation in OPERATIONS
        if SECURED in operation and not operation.endswith("openapi.json")
    ],
)
def test_every_answer_is_as_the_document_says(operation: str, mode: GenerationMode, site: Site) -> None:
    method, path = operation.split()
    wanted = ACCEPTS_SOME.get(operation, set()) if mode is GenerationMode.POSITIVE else set()
    document = schemathesis.openapi.from_wsgi("/v1/openapi.json", site.app)
    headers = {"Authorization": f"Bearer {site.token.text}"}
    checks = [check for check in CHECKS if operation not in BY_THE_LINE or check is not negative_data_rejection]

    @given(case=document[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=MORE_EXAMPLES if wanted else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = case.call_and_validate(headers=headers, checks=checks)
        seen.add(answer.status_code // 100)

    seen: set[int] = set()
    ask()
    assert seen >= wanted, f"nothing but {seen} was answered: the requests prove little"
