from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stripe

from config.errors import (
    BreakerOpenError,
    FenceLostError,
    StripeDeclinedError,
    StripeError,
    StripeInvalidError,
    StripeOutcomeUnknownError,
    StripeUnavailableError,
)
from config.settings import StripeSettings
from tests.unit.workers.gateways.objects import NEW_YEAR, charge, error, listed, payment_intent, refund
from tests.unit.workers.gateways.scripted import Act, ScriptedServer, answer, closed_port, drop, scripted
from workers.gateways.payment_intent_params import Taking
from workers.gateways.stripe import API_VERSION, StripeGateway, stripe_breaker

ROOT = Path(__file__).parents[4]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)  # the `Date` of every scripted answer
FAILURES = 3
REF = "ref_1/create/1"
PAY, CST = "pay_1/create/1", "cst_1/create/1"
SYSTEM = "sys_1"
CUSTOMER = {"id": "cus_1", "object": "customer", "created": NEW_YEAR, "metadata": {"tollgate_operation": CST}}


def settings(base: str) -> StripeSettings:
    return StripeSettings("sk_test_1", base, 1.0, 1.0, FAILURES, 15.0)


@contextmanager
def gateway(base: str) -> Iterator[StripeGateway]:
    breaker = stripe_breaker(settings(base))
    made = StripeGateway(settings(base), breaker, system=SYSTEM, clock=lambda: 1_800_000_000.0)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def talking(*script: Act) -> Iterator[tuple[StripeGateway, ScriptedServer]]:
    with scripted(*script) as server, gateway(server.url) as made:
        yield made, server


def create_customer(made: StripeGateway) -> Any:
    return made.create_customer(name="Jane Doe", email="jane@example.com", operation=CST, idempotency_key="key/c")


def create(made: StripeGateway, **changes: Any) -> Any:
    asked = {"amount": 4900, "currency": "gbp", "customer_id": "cus_1", "description": "Course", "metadata": {"b": "7"}}
    return made.create_payment_intent(**{**asked, "operation": PAY, "idempotency_key": "key/p", **changes})


def find(made: StripeGateway) -> Any:
    return made.find_payment_intent(customer_id="cus_1", operation=PAY)


def retrieve(made: StripeGateway) -> Any:
    return made.retrieve_payment_intent("pi_1")


def find_customer(made: StripeGateway) -> Any:
    return made.find_customer(email="jane@example.com", operation=CST)


ALL: list[Callable[[StripeGateway], Any]] = [create_customer, find_customer, create, retrieve, find]


def test_a_customer_is_made_under_its_operation_and_key() -> None:
    with talking(answer(200, CUSTOMER)) as (made, server):
        made_customer = create_customer(made)
    assert (made_customer.value, made_customer.request_id, made_customer.as_of) == ("cus_1", "req_1", NOON)
    (heard,) = server.heard
    assert (heard.method, heard.path, heard.headers["idempotency-key"]) == ("POST", "/v1/customers", "key/c")
    assert heard.body == {
        "name": ["Jane Doe"],
        "email": ["jane@example.com"],
        "metadata[tollgate_operation]": [CST],
        "metadata[tollgate_system]": [SYSTEM],
    }


def test_a_payment_intent_is_made_under_its_operation_and_key() -> None:
    with talking(answer(200, payment_intent())) as (made, server):
        found = create(made, metadata={"b": "7", "tollgate_operation": "forged", "tollgate_system": "forged"})
    assert (found.value.id, found.replayed, found.as_of) == ("pi_1", False, NOON)
    (heard,) = server.heard
    assert (heard.method, heard.path, heard.headers["idempotency-key"]) == ("POST", "/v1/payment_intents", "key/p")
    assert heard.body == {
        "amount": ["4900"],
        "currency": ["gbp"],
        "customer": ["cus_1"],
        "description": ["Course"],
        "automatic_payment_methods[enabled]": ["true"],
        "metadata[b]": ["7"],
        "metadata[tollgate_operation]": [PAY],
        "metadata[tollgate_system]": [SYSTEM],
    }


AWAY = Taking(manual=True, saved_card="pm_1", receipt_email="jane@example.com")
DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}


def test_a_saved_card_is_charged_at_once_and_nobody_is_sent_to_another_page() -> None:
    with talking(answer(200, payment_intent(status="requires_capture"))) as (made, server):
        assert create(made, taking=AWAY).value.status == "requires_capture"
    wanted = {
        "payment_method": ["pm_1"],
        "confirm": ["true"],
        "off_session": ["true"],
        "capture_method": ["manual"],
        "receipt_email": ["jane@example.com"],
        "automatic_payment_methods[allow_redirects]": ["never"],
    }
    assert {name: server.heard[0].body.get(name) for name in wanted} == wanted
    assert "setup_future_usage" not in server.heard[0].body
    assert "jane@example.com" not in repr(AWAY)


def test_what_a_declined_saved_card_leaves_is_an_answer() -> None:
    left = payment_intent(last_payment_error=DECLINED)
    with talking(answer(402, error(**DECLINED, payment_intent=left))) as (made, _):
        found = create(made, taking=AWAY)
    assert (found.value.decline_code, found.request_id) == ("insufficient_funds", "req_1")


@pytest.mark.parametrize("left", [None, "pi_1", {"object": "charge"}, {}])
def test_a_decline_that_leaves_nothing_readable_is_an_error(left: Any) -> None:
    with talking(answer(402, error(**DECLINED, payment_intent=left))) as (made, _), pytest.raises(StripeDeclinedError):
        create(made, taking=AWAY)


def test_no_description_is_sent_where_there_is_none() -> None:
    with talking(answer(200, payment_intent())) as (made, server):
        create(made, description=None)
    assert "description" not in server.heard[0].body


def test_every_request_names_key_and_pinned_version_and_tells_nothing_of_this_machine() -> None:
    with talking(answer(200, payment_intent())) as (made, server):
        create(made)
        retrieve(made)
    for heard in server.heard:
        assert heard.headers["authorization"] == "Bearer sk_test_1"
        assert heard.headers["stripe-version"] == API_VERSION == stripe.api_version
        assert "x-stripe-client-telemetry" not in heard.headers
        assert "platform" not in heard.headers["x-stripe-client-user-agent"]
        assert "telemetry_id" not in heard.headers["x-stripe-client-user-agent"]


def test_a_payment_intent_is_fetched_with_its_charge() -> None:
    with talking(answer(200, payment_intent(latest_charge=charge(amount_refunded=5)))) as (made, server):
        assert retrieve(made).value.amount_refunded == 5
    assert (server.heard[0].method, server.heard[0].path) == ("GET", "/v1/payment_intents/pi_1")
    assert list(server.heard[0].query.values()) == [["latest_charge"]]


def test_a_replayed_answer_is_as_old_as_its_object() -> None:
    with talking(answer(200, payment_intent(), Idempotent_Replayed="true")) as (made, _):
        found = create(made)
    assert found.replayed
    assert found.as_of == found.value.created


def test_an_answer_without_a_date_is_dated_by_our_clock() -> None:
    with talking(answer(200, payment_intent(), Date="yesterday")) as (made, _):
        assert retrieve(made).as_of.timestamp() == 1_800_000_000.0


FOREIGN = {"metadata": {}}


def create_refund(made: StripeGateway, **changes: Any) -> Any:
    asked = {
        "payment_intent_id": "pi_1",
        "amount": 900,
        "reason": "duplicate",
        "metadata": {"tollgate_refund": "ref_1"},
    }
    return made.create_refund(**{**asked, "operation": REF, "idempotency_key": "key/r", **changes})


def test_a_refund_is_made_under_its_operation_and_key_and_comes_with_its_charge() -> None:
    with talking(answer(200, refund())) as (made, server):
        found = create_refund(made)
    assert (found.value.id, found.value.operation, found.value.charge.amount_refunded) == ("re_1", REF, 900)
    (heard,) = server.heard
    assert (heard.method, heard.path, heard.headers["idempotency-key"]) == ("POST", "/v1/refunds", "key/r")
    assert heard.body == {
        "payment_intent": ["pi_1"],
        "amount": ["900"],
        "reason": ["duplicate"],
        "metadata[tollgate_refund]": ["ref_1"],
        "metadata[tollgate_operation]": [REF],
        "metadata[tollgate_system]": [SYSTEM],
        "expand[0]": ["charge"],
    }


def test_no_reason_is_sent_where_there_is_none() -> None:
    with talking(answer(200, refund())) as (made, server):
        create_refund(made, reason=None)
    assert "reason" not in server.heard[0].body


def test_a_refund_is_found_among_those_of_its_payment_intent() -> None:
    script = [answer(200, listed(refund(id="re_2", **FOREIGN), more=True)), answer(200, listed(refund()))]
    with talking(*script) as (made, server):
        found = made.find_refund(payment_intent_id="pi_1", operation=REF)
    assert found is not None
    assert found.value.id == "re_1"
    assert [heard.query["payment_intent"] for heard in server.heard] == [["pi_1"]] * 2
    assert server.heard[1].query["starting_after"] == ["re_2"]


def test_a_refund_is_fetched_with_its_charge() -> None:
    with talking(answer(200, refund(status="failed", failure_reason="unknown"))) as (made, server):
        found = made.retrieve_refund("re_1").value
    assert (found.status, found.failure_reason) == ("failed", "unknown")
    assert server.heard[0].path == "/v1/refunds/re_1"


def test_all_refunds_of_a_payment_intent_are_listed_as_old_as_the_first_page() -> None:
    first = answer(200, listed(refund(id="re_3"), refund(id="re_2"), more=True))
    with talking(first, answer(200, listed(refund(charge="ch_1")))) as (made, server):
        pages: list[int] = []
        found = made.list_refunds("pi_1", lambda: pages.append(len(server.heard)))
    assert [each.id for each in found.value] == ["re_3", "re_2", "re_1"]
    assert pages == [1], "a lease is renewed before each page but the first"
    assert found.value[-1].charge is None
    assert (found.as_of, server.heard[1].query["starting_after"]) == (NOON, ["re_2"])


def test_a_look_up_goes_through_all_pages() -> None:
    script = [
        answer(200, listed(payment_intent(id="pi_9", **FOREIGN), payment_intent(id="pi_8", **FOREIGN), more=True)),
        answer(200, listed(payment_intent(id="pi_7", metadata={"tollgate_operation": "pay_1/capture/1"}), more=True)),
        answer(200, listed(payment_intent(latest_charge=charge())), Request_Id="req_3"),
    ]
    with talking(*script) as (made, server):
        found = find(made)
    assert (found.value.id, found.value.charge_id, found.request_id, found.as_of) == ("pi_1", "ch_1", "req_3", NOON)
    assert [heard.path for heard in server.heard] == ["/v1/payment_intents"] * 3
    assert [heard.query.get("starting_after") for heard in server.heard] == [None, ["pi_8"], ["pi_7"]]
    for heard in server.heard:
        assert (heard.query["customer"], heard.query["limit"]) == (["cus_1"], ["100"])
        assert ["data.latest_charge"] in heard.query.values()


def test_a_look_up_finds_what_was_made_under_another_generation_of_the_key() -> None:
    """A database that was restored may have forgotten the last generation that was asked for."""
    again = payment_intent(id="pi_2", metadata={"tollgate_operation": "pay_1/create/2"})
    with talking(answer(200, listed(again))) as (made, _):
        assert find(made).value.id == "pi_2"


def test_a_look_up_stops_at_the_page_that_has_it() -> None:
    with talking(answer(200, listed(payment_intent(), more=True))) as (made, server):
        assert find(made).value.id == "pi_1"
    assert len(server.heard) == 1


def test_a_look_up_finds_nothing_only_at_the_end_of_the_list() -> None:
    script = [answer(200, listed(payment_intent(**FOREIGN), more=True)), answer(200, listed())]
    with talking(*script) as (made, server):
        assert find(made) is None
    assert len(server.heard) == 2


def customer(**changes: Any) -> dict[str, Any]:
    return {"id": "cus_1", "object": "customer", "metadata": {"tollgate_operation": CST}, **changes}


@pytest.mark.parametrize(
    ("look", "thing"),
    [
        (lambda made, **how: made.find_payment_intent(customer_id="cus_1", operation=PAY, **how), payment_intent),
        (lambda made, **how: made.find_refund(payment_intent_id="pi_1", operation=REF, **how), refund),
        (lambda made, **how: made.find_customer(email="jane@example.com", operation=CST, **how), customer),
    ],
)
def test_whoever_looks_may_break_off_between_two_pages(look: Any, thing: Any) -> None:
    """Its lease may be another's by then."""

    def lost() -> None:
        raise FenceLostError("taken over")

    script = [answer(200, listed(thing(**FOREIGN), more=True)), answer(200, listed(thing()))]
    with talking(*script) as (made, server):
        with pytest.raises(FenceLostError):
            look(made, between=lost)
        assert len(server.heard) == 1
        assert look(made, between=lambda: None) is not None


def test_a_look_up_that_breaks_off_between_pages_does_not_read_as_nothing_found() -> None:
    script = [answer(200, listed(payment_intent(**FOREIGN), more=True)), answer(500, error(type="api_error"))]
    with talking(*script) as (made, _), pytest.raises(StripeUnavailableError):
        find(made)


def test_a_customer_is_found_by_address_and_operation() -> None:
    script = [answer(200, listed(CUSTOMER | {"id": "cus_2", "metadata": {}}, more=True)), answer(200, listed(CUSTOMER))]
    with talking(*script) as (made, server):
        assert find_customer(made) == "cus_1"
    assert [heard.query["email"] for heard in server.heard] == [["jane@example.com"]] * 2
    assert server.heard[1].query["starting_after"] == ["cus_2"]


def test_an_answer_that_is_no_such_object_may_have_had_its_effect() -> None:
    with talking(answer(200, CUSTOMER)) as (made, _):
        with pytest.raises(StripeOutcomeUnknownError, match="expected Stripe's payment_intent") as failure:
            create(made)
        assert failure.value.request_id == "req_1"
        with pytest.raises(StripeUnavailableError):
            retrieve(made)


@pytest.mark.parametrize(
    "page",
    [
        {"data": None, "has_more": False},
        {"data": [5], "has_more": False},
        {"data": []},
        {"data": [], "has_more": True},
        {"data": [{"id": None}], "has_more": True},
        {"data": [{"metadata": {"tollgate_operation": PAY}}], "has_more": False},
    ],
)
def test_a_list_that_cannot_be_read_does_not_read_as_nothing_found(page: dict[str, Any]) -> None:
    with talking(answer(200, page)) as (made, _), pytest.raises(StripeUnavailableError):
        find(made)


@pytest.mark.parametrize("ask", ALL)
def test_a_lost_answer_leaves_open_only_what_can_have_an_effect(ask: Callable[[StripeGateway], Any]) -> None:
    expected = StripeOutcomeUnknownError if ask in {create, create_customer} else StripeUnavailableError
    with talking(drop) as (made, server):
        with pytest.raises(StripeError) as failure:
            ask(made)
        assert len(server.heard) == 1, "a call is never repeated here"
    assert type(failure.value) is expected


@pytest.mark.parametrize("ask", ALL)
def test_an_address_that_nobody_listens_on_leaves_nothing_open(ask: Callable[[StripeGateway], Any]) -> None:
    with gateway(f"http://127.0.0.1:{closed_port()}") as made, pytest.raises(StripeUnavailableError) as failure:
        ask(made)
    assert "nothing was sent" in str(failure.value)


def test_failures_open_the_breaker_and_then_nothing_is_sent() -> None:
    with talking(answer(500, error(type="api_error"))) as (made, server):
        for _ in range(FAILURES):
            with pytest.raises(StripeOutcomeUnknownError):
                create(made)
        for ask in ALL:
            with pytest.raises(BreakerOpenError):
                ask(made)
        assert len(server.heard) == FAILURES


@pytest.mark.parametrize(
    "act",
    [
        answer(402, error(type="card_error", code="card_declined")),
        answer(400, error(type="invalid_request_error")),
        answer(401, error(type="invalid_request_error")),
        answer(429, error(type="invalid_request_error", code="rate_limit")),
        answer(409, error(type="idempotency_error", code="idempotency_key_in_use")),
        answer(409, error(type="invalid_request_error"), Stripe_Should_Retry="false"),
    ],
)
def test_no_answer_below_500_opens_the_breaker(act: Act) -> None:
    with talking(*[act] * 4 * FAILURES, answer(200, payment_intent())) as (made, _):
        for _ in range(4 * FAILURES):
            with pytest.raises(StripeError):
                create(made)
        assert create(made).value.id == "pi_1"


def test_each_call_is_logged_in_one_line_without_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = error(type="invalid_request_error", code="email_invalid", message="jane@example.com is no address")
    script = [answer(200, payment_intent()), answer(200, listed()), answer(400, words)]
    with talking(*script) as (made, _):
        create(made, description="for Jane Doe")
        find_customer(made)
        with pytest.raises(StripeInvalidError):
            create_customer(made)
    assert [record.getMessage() for record in caplog.records] == [
        f"payment_intents.create operation={PAY} status=200 stripe_request_id=req_1 milliseconds=0",
        f"customers.list operation={CST} status=200 stripe_request_id=req_1 milliseconds=0",
        f"customers.create operation={CST} status=400 stripe_request_id=req_1 milliseconds=0",
    ]
    assert {(record.name, record.levelname) for record in caplog.records} == {("tollgate.stripe", "INFO")}
    for record in caplog.records:
        assert "jane" not in str(vars(record)).lower()


def test_an_error_drags_no_words_of_stripes_along() -> None:
    words = error(type="card_error", code="card_declined", message="jane@example.com is out of money")
    with talking(answer(402, words)) as (made, _), pytest.raises(StripeDeclinedError) as failure:
        create(made)
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None
    assert "jane" not in "".join(traceback.format_exception(failure.value))


def test_the_library_prints_nothing_even_when_its_own_debugging_is_switched_on() -> None:
    with scripted(answer(200, listed())) as server:
        program = (
            "from config.settings import StripeSettings\n"
            "from workers.gateways.stripe import StripeGateway, stripe_breaker\n"
            f"settings = StripeSettings('sk_test_1', {server.url!r}, 1.0, 1.0, 3, 15.0)\n"
            "gateway = StripeGateway(settings, stripe_breaker(settings), system='sys_1')\n"
            "gateway.find_customer(email='jane@example.com', operation='cst_1/create/1')\n"
            "gateway.close()\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=ROOT,
            env={**os.environ, "STRIPE_LOG": "debug", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_longest_call_is_connecting_and_reading() -> None:
    with gateway("http://127.0.0.1:1") as made:
        assert made.longest_call() == 2.0
