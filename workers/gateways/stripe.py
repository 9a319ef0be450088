"""Stripe's API as Tollgate uses it. Nothing else talks to Stripe; every failure is one of `config.errors`."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal

import stripe
from stripe.params import (
    CustomerListParams,
    CustomerPaymentMethodListParams,
    PaymentIntentListParams,
    RefundCreateParams,
    RefundListParams,
)

from config.settings import StripeSettings
from tasks.contracts.steps import Step
from workers.gateways.balance_listings import BalanceListings
from workers.gateways.balance_snapshots import Booking, booking
from workers.gateways.calls import Answered, Caller, Request, at_once, object_id
from workers.gateways.listings import PAGE_SIZE, Listings
from workers.gateways.operations import idempotency_key, marked, operation_name, parse_operation
from workers.gateways.payment_intent_params import (
    CancellationReason,
    Taking,
    cancel_params,
    capture_params,
    create_params,
    update_params,
)
from workers.gateways.snapshots import (
    Answer,
    PaymentIntentSnapshot,
    RefundSnapshot,
    SavedCard,
    payment_intent_snapshot,
    refund_snapshot,
    saved_card_snapshots,
)
from workers.gateways.stripe_disputes import StripeDisputes
from workers.gateways.stripe_invoices import StripeInvoices
from workers.gateways.transport import Transport
from workers.resilience.breaker import Breaker

__all__ = ["API_VERSION", "StripeGateway", "idempotency_key", "operation_name", "parse_operation", "stripe_breaker"]

API_VERSION: Final = stripe.api_version  # the version that the pinned library's types describe
STRIPE_BREAKER: Final = "stripe"
RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]
ON_SESSION: Final = Taking()

stripe.enable_telemetry = False


def stripe_breaker(settings: StripeSettings) -> Breaker:
    """Return the circuit breaker for Stripe: one for each process, shared by its threads."""
    return Breaker(STRIPE_BREAKER, failures=settings.breaker_failures, reset=settings.breaker_reset)


class StripeGateway(Listings, BalanceListings):
    """Stripe's API, safe for threads.

    Every method makes its calls under the breaker and raises `config.errors.StripeError` or one of its kinds, nothing
    else, as `workers.gateways.classing` tells. None repeats a call: the job decides.

    Args:
        settings: key, address and timeouts.
        breaker: guards every call.
        system: written to whatever is made, so that this Tollgate's objects are told from another's. The same for all
            processes of an installation, since what is asked again under a key must not differ.
        clock: seconds since 1970, for durations and for answers without a `Date`.
    """

    def __init__(
        self,
        settings: StripeSettings,
        breaker: Breaker,
        *,
        system: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._system = system
        self._caller = Caller(breaker, clock)
        self._longest_call = settings.connect_timeout + settings.read_timeout
        self._transport = Transport(
            settings.api_base, connect_timeout=settings.connect_timeout, read_timeout=settings.read_timeout
        )
        self._stripe = stripe.StripeClient(
            settings.api_key,
            base_addresses={"api": settings.api_base},
            stripe_version=API_VERSION,
            max_network_retries=0,
            http_client=self._transport,
        ).v1
        self.invoices = StripeInvoices(self._caller, self._stripe, system)
        self.disputes = StripeDisputes(self._caller, self._stripe)

    def create_customer(self, *, name: str, email: str, operation: str, idempotency_key: str) -> Answer[str]:
        """Make a customer and return Stripe's id of it."""

        def send() -> Answered:
            return self._stripe.customers.create(
                {"name": name, "email": email, "metadata": marked({}, operation, self._system)},
                {"idempotency_key": idempotency_key},
            )

        return self._caller.answer(Request(Step.MAKE_CUSTOMER, "POST", "customers.create", operation, send, object_id))

    def find_customer(self, *, email: str, operation: str, between: Callable[[], None] = at_once) -> str | None:
        """Return Stripe's id of the customer that an operation made, None if it made none.

        More than a hundred customers with one address take several calls, each of up to `longest_call` seconds, with
        `between` before each further one.
        """

        def page(after: str | None) -> Answered:
            params: CustomerListParams = {"email": email, "limit": PAGE_SIZE}
            if after is not None:
                params["starting_after"] = after
            return self._stripe.customers.list(params)

        found = self._caller.find("customers.list", operation, page, object_id, between)
        return found.value if found else None

    def create_payment_intent(
        self,
        *,
        amount: int,
        currency: str,
        customer_id: str,
        description: str | None,
        metadata: Mapping[str, str],
        operation: str,
        idempotency_key: str,
        taking: Taking = ON_SESSION,
    ) -> Answer[PaymentIntentSnapshot]:
        """Make a PaymentIntent. No money moves before the customer confirms it, unless a saved card is charged.

        A saved card that is declined, or whose bank wants to ask the customer, is no error: the answer is the
        PaymentIntent that it has left (https://docs.stripe.com/payments/save-and-reuse#charge-saved-payment-method).

        Args:
            amount: in the currency's minor unit.
            currency: three letters.
            customer_id: Stripe's id of the customer.
            description: shown in Stripe's dashboard and in its receipts.
            metadata: shown in Stripe's dashboard.
            operation: written to the metadata, so that the object can be found again.
            idempotency_key: under which Stripe does this at most once.
            taking: how the money is taken.
        """
        params = create_params(
            amount=amount,
            currency=currency,
            customer_id=customer_id,
            description=description,
            metadata=marked(metadata, operation, self._system),
            taking=taking,
        )

        def send() -> Answered:
            return self._stripe.payment_intents.create(params, {"idempotency_key": idempotency_key})

        return self._caller.answer(
            Request(
                Step.MAKE_PAYMENT_INTENT,
                "POST",
                "payment_intents.create",
                operation,
                send,
                payment_intent_snapshot,
                decline="payment_intent",
            )
        )

    def capture_payment_intent(
        self, payment_intent_id: str, *, amount: int | None, operation: str, idempotency_key: str
    ) -> Answer[PaymentIntentSnapshot]:
        """Take what a card's bank holds, or a part of it; Stripe releases the rest (minor units)."""
        params = capture_params(amount)

        def send() -> Answered:
            return self._stripe.payment_intents.capture(payment_intent_id, params, {"idempotency_key": idempotency_key})

        return self._change(Step.CAPTURE, "payment_intents.capture", operation, send)

    def cancel_payment_intent(
        self, payment_intent_id: str, *, reason: CancellationReason | None, operation: str, idempotency_key: str
    ) -> Answer[PaymentIntentSnapshot]:
        """Give a PaymentIntent up; what a bank holds for it is released."""
        params = cancel_params(reason)

        def send() -> Answered:
            return self._stripe.payment_intents.cancel(payment_intent_id, params, {"idempotency_key": idempotency_key})

        return self._change(Step.CANCEL, "payment_intents.cancel", operation, send)

    def update_payment_intent(
        self,
        payment_intent_id: str,
        *,
        amount: int | None,
        description: str | None,
        metadata: Mapping[str, str],
        operation: str,
        idempotency_key: str,
    ) -> Answer[PaymentIntentSnapshot]:
        """Change a PaymentIntent that nobody has confirmed; what is None stays, metadata is merged by name."""
        params = update_params(amount=amount, description=description, metadata=metadata)

        def send() -> Answered:
            return self._stripe.payment_intents.update(payment_intent_id, params, {"idempotency_key": idempotency_key})

        return self._change(Step.UPDATE, "payment_intents.update", operation, send)

    def _change(
        self, step: Step, name: str, operation: str, send: Callable[[], Answered]
    ) -> Answer[PaymentIntentSnapshot]:
        return self._caller.answer(Request(step, "POST", name, operation, send, payment_intent_snapshot))

    def list_saved_cards(self, customer_id: str) -> Answer[Sequence[SavedCard]]:
        """Return the newest cards that are kept for a customer, a hundred at most."""
        params: CustomerPaymentMethodListParams = {"type": "card", "limit": PAGE_SIZE}

        def send() -> Answered:
            return self._stripe.customers.payment_methods.list(customer_id, params)

        return self._caller.answer(
            Request(Step.LOOK_UP, "GET", "customers.payment_methods.list", None, send, saved_card_snapshots)
        )

    def retrieve_payment_intent(self, payment_intent_id: str) -> Answer[PaymentIntentSnapshot]:
        """Fetch a PaymentIntent with its latest charge."""

        def send() -> Answered:
            return self._stripe.payment_intents.retrieve(payment_intent_id, {"expand": ["latest_charge"]})

        return self._caller.answer(
            Request(Step.LOOK_UP, "GET", "payment_intents.retrieve", None, send, payment_intent_snapshot)
        )

    def find_payment_intent(
        self, *, customer_id: str, operation: str, between: Callable[[], None] = at_once
    ) -> Answer[PaymentIntentSnapshot] | None:
        """Return the PaymentIntent that an operation made for a customer, with its latest charge; None if none.

        It lists, since Stripe's search lags behind by up to a minute (https://docs.stripe.com/search#data-freshness).
        A customer with more than a hundred PaymentIntents takes several calls, each of up to `longest_call` seconds,
        with `between` before each further one.
        """

        def page(after: str | None) -> Answered:
            params: PaymentIntentListParams = {
                "customer": customer_id,
                "limit": PAGE_SIZE,
                "expand": ["data.latest_charge"],
            }
            if after is not None:
                params["starting_after"] = after
            return self._stripe.payment_intents.list(params)

        return self._caller.find("payment_intents.list", operation, page, payment_intent_snapshot, between)

    def create_refund(
        self,
        *,
        payment_intent_id: str,
        amount: int,
        reason: RefundReason | None,
        metadata: Mapping[str, str],
        operation: str,
        idempotency_key: str,
    ) -> Answer[RefundSnapshot]:
        """Give back a part of what a PaymentIntent has taken, or all of it; the answer holds the charge as it then is.

        Args:
            payment_intent_id: what is given back.
            amount: in the currency's minor unit.
            reason: shown in Stripe's dashboard; `fraudulent` also teaches Stripe's Radar.
            metadata: shown in Stripe's dashboard.
            operation: written to the metadata, so that the refund can be found again.
            idempotency_key: under which Stripe does this at most once.
        """
        params: RefundCreateParams = {
            "payment_intent": payment_intent_id,
            "amount": amount,
            "metadata": marked(metadata, operation, self._system),
            "expand": ["charge"],
        }
        if reason is not None:
            params["reason"] = reason

        def send() -> Answered:
            return self._stripe.refunds.create(params, {"idempotency_key": idempotency_key})

        return self._caller.answer(
            Request(Step.MAKE_REFUND, "POST", "refunds.create", operation, send, refund_snapshot)
        )

    def retrieve_refund(self, refund_id: str) -> Answer[RefundSnapshot]:
        """Fetch a refund with its charge."""

        def send() -> Answered:
            return self._stripe.refunds.retrieve(refund_id, {"expand": ["charge"]})

        return self._caller.answer(Request(Step.LOOK_UP, "GET", "refunds.retrieve", None, send, refund_snapshot))

    def find_refund(
        self, *, payment_intent_id: str, operation: str, between: Callable[[], None] = at_once
    ) -> Answer[RefundSnapshot] | None:
        """Return the refund that an operation made of a PaymentIntent, with its charge; None if it made none.

        More than a hundred refunds of one PaymentIntent take several calls, each of up to `longest_call` seconds, with
        `between` before each further one.
        """
        page = partial(self._refunds_page, payment_intent_id)
        return self._caller.find("refunds.list", operation, page, refund_snapshot, between)

    def list_refunds(
        self, payment_intent_id: str, between: Callable[[], None] = at_once
    ) -> Answer[Sequence[RefundSnapshot]]:
        """Return all refunds of a PaymentIntent, the newest first; pages as `find_refund` does."""
        page = partial(self._refunds_page, payment_intent_id)
        return self._caller.every("refunds.list", page, refund_snapshot, between)

    def _refunds_page(self, payment_intent_id: str, after: str | None) -> Answered:
        params: RefundListParams = {
            "payment_intent": payment_intent_id,
            "limit": PAGE_SIZE,
            "expand": ["data.charge"],
        }
        if after is not None:
            params["starting_after"] = after
        return self._stripe.refunds.list(params)

    def retrieve_charge_booking(self, charge_id: str) -> Answer[Booking]:
        """Fetch the balance transaction of a charge."""

        def send() -> Answered:
            return self._stripe.charges.retrieve(charge_id, {"expand": ["balance_transaction"]})

        return self._caller.answer(Request(Step.LOOK_UP, "GET", "charges.retrieve", None, send, booking))

    def retrieve_refund_booking(self, refund_id: str) -> Answer[Booking]:
        """Fetch the balance transaction of a refund."""

        def send() -> Answered:
            return self._stripe.refunds.retrieve(refund_id, {"expand": ["balance_transaction"]})

        return self._caller.answer(Request(Step.LOOK_UP, "GET", "refunds.retrieve", None, send, booking))

    def longest_call(self) -> float:
        """Return the seconds that one call may take at most; a look-up may make several."""
        return self._longest_call

    def close(self) -> None:
        """Close the kept connections; a call under way still ends, and closes its own."""
        self._transport.close()
