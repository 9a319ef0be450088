"""The dispatcher's and workers' side of the house for one test: a runtime over real servers, and a look into both."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from celery import Celery
from sqlalchemy import text

from config.celery_factory import create_celery
from config.keyspace import Keyspace
from config.queues import QUEUES
from models.encrypted import decrypt_bytes
from tasks.contracts.disputes import AcceptDispute, SubmitDispute, WatchDisputes
from tasks.contracts.events import HealEvents, StripeEvent
from tasks.contracts.evidence import KeepEvidence
from tasks.contracts.invariants import CheckInvariants
from tasks.contracts.invoices import CreateInvoice, RefreshInvoice
from tasks.contracts.journal import JournalEntry
from tasks.contracts.ledger import PostFee
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.payments import CreatePayment, RefreshPayment, ReviewPayment
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.refunds import CreateRefund
from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tasks.contracts.views import InvoiceView, JobView, PaymentView, RefundView
from tasks.intake import Reader
from tests.builders import entries
from tests.builders.worker import worker_settings
from workers.jobs.attempt import Attempt
from workers.jobs.batch import BatchService, run_batch
from workers.jobs.claim import claim
from workers.jobs.intake import Taken, check_entry, take_in
from workers.jobs.rescue import rescue
from workers.jobs.row import JobRow
from workers.jobs.run import Result, Service, run_job
from workers.redis_client import create_redis
from workers.runtime import Runtime, create_runtime
from workers.services import (
    dispute_operations,
    dispute_watch,
    evidence,
    fees,
    heals,
    invariants,
    invoice_operations,
    invoice_refreshes,
    invoices,
    payment_operations,
    payments,
    refreshes,
    refunds,
    reviews,
    shows,
    stripe_events,
)
from workers.services.invoice_changes import CHANGES
from workers.services.reconciliation import runs

Row = dict[str, Any]
CREATE = Service(CreatePayment, payments.create, payments.settle_create)
REFRESH = Service(RefreshPayment, refreshes.refresh, refreshes.settle_refresh)
REFUND = Service(CreateRefund, refunds.create, refunds.settle_create)
OPERATIONS: dict[str, Service[Any]] = {
    contract.KIND.name: Service(contract, perform, payment_operations.settle_operation)
    for contract, perform in (
        (CapturePayment, payment_operations.capture),
        (CancelPayment, payment_operations.cancel),
        (UpdatePayment, payment_operations.update),
    )
}
OPERATIONS[KeepEvidence.KIND.name] = Service(KeepEvidence, evidence.keep, evidence.settle_keep)
INVOICE = Service(CreateInvoice, invoices.create, invoices.settle_create)
REFRESH_INVOICE = Service(RefreshInvoice, invoice_refreshes.refresh, invoice_refreshes.settle_refresh)
INVOICE_OPERATIONS: dict[str, Service[Any]] = {
    contract.KIND.name: Service(contract, invoice_operations.operate, invoice_operations.settle_operation)
    for contract in CHANGES
}
DISPUTE_OPERATIONS: dict[str, Service[Any]] = {
    contract.KIND.name: Service(contract, dispute_operations.operate, dispute_operations.settle_operation)
    for contract in (SubmitDispute, AcceptDispute)
}
WATCH = Service(WatchDisputes, dispute_watch.watch, dispute_watch.settle_watch)
REVIEW = Service(ReviewPayment, reviews.review, reviews.settle)
CHECK = Service(CheckInvariants, invariants.check, invariants.settle)
HEAL = Service(HealEvents, heals.heal, heals.settle)
RECONCILE = Service(Reconcile, runs.run, runs.settle)
FEE = Service(PostFee, fees.collect, fees.settle_fee)
EVENTS = BatchService(StripeEvent, stripe_events.apply_events)
SHOWS = BatchService(ShowViews, shows.show)
MOST = 1000


class House:
    """A runtime, a Celery application and the questions that tests ask of PostgreSQL and Redis."""

    def __init__(self, runtime: Runtime, app: Celery) -> None:
        self.runtime = runtime
        self.app = app
        # A reader blocks for a second at a time.
        self.blocking = create_redis(runtime.settings.redis, socket_timeout=3.0)

    @property
    def keyspace(self) -> Keyspace:
        return self.runtime.settings.redis.keyspace

    def changed(self, **jobs: Any) -> Runtime:
        """Return the runtime with other job settings."""
        settings = dataclasses.replace(
            self.runtime.settings, jobs=dataclasses.replace(self.runtime.settings.jobs, **jobs)
        )
        return dataclasses.replace(self.runtime, settings=settings)

    def with_stripe(self, stripe: Any) -> Runtime:
        """Return the runtime with another gateway."""
        return dataclasses.replace(self.runtime, stripe=stripe)

    # PostgreSQL

    def sql(self, statement: str, **parameters: Any) -> list[Row]:
        """Run a statement in a transaction of its own and return its rows, if it has any."""
        with self.runtime.engine.begin() as connection:
            result = connection.execute(text(statement), parameters)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def force(self, statement: str, **parameters: Any) -> None:
        """Run a statement that the tables of moves refuse, as if the rows had come from another day."""
        tables = ("jobs", "payments", "refunds", "invoices", "disputes")
        with self.runtime.engine.begin() as connection:
            for table in tables:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_move_by_the_table"))
            connection.execute(text(statement), parameters)
            for table in tables:
                connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER {table}_move_by_the_table"))

    def one(self, statement: str, **parameters: Any) -> Row:
        [row] = self.sql(statement, **parameters)
        return row

    def add_client(self, client: str = entries.CLIENT) -> None:
        self.sql("INSERT INTO clients (id, name) VALUES (:id, :id) ON CONFLICT DO NOTHING", id=client)

    def job(self, job_id: str) -> Row:
        return self.one("SELECT * FROM jobs WHERE id = :id", id=job_id)

    def jobs(self, kind: str) -> list[Row]:
        return self.sql("SELECT * FROM jobs WHERE kind = :kind ORDER BY created_at", kind=kind)

    def payment(self, payment_id: str) -> Row:
        return self.one("SELECT * FROM payments WHERE id = :id", id=payment_id)

    def refund_row(self, refund_id: str) -> Row:
        return self.one("SELECT * FROM refunds WHERE id = :id", id=refund_id)

    def invoice(self, invoice_id: str) -> Row:
        return self.one("SELECT * FROM invoices WHERE id = :id", id=invoice_id)

    def attempts(self, job_id: str) -> list[Row]:
        return self.sql("SELECT * FROM attempts WHERE job_id = :id ORDER BY fence", id=job_id)

    def moves(self, subject: str) -> list[str]:
        """Return the statuses that a payment went through."""
        return [
            row["new"] for row in self.sql("SELECT new FROM history WHERE subject_id = :id ORDER BY id", id=subject)
        ]

    def age_intent(self, job_id: str, seconds: float) -> None:
        """Let an intent have been committed, and all attempts have ended, so long ago."""
        for statement in (
            "UPDATE jobs SET intent_at = clock_timestamp() - make_interval(secs => :s) WHERE id = :id",
            "UPDATE attempts SET ended_at = clock_timestamp() - make_interval(secs => :s) WHERE job_id = :id",
        ):
            self.sql(statement, id=job_id, s=seconds)

    def grow_older(self, job_id: str, seconds: float) -> None:
        """Let a job have been accepted so much earlier."""
        statement = "UPDATE jobs SET accepted_at = accepted_at - make_interval(secs => :s) WHERE id = :id"
        self.sql(statement, id=job_id, s=seconds)

    def make_due(self, job_id: str) -> None:
        self.sql("UPDATE jobs SET next_run_at = clock_timestamp() WHERE id = :id", id=job_id)

    def lapse(self, job_id: str) -> None:
        """Let a running job's lease have run out, as if its worker had died."""
        self.sql("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second' WHERE id = :id", id=job_id)

    def rescue(self) -> list[str]:
        with self.runtime.transaction(Step.RESCUE) as session:
            rescued = rescue(session, MOST, max_rescues=self.runtime.settings.jobs.max_rescues)
            return [each.job_id for each in rescued]

    # The job protocol

    def take_in(self, *taken: JournalEntry) -> Taken:
        """Take entries in as the dispatcher does, without Redis."""
        settings = self.runtime.settings
        with self.runtime.transaction(Step.INTAKE) as session:
            return take_in(session, [check_entry(settings, entries.stream_fields(entry)) for entry in taken])

    def claim(self, *job_ids: str, lease: float = 15.0, worker: str = "test", kind: str | None = None) -> list[JobRow]:
        """Claim jobs of one kind, by default that of the first."""
        kind = kind or str(self.job(job_ids[0])["kind"])
        with self.runtime.transaction(Step.CLAIM) as session:
            return claim(session, job_ids, kind=kind, worker=worker, lease=lease)

    def attempt(self, job_id: str, *, lease_ends: float = float("inf")) -> Attempt:
        """Claim a job for an attempt that a test carries on by hand."""
        [job] = self.claim(job_id)
        return Attempt(self.runtime, job, lease_ends)

    def payload(self, job_id: str) -> bytes:
        ring = self.runtime.settings.encryption_keys
        return decrypt_bytes(ring, "jobs", "payload", job_id, self.job(job_id)["payload"])

    def create(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run a payments.create job if it is due."""
        return run_job(runtime or self.runtime, job_id, CREATE)

    def create_again(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run a payments.create job now, whenever it would be due."""
        self.make_due(job_id)
        return self.create(job_id, runtime)

    def refund(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run a refunds.create job now, whenever it would be due."""
        self.make_due(job_id)
        return run_job(runtime or self.runtime, job_id, REFUND)

    def operate(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run the job of a payment operation now, whenever it would be due."""
        self.make_due(job_id)
        return run_job(runtime or self.runtime, job_id, OPERATIONS[self.job(job_id)["kind"]])

    def make_invoice(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run an invoices.create job now, whenever it would be due."""
        self.make_due(job_id)
        return run_job(runtime or self.runtime, job_id, INVOICE)

    def operate_invoice(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run the job of an invoice operation now, whenever it would be due."""
        self.make_due(job_id)
        return run_job(runtime or self.runtime, job_id, INVOICE_OPERATIONS[self.job(job_id)["kind"]])

    def decide(self, job_id: str, runtime: Runtime | None = None) -> Result:
        """Run the job of a decision about a dispute now, whenever it would be due."""
        self.make_due(job_id)
        return run_job(runtime or self.runtime, job_id, DISPUTE_OPERATIONS[self.job(job_id)["kind"]])

    def handle(self, *job_ids: str, runtime: Runtime | None = None) -> list[Result]:
        """Run a batch of stripe.event jobs."""
        return run_batch(runtime or self.runtime, job_ids, EVENTS)

    def show(self, *job_ids: str, runtime: Runtime | None = None) -> list[Result]:
        """Run a batch of views.show jobs."""
        return run_batch(runtime or self.runtime, job_ids, SHOWS)

    def refresh_all(self, runtime: Runtime | None = None) -> list[Result]:
        """Run every payments.refresh job that is not over, as if its time had come."""
        return self._run_all(REFRESH, runtime)

    def refresh_invoices(self, runtime: Runtime | None = None) -> list[Result]:
        """Run every invoices.refresh job that is not over, as if its time had come."""
        return self._run_all(REFRESH_INVOICE, runtime)

    def _run_all(self, service: Service[Any], runtime: Runtime | None) -> list[Result]:
        waiting = "SELECT id FROM jobs WHERE kind = :kind AND state IN ('ready', 'waiting')"
        rows = self.sql(waiting, kind=service.contract.KIND.name)
        for row in rows:
            self.make_due(row["id"])
        return [run_job(runtime or self.runtime, row["id"], service) for row in rows]

    def collect_fees(self, runtime: Runtime | None = None) -> list[Result]:
        """Run every ledger.fee job that is not over, as if its time had come."""
        return self._run_all(FEE, runtime)

    # Redis

    def reader(self, name: str | None = None, runtime: Runtime | None = None) -> Reader:
        """Return a dispatcher's reader of the journal, in the group already."""
        base = runtime or self.runtime
        reader = Reader(dataclasses.replace(base, name=name or base.name), self.app, self.blocking)
        reader.join()
        return reader

    def post(self, *posted: JournalEntry) -> list[bytes]:
        """Write entries to the journal as the accept script does; return their stream ids."""
        with self.runtime.redis.pipeline(transaction=False) as pipeline:
            for entry in posted:
                pipeline.xadd(self.keyspace.journal, {**entry.to_fields()})
            return list(pipeline.execute())

    def pending(self) -> int:
        found: Any = self.runtime.redis.xpending(self.keyspace.journal, "dispatchers")
        return int(found["pending"])

    def messages(self, queue: str) -> list[Any]:
        """Return the Celery messages that wait in a queue, the oldest first."""
        assert queue in QUEUES
        raw: Any = self.runtime.redis.lrange(f"{self.keyspace.prefix}celery:{queue}", 0, -1)
        return [json.loads(message) for message in reversed(raw)]

    def depth(self, queue: str) -> int:
        """Return how many messages wait in a queue, readable or not."""
        found: Any = self.runtime.redis.llen(f"{self.keyspace.prefix}celery:{queue}")
        return int(found)

    def hinted(self, queue: str) -> list[list[str]]:
        """Return the job ids that each waiting message carries."""
        return [ids_in(message) for message in self.messages(queue)]

    def drop_messages(self, queue: str) -> None:
        """Lose what waits in a queue."""
        self.runtime.redis.delete(f"{self.keyspace.prefix}celery:{queue}")

    def job_view(self, job_id: str) -> JobView:
        key = self.keyspace.view(job_id)
        return JobView.open(self.runtime.settings.view_keys, key, self.view_fields(key))

    def payment_view(self, payment_id: str) -> PaymentView:
        key = self.keyspace.view(payment_id)
        return PaymentView.open(self.runtime.settings.view_keys, key, self.view_fields(key))

    def refund_view(self, refund_id: str) -> RefundView:
        key = self.keyspace.view(refund_id)
        return RefundView.open(self.runtime.settings.view_keys, key, self.view_fields(key))

    def invoice_view(self, invoice_id: str) -> InvoiceView:
        key = self.keyspace.view(invoice_id)
        return InvoiceView.open(self.runtime.settings.view_keys, key, self.view_fields(key))

    def view_fields(self, key: str) -> dict[bytes, bytes]:
        fields: Any = self.runtime.redis.hgetall(key)
        return dict(fields)


def body_of(message: Any) -> Any:
    """Return what a message's body says: arguments, keywords and Celery's own."""
    return json.loads(base64.b64decode(message["body"]))


def ids_in(message: Any) -> list[str]:
    """Return the job ids of a hint, which holds nothing else."""
    arguments, keywords, _ = body_of(message)
    assert keywords == {}
    [ids] = arguments
    return list(ids)


@contextlib.contextmanager
def open_house(
    database_url: str, redis_url: str, prefix: str, stripe_url: str | None = None, **settings: Any
) -> Iterator[House]:
    """Open the house with a client of the API in it; everything is closed afterwards."""
    if stripe_url is not None:
        settings["stripe_url"] = stripe_url
    chosen = worker_settings(database_url, redis_url, prefix, **settings)
    runtime = create_runtime(chosen, "test")
    app = create_celery(broker_url=chosen.broker_url, keyspace=chosen.redis.keyspace, publishes_only=True)
    house = House(runtime, app)
    try:
        house.add_client()
        yield house
    finally:
        app.pool.force_close_all()  # type: ignore[attr-defined]  # a kombu pool
        app.close()
        house.blocking.close()
        runtime.close()
