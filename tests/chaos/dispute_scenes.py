"""Scenes of disputes: what an operator decides is done once."""

from __future__ import annotations

import secrets
from typing import Any

from tasks.contracts.disputes import AcceptDispute, DisputeOperation, SubmitDispute
from tasks.contracts.steps import Step
from tests.chaos.case import Case, Scene, events_of, paid_at_stripe, worker_case
from tests.chaos.oracle import unsettled_dispute
from tests.chaos.stage import Posted, Stage
from workers.jobs.follow_up import enqueue


def _decided(stage: Stage, kind: type[DisputeOperation], **fields: Any) -> tuple[Posted, str]:
    """Return a payment that is disputed, and the dispute, about which an operator has just decided."""
    posted, _ = paid_at_stripe(stage)
    intent = stage.house.payment(posted.payment_id)["stripe_id"]
    charge = str(stage.stripe.client.v1.payment_intents.retrieve(intent).latest_charge)
    stage.stripe.control("POST", "disputes", {"charge": charge})
    stage.learn(events_of(stage, posted))
    stage.come_again()
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
    case = worker_case(stage, posted, "maintenance", status="disputed")
    payment = case.wrong
    case.wrong = lambda: [*payment(), *unsettled_dispute(stage, dispute_id, "under_review", 1)]
    return case


def looking_for_an_answer(stage: Stage) -> Case:
    """The answer to a submission's first attempt was lost: the next one looks before it asks."""
    case = answering_a_dispute(stage)
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/disputes/[^/]*$"}})
    stage.work("maintenance")
    stage.come_again()
    return case


def accepting_a_dispute(stage: Stage) -> Case:
    """An operator gives a dispute in."""
    posted, dispute_id = _decided(stage, AcceptDispute)
    case = worker_case(stage, posted, "maintenance", status="disputed")
    payment = case.wrong
    case.wrong = lambda: [*payment(), *unsettled_dispute(stage, dispute_id, "lost", 0)]
    return case


SCENES = (
    Scene("answering a dispute", (Step.INTENT, Step.ANSWER_DISPUTE, Step.OUTCOME), answering_a_dispute),
    Scene("looking for an answer", (Step.LOOK_UP,), looking_for_an_answer),
    Scene("accepting a dispute", (Step.INTENT, Step.ACCEPT_DISPUTE, Step.OUTCOME), accepting_a_dispute),
)
