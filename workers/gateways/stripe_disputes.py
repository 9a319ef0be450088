"""Disputes at Stripe: a part of the gateway. Every failure is one of `config.errors`; no method repeats a call."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from stripe import V1Services
from stripe.params import DisputeListParams, DisputeUpdateParams, DisputeUpdateParamsEvidence

from tasks.contracts.steps import Step
from workers.gateways.balance_snapshots import DisputeSnapshot, dispute_snapshot
from workers.gateways.calls import Answered, Caller, Request, at_once
from workers.gateways.operations import idempotency_key
from workers.gateways.snapshots import Answer

PAGE_SIZE: Final = 100  # the most that Stripe lists at once


class StripeDisputes:
    """Stripe's API of disputes, safe for threads.

    Args:
        caller: makes the calls.
        services: stripe-python's.
    """

    def __init__(self, caller: Caller, services: V1Services) -> None:
        self._caller = caller
        self._disputes = services.disputes

    def retrieve(self, name: str) -> Answer[DisputeSnapshot]:
        """Fetch a dispute."""

        def send() -> Answered:
            return self._disputes.retrieve(name)

        return self._caller.answer(Request(Step.LOOK_UP, "GET", "disputes.retrieve", None, send, dispute_snapshot))

    def of_intent(
        self, payment_intent_id: str, between: Callable[[], None] = at_once
    ) -> Answer[Sequence[DisputeSnapshot]]:
        """Return all disputes of a PaymentIntent, the newest in front; `between` comes before each further page."""

        def send(after: str | None) -> Answered:
            params: DisputeListParams = {"payment_intent": payment_intent_id, "limit": PAGE_SIZE}
            if after is not None:
                params["starting_after"] = after
            return self._disputes.list(params)

        return self._caller.every("disputes.list", send, dispute_snapshot, between)

    def submit(self, name: str, evidence: Mapping[str, str], operation: str) -> Answer[DisputeSnapshot]:
        """Send evidence to the bank, once for all: Stripe takes no second submission.

        Args:
            name: of the dispute, at Stripe.
            evidence: texts by Stripe's fields (https://docs.stripe.com/api/disputes/evidence_object).
            operation: on whose behalf; under its key it is asked.
        """
        fields = cast("DisputeUpdateParamsEvidence", {**evidence})  # their names are held by `config.evidence`
        params: DisputeUpdateParams = {"evidence": fields, "submit": True}

        def send() -> Answered:
            return self._disputes.update(name, params, {"idempotency_key": idempotency_key(operation)})

        return self._change(Step.ANSWER_DISPUTE, "disputes.update", operation, send)

    def accept(self, name: str, operation: str) -> Answer[DisputeSnapshot]:
        """Give in: a chargeback is lost, an inquiry is closed."""

        def send() -> Answered:
            return self._disputes.close(name, options={"idempotency_key": idempotency_key(operation)})

        return self._change(Step.ACCEPT_DISPUTE, "disputes.close", operation, send)

    def _change(self, step: Step, name: str, operation: str, send: Callable[[], Answered]) -> Answer[DisputeSnapshot]:
        return self._caller.answer(Request(step, "POST", name, operation, send, dispute_snapshot))
