"""Every object that the simulator returns, held against the types of the stripe-python that Tollgate uses."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe import ErrorObject, ListObject

from sandbox import shopper
from sandbox.simulator.account import API_VERSION, PUBLISHABLE_KEY
from tests.builders.simulator import Simulator, running
from tests.contract.stripe_types import RESOURCES, Comparison, annotations_of

FEWEST_FIELDS = 90_000  # some 109,000 are compared; far fewer would mean that the walk skipped something

INTENT: dict[str, Any] = {
    "amount": 1500,
    "currency": "gbp",
    "automatic_payment_methods[enabled]": "true",
    "metadata[tollgate_operation]": "op",
    "description": "First aid at work",
    "receipt_email": "ada@example.com",
}


class Recorder:
    """Asks the simulator over plain HTTP and keeps every answer, as raw JSON."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def ask(self, method: str, path: str, /, key: str = "sk_test_x", **params: Any) -> Any:
        form = urllib.parse.urlencode(params).encode()
        query = f"?{form.decode()}" if method == "GET" and form else ""
        request = urllib.request.Request(  # noqa: S310  # the scheme is ours
            f"{self.simulator.url}/v1/{path}{query}",
            method=method,
            data=form if method == "POST" else None,
            headers={"Authorization": f"Bearer {key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # the scheme is ours
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                answer = json.load(error)
        self.answers.append((f"{method} {path}", answer))
        return answer

    def intent(self, card: str | None = None, **params: Any) -> Any:
        intent = self.ask("POST", "payment_intents", **(INTENT | params))
        if card is None:
            return intent
        self.ask("POST", f"payment_intents/{intent['id']}/confirm", payment_method=card)
        return self.ask("GET", f"payment_intents/{intent['id']}")


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with running() as simulator:
        recorder = Recorder(simulator)
        play(recorder)
        yield recorder


def play(recorder: Recorder) -> None:
    """Bring the account into every state that the simulator knows, and look at everything in it."""
    ask = recorder.ask
    ask("POST", "webhook_endpoints", **{"url": "http://127.0.0.1:9/hook", "enabled_events[]": "*"})
    address = {"shipping[name]": "Ada", "shipping[address][line1]": "1 High Street"}
    customer = ask("POST", "customers", email="ada@example.com", name="Ada", **{"address[city]": "Leeds"} | address)
    ask("POST", f"customers/{customer['id']}", phone="0113")
    recorder.intent(customer=customer["id"])
    succeeded = recorder.intent("pm_card_visa", customer=customer["id"], **address)
    recorder.intent("pm_card_mastercard", capture_method="automatic")
    for card in ("pm_card_chargeDeclined", "pm_card_chargeDeclinedExpiredCard", "pm_card_radarBlock"):
        recorder.intent(card)
    play_saved_cards(recorder, customer["id"])
    play_held_payments(recorder)
    play_three_d_secure(recorder)
    recorder.intent(payment_method="pm_card_in", confirm="true", off_session="true")
    recorder.intent(payment_method="pm_card_visa")
    play_refunds(recorder, succeeded)
    play_disputes(recorder)
    play_payouts(recorder)
    play_invoices(recorder, customer["id"])
    play_errors(recorder, succeeded)
    charge = succeeded["latest_charge"]
    ask("GET", f"charges/{charge}", **{"expand[]": "balance_transaction"})
    ask("GET", f"charges/{charge}", **{"expand[]": "refunds"})
    path = f"payment_intents/{succeeded['id']}"
    ask("GET", path, **{"expand[0]": "latest_charge.balance_transaction", "expand[1]": "customer"})
    ask("GET", path, **{"expand[0]": "payment_method"})
    recorder.simulator.control("POST", "clock", {"advance_seconds": 27 * 3600})
    for noun in (
        "customers",
        "payment_intents",
        "charges",
        "refunds",
        "disputes",
        "payouts",
        "radar/early_fraud_warnings",
        "invoices",
        "invoice_payments",
        "invoiceitems",
        "tax_rates",
        "events",
        "webhook_endpoints",
    ):
        ask("GET", f"{noun}/{ask('GET', noun, limit=100)['data'][0]['id']}")
    listed = ask("GET", "events", limit=100)
    while listed["has_more"]:  # the events are more than a page
        listed = ask("GET", "events", limit=100, starting_after=listed["data"][-1]["id"])
    ask("DELETE", f"webhook_endpoints/{ask('GET', 'webhook_endpoints')['data'][0]['id']}")


def play_saved_cards(recorder: Recorder, customer: str) -> None:
    recorder.intent("pm_card_visa", customer=customer, setup_future_usage="off_session")
    for card in ("pm_card_authenticationRequiredSetupForOffSession", "pm_card_authenticationRequired"):
        method = recorder.ask("POST", f"payment_methods/{card}/attach", customer=customer)
        recorder.intent(customer=customer, payment_method=method["id"], confirm="true", off_session="true")
    recorder.ask("GET", f"customers/{customer}/payment_methods", type="card")
    recorder.ask("GET", "payment_methods", customer=customer)
    recorder.ask("POST", f"payment_methods/{method['id']}/detach")


def play_held_payments(recorder: Recorder) -> None:
    held = recorder.intent("pm_card_visa", capture_method="manual")
    recorder.ask("POST", f"payment_intents/{held['id']}/capture", amount_to_capture=1000)
    recorder.ask("GET", "charges", payment_intent=held["id"])
    released = recorder.intent("pm_card_visa", capture_method="manual")
    recorder.ask("POST", f"payment_intents/{released['id']}/cancel", cancellation_reason="abandoned")


def play_three_d_secure(recorder: Recorder) -> None:
    url = recorder.simulator.url
    outcomes: tuple[shopper.Outcome, ...] = ("complete", "fail")
    for outcome in outcomes:
        intent = recorder.intent("pm_card_authenticationRequired")
        page = intent["next_action"]["use_stripe_sdk"]["stripe_js"]
        shopper.complete_three_d_secure(url, PUBLISHABLE_KEY, intent["client_secret"], page, outcome=outcome)
        recorder.ask("GET", f"payment_intents/{intent['id']}")
    away = recorder.intent()
    path = f"payment_intents/{away['id']}/confirm"
    recorder.ask("POST", path, payment_method="pm_card_authenticationRequired", return_url="http://127.0.0.1/back")


def play_refunds(recorder: Recorder, intent: Any) -> None:
    for reason in ("requested_by_customer", "duplicate"):
        refund = recorder.ask("POST", "refunds", payment_intent=intent["id"], amount=500, reason=reason)
    recorder.ask("GET", f"balance_transactions/{refund['balance_transaction']}")
    later = [
        recorder.intent(payment_method=card, confirm="true") for card in ("pm_card_pendingRefund", "pm_card_refundFail")
    ]
    made = [recorder.ask("POST", "refunds", payment_intent=each["id"]) for each in later]
    assert recorder.simulator.control("POST", "refunds/finish") == {"finished": len(made)}
    ended = [recorder.ask("GET", f"refunds/{each['id']}") for each in made]
    assert [each["status"] for each in ended] == ["succeeded", "failed"]
    recorder.ask("GET", f"balance_transactions/{ended[1]['failure_balance_transaction']}")
    method = recorder.ask("GET", f"payment_intents/{intent['id']}")["payment_method"]
    recorder.ask("GET", f"payment_methods/{method}")


def play_disputes(recorder: Recorder) -> None:
    control = recorder.simulator.control
    for outcome in ("won", "lost"):
        dispute = play_dispute(recorder, "pm_card_createDispute", "She came.")
        assert control("POST", "disputes/close", {"dispute": dispute, "outcome": outcome})["status"] == outcome
        for balance in recorder.ask("GET", f"disputes/{dispute}")["balance_transactions"]:
            recorder.ask("GET", f"balance_transactions/{balance['id']}")
    recorder.ask("POST", f"disputes/{play_dispute(recorder, 'pm_card_createDisputeProductNotReceived')}/close")
    play_dispute(recorder, "pm_card_createDisputeInquiry", "escalate_inquiry_evidence")
    play_dispute(recorder, "pm_card_createDisputeInquiry", "losing_evidence")
    prevented = play_dispute(recorder, "pm_card_createDisputeInquiry", "She came.")
    control("POST", "disputes/close", {"dispute": prevented, "outcome": "prevented"})
    warned = recorder.intent("pm_card_createIssuerFraudRecord")
    recorder.ask("GET", "radar/early_fraud_warnings", payment_intent=warned["id"])
    recorder.ask("POST", "refunds", payment_intent=warned["id"], reason="fraudulent")


def play_dispute(recorder: Recorder, card: str, evidence: str | None = None) -> str:
    """Let a card's bank dispute a payment, perhaps send evidence, and return the dispute's id."""
    recorder.intent(card)
    found: str = recorder.ask("GET", "disputes", limit=1)["data"][0]["id"]
    if evidence is not None:
        recorder.ask("POST", f"disputes/{found}", submit="false", **{"evidence[customer_name]": "Ada"})
        recorder.ask("POST", f"disputes/{found}", **{"evidence[uncategorized_text]": evidence})
        recorder.ask("GET", f"disputes/{found}")
    return found


def play_payouts(recorder: Recorder) -> None:
    control = recorder.simulator.control
    paid = control("POST", "payouts", {"currency": "gbp"})
    failed = control("POST", "payouts/fail", {"payout": paid["id"]})
    for name in ("balance_transaction", "failure_balance_transaction"):
        recorder.ask("GET", f"balance_transactions/{failed[name]}")
    later = control("POST", "payouts", {"currency": "gbp"})
    ask = recorder.ask
    ask("GET", "balance_transactions", limit="100", **{"expand[]": "data.source"})
    assert len(ask("GET", "balance_transactions", payout=paid["id"], type="payout")["data"]) == 1
    assert ask("GET", "balance_transactions", source=later["id"], currency="gbp")["data"][0]["net"] == -later["amount"]
    ask("GET", f"balance_transactions/{paid['balance_transaction']}", **{"expand[]": "source"})


def play_invoices(recorder: Recorder, customer: str) -> None:
    ask, control = recorder.ask, recorder.simulator.control
    rate = ask("POST", "tax_rates", display_name="VAT", percentage="20", inclusive="true", country="GB", tax_type="vat")
    ask("POST", f"tax_rates/{rate['id']}", active="false")
    ask("POST", "invoiceitems", customer=customer, amount=700, currency="gbp", description="Lunch")
    paid = draft(recorder, customer, pending_invoice_items_behavior="include")
    rates = {"tax_rates[]": rate["id"]}
    ask("POST", "invoiceitems", customer=customer, invoice=paid["id"], amount=5, **rates)
    ask("POST", f"invoices/{paid['id']}", **{"custom_fields[0][name]": "PO", "custom_fields[0][value]": "77"})
    path = f"invoices/{paid['id']}"
    ask("POST", f"{path}/finalize", auto_advance="false")
    ask("POST", f"{path}/send")
    assert control("POST", "invoices/pay", {"invoice": paid["id"], "number": "4000000000000002"})["code"]
    assert control("POST", "invoices/pay", {"invoice": paid["id"], "number": "4242424242424242"})["status"] == "paid"
    ask("GET", path, **{"expand[0]": "payments.data.payment.payment_intent", "expand[1]": "customer"})
    for end in ("void", "mark_uncollectible"):
        given_up = draft(recorder, customer)
        ask("POST", f"invoices/{given_up['id']}/finalize")
        ask("POST", f"invoices/{given_up['id']}/{end}")
    ask("POST", f"invoices/{given_up['id']}/pay", paid_out_of_band="true")
    ask("DELETE", f"invoices/{draft(recorder, customer)['id']}")
    for amount in (12_000, 20_000):
        other = draft(recorder, customer)
        ask("POST", f"invoices/{other['id']}/finalize")
        intent = recorder.intent("pm_card_visa", amount=amount, customer=customer)
        ask("POST", f"invoices/{other['id']}/attach_payment", payment_intent=intent["id"])
    late = draft(recorder, customer, days_until_due=0)
    ask("POST", f"invoices/{late['id']}/finalize")
    ask("GET", f"invoices/{late['id']}/lines")
    listed = ask("GET", "invoice_payments", invoice=paid["id"])
    ask("GET", f"invoice_payments/{listed['data'][0]['id']}", **{"expand[]": "invoice"})
    empty = ask("POST", "invoices", customer=customer)
    ask("POST", f"invoices/{empty['id']}/finalize")
    ask("POST", f"invoices/{paid['id']}/add_lines", **{"lines[0][description]": "No price"})
    for path in (f"{paid['id']}/void", "in_none/pay"):
        ask("POST", f"invoices/{path}")


def draft(recorder: Recorder, customer: str, **params: Any) -> Any:
    asked: dict[str, Any] = {
        "customer": customer,
        "collection_method": "send_invoice",
        "currency": "gbp",
        "days_until_due": 30,
    }
    invoice = recorder.ask("POST", "invoices", **(asked | {"metadata[tollgate_operation]": "op"} | params))
    line: dict[str, Any] = {"[price_data][currency]": "gbp", "[price_data][unit_amount]": 5000, "[quantity]": 3}
    line |= {"[price_data][product_data][name]": "First aid at work", "[metadata][course]": "first-aid"}
    tax: dict[str, Any] = {"[amount]": 3000, "[taxable_amount]": 15_000, "[taxability_reason]": "standard_rated"}
    tax |= {"[tax_rate_data][display_name]": "VAT", "[tax_rate_data][percentage]": 20}
    tax |= {"[tax_rate_data][inclusive]": "false", "[tax_rate_data][country]": "GB"}
    lines: dict[str, Any] = {f"lines[0]{name}": value for name, value in line.items()}
    lines |= {f"lines[0][tax_amounts][0]{name}": value for name, value in tax.items()}
    return recorder.ask("POST", f"invoices/{invoice['id']}/add_lines", **lines)


def play_errors(recorder: Recorder, intent: Any) -> None:
    ask = recorder.ask
    ask("GET", "payment_intents/pi_none")
    ask("GET", "customers", key="sk_live_x")
    ask("POST", "payment_intents", amount=1, currency="gbp")
    ask("POST", "payment_intents", amount=100, currency="gbp", colour="red")
    ask("POST", f"payment_intents/{intent['id']}/confirm", payment_method="pm_card_visa")
    ask("POST", f"payment_intents/{intent['id']}/cancel")
    recorder.simulator.faults({"do": "status"}, {"do": "rate_limit"}, {"do": "lock_timeout"})
    for _ in range(3):
        ask("POST", "customers")


def compare(recorder: Recorder) -> Comparison:
    comparison = Comparison()
    for request, answer in recorder.answers:
        if "error" in answer:
            comparison.fields(answer["error"], ErrorObject, f"{request}: error")
        elif answer["object"] == "list":
            comparison.hold(answer, ListObject[RESOURCES[answer["data"][0]["object"]]], f"{request}: list")  # type: ignore[misc]  # a type chosen at run time
        else:
            comparison.resource(answer, f"{request}: {answer['object']}")
        compare_previous_attributes(comparison, answer)
    return comparison


def compare_previous_attributes(comparison: Comparison, answer: dict[str, Any]) -> None:
    for event in answer["data"] if answer.get("object") == "list" else [answer]:
        if event.get("object") == "event" and "previous_attributes" in event["data"]:
            known = annotations_of(RESOURCES[event["data"]["object"]["object"]])  # type: ignore[arg-type]  # classes are hashable, their instances are not
            unknown = event["data"]["previous_attributes"].keys() - known.keys()
            comparison.problems += [f"{event['type']}: previous attribute {name} is unknown" for name in unknown]


def test_every_field_of_every_object_fits_stripes_own_types(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = compare(recorder)
    with capsys.disabled():
        print(f"\ncompared {comparison.total} fields of {len(recorder.answers)} answers with stripe-python's types")
    assert not comparison.problems, "\n".join(sorted(set(comparison.problems)))
    assert comparison.total >= FEWEST_FIELDS


def test_every_kind_of_object_and_status_was_compared(recorder: Recorder) -> None:
    seen: set[str] = set()
    for _, answer in recorder.answers:
        for each in answer["data"] if answer.get("object") == "list" else [answer]:
            seen |= {"error"} if "error" in each else {each["object"], f"{each['object']}/{each.get('status')}"}
    assert seen >= RESOURCES.keys() | {"error"}
    statuses = "canceled processing requires_action requires_capture requires_confirmation requires_payment_method"
    assert seen >= {f"payment_intent/{each}" for each in (*statuses.split(), "succeeded")}
    assert seen >= {"charge/failed", "charge/succeeded"}
    inquiries = "warning_needs_response warning_under_review warning_closed prevented"
    chargebacks = "needs_response under_review won lost"
    assert seen >= {f"dispute/{each}" for each in f"{inquiries} {chargebacks}".split()}
    assert seen >= {f"invoice/{each}" for each in ("draft", "open", "paid", "uncollectible", "void")}
    assert seen >= {f"invoice_payment/{each}" for each in ("canceled", "open", "paid")}


def test_every_type_of_event_that_tollgate_listens_to_was_compared(recorder: Recorder) -> None:
    pages = [answer["data"] for request, answer in recorder.answers if request == "GET events"]
    assert {event["type"] for page in pages for event in page} >= {
        "charge.captured",
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.failed",
        "charge.refunded",
        "charge.succeeded",
        "charge.updated",
        "customer.created",
        "invoice.created",
        "invoice.deleted",
        "invoice.finalized",
        "invoice.marked_uncollectible",
        "invoice.overdue",
        "invoice.overpaid",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.payment_succeeded",
        "invoice.sent",
        "invoice.updated",
        "invoice.voided",
        "invoice_payment.paid",
        "invoiceitem.created",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "payout.failed",
        "payout.paid",
        "radar.early_fraud_warning.created",
        "radar.early_fraud_warning.updated",
        "refund.created",
    }


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        ({"colour": "red"}, "unknown"),
        ({"amount": "1500"}, "is not <class 'int'>"),
        ({"amount": None}, "is not <class 'int'>"),
        ({"status": "paid"}, "literals"),
        ({"metadata": {"a": 1}}, "is not <class 'str'>"),
        ({"next_action": {"type": "x", "redirect_to_url": {"uri": "x"}}}, "redirect_to_url"),
    ],
)
def test_the_comparison_finds_what_does_not_fit(recorder: Recorder, spoil: Any, complaint: str) -> None:
    intent = next(answer for request, answer in recorder.answers if request == "POST payment_intents")
    comparison = Comparison()
    comparison.resource(intent | spoil)
    assert any(complaint in problem for problem in comparison.problems), comparison.problems


def test_the_comparison_misses_a_required_field(recorder: Recorder) -> None:
    intent = next(answer for request, answer in recorder.answers if request == "POST payment_intents")
    comparison = Comparison()
    comparison.resource({name: value for name, value in intent.items() if name != "currency"})
    assert comparison.problems == ["payment_intent.currency: required by PaymentIntent but missing"]


def test_the_simulator_speaks_the_version_that_stripe_python_pins() -> None:
    assert stripe.api_version == API_VERSION
