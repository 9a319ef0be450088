"""Scenes of payments and refunds: made, charged, captured, given back."""

from __future__ import annotations

import dataclasses
from typing import Any

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.steps import Step
from tests.chaos.case import GOOD_CARD, Case, Scene, paid_at_stripe, worker_case
from tests.chaos.oracle import unsettled
from tests.chaos.stage import Posted, Stage

SHORT_LEASE = 2.0  # seconds, less than one call may take: it is renewed before each


def making(stage: Stage, **plan: Any) -> Case:
    """A payment's first attempt, for a new customer."""
    posted = stage.post()
    stage.take_in()
    return worker_case(stage, posted, "payments", plan=plan)


def renewing(stage: Stage) -> Case:
    """The lease is shorter than a call."""
    return making(stage, jobs={"lease": SHORT_LEASE})


def looking_up(stage: Stage) -> Case:
    """The answer to the first attempt was lost: the next one looks before it asks."""
    posted = stage.post()
    stage.take_in()
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    stage.work()
    stage.come_again()
    return worker_case(stage, posted, "payments")


def next_generation(stage: Stage) -> Case:
    """Stripe repeats a failure that it keeps under the key, and minutes later its lists still show nothing."""
    posted = stage.post()
    stage.take_in()
    stage.stripe.faults({"do": "status", "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    stage.work()
    stage.come_again()
    stage.work()
    stage.time.advance(stage.house.runtime.settings.jobs.generation_wait)
    stage.take_in("publish")
    return worker_case(stage, posted, "payments")


def charging(stage: Stage) -> Case:
    """A customer has a saved card, and is charged while they are away."""
    first = stage.posted_and_done()
    [customer] = stage.house.sql("SELECT stripe_id FROM customers")
    stage.stripe.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer["stripe_id"]})
    posted = stage.post(off_session=True, customer=first.document["customer"])
    stage.take_in()
    return worker_case(stage, posted, "payments", status="paid")


def _asked_to_refund(stage: Stage) -> Posted:
    """Return a payment that was paid, and all of which the website has asked to give back."""
    posted, events = paid_at_stripe(stage)
    stage.learn(events)
    assert stage.site.refund(posted.payment_id, key=f"refund of {posted.key}").status_code == 202
    stage.take_in()
    return posted


def refunding(stage: Stage) -> Case:
    """A refund's first attempt."""
    return worker_case(stage, _asked_to_refund(stage), "refunds", status="refunded")


def looking_for_a_refund(stage: Stage) -> Case:
    """The answer to a refund's first attempt was lost: the next one looks before it asks."""
    posted = _asked_to_refund(stage)
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/refunds$"}})
    stage.work("refunds")
    stage.come_again()
    return worker_case(stage, posted, "refunds", status="refunded")


def _operated(stage: Stage, posted: Posted, verb: str, document: dict[str, Any]) -> Posted:
    """Have the website ask for an operation on a payment; return the payment with the operation's job."""
    answer = stage.site.operate(posted.payment_id, verb, document, key=f"{verb} of {posted.key}")
    assert answer.status_code == 202, answer.json
    assert answer.json is not None
    stage.take_in()
    return dataclasses.replace(posted, job_id=answer.json["job"]["id"])


def capturing(stage: Stage) -> Case:
    """The shopper's bank holds the amount, and the website takes a part of it."""
    posted = stage.posted_and_done(capture="manual")
    secret = stage.house.payment_view(posted.payment_id).client_secret
    assert secret is not None
    assert shopper.pay(stage.stripe.url, PUBLISHABLE_KEY, secret, GOOD_CARD).status == "requires_capture"
    return worker_case(stage, _operated(stage, posted, "capture", {"amount": 1200}), "payments", status="paid")


def looking_for_a_capture(stage: Stage) -> Case:
    """The answer to a capture's first attempt was lost: the next one looks before it asks."""
    case = capturing(stage)
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "/capture$"}})
    stage.work()
    stage.come_again()
    return case


def cancelling(stage: Stage) -> Case:
    """The website gives up a payment that nobody has confirmed."""
    posted = _operated(stage, stage.posted_and_done(), "cancel", {})
    return worker_case(stage, posted, "payments", status="canceled")


def updating(stage: Stage) -> Case:
    """The website changes the amount before the shopper confirms it."""
    posted = _operated(stage, stage.posted_and_done(), "update", {"amount": 3000})
    case = worker_case(stage, posted, "payments")

    def wrong() -> list[str]:
        shown = stage.house.payment_view(posted.payment_id).amount
        return [*unsettled(stage, posted), *([f"the amount is shown as {shown}"] if shown != 3000 else [])]

    case.wrong = wrong
    return case


def keeping_evidence(stage: Stage) -> Case:
    """The website has posted what shows that a payment was rightful."""
    texts = {"service_date": "2026-03-12", "access_activity_log": "signed in\nsigned out"}
    posted = _operated(stage, stage.posted_and_done(), "evidence", texts)
    case = worker_case(stage, posted, "maintenance")

    def wrong() -> list[str]:
        rows = stage.house.sql("SELECT field FROM payment_evidence WHERE payment_id = :id", id=posted.payment_id)
        kept = sorted(row["field"] for row in rows)
        return [*unsettled(stage, posted), *([f"of the evidence {kept} is kept"] if kept != sorted(texts) else [])]

    case.wrong = wrong
    return case


SCENES = (
    Scene(
        "making",
        (
            Step.CLAIM,
            Step.INTENT,
            Step.MAKE_CUSTOMER,
            Step.KEEP_CUSTOMER,
            Step.MAKE_PAYMENT_INTENT,
            Step.OUTCOME,
            Step.VIEWS,
            Step.NOTE,
        ),
        making,
    ),
    Scene("renewing", (Step.RENEW,), renewing),
    Scene("looking up", (Step.CLAIM, Step.INTENT, Step.LOOK_UP, Step.OUTCOME), looking_up),
    Scene("next generation", (Step.NEXT_GENERATION, Step.MAKE_PAYMENT_INTENT), next_generation),
    Scene("capturing", (Step.CLAIM, Step.INTENT, Step.CAPTURE, Step.OUTCOME), capturing),
    Scene("looking for a capture", (Step.LOOK_UP, Step.OUTCOME), looking_for_a_capture),
    Scene("cancelling", (Step.CANCEL, Step.OUTCOME), cancelling),
    Scene("updating", (Step.UPDATE, Step.OUTCOME), updating),
    Scene("keeping evidence", (Step.CLAIM, Step.HOLD, Step.OUTCOME, Step.VIEWS), keeping_evidence),
    Scene("charging", (Step.CHOOSE_CARD, Step.MAKE_PAYMENT_INTENT), charging),
    Scene("refunding", (Step.INTENT, Step.MAKE_REFUND, Step.OUTCOME), refunding),
    Scene("looking for a refund", (Step.HOLD, Step.LOOK_UP), looking_for_a_refund),
)
