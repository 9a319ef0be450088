"""Payments: asked for by POST /v1/payment-intents, read at GET /v1/payments/{id}."""

import json
import logging
import re

from flask import Blueprint, Response, g, request

from ingress.accept import Receipt, Submission, accept
from ingress.answers import json_answer, tagged_answer
from ingress.door import Door
from ingress.fields import load
from ingress.headers import idempotency_key, wait_seconds
from ingress.json_body import read_json
from ingress.news import News
from ingress.payment_intents import PaymentIntentSchema, payment_contract
from ingress.problems import ProblemError
from ingress.views import read_payment
from ingress.waiting import LONGEST_WAIT
from tasks.contracts import identity, representations
from tasks.contracts.payments import CreatePayment
from tasks.contracts.views import JobView, PaymentView

ROUTE = "payment-intents"
PAYMENT_ID = re.compile(r"pay_[a-z2-7]{26}")

log = logging.getLogger(__name__)


def payments(door: Door) -> Blueprint:
    """Return the routes of payments."""
    routes = Blueprint("payments", __name__)
    schema = PaymentIntentSchema(door.settings.currencies)

    @routes.post("/v1/payment-intents")
    def create_payment_intent() -> Response:
        client = door.api_keys.authenticate(request)
        key = idempotency_key(request)
        document = read_json(request)
        asked = load(schema, document)
        identity_key = door.settings.identity_key
        # Over what was sent, not over what we make of it: a repeat stays a repeat after an upgrade.
        fingerprint = identity.fingerprint(identity_key, json.dumps(document, sort_keys=True).encode())
        payment_id = identity.payment_id(identity_key, client.client_id, ROUTE, key)
        job_id = identity.job_id(identity_key, client.client_id, ROUTE, key, fingerprint)
        contract = payment_contract(payment_id, asked)
        job, payment = _first(door, contract, job_id, client.client_id)
        receipt = accept(
            door,
            Submission(
                job_id=job_id,
                kind=contract.KIND.name,
                version=contract.KIND.version,
                client_id=client.client_id,
                route=ROUTE,
                idempotency_key=key,
                fingerprint=fingerprint,
                subject_id=payment_id,
                request_id=g.request_id,
                payload=contract.to_bytes(),
                rate=client.rate,
                burst=client.burst,
                views={
                    door.keyspace.view(job_id): job,
                    door.keyspace.view(payment_id): payment,
                },
            ),
        )
        log.info(
            "accepted a payment intent",
            extra={"job_id": job_id, "payment_id": payment_id, "replayed": receipt.replayed},
        )
        return _answer(door, job, payment, receipt)

    @routes.get("/v1/payments/<payment_id>")
    def show_payment(payment_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        found = read_payment(door, payment_id, client.client_id) if PAYMENT_ID.fullmatch(payment_id) else None
        if found is None:
            raise ProblemError("not_found", "There is no such payment.")
        view, tag = found
        return tagged_answer(representations.payment(view), tag)

    return routes


def _first(door: Door, contract: CreatePayment, job_id: str, client_id: str) -> tuple[JobView, PaymentView]:
    """Return the views of a payment that was accepted just now."""
    now = door.timestamp()
    job = JobView(
        id=job_id,
        client_id=client_id,
        kind=contract.KIND.name,
        state="accepted",
        subject_id=contract.payment_id,
        attempts=0,
        problem=None,
        created_at=now,
        updated_at=now,
    )
    payment = PaymentView(
        id=contract.payment_id,
        client_id=client_id,
        job_id=job_id,
        status="processing",
        amount=contract.amount,
        amount_received=0,
        amount_refunded=0,
        currency=contract.currency,
        capture=contract.capture_method,
        booking_reference=contract.booking_reference,
        stripe_payment_intent=None,
        client_secret=None,
        decline=None,
        created_at=now,
        updated_at=now,
    )
    return job, payment


def _answer(door: Door, job: JobView, payment: PaymentView, receipt: Receipt) -> Response:
    """Answer with the outcome if it is there or comes in time, else with what is known; it is accepted either way."""
    news = News(door, job, payment)
    if receipt.views_stand:
        news.read()
    seconds = wait_seconds(request, LONGEST_WAIT)
    waited = False
    if seconds and not news.is_over():
        waited = door.waiting.wait(door.keyspace.waiters(job.id), seconds, news.read)
    headers = {"Location": f"/v1/jobs/{job.id}"}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    if seconds and (waited or news.is_over()):
        headers["Preference-Applied"] = f"wait={seconds}"
    body = {"job": representations.job(news.job), "payment": representations.payment(news.payment)}
    if news.is_over():
        return json_answer(body, headers=headers)
    if waited:
        door.outlook.look()  # much may have happened since it was accepted
    return json_answer(body, status=202, headers=headers | door.outlook.delays())
