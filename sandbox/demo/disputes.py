"""The demo's act of disputes: two payments are charged back; one is answered and won, nobody answers the other."""

import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from sandbox.demo.acts import play_act
from sandbox.demo.bookings import make_booking
from sandbox.demo.command_line import run_tollgate
from sandbox.demo.fates import (
    ACCEPTED,
    GOOD_CARD,
    POLL_SECONDS,
    SETTLE_SECONDS,
    WAIT_SECONDS,
    DemoError,
    Progress,
    Stage,
)
from sandbox.ledger_agreement import disagreements, read_posted
from sandbox.system import System

REASON: Final = "product_not_received"
PENNIES: Final = 100
EVIDENCE: Final[Mapping[str, str]] = {
    "service_date": "2026-03-12",
    "access_activity_log": "2026-03-12 09:02:11 signed in to the course room",
}
MOVEMENTS: Final = ("dispute", "dispute_fee", "dispute_reinstated")


def win_and_lose(console: Console, system: System, report: dict[str, Any]) -> dict[str, Any]:
    """Play the act, and add to the report what came of it and what went wrong."""
    return play_act(console, report, "disputes", lambda: _play(console, system, str(report["seed"])))


def _play(console: Console, system: System, run: str) -> dict[str, Any]:
    stage = Stage(system)
    chance = random.Random(run)  # noqa: S311 - a repeatable demo, no secret
    won, lost = (Progress(number, "is disputed", make_booking(number, f"DSP{run}", chance)) for number in (1, 2))
    disputes = [_charge_back(stage, each) for each in (won, lost)]
    console.print(f"\nTwo payments are charged back as {REASON}: both read {won.status}")
    _answer(stage, won, disputes[0])
    console.print(f"  one is answered by tollgate disputes submit: {_read(stage, won, 'under_review')}")
    for name, outcome in zip(disputes, ("won", "lost"), strict=True):
        system.simulator.close_dispute(name, outcome)
    _read(stage, won, "won", payment="paid")
    _read(stage, lost, "lost", payment="disputed")
    moved = _agreed(system, disputes)
    console.print(
        f"  it is won, and its payment {won.status} again; the other is lost, and its payment stays {lost.status}"
    )
    told = ", ".join(f"{kind} {amount / PENNIES:,.2f}" for kind, amount in moved.items())
    console.print(f"  [green]Stripe's balance transactions and the ledger say the same of them: {told}[/green]")
    return {"disputes": {"won": won.payment_id, "lost": lost.payment_id, "moved": dict(moved)}}


def _charge_back(stage: Stage, progress: Progress) -> str:
    """Have a booking paid, post evidence of it, and let its bank charge it back; return Stripe's id of the dispute."""
    posted, secret = stage.post(progress)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    stage.end(progress, posted, "paid")
    api, simulator = stage.system.api, stage.system.simulator
    key = f"attended {progress.booking.reference}"
    answer = api.post_evidence(str(progress.payment_id), EVIDENCE, key, wait=WAIT_SECONDS)
    if answer.status not in ACCEPTED:
        raise DemoError(f"the evidence was answered {answer.status}: {answer.body.get('detail')}")
    intent = api.payment(str(progress.payment_id)).body["stripe_payment_intent"]
    [charge] = [
        each["id"] for each in simulator.ledger()["charges"] if each["payment_intent"] == intent and each["paid"]
    ]
    dispute = simulator.dispute(charge, REASON)
    _read(stage, progress, "needs_response", payment="disputed")
    return str(dispute["id"])


def _answer(stage: Stage, progress: Progress, dispute: str) -> None:
    """Send what was kept of a payment to its bank, as an operator does."""
    ran = run_tollgate(stage.system, "disputes", "submit", dispute, "--why", "read in the demo", "--json")
    if ran.returncode != 0:
        raise DemoError(f"tollgate disputes submit failed: {ran.stderr.strip()}")
    sent = json.loads(ran.stdout)
    missing = [name for name, text in EVIDENCE.items() if text not in sent["evidence"].get(name, "")]
    if sent["payment"] != progress.payment_id or missing:
        raise DemoError(f"submitted was evidence of {sent['payment']}, without {missing}")


def _read(stage: Stage, progress: Progress, status: str, *, payment: str | None = None) -> str:
    """Wait until the API tells this status of a payment's dispute, and of the payment; return the dispute's."""

    def there(view: Mapping[str, Any]) -> bool:
        return (view["dispute"] or {}).get("status") == status and payment in {None, view["status"]}

    stage.wait_for(progress, there)
    return status


def _agreed(system: System, disputes: Sequence[str]) -> Mapping[str, int]:
    """Wait until our ledger says of all money what Stripe's balance transactions say; return what disputes moved."""
    deadline, pause = time.monotonic() + SETTLE_SECONDS, threading.Event()
    while True:
        ledger, posted = system.simulator.ledger(), read_posted(system.addresses.database_url)
        wrong = list(disagreements(ledger, posted))
        if not wrong:
            break
        if time.monotonic() > deadline:
            raise DemoError("; ".join(wrong))
        pause.wait(POLL_SECONDS)
    fees = {each["id"] for each in ledger["balance_transactions"] if each["source"] in disputes}
    moved = dict.fromkeys(MOVEMENTS, 0)
    for (kind, name, _), amount in posted.items():
        if kind in moved and name in fees.union(disputes):
            moved[kind] += amount
    if not all(moved.values()):
        raise DemoError(f"the ledger knows of no such movement: {moved}")
    return moved
