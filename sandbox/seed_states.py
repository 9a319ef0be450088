"""How a payment gets into each state: by what website, shopper, office and Stripe do, never by writing to a table."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stripe import StripeClient

from sandbox import shopper
from sandbox.api_client import ApiClient
from sandbox.demo.bookings import Booking
from sandbox.demo.fates import DECLINED_CARD, GOOD_CARD, SECURE_CARD
from sandbox.simulator.account import SECRET_KEY
from sandbox.simulator_control import SimulatorControl

WAIT_SECONDS = 10
SETTLE_SECONDS = 60.0  # calls that are spoilt open the breaker, which all others wait for
POLL_SECONDS = 0.1
ACCEPTED = frozenset({200, 202})
CREATE_CALL = {"method": "POST", "path": "/v1/payment_intents$"}


class SeedError(RuntimeError):
    """A payment or an invoice did not get into the state that was wanted."""


@dataclass(frozen=True, slots=True)
class Site:
    """The website's server, its shoppers' browsers, and the office with Stripe's dashboard."""

    api: ApiClient
    simulator: SimulatorControl
    stripe: StripeClient

    def post(self, booking: Booking, *, wait: int | None = WAIT_SECONDS) -> dict[str, Any]:
        """Post a booking and return its payment."""
        answer = self.api.post_payment(booking.body, booking.reference, wait=wait)
        if answer.status not in ACCEPTED:
            raise SeedError(f"{booking.reference}: {answer.status} {answer.body.get('detail')}")
        payment: dict[str, Any] = answer.body["payment"]
        return payment

    def make(self, booking: Booking) -> dict[str, Any]:
        """Post a booking and return its payment once Stripe has it, however long that takes while calls are spoilt."""
        return self.wait_for(self.post(booking), "requires_confirmation")

    def pay(self, payment: dict[str, Any], card: str) -> dict[str, Any]:
        """Confirm with a card, as the shopper does."""
        shopper.pay(self.simulator.base_url, self.simulator.publishable_key, payment["client_secret"], card)
        return payment

    def spoil(self, booking: Booking, **fault: Any) -> None:
        """Have the simulator spoil this booking's call, every time."""
        self.simulator.add_faults([{"match": {**CREATE_CALL, "body": booking.reference, "times": 0}, **fault}])

    def wait_for(self, subject: dict[str, Any], status: str) -> dict[str, Any]:
        """Wait until a payment or an invoice reads a status, and return it so."""
        deadline = time.monotonic() + SETTLE_SECONDS
        pause = threading.Event()
        found: dict[str, Any] = subject
        while time.monotonic() < deadline:
            found = self.api.ask("GET", subject["links"]["self"]).body
            if found["status"] == status:
                return found
            pause.wait(POLL_SECONDS)
        raise SeedError(f"{subject['id']} is {found['status']} instead of {status} after {SETTLE_SECONDS:.0f} s")


def site_of(api: ApiClient, simulator: SimulatorControl) -> Site:
    """Return the site of a running system."""
    return Site(api, simulator, StripeClient(SECRET_KEY, base_addresses={"api": simulator.base_url}))


def _processing(site: Site, booking: Booking) -> dict[str, Any]:
    site.spoil(booking, do="rate_limit")
    return site.post(booking, wait=None)


def _requires_confirmation(site: Site, booking: Booking) -> dict[str, Any]:
    return site.make(booking)


def _requires_action(site: Site, booking: Booking) -> dict[str, Any]:
    return site.pay(site.make(booking), SECURE_CARD)


def _requires_capture(site: Site, booking: Booking) -> dict[str, Any]:
    payment = site.make(booking)
    site.stripe.v1.payment_intents.update(payment["stripe_payment_intent"], {"capture_method": "manual"})
    return site.pay(payment, GOOD_CARD)


def _paid(site: Site, booking: Booking) -> dict[str, Any]:
    return site.pay(site.make(booking), GOOD_CARD)


def _refund(site: Site, payment: dict[str, Any], amount: int) -> dict[str, Any]:
    site.wait_for(payment, "paid")
    site.stripe.v1.refunds.create({"payment_intent": payment["stripe_payment_intent"], "amount": amount})
    return payment


def _partially_refunded(site: Site, booking: Booking) -> dict[str, Any]:
    payment = _paid(site, booking)
    return _refund(site, payment, payment["amount"] // 2)


def _refunded(site: Site, booking: Booking) -> dict[str, Any]:
    payment = _paid(site, booking)
    return _refund(site, payment, payment["amount"])


def _declined(site: Site, booking: Booking) -> dict[str, Any]:
    return site.pay(site.make(booking), DECLINED_CARD)


def _checking(site: Site, booking: Booking) -> dict[str, Any]:
    site.spoil(booking, do="status", status=500)
    return site.post(booking, wait=None)


def _canceled(site: Site, booking: Booking) -> dict[str, Any]:
    payment = site.make(booking)
    site.stripe.v1.payment_intents.cancel(payment["stripe_payment_intent"])
    return payment


def _failed(site: Site, booking: Booking) -> dict[str, Any]:
    site.spoil(booking, do="invalid")
    return site.post(booking)


@dataclass(frozen=True, slots=True)
class State:
    """A status, how many payments or invoices shall have it, and how one gets there."""

    status: str
    share: int
    make: Callable[[Site, Booking], dict[str, Any]]


# In the proportions of a training company's good week, with enough of each to look at. `disputed` is
# a bank's doing, which nobody plays here, and `in_review` has no door yet: there are no fraud rules.
STATES = (
    State("paid", 100, _paid),
    State("requires_confirmation", 20, _requires_confirmation),
    State("declined", 15, _declined),
    State("refunded", 12, _refunded),
    State("requires_action", 10, _requires_action),
    State("partially_refunded", 10, _partially_refunded),
    State("requires_capture", 8, _requires_capture),
    State("canceled", 8, _canceled),
    State("processing", 6, _processing),
    State("checking", 6, _checking),
    State("failed", 5, _failed),
)
