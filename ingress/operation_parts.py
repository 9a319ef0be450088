"""The parts that the operations of the API are described with: parameters, headers, answers and problems."""

from typing import Any, get_args

from marshmallow import Schema

from ingress import schemas
from ingress.headers import MAXIMUM_KEY
from ingress.outlook import Delayed
from ingress.problems import MEDIA_TYPE, PROBLEMS, ProblemKind
from ingress.versions import HEADER, VERSIONS
from ingress.waiting import LONGEST_WAIT

RETRIED = (429, 503)  # come with Retry-After


def json_body(description: str, schema: type[Schema] | None, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return an answer in JSON."""
    content = {"application/json": {"schema": schema if schema is not None else {"type": "object"}}}
    return {"description": description, "headers": (headers or {}) | headers_of_all(), "content": content}


def problem_answers(*codes: str) -> dict[str, Any]:
    """Return the answers that tell of problems, by status."""
    by_status: dict[int, list[ProblemKind]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(PROBLEMS[code])
    return {str(status): _either(kinds) for status, kinds in sorted(by_status.items())}


def _either(kinds: list[ProblemKind]) -> dict[str, Any]:
    headers = headers_of_all()
    if any(kind.status in RETRIED for kind in kinds):
        headers["Retry-After"] = text_header("Seconds")
    examples = {kind.code: {"value": example(kind)} for kind in kinds}
    return {
        "description": " ".join(f"`{kind.code}`: {kind.title}. {kind.advice}" for kind in kinds),
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": schemas.ProblemSchema, "examples": examples}},
    }


def example(kind: ProblemKind) -> dict[str, Any]:
    """Return a problem as it would be answered."""
    request_id = "req_0123456789abcdef0123456789abcdef"
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.advice,
        "instance": f"urn:tollgate:request:{request_id}",
        "code": kind.code,
        "request_id": request_id,
    }


def headers_of_all() -> dict[str, Any]:
    """Return the headers that every answer has."""
    return {
        "X-Request-Id": text_header("The request's id: yours, if you sent one, else ours"),
        HEADER: text_header("The version of the API that the answer is written in"),
    }


def text_header(description: str) -> dict[str, Any]:
    """Return a header's description."""
    return {"description": description, "schema": {"type": "string"}}


def delayed_header() -> dict[str, Any]:
    """Return the description of the header that tells what processing waits for."""
    description = (
        "What processing waits for, if it stands still: the `dispatcher`, the `database` or `stripe`. What is accepted "
        "is kept, and worked on once that is back; tell your customer that it will take longer"
    )
    return {"description": description, "schema": {"type": "string", "enum": list(get_args(Delayed))}}


def header_parameter(name: str, description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    """Return a parameter in a header."""
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"} | schema,
    }


def id_parameter(name: str, prefix: str) -> dict[str, Any]:
    """Return the parameter in a path that is an id of ours."""
    schema = {"type": "string", "pattern": f"^{prefix}_[a-z2-7]{{26}}$"}
    return {"name": name, "in": "path", "required": True, "description": "Its id", "schema": schema}


def key_parameter() -> dict[str, Any]:
    """Return the Idempotency-Key."""
    description = "Yours, one for each payment or refund: printable ASCII, bare or as an RFC 8941 string"
    return header_parameter("Idempotency-Key", description, required=True, minLength=1, maxLength=MAXIMUM_KEY)


def prefer_parameter() -> dict[str, Any]:
    """Return the wish to wait."""
    description = f"`wait=N` (RFC 7240): answer when the outcome is there, or after N seconds, at most {LONGEST_WAIT}"
    return header_parameter("Prefer", description)


def tag_parameter() -> dict[str, Any]:
    """Return the entity tag of what is known."""
    return header_parameter("If-None-Match", "An ETag; the answer is 304 if nothing has changed")


def common_parameters() -> list[dict[str, Any]]:
    """Return what every request may carry."""
    return [
        # No pattern: one that does not fit is not refused, but replaced by ours.
        header_parameter(
            "X-Request-Id", "Yours, to find the request in both logs: 1 to 64 letters, digits, dots, dashes; else ours"
        ),
        header_parameter(HEADER, "The version of the API to answer in", enum=list(VERSIONS.known)),
    ]
