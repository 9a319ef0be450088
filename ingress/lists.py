"""Lists: payments and invoices by booking or customer at GET /v1/payments and /v1/invoices, refunds of a payment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from flask import Blueprint, Response, request
from marshmallow import fields

from ingress.answers import json_answer
from ingress.cursors import Position, read_cursor, write_cursor
from ingress.door import Door
from ingress.fields import Email, StrictSchema, Text, complaint, load
from ingress.misses import found
from ingress.payment_intents import BOOKING as BOOKING_PATTERN
from ingress.payment_intents import BOOKING_IN_WORDS, MAXIMUM_BOOKING
from ingress.problems import FieldError, ProblemError
from ingress.reads import find
from ingress.views import read_list, read_several
from tasks.contracts import representations
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.lists import (
    BOOKING,
    CUSTOMER,
    INVOICES_OF_BOOKING,
    INVOICES_OF_CUSTOMER,
    LONGEST,
    PAYMENT,
    ListKey,
)
from tasks.contracts.shows import ShowViews
from tasks.contracts.views import InvoiceView, PaymentView, RefundView

DEFAULT_LIMIT = 20
V = TypeVar("V", PaymentView, RefundView, InvoiceView)
T = TypeVar("T")


class Limit(fields.Field[int]):
    """How many of a list are answered at once, as a query writes it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002 - marshmallow's signature
        if not str(value).isascii() or not str(value).isdigit() or not 1 <= int(str(value)[:4]) <= LONGEST:
            raise complaint("not_in_range", f"The limit must be a whole number from 1 to {LONGEST}.")
        return int(value)


class PageSchema(StrictSchema):
    """What every list may be asked."""

    limit = Limit(load_default=DEFAULT_LIMIT)
    cursor = Text(1, 512)


class OfSomebodySchema(PageSchema):
    """Of which booking or customer."""

    booking_reference = Text(1, MAXIMUM_BOOKING, pattern=BOOKING_PATTERN, allowed=BOOKING_IN_WORDS)
    customer_email = Email()


PAGE = PageSchema()
OF_SOMEBODY = OfSomebodySchema()


@dataclass(frozen=True, slots=True)
class Page(Generic[V]):
    """A piece of a list, and the cursor by which it goes on."""

    views: Sequence[V]
    next_cursor: str | None


def lists(door: Door) -> Blueprint:
    """Return the routes of lists."""
    routes = Blueprint("lists", __name__)

    @routes.get("/v1/payments")
    def list_payments() -> Response:
        client = door.api_keys.authenticate(request)
        asked = _query(OF_SOMEBODY)
        key = _which(client, asked, BOOKING, CUSTOMER)
        return _answer(read_page(door, client, key, PaymentView, asked), representations.payment)

    @routes.get("/v1/invoices")
    def list_invoices() -> Response:
        client = door.api_keys.authenticate(request)
        asked = _query(OF_SOMEBODY)
        key = _which(client, asked, INVOICES_OF_BOOKING, INVOICES_OF_CUSTOMER)
        return _answer(read_page(door, client, key, InvoiceView, asked), representations.invoice)

    @routes.get("/v1/payments/<payment_id>/refunds")
    def list_refunds(payment_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        asked = _query(PAGE)
        payment, _ = find(door, client, PaymentView, payment_id)
        key = ListKey(client.client_id, PAYMENT, payment.id)
        return _answer(read_page(door, client, key, RefundView, asked), representations.refund)

    return routes


def read_page(door: Door, client: ApiKeyRecord, key: ListKey, kind: type[V], asked: Mapping[str, Any]) -> Page[V]:
    """Return what a client asked of a list, the newest in front.

    A page may be shorter than asked for where one list ends and an older one begins.

    Raises:
        ProblemError: `cursor_invalid`; or as `found` does.
        RedisAwayError: if Redis does not answer.
    """
    ring, cursor = door.settings.view_keys, asked.get("cursor")
    position = None if cursor is None else read_cursor(ring, key, cursor)
    part = key if position is None else replace(key, before=position.before)
    listed = _find(door, client, part, lambda: read_list(door, part))
    rest = list(listed.entries)
    if position is not None:
        here = position.after in listed.entries
        rest = rest[rest.index(position.after) + 1 :] if here else []
        if not here or (not rest and listed.more):
            # Newer things have pushed it off, or it was the last: what is older than it is on another list.
            part = replace(key, before=position.after)
            listed = _find(door, client, part, lambda: read_list(door, part))
            rest = list(listed.entries)
    chosen = rest[: asked["limit"]]
    views = _find(door, client, part, lambda: read_several(door, kind, chosen, client.client_id))
    more = bool(chosen) and (listed.more or len(rest) > len(chosen))
    return Page(views, write_cursor(ring, key, Position(part.before, chosen[-1])) if more else None)


def _find(door: Door, client: ApiKeyRecord, part: ListKey, read: Callable[[], T]) -> T:
    wanted = ShowViews(part.name(door.settings.view_keys), part.noun, part.value, part.before)
    return found(door, client, wanted, read)


def _query(schema: StrictSchema) -> dict[str, Any]:
    """Return the query's parameters.

    Raises:
        ProblemError: `query_invalid`.
    """
    given = request.args.to_dict(flat=False)
    twice = [FieldError(name, "repeated", "The parameter stands twice.") for name in given if len(given[name]) > 1]
    try:
        asked = load(schema, {name: values[0] for name, values in given.items()})
    except ProblemError as error:
        twice += [FieldError(each.field.removeprefix("/"), each.code, each.message) for each in error.errors]
    if twice:
        names = ", ".join(sorted({each.field for each in twice}))
        raise ProblemError("query_invalid", f"Not acceptable: {names}.", errors=twice)
    return asked


def _which(client: ApiKeyRecord, asked: Mapping[str, Any], by_booking: str, by_customer: str) -> ListKey:
    booking, email = asked.get("booking_reference"), asked.get("customer_email")
    if (booking is None) == (email is None):
        raise ProblemError("query_invalid", "Give either booking_reference or customer_email.")
    if booking is not None:
        return ListKey(client.client_id, by_booking, booking)
    return ListKey(client.client_id, by_customer, str(email).casefold())


def _answer(page: Page[V], write: Callable[[V], dict[str, Any]]) -> Response:
    """Write a page; the fields of `schemas.PageSchema`."""
    return json_answer(
        {
            "object": "list",
            "data": [write(view) for view in page.views],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )
