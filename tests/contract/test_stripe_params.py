"""Every parameter that Tollgate sends to Stripe, held against stripe-python's parameter types."""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from stripe import RequestOptions
from stripe.params import PaymentIntentCaptureParams, PaymentIntentCreateParams

import config.evidence
from config.errors import StripeError
from config.vat import TAXES
from tests.builders.entries import invoice_request
from tests.builders.worker import worker_settings
from tests.contract.stripe_params import params_of, problems_of
from workers.gateways.payment_intent_params import Taking
from workers.gateways.stripe import StripeGateway, stripe_breaker
from workers.gateways.stripe_disputes import StripeDisputes
from workers.gateways.stripe_invoices import Draft, StripeInvoices

WHEN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
KEY = {"operation": "job_1/do/1", "idempotency_key": "key"}
NEW: dict[str, Any] = {
    "amount": 4950,
    "currency": "gbp",
    "customer_id": "cus_1",
    "description": "First aid at work",
    "metadata": {"course": "first-aid"},
    **KEY,
}
CHANGE = {"amount": 1200, "description": "Two places", "metadata": {"seats": "2"}, **KEY}
# Each call of the gateway, with all that it can be asked for.
CALLS: dict[str, list[Callable[[StripeGateway], Any]]] = {
    "create_customer": [lambda g: g.create_customer(name="Ada", email="ada@example.org", **KEY)],
    "find_customer": [lambda g: g.find_customer(email="ada@example.org", operation="cst_1/create/1")],
    "create_payment_intent": [
        lambda g: g.create_payment_intent(**NEW),
        lambda g: g.create_payment_intent(**NEW | {"description": None}),
        lambda g: g.create_payment_intent(**NEW, taking=Taking(True, True, None, "ada@example.org")),
        lambda g: g.create_payment_intent(**NEW, taking=Taking(True, False, "pm_1", "ada@example.org")),
    ],
    "retrieve_payment_intent": [lambda g: g.retrieve_payment_intent("pi_1")],
    "find_payment_intent": [lambda g: g.find_payment_intent(customer_id="cus_1", operation="pay_1/create/1")],
    "capture_payment_intent": [
        lambda g: g.capture_payment_intent("pi_1", amount=1200, **KEY),
        lambda g: g.capture_payment_intent("pi_1", amount=None, **KEY),
    ],
    "cancel_payment_intent": [
        lambda g: g.cancel_payment_intent("pi_1", reason="abandoned", **KEY),
        lambda g: g.cancel_payment_intent("pi_1", reason=None, **KEY),
    ],
    "update_payment_intent": [
        lambda g: g.update_payment_intent("pi_1", **CHANGE),
        lambda g: g.update_payment_intent("pi_1", **CHANGE | {"amount": None, "description": None, "metadata": {}}),
    ],
    "create_refund": [
        lambda g: g.create_refund(payment_intent_id="pi_1", amount=5, reason="duplicate", metadata={"a": "b"}, **KEY),
        lambda g: g.create_refund(payment_intent_id="pi_1", amount=5, reason=None, metadata={}, **KEY),
    ],
    "retrieve_refund": [lambda g: g.retrieve_refund("re_1")],
    "find_refund": [lambda g: g.find_refund(payment_intent_id="pi_1", operation="ref_1/create/1")],
    "list_refunds": [lambda g: g.list_refunds("pi_1")],
    "list_saved_cards": [lambda g: g.list_saved_cards("cus_1")],
    "list_events": [
        lambda g: g.list_events(since=WHEN, until=None, after=None),
        lambda g: g.list_events(since=WHEN, until=WHEN, after="evt_1"),
    ],
    "list_movements": [
        lambda g: g.list_movements(since=WHEN, until=WHEN, after=None),
        lambda g: g.list_movements(since=WHEN, until=WHEN, after="txn_1"),
    ],
    "list_movements_of": [
        lambda g: g.list_movements_of(payout="po_1", after="txn_1"),
        lambda g: g.list_movements_of(source="ch_1"),
    ],
    "retrieve_movement": [lambda g: g.retrieve_movement("txn_1")],
    "list_payouts": [lambda g: g.list_payouts(since=WHEN, until=WHEN, after="po_1")],
    "list_payment_intents": [lambda g: g.list_payment_intents(since=WHEN, until=WHEN, after="pi_1")],
    "retrieve_charge_booking": [lambda g: g.retrieve_charge_booking("ch_1")],
    "retrieve_refund_booking": [lambda g: g.retrieve_refund_booking("re_1")],
}
DRAFT = Draft("cus_1", "gbp", None, 30, "PO-4711", "memo", "footer", {"course": "first-aid"})
DUE = dt.datetime(2026, 4, 30, 12, tzinfo=dt.UTC)
OPERATION = "inv_1/do/1"
ALL_TAXES = [{"description": tax, "quantity": 2, "unit_amount": 4950, "tax": tax} for tax in TAXES]
LINES = invoice_request("key", lines=ALL_TAXES).priced
# Likewise of the part of it for invoices.
CALLS_OF_INVOICES: dict[str, list[Callable[[StripeGateway], Any]]] = {
    "create": [
        lambda g: g.invoices.create(DRAFT, OPERATION),
        lambda g: g.invoices.create(Draft("cus_1", "gbp", DUE, None, None, None, None, {}), OPERATION),
    ],
    "add_lines": [
        lambda g: g.invoices.add_lines("in_1", LINES, currency="gbp", inclusive=False, operation=OPERATION),
        lambda g: g.invoices.add_lines("in_1", LINES, currency="gbp", inclusive=True, operation=OPERATION),
    ],
    "finalize": [lambda g: g.invoices.finalize("in_1", OPERATION)],
    "send": [lambda g: g.invoices.send("in_1", OPERATION)],
    "attach_payment": [lambda g: g.invoices.attach_payment("in_1", "pi_1", OPERATION)],
    "pay_out_of_band": [lambda g: g.invoices.pay_out_of_band("in_1", OPERATION)],
    "void": [lambda g: g.invoices.void("in_1", OPERATION)],
    "mark_uncollectible": [lambda g: g.invoices.mark_uncollectible("in_1", OPERATION)],
    "retrieve": [lambda g: g.invoices.retrieve("in_1")],
    "list_made": [
        lambda g: g.invoices.list_made(since=WHEN, until=WHEN, after=None),
        lambda g: g.invoices.list_made(since=WHEN, until=WHEN, after="in_1"),
    ],
    "find": [lambda g: g.invoices.find(customer_id="cus_1", operation="inv_1/create/1")],
}
# And of the part for disputes.
TEXTS = dict.fromkeys(config.evidence.TEXTS, "a text")
CALLS_OF_DISPUTES: dict[str, list[Callable[[StripeGateway], Any]]] = {
    "retrieve": [lambda g: g.disputes.retrieve("du_1")],
    "of_intent": [lambda g: g.disputes.of_intent("pi_1")],
    "submit": [lambda g: g.disputes.submit("du_1", TEXTS, "job_1/submit/1")],
    "accept": [lambda g: g.disputes.accept("du_1", "job_1/accept/1")],
}
EVERY = [
    (f"{part}{name}", call)
    for part, calls in (("", CALLS), ("invoices.", CALLS_OF_INVOICES), ("disputes.", CALLS_OF_DISPUTES))
    for name, variants in calls.items()
    for call in variants
]
NOT_CALLS = {"longest_call", "close"}
PAGE = {"object": "list", "has_more": True, "data": [{"id": "x_1", "metadata": {}}]}


class Heard(Exception):  # noqa: N818 - no error: it ends a call that has been heard
    """The request was noted, and is not sent."""


class Ear:
    """Stands in for a service of stripe-python's and notes what its methods are given."""

    def __init__(self, service: Any, heard: list[tuple[Any, Any, Any]]) -> None:
        self._service, self._heard = service, heard

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._service, name)
        return self._listening(name, real) if inspect.ismethod(real) else Ear(real, self._heard)

    def _listening(self, name: str, real: Any) -> Callable[..., Any]:
        def listen(*arguments: Any, **keywords: Any) -> Any:
            bound = inspect.signature(real).bind(*arguments, **keywords).arguments
            self._heard.append((real, bound.get("params"), bound.get("options")))
            if name == "list" and "starting_after" not in (bound.get("params") or {}):
                return SimpleNamespace(last_response=SimpleNamespace(data=PAGE, headers={}, code=200))
            raise Heard

        return listen


def heard_of(call: Callable[[StripeGateway], Any]) -> list[tuple[Any, Any, Any]]:
    """Return what stripe-python is given by one call of the gateway: method, parameters and options."""
    settings = worker_settings().stripe
    gateway, heard = StripeGateway(settings, stripe_breaker(settings), system="sys_1"), []
    gateway._stripe = Ear(gateway._stripe, heard)  # type: ignore[assignment]
    gateway.invoices = StripeInvoices(gateway._caller, gateway._stripe, "sys_1")
    gateway.disputes = StripeDisputes(gateway._caller, gateway._stripe)
    with contextlib.suppress(Heard, StripeError):
        call(gateway)
    gateway.close()
    return heard


def all_problems(call: Callable[[StripeGateway], Any]) -> list[str]:
    wrong = []
    for method, params, options in heard_of(call):
        name = method.__qualname__
        wrong += problems_of(params or {}, params_of(method), name)
        wrong += problems_of(options or {}, RequestOptions, f"{name} options")
    return wrong


@pytest.mark.parametrize("call", [call for _, call in EVERY], ids=[name for name, _ in EVERY])
def test_every_parameter_fits_stripe_pythons_types(call: Callable[[StripeGateway], Any]) -> None:
    assert heard_of(call) != []
    assert all_problems(call) == []


def test_every_call_of_the_gateway_is_listened_to() -> None:
    public = {name for part in StripeGateway.__mro__[:-1] for name in vars(part) if not name.startswith("_")}
    assert public - NOT_CALLS == set(CALLS)
    assert {name for name in vars(StripeInvoices) if not name.startswith("_")} == set(CALLS_OF_INVOICES)
    assert {name for name in vars(StripeDisputes) if not name.startswith("_")} == set(CALLS_OF_DISPUTES)


def test_a_look_up_is_listened_to_beyond_its_first_page() -> None:
    first, second = heard_of(CALLS["find_payment_intent"][0])
    assert "starting_after" not in first[1]
    assert second[1]["starting_after"] == "x_1"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"ammount": 1}, ".ammount: unknown"),
        ({"amount": "4950"}, ".amount: '4950'"),
        ({"amount": True}, ".amount: True"),
        ({"capture_method": "later"}, ".capture_method: 'later'"),
        ({"automatic_payment_methods": {"enabled": "yes"}}, ".automatic_payment_methods.enabled: 'yes'"),
        ({"automatic_payment_methods": {"on": True}}, ".automatic_payment_methods.on: unknown"),
        ({"automatic_payment_methods": {}}, ".automatic_payment_methods.enabled: missing"),
        ({"metadata": {"a": 1}}, ".metadata"),
        ({"expand": "latest_charge"}, ".expand: 'latest_charge'"),
        ({"idempotency_key": "key"}, ".idempotency_key: unknown"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], place: str) -> None:
    good = {"amount": 4950, "currency": "gbp", "metadata": {"a": "b"}, "automatic_payment_methods": {"enabled": True}}
    assert problems_of(good, PaymentIntentCreateParams, "it") == []
    assert any(f"it{place}" in found for found in problems_of(good | change, PaymentIntentCreateParams, "it"))


def test_what_is_required_is_missed() -> None:
    assert problems_of({"amount": 4950}, PaymentIntentCreateParams, "it") == [
        "it.currency: missing, required by PaymentIntentCreateParams"
    ]
    assert problems_of({}, PaymentIntentCaptureParams, "it") == []
