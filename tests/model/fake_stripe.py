"""Stripe in memory, as truthful as its documentation: held equal to the simulator by `test_fake_stripe.py`.

It stores the first result under an idempotency key, a failure included, replays it, forgets it after 24 hours, and
lists what it has made. A request may be spoilt by one of `FAULTS`, chosen by whoever drives it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from config.errors import (
    BreakerOpenError,
    StripeInvalidError,
    StripeKeyReusedError,
    StripeOutcomeUnknownError,
    StripeRateLimitedError,
    StripeUnavailableError,
)
from tests.model.puppet import stop
from workers.gateways.balance_snapshots import BalanceTransactionSnapshot, Booking
from workers.gateways.snapshots import Answer, PaymentIntentSnapshot, payment_intent_snapshot
from workers.gateways.stripe import parse_operation

# unreached: nothing was sent; vanished: sent, and lost on the way; lost: done, but the answer is lost; broken: a 500 is
# stored and nothing was done; acted: a 500 is stored, though it was done; busy: a 500 of which nothing is stored, as
# Stripe says; limited: 429; shut: our own breaker is open.
FAULTS = ("unreached", "vanished", "lost", "broken", "acted", "busy", "limited", "shut")
UNSEEN = ("unreached", "limited", "shut", "vanished")  # those of which Stripe's API sees nothing
FEE = 20  # of every charge
READS = ("retrieve", "list")
FORGOTTEN_SECONDS = 24 * 3600.0
SMALLEST_AMOUNT = 30  # pence; below it a payment is refused as wrong, whenever it is asked for
LIMITED_SECONDS = 2.0
SHUT_SECONDS = 15.0
Object = dict[str, Any]


@dataclass(slots=True)
class Stored:
    """The first result under a key: an object as it was then, or None for a failure."""

    at: float
    asked: dict[str, Any]
    result: Object | None


@dataclass
class FakeStripe:
    """A gateway to a Stripe of its own.

    Args:
        clock: seconds since 1970, UTC.
        watch: is told of every PaymentIntent that is asked for, and when it was sent, before anything is done.
    """

    clock: Callable[[], float]
    watch: Callable[[dict[str, Any], float], None] = lambda _, __: None
    fault: str | None = None
    customers: dict[str, Object] = field(default_factory=dict)
    intents: dict[str, Object] = field(default_factory=dict)
    keys: dict[str, Stored] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)  # operations done again under a key that had been forgotten

    def create_customer(self, *, name: str, email: str, operation: str, idempotency_key: str) -> Answer[str]:
        def make() -> Object:
            made = {
                "id": f"cus_{len(self.customers) + 1}",
                "email": email,
                "operation": operation,
                "created": self._second(),
            }
            self.customers[made["id"]] = made
            return made

        found, replayed = self._post("customer", idempotency_key, {"name": name, "email": email}, make)
        return Answer(found["id"], "req", replayed, self._as_of(found if replayed else None))

    def create_payment_intent(
        self, *, amount: int, customer_id: str, operation: str, idempotency_key: str, **more: Any
    ) -> Answer[PaymentIntentSnapshot]:
        asked = {"amount": amount, "customer": customer_id, "operation": operation, **more}

        def make() -> Object:
            if amount < SMALLEST_AMOUNT:
                raise StripeInvalidError(code="amount_too_small", request_id="req")
            return self._make_intent(asked)

        found, replayed = self._post("intent", idempotency_key, asked, make)
        return Answer(payment_intent_snapshot(found), "req", replayed, self._as_of(found if replayed else None))

    def retrieve_payment_intent(self, payment_intent_id: str) -> Answer[PaymentIntentSnapshot]:
        self._get("retrieve")
        return Answer(payment_intent_snapshot(self.intents[payment_intent_id]), "req", False, self._as_of(None))

    def retrieve_charge_booking(self, charge_id: str) -> Answer[Booking]:
        self._get("retrieve")
        [paid] = [intent for intent in self.intents.values() if intent["latest_charge"] == charge_id]
        balance = BalanceTransactionSnapshot(
            f"txn_{charge_id}", paid["amount_received"], FEE, paid["currency"], self._as_of(paid)
        )
        return Answer(Booking(balance, may_come=False), "req", False, self._as_of(None))

    def find_payment_intent(
        self,
        *,
        customer_id: str,
        operation: str,
        between: Callable[[], None] | None = None,  # noqa: ARG002 - one page holds all
    ) -> Answer[PaymentIntentSnapshot] | None:
        self._get("list")
        for found in reversed(self.intents.values()):
            if found["customer"] == customer_id and found["metadata"]["tollgate_operation"] == operation:
                return Answer(payment_intent_snapshot(found), "req", False, self._as_of(None))
        return None

    def find_customer(
        self,
        *,
        email: str,
        operation: str,
        between: Callable[[], None] | None = None,  # noqa: ARG002 - one page holds all
    ) -> str | None:
        self._get("list")
        for found in reversed(self.customers.values()):
            if found["email"] == email and found["operation"] == operation:
                return str(found["id"])
        return None

    def longest_call(self) -> float:
        return 2.5

    def close(self) -> None:
        """Close nothing."""

    # What the shopper's browser and Stripe's dashboard do

    def pay(self, intent_id: str) -> None:
        """Let the shopper pay, unless that was done or can't be."""
        intent = self.intents[intent_id]
        if intent["status"] == "requires_payment_method":
            intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=f"ch_{intent_id}")
            self._tell("payment_intent.succeeded", intent)

    def made_for(self, payment_id: str) -> list[Object]:
        """Return all PaymentIntents of one of our payments that were not cancelled."""
        return [
            intent
            for intent in self.intents.values()
            if intent["metadata"]["tollgate_payment"] == payment_id and intent["status"] != "canceled"
        ]

    def _post(self, what: str, key: str, asked: dict[str, Any], make: Callable[[], Object]) -> tuple[Object, bool]:
        sent_at = self.clock()
        fault = self._arrive(what)
        if what == "intent" and fault not in UNSEEN:
            self.watch({**asked, "key": key}, sent_at)
        stored = self._stored(key)
        if stored is not None:
            return self._replay(stored, asked, fault)
        if fault == "busy":
            raise StripeUnavailableError
        if what == "intent" and key in self.keys:
            self.forgotten.append(key)
        if fault == "broken":
            self.keys[key] = Stored(self.clock(), asked, None)
            raise StripeOutcomeUnknownError(request_id="req")
        made = make()
        self.keys[key] = Stored(self.clock(), asked, None if fault == "acted" else json.loads(json.dumps(made)))
        if fault in {"lost", "acted"}:
            raise StripeOutcomeUnknownError(request_id="req")
        return made, False

    def _replay(self, stored: Stored, asked: dict[str, Any], fault: str | None) -> tuple[Object, bool]:
        if stored.asked != asked:
            raise StripeKeyReusedError(request_id="req")
        if fault == "lost":
            raise StripeOutcomeUnknownError
        if stored.result is None:
            raise StripeOutcomeUnknownError(request_id="req", replayed=True)
        return stored.result, True

    def _arrive(self, what: str) -> str | None:
        stop(f"call {what}")
        fault, self.fault = self.fault, None
        match fault:
            case "shut":
                raise BreakerOpenError(retry_after=SHUT_SECONDS)
            case "limited":
                raise StripeRateLimitedError(retry_after=LIMITED_SECONDS)
            case "unreached":
                raise StripeUnavailableError
            case "vanished":
                raise StripeUnavailableError if what in READS else StripeOutcomeUnknownError
        return fault

    def _get(self, what: str) -> None:
        if self._arrive(what) is not None:
            raise StripeUnavailableError

    def _stored(self, key: str) -> Stored | None:
        stored = self.keys.get(key)
        return stored if stored is not None and self.clock() < stored.at + FORGOTTEN_SECONDS else None

    def _make_intent(self, asked: dict[str, Any]) -> Object:
        name = f"pi_{len(self.intents) + 1}"
        intent = {
            "id": name,
            "object": "payment_intent",
            "status": "requires_payment_method",
            "amount": asked["amount"],
            "amount_received": 0,
            "currency": asked["currency"],
            "client_secret": f"{name}_secret_abc",
            "customer": asked["customer"],
            "created": self._second(),
            "metadata": {**asked["metadata"], "tollgate_operation": asked["operation"]},
            "latest_charge": None,
            "last_payment_error": None,
        }
        self.intents[name] = intent
        self._tell("payment_intent.created", intent)
        return intent

    def _tell(self, kind: str, thing: Object) -> None:
        name = f"evt_{len(self.events) + 1}"
        event = {"id": name, "object": "event", "type": kind, "created": self._second(), "data": {"object": thing}}
        self.events.append(json.dumps(event).encode())

    def _second(self) -> int:
        return int(self.clock())

    def _as_of(self, replayed: Object | None) -> dt.datetime:
        """Return what Stripe's `Date` tells, or for a replayed answer the object's creation."""
        return dt.datetime.fromtimestamp(self._second() if replayed is None else replayed["created"], dt.UTC)


def generation_of(operation: str) -> int:
    """Return the generation of an operation's key."""
    parsed = parse_operation(operation)
    assert parsed is not None
    return parsed[2]
