"""Scenes of what is heard, fetched, looked up and told: events, fees, reconciliation, notifications."""

from __future__ import annotations

import datetime as dt
import json
import secrets

from config.schedules import HEAL, RECONCILIATION, Plan
from models.client import OWN_CLIENT
from models.encrypted import encrypt_bytes
from models.payment import Payment
from tasks.contracts.events import HealEvents
from tasks.contracts.job import Contract
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.steps import Step
from tests.builders.endpoints import add_endpoint, notification, notifications
from tests.chaos.case import Case, Scene, paid_at_stripe, worker_case
from tests.chaos.oracle import unsettled
from tests.chaos.stage import Posted, Stage
from workers.jobs.follow_up import enqueue
from workers.services.refreshes import ask_for_refresh

LONG_PAST = 200  # seconds after which a webhook that has not come is lost
# Whoever mends a row waits until nobody holds it.
MEND = "UPDATE jobs SET payload = :sealed WHERE id IN (SELECT id FROM jobs WHERE id = :id FOR UPDATE SKIP LOCKED)"


def hearing(stage: Stage) -> Case:
    """The shopper has paid, and Stripe tells so in several events: one batch."""
    posted, events = paid_at_stripe(stage)
    stage.hear(events)
    return worker_case(stage, posted, "webhooks", status="paid")


def hearing_a_bad_one(stage: Stage) -> Case:
    """One job of the batch can't be read in the database: it is put aside, and mended by a person."""
    posted, events = paid_at_stripe(stage)
    stage.hear(events)
    bad = stage.house.jobs("stripe.event")[-1]["id"]
    ring, payload = stage.house.runtime.settings.encryption_keys, stage.house.payload(bad)
    stage.house.sql("UPDATE jobs SET payload = 'broken' WHERE id = :id", id=bad)

    def mend() -> None:
        sealed = encrypt_bytes(ring, "jobs", "payload", bad, payload)
        stage.house.sql(MEND, id=bad, sealed=sealed)

    return worker_case(stage, posted, "webhooks", status="paid", help=mend)


def _alone_in_its_time(stage: Stage) -> tuple[Posted, list[bytes], str]:
    """Return what `paid_at_stripe` does, and a moment after all that other cases did and before all of this."""
    later = {"advance_seconds": LONG_PAST}
    stage.stripe.control("POST", "clock", later)
    posted, events = paid_at_stripe(stage)
    began = min(json.loads(event)["created"] for event in events)
    stage.stripe.control("POST", "clock", later)
    return posted, events, dt.datetime.fromtimestamp(began, dt.UTC).isoformat()


def _scheduled(stage: Stage, contract: Contract, plan: Plan) -> None:
    """Let the schedule have left a job."""
    names = {"client_id": OWN_CLIENT, "subject_id": plan.name, "slot": secrets.token_hex(4), "request_id": ""}
    with stage.house.runtime.transaction(Step.GIVE_OUT) as session:
        enqueue(session, stage.house.runtime.settings, contract, **names)
    stage.take_in("publish")


def healing(stage: Stage) -> Case:
    """The shopper has paid, and every webhook that tells so is lost: Stripe's own list of events still has them."""
    posted, _, began = _alone_in_its_time(stage)
    _scheduled(stage, HealEvents(since=began), HEAL)
    return worker_case(stage, posted, "maintenance", status="paid")


def reconciling(stage: Stage) -> Case:
    """A payment's money came and is booked: Stripe is to be asked whether it says the same."""
    posted, events, began = _alone_in_its_time(stage)
    stage.learn(events)
    stage.come_again()
    stage.work("maintenance")
    until = dt.datetime.fromisoformat(began) + dt.timedelta(seconds=LONG_PAST)
    _scheduled(stage, Reconcile(f"rec_{secrets.token_hex(4)}", began, until.isoformat()), RECONCILIATION)
    case = worker_case(stage, posted, "maintenance", status="paid")
    payment = case.wrong

    def wrong() -> list[str]:
        rows = stage.house.sql(
            "SELECT movements, breaks, remainder, finished_at IS NOT NULL AS over FROM reconciliations"
        )
        told = [(row["movements"], row["breaks"], row["remainder"], row["over"]) for row in rows]
        return [*payment(), *([] if told == [(1, 0, {}, True)] else [f"reconciled were {told}"])]

    case.wrong = wrong
    return case


def refreshing(stage: Stage) -> Case:
    """The shopper has paid, and something ambiguous was heard of it: the payment is fetched."""
    posted, _ = paid_at_stripe(stage)
    with stage.house.runtime.transaction(Step.BATCH) as session:
        payment = session.get_one(Payment, posted.payment_id)
        payment.dirty = True
        payment.version += 1
        ask_for_refresh(session, stage.house.runtime, payment, slot=secrets.token_hex(4), request_id="")
    stage.come_again()
    return worker_case(stage, posted, "maintenance", status="paid")


def collecting(stage: Stage) -> Case:
    """The capture is posted; what Stripe keeps of it is to be looked up and posted."""
    posted, events = paid_at_stripe(stage)
    stage.learn(events)
    stage.come_again()
    case = worker_case(stage, posted, "maintenance")
    case.wrong = lambda: unsettled(stage, posted, "paid", with_fee=True)
    return case


def notifying(stage: Stage) -> Case:
    """The shopper has paid, and the website is to hear of it."""
    posted, events = paid_at_stripe(stage)
    add_endpoint(stage.house, stage.website.url)
    stage.learn(events)
    stage.take_in("publish")
    [job] = notifications(stage.house)
    case = worker_case(stage, posted, "notifications", status="paid")
    payment = case.wrong

    def wrong() -> list[str]:
        heard = {(each.headers["webhook-id"], each.raw) for each in stage.website.heard}
        told = {(job["id"], notification(stage.house, job)[0].body.encode())}
        return [*payment(), *([] if heard == told else [f"the website heard {heard}"])]

    case.wrong = wrong
    return case


SCENES = (
    Scene("hearing", (Step.CLAIM, Step.BATCH, Step.VIEWS, Step.NOTE), hearing),
    Scene("hearing a bad one", (Step.PUT_ASIDE,), hearing_a_bad_one),
    Scene("notifying", (Step.SEND_NOTIFICATION, Step.OUTCOME), notifying),
    Scene("collecting", (Step.CLAIM, Step.LOOK_UP, Step.OUTCOME), collecting),
    Scene("healing", (Step.CLAIM, Step.LOOK_UP, Step.OUTCOME), healing),
    Scene("reconciling", (Step.CLAIM, Step.LOOK_UP, Step.OUTCOME), reconciling),
    Scene("refreshing", (Step.CLAIM, Step.HOLD, Step.LOOK_UP, Step.OUTCOME), refreshing),
)
