"""The control API under /_simulator/, for whoever runs the simulator. Bodies and answers are JSON.

========================  ==================================================================================
GET health                what there is, where, and the simulated time
GET ledger                every money fact: customers, PaymentIntents, charges, refunds, totals per currency
GET, POST, DELETE faults  the fault script, with how often each rule matched and fired; a rule or a list of
                          ``{"do": "drop", "match": {"method": "POST", "path": "regex", "body": "regex", "nth": 2}}``
GET, POST clock           ``{"advance_seconds": 90000}``
GET, POST webhooks        ``{"duplicates": 1, "shuffle": 7, "delay_ms": 50, "pause": false, "retry_scale": 0.1}``;
                          what is left out goes back to its default
POST refunds/finish       brings every refund to its end that is pending, or that fails later
POST disputes             ``{"charge": "ch_…", "amount": 500, "reason": "duplicate", "inquiry": false}``: the
                          bank disputes a charge, as fraud of all of it unless it says otherwise
POST disputes/escalate    ``{"dispute": "du_…"}``: the bank makes a chargeback of an inquiry
POST disputes/close       ``{"dispute": "du_…", "outcome": "won"}``, or "lost"; of an inquiry
                          "warning_closed" or "prevented": the bank decides
POST early_fraud_warnings ``{"charge": "ch_…", "fraud_type": "misc"}``: the bank warns of a charge
POST invoices/pay         ``{"invoice": "in_…", "number": "4242424242424242"}``: its customer pays on the hosted page
POST payouts              ``{"currency": "gbp"}`` pays the balance out to the bank
POST payouts/fail         ``{"payout": "po_…"}``: the bank sends it back
POST plant/charge         ``{"amount": 4200, "currency": "gbp", "metadata": {}}``: a charge that no event tells of
POST plant/fee            ``{"charge": "ch_…", "fee": 321}``: what Stripe keeps of a charge is another amount
POST webhooks/resend      ``{"event": "evt_…"}`` sends an event again
POST webhook_endpoints    ``{"url": "http://…", "secrets": ["whsec_…"], "enabled_events": ["*"]}`` adds an
                          endpoint, or changes the one of that URL
POST webhook_endpoints/switch ``{"on": false}``: what happens from now on is delivered to nobody, ever
========================  ==================================================================================

The kinds of fault and their fields are described at ``faults.Rule``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sandbox.simulator import (
    charges,
    disputes,
    early_fraud_warnings,
    faults,
    hosted_invoices,
    invoices,
    payouts,
    planting,
    webhook_endpoints,
)
from sandbox.simulator.account import API_VERSION, JsonObject
from sandbox.simulator.books import money_facts
from sandbox.simulator.deliveries import MILLISECONDS, Deliveries, Settings
from sandbox.simulator.engine import Engine, dumps
from sandbox.simulator.errors import ApiError
from sandbox.simulator.state import Change
from sandbox.simulator.wire import Request, Response

PREFIX: Final = "/_simulator/"
SHOWN: Final = (
    "customers",
    "payment_intents",
    "charges",
    "refunds",
    "disputes",
    "early_fraud_warnings",
    "payouts",
    "invoices",
    "invoice_payments",
    "events",
    "deliveries",
    "webhook_endpoints",
)


@dataclass(frozen=True)
class Control:
    """What the control API works on."""

    engine: Engine
    deliveries: Deliveries


Action = Callable[[Control, Any], JsonObject]


def answer(control: Control, request: Request) -> Response:
    """Answer one control request: 200 with JSON, 400 with what was wrong, 404 for an unknown one."""
    action = ACTIONS.get((request.method, request.path.removeprefix(PREFIX)))
    if action is None:
        known = ", ".join(f"{method} {PREFIX}{path}" for method, path in ACTIONS)
        return _response(404, {"error": f"there is no {request.method} {request.path}; there are: {known}"})
    try:
        given = json.loads(request.body) if request.body else {}
        return _response(200, action(control, given))
    except ApiError as error:
        return _response(400, {"error": error.message})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return _response(400, {"error": f"that request makes no sense: {type(error).__name__}: {error}"})


def _response(status: int, body: JsonObject) -> Response:
    return Response(status, dumps(body).encode() + b"\n")


def _health(control: Control, _given: Any) -> JsonObject:
    engine = control.engine
    with engine.lock:
        counts = {name: engine.state.count(name) for name in SHOWN}
    return {"status": "ok", "api_version": API_VERSION, "url": engine.base_url, "now": engine.clock.now(), **counts}


def _ledger(control: Control, _given: Any) -> JsonObject:
    with control.engine.lock:
        facts = money_facts(control.engine.state)
        position = control.engine.ledger.promised()
    control.engine.ledger.wait(position)
    return facts


def _add_faults(control: Control, given: Any) -> JsonObject:
    control.engine.faults.add(faults.parse(given))
    return _faults(control, given)


def _faults(control: Control, _given: Any) -> JsonObject:
    return {"faults": control.engine.faults.report()}


def _clear_faults(control: Control, given: Any) -> JsonObject:
    control.engine.faults.clear()
    return _faults(control, given)


def _clock(control: Control, given: Any) -> JsonObject:
    seconds = int(given["advance_seconds"])
    control.deliveries.add(control.engine.advance_clock(seconds))
    control.deliveries.hurry(seconds)
    return {"now": control.engine.clock.now(), "offset_seconds": control.engine.clock.offset_seconds}


def _read_clock(control: Control, _given: Any) -> JsonObject:
    return {"now": control.engine.clock.now(), "offset_seconds": control.engine.clock.offset_seconds}


def _finish_refunds(control: Control, _given: Any) -> JsonObject:
    change, count = control.engine.finish_refunds()
    control.deliveries.add(change)
    return {"finished": count}


def _begin_dispute(control: Control, given: Any) -> JsonObject:
    def begin(change: Change) -> JsonObject:
        charge = charges.find(change, given["charge"], param="charge")
        return disputes.begin(
            change,
            charge,
            amount=given.get("amount"),
            reason=given.get("reason", "fraudulent"),
            inquiry=bool(given.get("inquiry")),
        )

    return _changed(control, begin)


def _escalate_dispute(control: Control, given: Any) -> JsonObject:
    return _changed(control, lambda change: disputes.escalate(change, given["dispute"]))


def _warn(control: Control, given: Any) -> JsonObject:
    def warn(change: Change) -> JsonObject:
        charge = charges.find(change, given["charge"], param="charge")
        return early_fraud_warnings.warn(change, charge, given.get("fraud_type", "misc"))

    return _changed(control, warn)


def _close_dispute(control: Control, given: Any) -> JsonObject:
    return _changed(control, lambda change: disputes.close(change, given["dispute"], given["outcome"]))


def _pay_invoice(control: Control, given: Any) -> JsonObject:
    def work(change: Change) -> JsonObject:
        invoice = invoices.retrieve(change, given["invoice"])
        return hosted_invoices.pay(change, invoice, given["number"])

    return _changed(control, work)


def _pay_out(control: Control, given: Any) -> JsonObject:
    return _changed(control, lambda change: payouts.pay_out(change, given["currency"]))


def _fail_payout(control: Control, given: Any) -> JsonObject:
    return _changed(control, lambda change: payouts.fail(change, given["payout"]))


def _plant_charge(control: Control, given: Any) -> JsonObject:
    metadata = {str(name): str(value) for name, value in given.get("metadata", {}).items()}
    return _changed(
        control, lambda change: planting.charge(change, int(given["amount"]), str(given["currency"]), metadata)
    )


def _plant_fee(control: Control, given: Any) -> JsonObject:
    return _changed(control, lambda change: planting.fee(change, given["charge"], int(given["fee"])))


def _changed(control: Control, work: Callable[[Change], JsonObject]) -> JsonObject:
    """Do what the outside world does to the account, and tell the webhook endpoints."""
    engine = control.engine
    with engine.lock:
        change = engine.change()
        done = work(change)
        position = engine.commit(change)
    engine.ledger.wait(position)
    control.deliveries.add(change)
    return done


def _webhooks(control: Control, given: Any) -> JsonObject:
    unknown = given.keys() - {"duplicates", "shuffle", "delay_ms", "pause", "retry_scale"}
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    control.deliveries.configure(
        Settings(
            duplicates=int(given.get("duplicates", 0)),
            delay_seconds=given.get("delay_ms", 0) / MILLISECONDS,
            shuffle=given.get("shuffle"),
            retry_scale=float(given.get("retry_scale", 1.0)),
            pause=bool(given.get("pause", False)),
        )
    )
    return control.deliveries.report()


def _read_webhooks(control: Control, _given: Any) -> JsonObject:
    return control.deliveries.report()


def _resend(control: Control, given: Any) -> JsonObject:
    return {"queued": control.deliveries.resend(given["event"])}


def _register(control: Control, given: Any) -> JsonObject:
    secrets = given.get("secrets", [given["secret"]] if "secret" in given else [])
    engine = control.engine
    with engine.lock:
        change = engine.change()
        endpoint = webhook_endpoints.register(change, given["url"], secrets, given.get("enabled_events", ["*"]))
        position = engine.commit(change)
    engine.ledger.wait(position)
    return endpoint


def _switch(control: Control, given: Any) -> JsonObject:
    off = not bool(given["on"])

    def switch(change: Change) -> JsonObject:
        known = change.state.all("webhook_endpoints")
        for each in known:
            webhook_endpoints.update(change, each["id"], {"disabled": off})
        return {"endpoints": len(known), "on": not off}

    return _changed(control, switch)


ACTIONS: Final[dict[tuple[str, str], Action]] = {
    ("GET", "health"): _health,
    ("GET", "ledger"): _ledger,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "clock"): _read_clock,
    ("POST", "clock"): _clock,
    ("POST", "refunds/finish"): _finish_refunds,
    ("POST", "disputes"): _begin_dispute,
    ("POST", "disputes/escalate"): _escalate_dispute,
    ("POST", "disputes/close"): _close_dispute,
    ("POST", "early_fraud_warnings"): _warn,
    ("POST", "invoices/pay"): _pay_invoice,
    ("POST", "payouts"): _pay_out,
    ("POST", "payouts/fail"): _fail_payout,
    ("POST", "plant/charge"): _plant_charge,
    ("POST", "plant/fee"): _plant_fee,
    ("GET", "webhooks"): _read_webhooks,
    ("POST", "webhooks"): _webhooks,
    ("POST", "webhooks/resend"): _resend,
    ("POST", "webhook_endpoints"): _register,
    ("POST", "webhook_endpoints/switch"): _switch,
}
