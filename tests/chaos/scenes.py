"""Scenes: what must have happened for an actor to come to a step, who the actor is, and how it must end.

A step has a scene for each way there is to it. What a scene arranges goes through the shipped code and real servers.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from config.errors import SettingsError
from config.schedules import HEAL, RECONCILIATION, Plan
from models.client import OWN_CLIENT
from models.encrypted import encrypt_bytes
from models.payment import Payment
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks import upkeep
from tasks.contracts.disputes import AcceptDispute, DisputeOperation, SubmitDispute
from tasks.contracts.events import HealEvents
from tasks.contracts.job import Contract
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tasks.intake import GROUP
from tests.builders.endpoints import add_endpoint, notification, notifications
from tests.builders.entries import LETTERS, entry_of, new_key
from tests.builders.ingress import body
from tests.chaos import roles
from tests.chaos.oracle import unsettled, unsettled_dispute, unsettled_invoice
from tests.chaos.stage import JOURNAL, Posted, Stage
from workers.jobs.follow_up import enqueue
from workers.jobs.forget import KEPT_SECONDS
from workers.redis_safety import check_redis
from workers.services.refreshes import ask_for_refresh

NOBODY = "redis://127.0.0.1:1/0"  # port 1 answers nobody
GOOD_CARD = "4242424242424242"
RECONCILED = """
INSERT INTO reconciliations (id, started_by, since, until, movements, breaks, remainder, report, finished_at)
VALUES ('rec_1', 'schedule', '2026-01-01', clock_timestamp() + interval '1 day', 0, 0, '{}', '{}', clock_timestamp())
"""
LONG_PAST = 200  # seconds after which a webhook that has not come is lost
SHORT_LEASE = 2.0  # seconds, less than one call may take: it is renewed before each
SOON = 5.0  # seconds, by when a doubt of a few seconds' age is looked at again
STRANGER = "stranger"
# Whoever mends a row waits until nobody holds it.
MEND = "UPDATE jobs SET payload = :sealed WHERE id IN (SELECT id FROM jobs WHERE id = :id FOR UPDATE SKIP LOCKED)"


def _nothing() -> None:
    """Leave things as they are."""


@dataclass
class Case:
    """One payment on its way to a step.

    Args:
        posted: the payment.
        role: who comes to the step, of `tests.chaos.roles`.
        arguments: what that actor is told to do.
        plan: settings of the actor's that differ.
        help: what a person does after the death, where nobody else can; done again, it does no harm.
        wrong: what is not yet as it must be in the end.
    """

    posted: Posted
    role: str
    arguments: dict[str, Any]
    wrong: Callable[[], list[str]]
    plan: dict[str, Any] = field(default_factory=dict)
    help: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Scene:
    """A way to some steps."""

    name: str
    steps: tuple[Step, ...]
    arrange: Callable[[Stage], Case]


def _dispatcher(
    stage: Stage, posted: Posted, do: list[str], status: str = "requires_confirmation", **more: Any
) -> Case:
    return Case(posted, "dispatcher", {"do": do}, lambda: unsettled(stage, posted, status), **more)


def _worker(stage: Stage, posted: Posted, queue: str, status: str = "requires_confirmation", **more: Any) -> Case:
    return Case(posted, "worker", {"queue": queue}, lambda: unsettled(stage, posted, status), **more)


def accepting(stage: Stage) -> Case:
    """The client posts; what it is answered is lost, so it repeats its key and must get the same job."""
    key = new_key()
    document = body(customer={"name": "Ada Lovelace", "email": f"ada.{key}@example.org"})
    posted = Posted(key, document, "", "")
    case = Case(posted, "ingress", {"token": stage.site.token.text, "key": key, "document": document}, list)

    def repeat() -> None:
        first, second = stage.site.post(document, key).json, stage.site.post(document, key).json
        assert first is not None
        assert second is not None
        assert first["job"]["id"] == second["job"]["id"]
        case.posted = Posted(key, document, first["job"]["id"], first["payment"]["id"])

    case.help = repeat
    case.wrong = lambda: unsettled(stage, case.posted)
    return case


def taking_in(stage: Stage) -> Case:
    """An entry stands in the journal."""
    return _dispatcher(stage, stage.post(), JOURNAL)


def taking_over(stage: Stage) -> Case:
    """Another dispatcher has read the entry and died."""
    posted = stage.post()
    reader = stage.house.reader("gone")
    stage.house.blocking.xreadgroup("dispatchers", reader.runtime.name, {stage.house.keyspace.journal: ">"})
    stage.time.advance(stage.house.runtime.settings.jobs.claim_idle)
    return _dispatcher(stage, posted, ["left"])


def without_broker(stage: Stage) -> Case:
    """The broker is away when the first hints are sent."""
    return _dispatcher(stage, stage.post(), JOURNAL, plan={"broker_url": NOBODY})


def reusing_a_key(stage: Stage) -> Case:
    """Redis has forgotten a key, and it is used again with another body: PostgreSQL refuses."""
    posted = stage.posted_and_done()
    stage.house.runtime.redis.delete(*stage.house.runtime.redis.keys(stage.house.keyspace.idempotency("*")))
    again = stage.post(posted.key, amount=9900)
    assert again.job_id != posted.job_id
    case = _dispatcher(stage, posted, ["new"])

    def wrong() -> list[str]:
        shown = stage.house.job_view(again.job_id).state
        kept = stage.house.runtime.redis.keys(stage.house.keyspace.idempotency("*"))
        return [
            *unsettled(stage, posted),
            *([f"the second body is shown as {shown}"] if shown != "refused" else []),
            *(["its idempotency record is kept"] if kept else []),
        ]

    case.wrong = wrong
    return case


def _strange(stage: Stage) -> tuple[Posted, Callable[[], None]]:
    """Post as a client that PostgreSQL does not know until the returned function is called."""
    client = f"{STRANGER}-{secrets.token_hex(4)}"
    known, stage.site.token = stage.site.token, stage.site.new_key(client)
    try:
        posted = stage.post()
    finally:
        stage.site.token = known
    return posted, lambda: stage.house.add_client(client)


def setting_aside(stage: Stage) -> Case:
    """The entry is of a client that PostgreSQL does not know yet."""
    posted, introduce = _strange(stage)
    return _dispatcher(stage, posted, JOURNAL, help=introduce)


def bringing_back(stage: Stage) -> Case:
    """An entry has waited for its client, who is known now."""
    posted, introduce = _strange(stage)
    stage.take_in()
    introduce()
    return _dispatcher(stage, posted, ["waiting entries"])


def rejecting(stage: Stage) -> Case:
    """Beside a good entry stands one that was tampered with."""
    posted = stage.post()
    redis, keyspace = stage.house.runtime.redis, stage.house.keyspace
    entries: Any = redis.xrange(keyspace.journal)
    redis.xadd(keyspace.journal, {**entries[0][1], b"subject_id": b"pay_another"})
    case = _dispatcher(stage, posted, JOURNAL)
    case.wrong = lambda: [
        *unsettled(stage, posted),
        *([] if redis.xlen(keyspace.journal_rejected) else ["the forged entry is not among the rejected"]),
    ]
    return case


def publishing(stage: Stage) -> Case:
    """A job's time has come again."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    stage.house.sql("UPDATE jobs SET published_at = NULL WHERE id = :id", id=posted.job_id)
    return _dispatcher(stage, posted, ["publish"])


def republishing(stage: Stage) -> Case:
    """A job's hint is lost."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    stage.time.advance(stage.house.runtime.settings.jobs.republish_grace)
    return _dispatcher(stage, posted, ["republish"])


def rescuing(stage: Stage) -> Case:
    """A worker has claimed the job and died."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    stage.house.claim(posted.job_id)
    stage.time.advance(stage.house.runtime.settings.jobs.lease)
    return _dispatcher(stage, posted, ["rescue"])


def repairing(stage: Stage) -> Case:
    """Everything is done and nothing is shown, for Redis was away."""
    posted = stage.posted_and_done()
    keyspace = stage.house.keyspace
    stage.house.sql("UPDATE jobs SET projected_version = 0 WHERE id = :id", id=posted.job_id)
    stage.house.sql("UPDATE payments SET projected_version = 0 WHERE id = :id", id=posted.payment_id)
    stage.house.runtime.redis.delete(keyspace.view(posted.job_id), keyspace.view(posted.payment_id))
    stage.time.advance(2.0)
    return _dispatcher(stage, posted, ["views"])


def filling_anew(stage: Stage) -> Case:
    """Redis has forgotten everything."""
    posted = stage.posted_and_done()
    redis, keyspace = stage.house.runtime.redis, stage.house.keyspace
    key = keyspace.api_key(stage.site.token.key_id)
    stage.time.advance(2.0)
    redis.delete(*redis.keys(f"{keyspace.prefix}*"))
    case = _dispatcher(stage, posted, ["epoch", "views"])

    def wrong() -> list[str]:
        missing = [name for name in (key, keyspace.epoch) if not redis.exists(name)]
        return [*missing, *(unsettled(stage, posted) if stage.house.runtime.redis.exists(keyspace.journal) else ["—"])]

    case.wrong = wrong
    return case


def _missed(stage: Stage) -> None:
    """Let a client have asked for a payment that there is not, and a worker have said so."""
    unknown = "pay_" + secrets.token_hex(13).translate(LETTERS)
    entry = entry_of(ShowViews(unknown), client="site", route="views", key=unknown, subject=unknown)
    stage.house.take_in(entry)
    stage.house.show(entry.job_id)


def giving_out(stage: Stage) -> Case:
    """A slot of scheduled work has begun. What Stripe shows is of all cases: all of it has been compared already."""
    posted = stage.posted_and_done()
    house = stage.house
    house.sql("INSERT INTO event_cursors (name, through) VALUES ('stripe', clock_timestamp() + interval '1 day')")
    house.sql(RECONCILED)

    def wrong() -> list[str]:
        slots = house.sql("SELECT slot FROM schedules WHERE name = 'invariants'")
        jobs = [each["state"] for each in house.jobs("invariants.check")]
        doubled = [] if len(slots) == len(jobs) >= 1 else [f"{len(slots)} slots were given out as {len(jobs)} jobs"]
        undone = [f"the job of a slot is {state}" for state in jobs if state != "done"]
        return [*unsettled(stage, posted), *doubled, *undone]

    case = _dispatcher(stage, posted, [upkeep.SCHEDULES], help=lambda: stage.take_in(upkeep.SCHEDULES))
    case.wrong = wrong
    return case


def keeping_house(stage: Stage) -> Case:
    """An entry waits while the dispatcher sees to what has no hurry; one that is gone left its name in the group."""
    stage.take_in()
    _missed(stage)
    stage.time.advance(KEPT_SECONDS + 1)
    # Redis before 7.2 makes no consumer of a reader that found nothing.
    stage.house.runtime.redis.xgroup_createconsumer(stage.house.keyspace.journal, GROUP, "gone")
    posted = stage.post()
    case = _dispatcher(stage, posted, [*stage.periods])
    case.arguments["idle_reader_ms"] = -1
    return case


def making(stage: Stage, **plan: Any) -> Case:
    """A payment's first attempt, for a new customer."""
    posted = stage.post()
    stage.take_in()
    return _worker(stage, posted, "payments", plan=plan)


def renewing(stage: Stage) -> Case:
    """The lease is shorter than a call."""
    return making(stage, jobs={"lease": SHORT_LEASE})


def looking_up(stage: Stage) -> Case:
    """The answer to the first attempt was lost: the next one looks before it asks."""
    posted = stage.post()
    stage.take_in()
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    stage.work()
    stage.time.advance(5.0)
    stage.take_in("publish")
    return _worker(stage, posted, "payments")


def next_generation(stage: Stage) -> Case:
    """Stripe repeats a failure that it keeps under the key, and minutes later its lists still show nothing."""
    posted = stage.post()
    stage.take_in()
    stage.stripe.faults({"do": "status", "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    stage.work()
    stage.time.advance(SOON)
    stage.take_in("publish")
    stage.work()
    stage.time.advance(stage.house.runtime.settings.jobs.generation_wait)
    stage.take_in("publish")
    return _worker(stage, posted, "payments")


def charging(stage: Stage) -> Case:
    """A customer has a saved card, and is charged while they are away."""
    first = stage.posted_and_done()
    [customer] = stage.house.sql("SELECT stripe_id FROM customers")
    stage.stripe.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer["stripe_id"]})
    posted = stage.post(off_session=True, customer=first.document["customer"])
    stage.take_in()
    return _worker(stage, posted, "payments", status="paid")


def _paid_at_stripe(stage: Stage) -> tuple[Posted, list[bytes]]:
    """Return a payment whose shopper has paid, and the events of it that Tollgate has not heard of."""
    posted = stage.posted_and_done()
    secret = stage.house.payment_view(posted.payment_id).client_secret
    assert secret is not None
    assert shopper.pay(stage.stripe.url, PUBLISHABLE_KEY, secret, GOOD_CARD).status == "succeeded"
    intent = stage.house.payment(posted.payment_id)["stripe_id"]
    listed = stage.stripe.client.v1.events.list({"limit": 20}).data
    heard = [json.dumps(each.to_dict(), default=str).encode() for each in listed]
    return posted, [each for each in heard if intent.encode() in each]


def hearing(stage: Stage) -> Case:
    """The shopper has paid, and Stripe tells so in several events: one batch."""
    posted, events = _paid_at_stripe(stage)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    return _worker(stage, posted, "webhooks", status="paid")


def hearing_a_bad_one(stage: Stage) -> Case:
    """One job of the batch can't be read in the database: it is put aside, and mended by a person."""
    posted, events = _paid_at_stripe(stage)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    bad = stage.house.jobs("stripe.event")[-1]["id"]
    ring, payload = stage.house.runtime.settings.encryption_keys, stage.house.payload(bad)
    stage.house.sql("UPDATE jobs SET payload = 'broken' WHERE id = :id", id=bad)

    def mend() -> None:
        sealed = encrypt_bytes(ring, "jobs", "payload", bad, payload)
        stage.house.sql(MEND, id=bad, sealed=sealed)

    return _worker(stage, posted, "webhooks", status="paid", help=mend)


def _alone_in_its_time(stage: Stage) -> tuple[Posted, list[bytes], str]:
    """Return what `_paid_at_stripe` does, and a moment after all that other cases did and before all of this."""
    later = {"advance_seconds": LONG_PAST}
    stage.stripe.control("POST", "clock", later)
    posted, events = _paid_at_stripe(stage)
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
    return _worker(stage, posted, "maintenance", status="paid")


def reconciling(stage: Stage) -> Case:
    """A payment's money came and is booked: Stripe is to be asked whether it says the same."""
    posted, events, began = _alone_in_its_time(stage)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    stage.work("webhooks")
    stage.time.advance(SOON)
    stage.take_in("publish")
    stage.work("maintenance")
    until = dt.datetime.fromisoformat(began) + dt.timedelta(seconds=LONG_PAST)
    _scheduled(stage, Reconcile(f"rec_{secrets.token_hex(4)}", began, until.isoformat()), RECONCILIATION)
    case = _worker(stage, posted, "maintenance", status="paid")
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
    posted, _ = _paid_at_stripe(stage)
    with stage.house.runtime.transaction(Step.BATCH) as session:
        payment = session.get_one(Payment, posted.payment_id)
        payment.dirty = True
        payment.version += 1
        ask_for_refresh(session, stage.house.runtime, payment, slot=secrets.token_hex(4), request_id="")
    stage.time.advance(5.0)
    stage.take_in("publish")
    return _worker(stage, posted, "maintenance", status="paid")


def collecting(stage: Stage) -> Case:
    """The capture is posted; what Stripe keeps of it is to be looked up and posted."""
    posted, events = _paid_at_stripe(stage)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    stage.work("webhooks")
    stage.time.advance(SOON)
    stage.take_in("publish")
    case = _worker(stage, posted, "maintenance")
    case.wrong = lambda: unsettled(stage, posted, "paid", with_fee=True)
    return case


def notifying(stage: Stage) -> Case:
    """The shopper has paid, and the website is to hear of it."""
    posted, events = _paid_at_stripe(stage)
    add_endpoint(stage.house, stage.website.url)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    stage.work("webhooks")
    stage.take_in("publish")
    [job] = notifications(stage.house)
    case = _worker(stage, posted, "notifications", status="paid")
    payment = case.wrong

    def wrong() -> list[str]:
        heard = {(each.headers["webhook-id"], each.raw) for each in stage.website.heard}
        told = {(job["id"], notification(stage.house, job)[0].body.encode())}
        return [*payment(), *([] if heard == told else [f"the website heard {heard}"])]

    case.wrong = wrong
    return case


def _asked_to_refund(stage: Stage) -> Posted:
    """Return a payment that was paid, and all of which the website has asked to give back."""
    posted, events = _paid_at_stripe(stage)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    stage.work("webhooks")
    assert stage.site.refund(posted.payment_id, key=f"refund of {posted.key}").status_code == 202
    stage.take_in()
    return posted


def refunding(stage: Stage) -> Case:
    """A refund's first attempt."""
    return _worker(stage, _asked_to_refund(stage), "refunds", status="refunded")


def looking_for_a_refund(stage: Stage) -> Case:
    """The answer to a refund's first attempt was lost: the next one looks before it asks."""
    posted = _asked_to_refund(stage)
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/refunds$"}})
    stage.work("refunds")
    stage.time.advance(SOON)
    stage.take_in("publish")
    return _worker(stage, posted, "refunds", status="refunded")


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
    return _worker(stage, _operated(stage, posted, "capture", {"amount": 1200}), "payments", status="paid")


def looking_for_a_capture(stage: Stage) -> Case:
    """The answer to a capture's first attempt was lost: the next one looks before it asks."""
    case = capturing(stage)
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "/capture$"}})
    stage.work()
    stage.time.advance(SOON)
    stage.take_in("publish")
    return case


def cancelling(stage: Stage) -> Case:
    """The website gives up a payment that nobody has confirmed."""
    posted = _operated(stage, stage.posted_and_done(), "cancel", {})
    return _worker(stage, posted, "payments", status="canceled")


def updating(stage: Stage) -> Case:
    """The website changes the amount before the shopper confirms it."""
    posted = _operated(stage, stage.posted_and_done(), "update", {"amount": 3000})
    case = _worker(stage, posted, "payments")

    def wrong() -> list[str]:
        shown = stage.house.payment_view(posted.payment_id).amount
        return [*unsettled(stage, posted), *([f"the amount is shown as {shown}"] if shown != 3000 else [])]

    case.wrong = wrong
    return case


def keeping_evidence(stage: Stage) -> Case:
    """The website has posted what shows that a payment was rightful."""
    texts = {"service_date": "2026-03-12", "access_activity_log": "signed in\nsigned out"}
    posted = _operated(stage, stage.posted_and_done(), "evidence", texts)
    case = _worker(stage, posted, "maintenance")

    def wrong() -> list[str]:
        rows = stage.house.sql("SELECT field FROM payment_evidence WHERE payment_id = :id", id=posted.payment_id)
        kept = sorted(row["field"] for row in rows)
        return [*unsettled(stage, posted), *([f"of the evidence {kept} is kept"] if kept != sorted(texts) else [])]

    case.wrong = wrong
    return case


def _invoiced(stage: Stage, posted: Posted, invoice_id: str, status: str, payment_status: str) -> Case:
    case = _worker(stage, posted, "invoices", payment_status)
    payment = case.wrong
    case.wrong = lambda: [*payment(), *unsettled_invoice(stage, invoice_id, status)]
    return case


def invoicing(stage: Stage) -> Case:
    """An invoice is made, step by step, and mailed."""
    posted = stage.posted_and_done()
    _, invoice_id = stage.invoice(posted.key)
    stage.take_in()
    return _invoiced(stage, posted, invoice_id, "sent", "requires_confirmation")


def looking_for_an_invoice(stage: Stage) -> Case:
    """The answer to an invoice's first step was lost: the next attempt looks before it asks."""
    posted = stage.posted_and_done()
    _, invoice_id = stage.invoice(posted.key)
    stage.take_in()
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/invoices$"}})
    stage.work("invoices")
    stage.time.advance(SOON)
    stage.take_in("publish")
    return _invoiced(stage, posted, invoice_id, "sent", "requires_confirmation")


def invoicing_a_payment(stage: Stage) -> Case:
    """The shopper has paid on the site, and gets an invoice that is issued as paid."""
    posted, events = _paid_at_stripe(stage)
    for event in events:
        assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    stage.work("webhooks")
    customer, amount = posted.document["customer"], posted.document["amount"]
    line = {"description": "First aid at work", "unit_amount": amount, "tax": "exempt"}
    _, invoice_id = stage.invoice(posted.key, customer=customer, lines=[line], payment=posted.payment_id)
    stage.take_in()
    return _invoiced(stage, posted, invoice_id, "paid", "paid")


def closing_an_invoice(stage: Stage) -> Case:
    """An invoice is taken back."""
    posted = stage.posted_and_done()
    _, invoice_id = stage.invoice(posted.key)
    stage.take_in()
    stage.work("invoices")
    answer = stage.site.operate_invoice(invoice_id, "void", key=f"void {posted.key}")
    assert answer.status_code == 202, answer.json
    stage.take_in()
    return _invoiced(stage, posted, invoice_id, "void", "requires_confirmation")


def showing(stage: Stage) -> Case:
    """Redis has lost a payment's view, and its client asks for it."""
    posted = stage.posted_and_done()
    stage.house.runtime.redis.delete(stage.house.keyspace.view(posted.payment_id))
    request = ShowViews(posted.payment_id)
    stage.house.post(entry_of(request, client="site", route="views", key=new_key(), subject=posted.payment_id))
    stage.take_in()
    return _worker(stage, posted, "views")


def stopping(stage: Stage) -> Case:
    """A worker is told to stop in mid-job."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    case = _worker(stage, posted, "payments")
    case.role, case.arguments = "stopping worker", {"job_id": posted.job_id}
    return case


def _decided(stage: Stage, kind: type[DisputeOperation], **fields: Any) -> tuple[Posted, str]:
    """Return a payment that is disputed, and the dispute, about which an operator has just decided."""
    posted, _ = _paid_at_stripe(stage)
    intent = stage.house.payment(posted.payment_id)["stripe_id"]
    charge = str(stage.stripe.client.v1.payment_intents.retrieve(intent).latest_charge)
    stage.stripe.control("POST", "disputes", {"charge": charge})
    for each in stage.stripe.client.v1.events.list({"limit": 20}).data:
        event = json.dumps(each.to_dict(), default=str).encode()
        if intent.encode() in event:
            assert stage.site.post_event(event).status_code == 200
    stage.take_in()
    stage.work("webhooks")
    stage.time.advance(SOON)
    stage.take_in("publish")
    stage.work("maintenance")
    [dispute] = stage.house.sql("SELECT id FROM disputes WHERE payment_id = :id", id=posted.payment_id)
    names = {"client_id": "site", "subject_id": dispute["id"], "slot": secrets.token_hex(4), "request_id": ""}
    with stage.house.runtime.transaction(Step.OUTCOME) as session:
        enqueue(session, stage.house.runtime.settings, kind(dispute["id"], **fields), **names)
    stage.take_in("publish")
    return posted, dispute["id"]


def answering_a_dispute(stage: Stage) -> Case:
    """An operator has evidence sent to the bank, which takes it once."""
    posted, dispute_id = _decided(stage, SubmitDispute, evidence={"service_date": "2026-03-12"})
    case = _worker(stage, posted, "maintenance", status="disputed")
    payment = case.wrong
    case.wrong = lambda: [*payment(), *unsettled_dispute(stage, dispute_id, "under_review", 1)]
    return case


def looking_for_an_answer(stage: Stage) -> Case:
    """The answer to a submission's first attempt was lost: the next one looks before it asks."""
    case = answering_a_dispute(stage)
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/disputes/[^/]*$"}})
    stage.work("maintenance")
    stage.time.advance(SOON)
    stage.take_in("publish")
    return case


def accepting_a_dispute(stage: Stage) -> Case:
    """An operator gives a dispute in."""
    posted, dispute_id = _decided(stage, AcceptDispute)
    case = _worker(stage, posted, "maintenance", status="disputed")
    payment = case.wrong
    case.wrong = lambda: [*payment(), *unsettled_dispute(stage, dispute_id, "lost", 0)]
    return case


def _is_durable(redis: Redis) -> bool:
    try:
        check_redis(redis, "live")
    except SettingsError:
        return False
    return True


def beating(stage: Stage, *, live: bool = False) -> Case:
    """A dispatcher gives its pulse, while an entry waits."""
    case = _dispatcher(stage, stage.post(), JOURNAL)
    case.role, case.arguments = "heart", {"live": live}
    case.help = lambda: roles.heart(stage.plan, live=live)  # the heart of the dispatcher that is left
    redis, keyspace, payment = stage.house.runtime.redis, stage.house.keyspace, case.wrong

    def wrong() -> list[str]:
        missing = [] if redis.exists(keyspace.dispatcher_pulse) else ["there is no pulse"]
        if live and bool(redis.exists(keyspace.durable)) is not _is_durable(redis):
            missing.append("live money may go where it may not, or the other way round")
        return [*payment(), *missing]

    case.wrong = wrong
    return case


def vouching(stage: Stage) -> Case:
    """The same of a live one, which first says whether this Redis is fit for live money."""
    return beating(stage, live=True)


def sharing(stage: Stage) -> Case:
    """A worker tells the others of the breaker, while a hint waits."""
    posted = stage.post()
    stage.take_in()
    case = _worker(stage, posted, "payments")
    case.role, case.arguments = "sharing worker", {}
    return case


SCENES = (
    Scene("stopping", (Step.RELEASE,), stopping),
    Scene("beating", (Step.PULSE,), beating),
    Scene("vouching", (Step.VOUCH,), vouching),
    Scene("sharing", (Step.SHARE_BREAKER,), sharing),
    Scene("accepting", (Step.ACCEPT,), accepting),
    Scene("taking in", (Step.JOIN, Step.READ, Step.INTAKE, Step.HINT, Step.ACKNOWLEDGE), taking_in),
    Scene("taking over", (Step.TAKE_OVER, Step.INTAKE, Step.ACKNOWLEDGE), taking_over),
    Scene("without broker", (Step.UNMARK,), without_broker),
    Scene("reusing a key", (Step.REFUSE, Step.FORGET), reusing_a_key),
    Scene("setting aside", (Step.SET_ASIDE,), setting_aside),
    Scene("bringing back", (Step.BRING_BACK,), bringing_back),
    Scene("rejecting", (Step.REJECT,), rejecting),
    Scene("publishing", (Step.PUBLISH, Step.HINT), publishing),
    Scene("republishing", (Step.DECLARE, Step.REPUBLISH, Step.HINT), republishing),
    Scene("giving out", (Step.GIVE_OUT,), giving_out),
    Scene("rescuing", (Step.RESCUE,), rescuing),
    Scene("repairing", (Step.VIEWS, Step.NOTE), repairing),
    Scene("filling anew", (Step.API_KEYS, Step.MARK_BEHIND, Step.EPOCH, Step.VIEWS, Step.NOTE), filling_anew),
    Scene("keeping house", (Step.PRESENCE, Step.TRIM, Step.FORGET_READER, Step.FORGET_JOBS), keeping_house),
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
    Scene(
        "invoicing",
        (
            Step.INTENT,
            Step.MAKE_CUSTOMER,
            Step.MAKE_INVOICE,
            Step.INVOICE_STEP,
            Step.ADD_LINES,
            Step.FINALIZE_INVOICE,
            Step.SEND_INVOICE,
            Step.OUTCOME,
            Step.VIEWS,
        ),
        invoicing,
    ),
    Scene("looking for an invoice", (Step.LOOK_UP, Step.INVOICE_STEP, Step.OUTCOME), looking_for_an_invoice),
    Scene("invoicing a payment", (Step.INTENT, Step.SETTLE_INVOICE, Step.OUTCOME), invoicing_a_payment),
    Scene("closing an invoice", (Step.INTENT, Step.CLOSE_INVOICE, Step.OUTCOME), closing_an_invoice),
    Scene("answering a dispute", (Step.INTENT, Step.ANSWER_DISPUTE, Step.OUTCOME), answering_a_dispute),
    Scene("looking for an answer", (Step.LOOK_UP,), looking_for_an_answer),
    Scene("accepting a dispute", (Step.INTENT, Step.ACCEPT_DISPUTE, Step.OUTCOME), accepting_a_dispute),
    Scene("hearing", (Step.CLAIM, Step.BATCH, Step.VIEWS, Step.NOTE), hearing),
    Scene("hearing a bad one", (Step.PUT_ASIDE,), hearing_a_bad_one),
    Scene("notifying", (Step.SEND_NOTIFICATION, Step.OUTCOME), notifying),
    Scene("collecting", (Step.CLAIM, Step.LOOK_UP, Step.OUTCOME), collecting),
    Scene("showing", (Step.SHOW,), showing),
    Scene("healing", (Step.CLAIM, Step.LOOK_UP, Step.OUTCOME), healing),
    Scene("reconciling", (Step.CLAIM, Step.LOOK_UP, Step.OUTCOME), reconciling),
    Scene("refreshing", (Step.CLAIM, Step.HOLD, Step.LOOK_UP, Step.OUTCOME), refreshing),
)
