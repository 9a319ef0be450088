"""What befalls the demo's payments: each fate is a function that plays website and shopper for one booking."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox import shopper
from sandbox.api_client import Answer
from sandbox.demo.bookings import Booking
from sandbox.system import System

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000009995"  # insufficient funds
SECURE_CARD = "4000002760003184"  # asks for 3-D Secure every time
REFUND_FAILS_CARD = "4000000000005126"  # its refunds succeed, and fail later
REFUND_PART = 1000  # pence; every price is far above
OK = 200
WAIT_SECONDS = 10
SETTLE_SECONDS = 60.0  # a killed worker's lease, a look-up and a webhook take some 20 s at most
POLL_SECONDS = 0.1
SAME_POSTS = 5
ACCEPTED = frozenset({200, 202})
CALL_SECONDS = 4.0  # how long Stripe's answer is held back, to kill the worker meanwhile
ENDED = frozenset({"done", "refused", "dead", "cancelled"})
HOLD_SECONDS = 1.0  # how long the seats of a late payment are kept
PAST_SECONDS = 1.1  # Stripe's clock tells whole seconds: a charge of the hold's last second is in time
LATE_REFUNDED = "paid late, and given back"
SMOOTH = 1  # the wave of payments that nothing disturbs
CREATE_CALL = {"method": "POST", "path": "/v1/payment_intents$"}


class DemoError(RuntimeError):
    """The system did not do what was promised; the message says what."""


@dataclass(slots=True)
class Progress:
    """How far one payment is; read by the live table from another thread. Times in seconds since the post."""

    number: int
    fate: str
    booking: Booking
    status: str = "-"
    payment_id: str | None = None
    to_result: float | None = None
    to_end: float | None = None
    problem: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays."""

    system: System
    clock: Callable[[], float] = time.perf_counter

    def post(self, progress: Progress) -> tuple[float, str]:
        """Post the booking, wait for its client secret, and return when it was posted and the secret."""
        posted = self.clock()
        answer = self.system.api.post_payment(progress.booking.body, progress.booking.reference, wait=WAIT_SECONDS)
        self._note(progress, answer)
        secret = self.wait_for(progress, lambda view: view["client_secret"] is not None)["client_secret"]
        progress.to_result = self.clock() - posted
        return posted, secret

    def post_together(self, progress: Progress, times: int) -> tuple[float, str]:
        """Post the same booking several times at once: all answers must name one payment."""
        posted = self.clock()
        post = self.system.api.post_payment
        with ThreadPoolExecutor(times) as pool:
            posts = [
                pool.submit(post, progress.booking.body, progress.booking.reference, wait=WAIT_SECONDS)
                for _ in range(times)
            ]
            answers = [each.result() for each in posts]
        for answer in answers:
            self._note(progress, answer)
        named = {(answer.body["job"]["id"], answer.body["payment"]["id"]) for answer in answers}
        if len(named) != 1:
            raise DemoError(f"{times} equal posts made {len(named)} payments: {named}")
        secret = self.wait_for(progress, lambda view: view["client_secret"] is not None)["client_secret"]
        progress.to_result = self.clock() - posted
        return posted, secret

    def pay(self, progress: Progress, secret: str, card: str, expected: str) -> shopper.ShopperResult:
        """Confirm with a card, as the shopper's browser does; the status at Stripe must be the expected one."""
        simulator = self.system.simulator
        progress.status = "shopper pays"
        result = shopper.pay(simulator.base_url, simulator.publishable_key, secret, card)
        if result.status != expected:
            raise DemoError(f"the shopper paid and is at {result.status} instead of {expected}")
        return result

    def operate(self, progress: Progress, verb: str, body: Mapping[str, Any]) -> None:
        """Ask for an operation on the payment, as the website does; it must be done."""
        if progress.payment_id is None:
            raise DemoError("the payment has no id")
        key = f"{verb} {progress.booking.reference}"
        job = self.system.api.operate(progress.payment_id, verb, body, key, wait=WAIT_SECONDS).body["job"]
        deadline = self.clock() + SETTLE_SECONDS
        while job["status"] not in ENDED and self.clock() < deadline:
            threading.Event().wait(POLL_SECONDS)
            job = self.system.api.job(job["id"]).body
        if job["status"] != "done":
            raise DemoError(f"the {verb} is {job['status']}: {job['problem']}")

    def end(self, progress: Progress, posted: float, status: str) -> Mapping[str, Any]:
        """Wait until the payment reads the final status."""
        view = self.wait_for(progress, lambda view: view["status"] == status)
        progress.to_end = self.clock() - posted
        return view

    def give_back(self, progress: Progress, amount: int | None = None) -> Mapping[str, Any]:
        """Ask for a refund of so much or of all that is left, and return it as it is once its job is done."""
        if progress.payment_id is None:
            raise DemoError("the payment has no id")
        key = f"refund of {amount or 'the rest'} of {progress.booking.reference}"
        body = {} if amount is None else {"amount": amount, "reason": "requested_by_customer"}
        answer = self.system.api.post_refund(progress.payment_id, body, key, wait=WAIT_SECONDS)
        if answer.status != OK or answer.body["job"]["status"] != "done":
            raise DemoError(f"the refund was answered {answer.status}: {answer.body}")
        refund: Mapping[str, Any] = answer.body["refund"]
        return refund

    def wait_for(self, progress: Progress, there: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Read the payment until something is there."""
        if progress.payment_id is None:
            raise DemoError("the payment has no id")
        deadline = self.clock() + SETTLE_SECONDS
        pause = threading.Event()
        while self.clock() < deadline:
            view: Mapping[str, Any] = self.system.api.payment(progress.payment_id).body
            progress.status = view["status"]
            if there(view):
                return view
            pause.wait(POLL_SECONDS)
        raise DemoError(f"payment {progress.payment_id} is still {progress.status} after {SETTLE_SECONDS:.0f} s")

    def wait_for_fault(self, reference: str) -> None:
        """Wait until the simulator has spoiled the call of that booking."""
        deadline = self.clock() + SETTLE_SECONDS
        pause = threading.Event()
        while self.clock() < deadline:
            faults = self.system.simulator.faults()
            if any(fault["fired"] for fault in faults if fault["match"].get("body") == reference):
                return
            pause.wait(POLL_SECONDS / 2)
        raise DemoError(f"the call of {reference} never reached the simulator")

    def _note(self, progress: Progress, answer: Answer) -> None:
        if answer.status not in ACCEPTED:
            raise DemoError(f"the post was answered {answer.status}: {answer.body.get('detail')}")
        progress.payment_id = answer.body["payment"]["id"]
        progress.status = answer.body["payment"]["status"]


def paid(stage: Stage, progress: Progress) -> None:
    """Post, pay, done."""
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")


def captured_in_part(stage: Stage, progress: Progress) -> None:
    """The bank holds the price; the course is cheaper in the end, and the website takes only a part of it."""
    progress.booking = replace(progress.booking, body=progress.booking.body | {"capture": "manual"})
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, GOOD_CARD, "requires_capture")
    held = stage.wait_for(progress, lambda view: view["status"] == "requires_capture")
    part = held["amount_capturable"] // 2
    if part != progress.booking.body["amount"] // 2:
        raise DemoError(f"the bank holds {held['amount_capturable']}, the price is {progress.booking.body['amount']}")
    stage.operate(progress, "capture", {"amount": part})
    view = stage.end(progress, posted, "paid")
    if view["amount_received"] != part:
        raise DemoError(f"{view['amount_received']} was taken instead of {part}")


def late(stage: Stage, progress: Progress, then: str) -> Mapping[str, Any]:
    """The seats are kept for a moment only, and the shopper pays when they are gone; return the payment then."""
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=HOLD_SECONDS)
    hold = {"token": progress.booking.reference, "expires_at": ends.isoformat(timespec="milliseconds"), "late": then}
    progress.booking = replace(progress.booking, body=progress.booking.body | {"seat_hold": hold})
    posted, secret = stage.post(progress)
    while dt.datetime.now(dt.UTC) < ends + dt.timedelta(seconds=PAST_SECONDS):
        threading.Event().wait(POLL_SECONDS)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    view = stage.wait_for(progress, lambda view: "late_payment" in view["flags"])
    progress.notes.append("the seats were gone: flagged")
    return stage.end(progress, posted, "refunded" if then == "refund" else view["status"])


def late_kept(stage: Stage, progress: Progress) -> None:
    """Late money that confirms the booking all the same."""
    if late(stage, progress, "confirm")["status"] != "paid":
        raise DemoError("the late money was not kept")


def late_given_back(stage: Stage, progress: Progress) -> None:
    """Late money that goes back at once, all of it."""
    view = late(stage, progress, "refund")
    if view["amount_refunded"] != progress.booking.body["amount"]:
        raise DemoError(f"{view['amount_refunded']} of the late money went back")


def another_card(stage: Stage, progress: Progress) -> None:
    """A declined card first: the view must say so in words fit for the customer; then another card."""
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, DECLINED_CARD, "requires_payment_method")
    decline = stage.wait_for(progress, lambda view: view["status"] == "declined")["decline"]
    if decline["code"] != "insufficient_funds":
        raise DemoError(f"the decline reads {decline}")
    progress.notes.append(f"first told: {decline['message']}")
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")


def declined(stage: Stage, progress: Progress) -> None:
    """A declined card, and the shopper leaves."""
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, DECLINED_CARD, "requires_payment_method")
    stage.end(progress, posted, "declined")


def three_d_secure(stage: Stage, progress: Progress) -> None:
    """The bank asks the shopper, who answers."""
    posted, secret = stage.post(progress)
    asked = stage.pay(progress, secret, SECURE_CARD, "requires_action")
    if asked.authentication_url is None:
        raise DemoError("the bank asks nothing")
    simulator = stage.system.simulator
    shopper.complete_three_d_secure(
        simulator.base_url, simulator.publishable_key, secret, asked.authentication_url, outcome="complete"
    )
    stage.end(progress, posted, "paid")


def five_at_once(stage: Stage, progress: Progress) -> None:
    """The same post five times at once: one payment."""
    posted, secret = stage.post_together(progress, SAME_POSTS)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")


def refunded(stage: Stage, progress: Progress) -> None:
    """The customer gets a part back, then another course is cancelled and the rest goes back, too."""
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")
    part = stage.give_back(progress, REFUND_PART)
    stage.end(progress, posted, "partially_refunded")
    rest = stage.give_back(progress)
    if part["amount"] + rest["amount"] != progress.booking.body["amount"]:
        raise DemoError(f"{part['amount']} and {rest['amount']} were given back")
    stage.end(progress, posted, "refunded")


def refund_comes_back(stage: Stage, progress: Progress) -> None:
    """A refund succeeds, and days later the customer's bank sends it back: the customer is owed the money again."""
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, REFUND_FAILS_CARD, "succeeded")
    stage.end(progress, posted, "paid")
    refund = stage.give_back(progress)
    stage.end(progress, posted, "refunded")
    stage.system.simulator.finish_refunds()
    stage.end(progress, posted, "paid")
    failed = stage.system.api.refund(refund["id"]).body
    if failed["status"] != "failed":
        raise DemoError(f"the refund that came back reads {failed['status']}")
    progress.notes.append(f"the refund came back: {failed['failure_reason']}")


def response_lost(stage: Stage, progress: Progress) -> None:
    """Stripe acts, and its answer never arrives: Tollgate must find the PaymentIntent, not make another."""
    match = {**CREATE_CALL, "body": progress.booking.reference}
    stage.system.simulator.add_faults([{"match": match, "do": "drop"}])
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")


def worker_killed(stage: Stage, progress: Progress) -> None:
    """The worker gets SIGKILL while it waits for Stripe's answer."""
    reference = progress.booking.reference
    match = {**CREATE_CALL, "body": reference}
    stage.system.simulator.add_faults([{"match": match, "do": "latency", "seconds": CALL_SECONDS}])
    killer = threading.Thread(target=_kill_during_call, args=(stage, reference), name=f"kill-{reference}")
    killer.start()
    try:
        posted, secret = stage.post(progress)
    finally:
        killer.join()
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")


def _kill_during_call(stage: Stage, reference: str) -> None:
    stage.wait_for_fault(reference)
    stage.system.supervisor.kill("worker")


@dataclass(frozen=True, slots=True)
class Fate:
    """A fate, in words, how many of thirty payments meet it, and in which wave."""

    name: str
    count: int
    play: Callable[[Stage, Progress], None]
    wave: int = SMOOTH


FATES = (
    Fate("paid", 6, paid),
    Fate("paid late, and kept", 1, late_kept),
    Fate(LATE_REFUNDED, 1, late_given_back),
    Fate("held, captured in part", 1, captured_in_part),
    Fate("declined, then another card", 4, another_card),
    Fate("declined, shopper leaves", 2, declined),
    Fate("3-D Secure", 4, three_d_secure),
    Fate("same post five times at once", 3, five_at_once),
    Fate("paid back in two parts", 2, refunded),
    Fate("paid back, and the refund fails", 1, refund_comes_back),
    Fate("response lost after Stripe acted", 3, response_lost, wave=2),
    Fate("worker SIGKILLed in mid-call", 2, worker_killed, wave=3),
)
