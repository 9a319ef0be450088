"""One API request from its key to its answer, in Stripe's order of checks."""

import time
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from sandbox.simulator import keys, shopper_access
from sandbox.simulator.account import API_VERSION, JsonObject
from sandbox.simulator.engine import Engine, dumps
from sandbox.simulator.errors import (
    BAD_REQUEST,
    SERVER_ERROR,
    ApiError,
    invalid,
    lock_timeout,
    rate_limited,
    server_error,
)
from sandbox.simulator.expansion import expanded
from sandbox.simulator.faults import Fired, Rule
from sandbox.simulator.idempotency import fingerprint, stored_result
from sandbox.simulator.keys import Caller
from sandbox.simulator.params import Raw, decode, read
from sandbox.simulator.routes import Route, match
from sandbox.simulator.state import Change
from sandbox.simulator.wire import Request, Response

OK = 200


class Ending(Enum):
    """How a connection goes on after a request."""

    ANSWER = auto()
    CLOSE = auto()
    RESET = auto()


@dataclass(frozen=True)
class Reply:
    """What the client gets: a response, or a connection that ends after some silence."""

    response: Response | None = None
    ending: Ending = Ending.ANSWER
    silence_seconds: float = 0.0
    request_id: str = ""
    change: Change | None = None


@dataclass
class Call:
    """A request on its way through."""

    engine: Engine
    request: Request
    fired: Fired
    request_id: str
    key: str | None
    headers: dict[str, str] = field(default_factory=dict)
    change: Change | None = None


def answer(engine: Engine, request: Request) -> Reply:
    """Answer one request, spoilt by whatever fault befalls it.

    Raises:
        LedgerError: the disk refuses, so nothing may be answered any more.
        OSError: the same, before anything changed.
    """
    fired = engine.faults.fire(request)
    rule = fired.rule
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    call = Call(engine, request, fired, engine.identifiers.request(), key or None)
    if rule is not None and (rule.kind == "refuse" or (fired.kind_is("reset", "hang", "drop") and not rule.effect)):
        return _cut(call, rule)
    try:
        response = _respond(call)
    except ApiError as error:
        response = _refusal(call, error)
    if rule is not None and fired.kind_is("drop", "reset", "hang"):
        return _cut(call, rule)
    return Reply(response, request_id=call.request_id, change=call.change)


def _cut(call: Call, rule: Rule) -> Reply:
    ending = Ending.RESET if rule.kind == "reset" else Ending.CLOSE
    silence = rule.seconds if rule.kind == "hang" else 0.0
    return Reply(None, ending, silence, call.request_id, call.change)


def _respond(call: Call) -> Response:
    request = call.request
    caller = keys.authenticate(request.headers.get("authorization"))
    _check_version(request.headers.get("stripe-version"))
    route, name = match(request.method, request.path)
    if not route.for_shoppers:
        keys.require_merchant(caller)
    _raise_unstored_fault(call)
    params = decode(request.encoded_params)
    if call.key is None:
        return _execute(call, route, name, caller, params)
    engine = call.engine
    digest = fingerprint(params)
    with engine.lock:
        stored = engine.keys_in_use.take(engine.change(), call.key, request.path, digest)
    if stored is not None:
        return _replay(call, stored)
    try:
        return _execute(call, route, name, caller, params, digest)
    finally:
        with engine.lock:
            engine.keys_in_use.give_back(call.key)


def _check_version(asked: str | None) -> None:
    if asked is not None and asked != API_VERSION:
        raise invalid(
            f"Invalid Stripe API version: {asked[:60]}. This simulator speaks {API_VERSION} and no other version."
        )


def _raise_unstored_fault(call: Call) -> None:
    rule = call.fired.rule
    if rule is None:
        return
    error: ApiError | None = None
    if rule.kind == "rate_limit":
        error = rate_limited()
    elif rule.kind == "lock_timeout":
        error = lock_timeout(rule.status)
    elif rule.kind == "invalid":
        error = invalid("Invalid request, as the fault script asks.", code="parameter_invalid_string_blank")
    elif rule.kind == "status" and not rule.effect and not rule.stored:
        error = server_error(rule.status, should_retry=True)
    if error is None:
        return
    if rule.retry_after is not None:
        error.headers["Retry-After"] = rule.retry_after
    _wait(call.fired.latency_seconds)
    raise error


def _execute(call: Call, route: Route, name: str, caller: Caller, params: dict[str, Raw], digest: str = "") -> Response:
    _wait(call.fired.latency_seconds)
    values = read(route.spec, _accepted(route, caller, params))
    if route.check is not None:
        route.check(values)
    engine = call.engine
    with engine.lock:
        change = engine.change(call.request_id, call.key)
        change, status, body, should_retry = _run(call, change, route, name, caller, values)
        text = dumps(body)
        if call.key is not None:
            stored = stored_result(
                change, call.key, call.request.path, digest, status=status, body=text, should_retry=should_retry
            )
            change.put("idempotency", stored)
        position = engine.commit(change)
    call.change = change
    engine.ledger.wait(position)
    return _response(call, status, text, should_retry)


def _wait(seconds: float) -> None:
    if seconds:
        time.sleep(seconds)


def _accepted(route: Route, caller: Caller, params: dict[str, Raw]) -> dict[str, Raw]:
    # Stripe's browser library sends the publishable key as a parameter too.
    if caller is Caller.SHOPPER and route.for_shoppers:
        return {name: value for name, value in params.items() if name != "key"}
    return params


def _run(
    call: Call, change: Change, route: Route, name: str, caller: Caller, values: dict[str, Any]
) -> tuple[Change, int, JsonObject, bool | None]:
    rule = call.fired.rule
    broken = server_error(rule.status, should_retry=False) if rule is not None and rule.kind == "status" else None
    try:
        if broken is not None and rule is not None and not rule.effect:
            raise broken
        if caller is Caller.SHOPPER:
            confirms = call.request.path.endswith("/confirm")
            body = shopper_access.run(change, name, values, confirms=confirms)
        else:
            body = expanded(change, route.run(change, name, values), values.get("expand", []))
        if broken is not None:
            broken.keeps_effects = True
            raise broken
    except ApiError as error:
        kept = change if error.keeps_effects else call.engine.change(call.request_id, call.key)
        if broken is not None:
            error = broken  # the request took effect, and only its answer is spoilt
        return kept, error.status, error.body(call.request_id), error.should_retry
    return change, OK, body, None


def _replay(call: Call, stored: JsonObject) -> Response:
    call.engine.ledger.wait(call.engine.ledger.promised())
    call.headers |= {"Idempotent-Replayed": "true", "Original-Request": stored["request"]}
    return _response(call, stored["status"], stored["body"], stored["should_retry"])


def _refusal(call: Call, error: ApiError) -> Response:
    status = error.status if error.status >= BAD_REQUEST else SERVER_ERROR
    call.headers |= error.headers
    return _response(call, status, dumps(error.body(call.request_id)), error.should_retry)


def _response(call: Call, status: int, text: str, should_retry: bool | None) -> Response:  # noqa: FBT001  # three-valued
    headers = {"Request-Id": call.request_id, "Stripe-Version": API_VERSION, **call.headers}
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
        headers.setdefault("Original-Request", call.request_id)
    if should_retry is not None:
        headers["Stripe-Should-Retry"] = "true" if should_retry else "false"
    return Response(status, text.encode(), headers)
