"""The website and Stripe at the ingress's door: what they asked for, and what they were promised."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ingress.accept import Submission, accept
from ingress.commands import Command
from ingress.commands import _first_job as first_job
from ingress.door import Door
from ingress.payments import _first as first_payment
from ingress.problems import ProblemError
from tasks.contracts import identity
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.events import StripeEvent
from tasks.contracts.payments import CreatePayment

CLIENT = "site"
ROUTE = "payment-intents"
RECORD_SECONDS = 24 * 3600.0  # as long as the ingress of the model keeps an idempotency record
AMOUNTS = (4950, 9900, 7)  # the last is below Stripe's minimum, so that it is refused
WEBHOOK_CLIENT = "stripe"
WEBHOOK_ROUTE = "webhooks/stripe"


@dataclass(frozen=True, slots=True)
class Promise:
    """One request that was accepted."""

    job_id: str
    subject_id: str
    scope: str
    kind: str


@dataclass(slots=True)
class Record:
    """What Redis should remember of one idempotency key. `sure` is False once PostgreSQL may have corrected it."""

    job_id: str
    until: float
    sure: bool = True


@dataclass
class Requests:
    """Posts requests through the shipped accept script, and keeps what was answered.

    Args:
        surprises: answers that the script must not give.
        news: whether the journal has entries that nobody has read.
    """

    door: Door
    accepted: dict[str, Promise] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    news: bool = False
    _records: dict[str, Record] = field(default_factory=dict)

    def post(self, number: int, variant: int) -> None:
        """Ask for a payment, under one of a few keys and with one of a few bodies."""
        key = f"key-{number}"
        ring = self.door.settings.identity_key
        contract = CreatePayment(
            payment_id=identity.payment_id(ring, CLIENT, ROUTE, key),
            amount=AMOUNTS[variant],
            currency="gbp",
            booking_reference=f"BK-{number}",
            customer_name="Ada Lovelace",
            customer_email=f"ada.{number // 2}@example.org",  # two payments share a customer
            description=None,
            metadata={},
            shopper_ip="203.0.113.7",
            shopper_user_agent="Mozilla/5.0",
        )
        fingerprint = identity.fingerprint(ring, contract.to_bytes())
        job_id = identity.job_id(ring, CLIENT, ROUTE, key, fingerprint)
        command = Command(ApiKeyRecord("", CLIENT, 0.0, 0), ROUTE, key, fingerprint, job_id, {})
        payment = first_payment(self.door, command, contract)
        job = first_job(self.door, command, contract, payment)
        views = {self.door.keyspace.view(view.id): view for view in (job, payment)}
        self._accept(
            Submission(
                job_id=job_id,
                kind=contract.KIND.name,
                version=contract.KIND.version,
                client_id=CLIENT,
                route=ROUTE,
                idempotency_key=key,
                fingerprint=fingerprint,
                subject_id=contract.payment_id,
                request_id="req-model",
                payload=contract.to_bytes(),
                views=views,
            )
        )

    def deliver_event(self, body: bytes) -> None:
        """Deliver one of Stripe's webhooks."""
        name = str(json.loads(body)["id"])
        ring = self.door.settings.identity_key
        fingerprint = identity.fingerprint(ring, name.encode())
        self._accept(
            Submission(
                job_id=identity.job_id(ring, WEBHOOK_CLIENT, WEBHOOK_ROUTE, name, fingerprint),
                kind=StripeEvent.KIND.name,
                version=StripeEvent.KIND.version,
                client_id=WEBHOOK_CLIENT,
                route=WEBHOOK_ROUTE,
                idempotency_key=name,
                fingerprint=fingerprint,
                subject_id=name,
                request_id="req-model",
                payload=body,
            )
        )

    def subjects(self) -> list[str]:
        """Return the ids of all jobs and payments that have views."""
        return sorted(
            {
                name
                for promise in self.accepted.values()
                if promise.kind == CreatePayment.KIND.name
                for name in (promise.job_id, promise.subject_id)
            }
        )

    def forget_records(self) -> None:
        """Expect nothing of Redis any more, since it has forgotten everything."""
        self._records.clear()

    def distrust_records(self) -> None:
        """Expect nothing of the records that are there: intake of the journal again may correct them."""
        self.news = True
        for record in self._records.values():
            record.sure = False

    def _accept(self, submission: Submission) -> None:
        ring = self.door.settings.identity_key
        scope = identity.idempotency_scope(ring, submission.client_id, submission.route, submission.idempotency_key)
        promise = Promise(submission.job_id, submission.subject_id, scope, submission.kind)
        try:
            receipt = accept(self.door, submission)
            answer = "replayed" if receipt.replayed else "accepted"
        except ProblemError as problem:
            answer = problem.kind.code
        if answer in {"accepted", "replayed"}:
            self.accepted[submission.job_id] = promise
        self._compare(answer, scope, submission.job_id)

    def _compare(self, answer: str, scope: str, job_id: str) -> None:
        now = self.door.clock()
        known = self._records.get(scope)
        remembered = known is not None and now < known.until
        if answer == "accepted":
            self.news = True
            if known is not None and remembered and known.sure:
                self.surprises.append(f"the key of {job_id} was accepted again, though Redis remembers it")
            others = any(each.scope == scope and each.job_id != job_id for each in self.accepted.values())
            self._records[scope] = Record(job_id, now + RECORD_SECONDS, sure=not others)
        elif answer == "replayed" and not (known is not None and remembered and known.job_id == job_id):
            self.surprises.append(f"{job_id} was called a repeat, though it was never accepted under this record")
        elif answer == "idempotency_key_reused" and not (remembered and known is not None and known.job_id != job_id):
            self.surprises.append(f"{job_id} was refused as another body, though its key is free")
