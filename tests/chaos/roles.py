"""What an actor does in its own process: one piece of the ingress's, the dispatcher's or the worker's work."""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Retry

from config.celery_factory import create_celery
from config.errors import JobEndedError
from ingress.app import create_app
from tasks import disputes, evidence, invoices, payment_operations, reconciliation, refunds, upkeep
from tasks.admission import Admission
from tasks.contracts.disputes import AcceptDispute, SubmitDispute, WatchDisputes
from tasks.contracts.events import HealEvents, StripeEvent
from tasks.contracts.evidence import KeepEvidence
from tasks.contracts.invariants import CheckInvariants
from tasks.contracts.invoice_operations import VoidInvoice
from tasks.contracts.invoices import CreateInvoice, RefreshInvoice, RemindInvoices
from tasks.contracts.ledger import PostFee
from tasks.contracts.notifications import SendNotification
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.payments import CreatePayment, RefreshPayment, ReviewPayment
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.refunds import CreateRefund
from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tasks.event_heals import heal
from tasks.intake import Reader
from tasks.invariants import check
from tasks.ledger import fee
from tasks.notifications import send
from tasks.payments import create, refresh, review
from tasks.process import bind_process
from tasks.pulse import Heart
from tasks.rounds import Rounds
from tasks.shows import show
from tasks.stopping import Stopping
from tasks.stripe_events import handle
from tests.builders.house import ids_in
from tests.builders.ingress import ingress_settings
from tests.builders.worker import worker_settings
from workers.database_watch import DatabaseWatch
from workers.gateways.stripe import stripe_breaker
from workers.jobs.claim import claim
from workers.redis_client import create_redis
from workers.resilience.link import BreakerLink
from workers.runtime import Runtime, create_runtime

TASKS = {
    CreatePayment.KIND.name: create,
    RefreshPayment.KIND.name: refresh,
    ReviewPayment.KIND.name: review,
    CapturePayment.KIND.name: payment_operations.capture,
    CancelPayment.KIND.name: payment_operations.cancel,
    UpdatePayment.KIND.name: payment_operations.update,
    KeepEvidence.KIND.name: evidence.keep,
    CreateRefund.KIND.name: refunds.create,
    CreateInvoice.KIND.name: invoices.create,
    RefreshInvoice.KIND.name: invoices.refresh,
    RemindInvoices.KIND.name: invoices.remind,
    VoidInvoice.KIND.name: invoices.void,
    SubmitDispute.KIND.name: disputes.submit,
    AcceptDispute.KIND.name: disputes.accept,
    WatchDisputes.KIND.name: disputes.watch,
    PostFee.KIND.name: fee,
    ShowViews.KIND.name: show,
    SendNotification.KIND.name: send,
    CheckInvariants.KIND.name: check,
    HealEvents.KIND.name: heal,
    Reconcile.KIND.name: reconciliation.run,
    StripeEvent.KIND.name: handle,
}
TOLD = (Ignore, Retry, JobEndedError)  # how a task tells Celery, and so Flower, what became of its job


@contextmanager
def opened(house: dict[str, Any], role: str) -> Iterator[tuple[Runtime, Celery]]:
    """Open a runtime and a Celery application with the settings that a test gives."""
    settings = worker_settings(**house)
    runtime = create_runtime(settings, role)
    app = create_celery(broker_url=settings.broker_url, keyspace=settings.redis.keyspace, publishes_only=True)
    try:
        yield runtime, app
    finally:
        app.close()
        runtime.close()


def ingress(house: dict[str, Any], *, token: str, key: str, document: dict[str, Any]) -> Any:
    """Post a payment intent, and return status and body of the answer."""
    app = create_app(ingress_settings(house["redis_url"], house["prefix"]))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    answer = app.test_client().post("/v1/payment-intents", json=document, headers=headers)
    return {"status": answer.status_code, "body": answer.json}


def dispatcher(house: dict[str, Any], *, do: list[str], idle_reader_ms: int | None = None) -> None:
    """Do rounds of a dispatcher: `left` and `new` take the journal in, any other name is a chore's."""
    if idle_reader_ms is not None:
        upkeep.IDLE_CONSUMER_MS = idle_reader_ms
    with opened(house, "dispatcher") as (runtime, app):
        dispatch(runtime, app, do)


def dispatch(runtime: Runtime, app: Celery, do: list[str]) -> None:
    """Do what a dispatcher does, in this order, each as its loop would: what fails is logged, and the next begins."""
    tried = Rounds(DatabaseWatch(_nothing))
    reader = Reader(runtime, app, runtime.redis, block_ms=None)  # a test knows when there is news
    rounds = {"join": reader.join, "left": reader.take_left, "new": reader.take_new}
    rounds |= {chore.name: chore.do for chore in upkeep.chores(runtime, app)}
    for name in do:
        tried.attempt(name, rounds[name])


def worker(house: dict[str, Any], *, queue: str) -> int:
    """Take one message off a queue and do what it says; return how many there were."""
    with opened(house, "worker") as (runtime, _):
        return work(runtime, queue, most=1)


def stopping_worker(house: dict[str, Any], *, job_id: str) -> None:
    """Claim a job, and stop before it is done."""
    with opened(house, "worker") as (runtime, _):
        with runtime.transaction(Step.CLAIM) as session:
            kind = CreatePayment.KIND.name
            assert claim(session, [job_id], kind=kind, worker=runtime.name, lease=runtime.settings.jobs.lease)
        try:
            Stopping(runtime, Admission(DatabaseWatch(_nothing)), end=_nothing).finish(0)
        except RuntimeError:  # as whatever a signal's thread or Celery's step meets
            traceback.print_exc()


def heart(house: dict[str, Any], *, live: bool) -> None:
    """Beat once as a dispatcher does; a live one also says whether Redis may be trusted with live money."""
    with opened(house, "dispatcher") as (runtime, _):
        settings = dataclasses.replace(runtime.settings, environment="live") if live else runtime.settings
        watch = DatabaseWatch(_nothing)
        Rounds(watch).attempt("pulse", Heart(dataclasses.replace(runtime, settings=settings), watch).beat)


def sharing_worker(house: dict[str, Any]) -> None:
    """Exchange once with the other workers what is known of Stripe's breaker."""
    settings = worker_settings(**house)
    breaker = stripe_breaker(settings.stripe)
    link = BreakerLink(breaker, create_redis(settings.redis), settings.redis.keyspace.breaker(breaker.name))
    link._exchanged()
    link.close()


def _nothing(*_: object) -> None:
    """Stand in for what only a whole process has."""


def work(runtime: Runtime, queue: str, *, most: int) -> int:
    """Do what the messages of a queue say, as a worker does: acknowledged on arrival, and an error ends one alone."""
    admission = Admission(DatabaseWatch(_nothing))
    bind_process(runtime, admission, None)
    name = f"{runtime.settings.redis.keyspace.prefix}celery:{queue}"
    done = 0
    while done < most:
        message: Any = runtime.redis.rpop(name)
        if message is None:
            break
        done += 1
        content = json.loads(message)
        try:
            TASKS[content["headers"]["task"]](ids_in(content))
        except TOLD:
            pass
        except Exception:  # noqa: BLE001 - as Celery does with whatever a task raises
            traceback.print_exc()
    return done


ROLES: dict[str, Callable[..., Any]] = {
    "ingress": ingress,
    "dispatcher": dispatcher,
    "worker": worker,
    "stopping worker": stopping_worker,
    "sharing worker": sharing_worker,
    "heart": heart,
}
