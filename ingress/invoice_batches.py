"""Batches of invoices: posted at once by POST /v1/invoices/batch, followed at GET /v1/batches/{id}.

All that is acceptable of a batch is one journal entry: it is kept as a whole, in one round trip to Redis. What is not
acceptable is refused line by line, in the answer and for as long as the batch can be read.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from flask import Blueprint, Response, request
from marshmallow import Schema

from config.errors import RedisAwayError
from ingress.answers import json_answer
from ingress.commands import Command, command_of, keep
from ingress.door import Door
from ingress.fields import Nested, StrictSchema, load
from ingress.headers import idempotency_key
from ingress.invoice_fields import Several
from ingress.invoice_schema import InvoiceSchema, invoice_contract
from ingress.json_body import examine, read_json_bytes, refuse
from ingress.misses import found
from ingress.problems import FieldError, ProblemError
from ingress.reads import find
from ingress.views import MissingError, glimpse_several
from tasks.contracts import identity, representations
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.shows import ShowViews
from tasks.contracts.views import FINAL_JOB_STATES, BatchView, InvoiceView, JobView, PaymentView, Subject

ROUTE: Final = "invoices/batch"
MAXIMUM_BYTES: Final = 1024 * 1024
MOST_INVOICES: Final = 500
FIELD: Final = "invoices"
PLACE: Final = f"/{FIELD}/"
MOST_ERRORS: Final = 20  # that are told of one line: nobody mends more at once, and they are kept

log = logging.getLogger(__name__)


class BatchRequestSchema(StrictSchema):
    """What a batch may ask for; it describes the body, of which each line is read by itself."""

    invoices = Several(Nested(InvoiceSchema), 1, MOST_INVOICES, required=True)


def invoice_batches(door: Door) -> Blueprint:
    """Return the routes of batches."""
    routes = Blueprint("invoice_batches", __name__)
    schema = InvoiceSchema(door.settings.currencies)

    @routes.post("/v1/invoices/batch")
    def create_batch() -> Response:
        client = door.api_keys.authenticate(request)
        key = idempotency_key(request)
        document, flaws = examine(read_json_bytes(request, MAXIMUM_BYTES))
        lines, flawed = _lines(document, flaws), _by_line(flaws)
        command = command_of(door, client, ROUTE, key, document, {})
        read = [_read(schema, number, line, flawed.get(number, ())) for number, line in enumerate(lines)]
        contract = _contract(door, command, read)
        return keep(door, command, contract, _first(door, command, contract), partial(_written, door, client))

    @routes.get("/v1/batches/<batch_id>")
    def show_batch(batch_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        batch, _ = find(door, client, BatchView, batch_id)
        wanted = ShowViews(batch.id)
        invoices, on_the_way = found(door, client, wanted, lambda: _progress(door, client, batch))
        return json_answer(representations.batch(batch, invoices, on_the_way))

    return routes


def _lines(document: Any, flaws: Sequence[FieldError]) -> Sequence[Any]:
    """Return what was posted, line by line.

    Raises:
        ProblemError: the body as a whole is not acceptable.
    """
    refuse([flaw for flaw in flaws if not flaw.field.startswith(PLACE)])
    lines = document.get(FIELD) if isinstance(document, dict) else None
    if not isinstance(lines, list) or set(document) != {FIELD}:
        raise _whole("not_a_list", f'The body must be {{"{FIELD}": […]}}, and nothing else.')
    if not 1 <= len(lines) <= MOST_INVOICES:
        raise _whole("not_in_range", f"A batch has from 1 to {MOST_INVOICES} invoices, and not {len(lines)}.")
    return lines


def _whole(code: str, message: str) -> ProblemError:
    return ProblemError("validation_failed", message, errors=[FieldError(f"/{FIELD}", code, message)])


def _by_line(flaws: Sequence[FieldError]) -> Mapping[int, Sequence[FieldError]]:
    """Sort the flaws that lie within a line by its number."""
    sorted_flaws: dict[int, list[FieldError]] = {}
    for flaw in flaws:
        number = flaw.field.removeprefix(PLACE).partition("/")[0]
        if flaw.field.startswith(PLACE) and number.isdigit():
            sorted_flaws.setdefault(int(number), []).append(flaw)
    return sorted_flaws


def _read(schema: Schema, number: int, line: Any, flaws: Sequence[FieldError]) -> dict[str, Any] | ProblemError:
    """Read one line, or say why it is refused; what is wrong is named by its place in the whole body."""
    try:
        refuse(flaws)
    except ProblemError as problem:
        return problem
    if not isinstance(line, dict):
        flaw = FieldError(f"{PLACE}{number}", "not_an_object", "The field must be an object.")
        return ProblemError("validation_failed", "An invoice must be an object.", errors=[flaw])
    try:
        return load(schema, line)
    except ProblemError as problem:
        errors = [FieldError(f"{PLACE}{number}{each.field}", each.code, each.message) for each in problem.errors]
        return ProblemError(problem.kind.code, problem.detail, errors=errors)


def _contract(door: Door, command: Command, lines: Sequence[dict[str, Any] | ProblemError]) -> CreateInvoiceBatch:
    """Return the job that opens the batch.

    Raises:
        ProblemError: every single line is refused, so that there is nothing to be kept.
    """
    read = {number: line for number, line in enumerate(lines) if not isinstance(line, ProblemError)}
    refused = {number: line for number, line in enumerate(lines) if isinstance(line, ProblemError)}
    if not read:
        errors = [error for problem in refused.values() for error in problem.errors[:MOST_ERRORS]]
        raise ProblemError("validation_failed", "Not one of the invoices is acceptable.", errors=errors)
    own = (door.settings.identity_key, command.client.client_id, command.route)
    payments = glimpse_several(
        door, PaymentView, [line["payment"] for line in read.values() if "payment" in line], command.client.client_id
    )
    return CreateInvoiceBatch(
        batch_id=identity.batch_id(*own, command.key),
        invoices=[
            {
                "line": number,
                "invoice": asdict(
                    invoice_contract(
                        identity.invoice_id(*own, f"{command.key}/{number}"),
                        line,
                        payments[line["payment"]].status if line.get("payment") in payments else None,
                    )
                ),
            }
            for number, line in read.items()
        ],
        refused=[{"line": number, "problem": _told(problem)} for number, problem in refused.items()],
    )


def _told(problem: ProblemError) -> dict[str, Any]:
    return {
        "code": problem.kind.code,
        "detail": problem.detail,
        "errors": [asdict(error) for error in problem.errors[:MOST_ERRORS]],
    }


def _first(door: Door, command: Command, contract: CreateInvoiceBatch) -> BatchView:
    """Return the view of a batch that was accepted just now."""
    now = door.timestamp()
    accepted = [{"line": each["line"], "invoice": each["invoice"]["invoice_id"]} for each in contract.invoices]
    return BatchView(
        id=contract.batch_id,
        client_id=command.client.client_id,
        job_id=command.job_id,
        entries=sorted([*accepted, *map(dict, contract.refused)], key=lambda entry: entry["line"]),
        opened=False,
        created_at=now,
        updated_at=now,
    )


def _written(door: Door, client: ApiKeyRecord, subject: Subject) -> dict[str, Any]:
    """Write a batch that was posted, with how far it is if that is at hand: it may have been posted before."""
    if not isinstance(subject, BatchView) or not subject.opened:
        return representations.subject(subject)
    try:
        invoices, on_the_way = _progress(door, client, subject)
    except (MissingError, RedisAwayError, ProblemError) as error:
        log.warning("how far a batch is could not be read: %s", str(error) or "not all of it is shown")
        return representations.subject(subject)
    return representations.batch(subject, invoices, on_the_way)


def _progress(door: Door, client: ApiKeyRecord, batch: BatchView) -> tuple[Mapping[str, InvoiceView], frozenset[str]]:
    """Return the batch's invoices by their ids, as many as there are views of, and the ids of those on their way.

    An invoice has no view before its job has first been tried, and may be open before it is mailed: its job's own view
    tells that.

    Raises:
        MissingError: if one that may have been made is not shown, or it can't be told how far its job is.
    """
    # The jobs first: an invoice is shown no later than its job's end, so that none is over and read as it was before.
    jobs = glimpse_several(door, JobView, list(batch.jobs.values()), client.client_id)
    shown = glimpse_several(door, InvoiceView, batch.invoices, client.client_id)
    over = {name for name, job in jobs.items() if job.state in FINAL_JOB_STATES}
    if any(job not in jobs or (job in over and invoice not in shown) for invoice, job in batch.jobs.items()):
        raise MissingError
    return shown, frozenset(invoice for invoice, job in batch.jobs.items() if job not in over)
