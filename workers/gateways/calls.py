"""One call to Stripe: under the breaker, measured, logged, and its failure classed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Generic, Protocol, TypeVar

import stripe

from config.errors import ContractError
from tasks.contracts.steps import Step
from workers.gateways.classing import Failure, Method, failure_of, is_replayed, stripe_error
from workers.gateways.operations import OPERATION_METADATA, same_but_for_generation
from workers.gateways.snapshots import Answer
from workers.resilience.breaker import Breaker
from workers.resilience.failures import is_failure

logger = logging.getLogger("tollgate.stripe")
T = TypeVar("T")
MILLISECONDS: Final = 1000

# These two log request addresses, whose queries hold e-mail addresses, and Stripe's messages, which may quote them.
for _chatty in ("stripe", "urllib3"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)
# With STRIPE_LOG in the environment stripe-python prints the same, and whole bodies, past any logger.
stripe._util.STRIPE_LOG = None  # noqa: SLF001 - the library has no public switch that outranks the environment


class Answered(Protocol):
    """What every object of stripe-python's remembers of the answer that it came with."""

    @property
    def last_response(self) -> Any:
        """Status, headers and plain data."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request to Stripe, ready to be sent.

    Args:
        step: which step of the protocol it is.
        method: GET has no effect; POST may have one.
        name: what is asked, for the log.
        operation: on behalf of which operation, for the log.
        send: asks stripe-python.
        read: takes from the answer's fields what is wanted of it; raises ContractError if it is not there.
        decline: where a declined card is an outcome, the name of the object in Stripe's error that tells of it; it is
            read as the answer's fields are.
    """

    step: Step
    method: Method
    name: str
    operation: str | None
    send: Callable[[], Answered]
    read: Callable[[Mapping[str, Any]], T]
    decline: str | None = None


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A readable answer: the value, the fields it was read from, the status, and the headers with lower-case names."""

    value: T
    fields: Mapping[str, Any]
    status: int
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """Stripe's `Request-Id`."""
        return self.headers.get("request-id")


def at_once() -> None:
    """Go on with the next page."""


class Caller:
    """Makes calls to Stripe, safe for threads.

    Args:
        breaker: guards every call.
        clock: seconds since 1970, for durations and for answers without a `Date`.
    """

    def __init__(self, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._breaker = breaker
        self._clock = clock

    def reply(self, request: Request[T]) -> Reply[T]:
        """Make one call.

        The error is made outside of any `except`, so that it does not drag along stripe-python's own, which quotes
        Stripe's answer word by word.

        Raises:
            StripeError: as `workers.gateways.classing` tells.
        """
        with self._breaker.calling():
            outcome = self._logged(request)
            if isinstance(outcome, Reply):
                return outcome
            error = stripe_error(outcome)
            # A conflict may leave the outcome open, but it shows that Stripe is well: no business of the breaker's.
            if outcome.is_stripes_trouble:
                self._breaker.note(outcome.trouble)
                raise error
            if not is_failure(error):
                raise error
        raise error

    def answer(self, request: Request[T]) -> Answer[T]:
        """Make one call and return its answer; raises as `reply` does."""
        reply = self.reply(request)
        return self._dated(reply.value, reply, reply.fields)

    def find(
        self,
        name: str,
        operation: str,
        send: Callable[[str | None], Answered],
        read: Callable[[Mapping[str, Any]], T],
        between: Callable[[], None] = at_once,
    ) -> Answer[T] | None:
        """Return the newest object of a list that an operation made, under whichever generation of its key; or None.

        Raises as `reply` does, or what `between` raises.

        Args:
            name: what is listed, for the log.
            operation: whose object is looked for.
            send: asks stripe-python for the page after an object's id, or for the first.
            read: takes from the object's fields what is wanted of it.
            between: is called before each page but the first: a long list must not outlast its asker's lease.
        """
        reading = partial(page_of, operation=operation, read=read)
        reply = self.reply(Request(Step.LOOK_UP, "GET", name, operation, partial(send, None), reading))
        while reply.value.found is None and reply.value.last is not None:
            between()
            reply = self.reply(Request(Step.LOOK_UP, "GET", name, operation, partial(send, reply.value.last), reading))
        page = reply.value
        return None if page.found is None else self._dated(page.found, reply, page.fields)

    def every(
        self,
        name: str,
        send: Callable[[str | None], Answered],
        read: Callable[[Mapping[str, Any]], T],
        between: Callable[[], None] = at_once,
    ) -> Answer[Sequence[T]]:
        """Return all objects of a list, as old as its first page is.

        Raises as `reply` does, or what `between` raises.

        Args:
            name: what is listed, for the log.
            send: asks stripe-python for the page after an object's id, or for the first.
            read: takes from an object's fields what is wanted of it.
            between: is called before each page but the first, as in `find`.
        """
        reading = partial(whole_page, read=read)
        reply = first = self.reply(Request(Step.LOOK_UP, "GET", name, None, partial(send, None), reading))
        found = [*reply.value.objects]
        while reply.value.last is not None:
            between()
            reply = self.reply(Request(Step.LOOK_UP, "GET", name, None, partial(send, reply.value.last), reading))
            found += reply.value.objects
        return self._dated(tuple(found), first, {})

    def _dated(self, value: T, reply: Reply[Any], fields: Mapping[str, Any]) -> Answer[T]:
        """Return a value as an answer, with what the reply says about how fresh it is."""
        replayed = is_replayed(reply.headers)
        as_of = _instant(fields.get("created")) if replayed else _date(reply.headers.get("date"))
        return Answer(value, reply.request_id, replayed, as_of or datetime.fromtimestamp(self._clock(), UTC))

    def _logged(self, request: Request[T]) -> Reply[T] | Failure:
        started = self._clock()
        outcome = _attempt(request)
        facts = {
            "operation": request.operation,
            "status": outcome.status,
            "stripe_request_id": outcome.request_id,
            "milliseconds": round((self._clock() - started) * MILLISECONDS),
        }
        words = " ".join(f"{name}={'-' if fact is None else fact}" for name, fact in facts.items())
        logger.info("%s %s", request.name, words, extra={"call": request.name, **facts})
        return outcome


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: what was looked for, if it is on it, and the last id, if more pages follow."""

    found: T | None
    fields: Mapping[str, Any]
    last: str | None


@dataclass(frozen=True, slots=True)
class WholePage(Generic[T]):
    """All objects of one page of a list, and the last id, if more pages follow."""

    objects: Sequence[T]
    last: str | None


def page_of(fields: Mapping[str, Any], *, operation: str, read: Callable[[Mapping[str, Any]], T]) -> Page[T]:
    """Read one page of a list and look for the object that an operation made.

    Raises:
        ContractError: the fields are not those of a list, or of the object.
    """
    objects, last = _listed(fields)
    for each in objects:
        metadata = each.get("metadata")
        if isinstance(metadata, Mapping) and same_but_for_generation(operation, metadata.get(OPERATION_METADATA)):
            return Page(read(each), each, None)
    return Page(None, {}, last)


def whole_page(fields: Mapping[str, Any], *, read: Callable[[Mapping[str, Any]], T]) -> WholePage[T]:
    """Read all objects of one page of a list; raises as `page_of` does."""
    objects, last = _listed(fields)
    return WholePage([read(each) for each in objects], last)


def _listed(fields: Mapping[str, Any]) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    objects, more = fields.get("data"), fields.get("has_more")
    if not isinstance(objects, list) or not all(isinstance(each, Mapping) for each in objects):
        raise ContractError("Stripe's list has no list of objects in 'data'")
    if not isinstance(more, bool) or (more and not objects):
        raise ContractError("Stripe's list does not say whether more follows")
    return objects, object_id(objects[-1]) if more else None


def object_id(fields: Mapping[str, Any]) -> str:
    """Return an object's id.

    Raises:
        ContractError: it has none.
    """
    found = fields.get("id")
    if not isinstance(found, str) or not found:
        raise ContractError("Stripe's object has no id")
    return found


def _attempt(request: Request[T]) -> Reply[T] | Failure:
    try:
        with request.step:
            response = request.send().last_response
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(request.read(response.data), response.data, response.code, headers)
    except stripe.StripeError as error:
        return _declined(request, error) or failure_of(error, request.method)
    except ContractError as error:
        return Failure(
            request.method,
            answered=False,
            status=response.code,
            request_id=headers.get("request-id"),
            replayed=is_replayed(headers),
            cause=str(error),
        )


def _declined(request: Request[T], error: stripe.StripeError) -> Reply[T] | None:
    """Return what a declined card has left behind, where that is wanted and Stripe's error holds it."""
    if request.decline is None or error.http_status != HTTPStatus.PAYMENT_REQUIRED:
        return None
    body = error.json_body
    details = body.get("error") if isinstance(body, Mapping) else None
    left = details.get(request.decline) if isinstance(details, Mapping) else None
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    try:
        return Reply(request.read(left), left, HTTPStatus.PAYMENT_REQUIRED, headers) if left else None
    except ContractError:
        return None


def _date(text: str | None) -> datetime | None:
    """Read a `Date` header (RFC 9110, section 5.6.7), None if there is none that can be read."""
    try:
        return parsedate_to_datetime(text or "").astimezone(UTC)
    except ValueError:
        return None


def _instant(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None
    except (OverflowError, OSError, ValueError):
        return None
