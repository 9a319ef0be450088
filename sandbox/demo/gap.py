"""The demo's last act: an hour of webhooks is lost and made up for, and a reconciliation finds a planted break."""

import json
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from sandbox.demo.acts import play_act
from sandbox.demo.bookings import make_booking
from sandbox.demo.books import unfinished_jobs
from sandbox.demo.command_line import run_tollgate
from sandbox.demo.fates import GOOD_CARD, DemoError, Progress, Stage
from sandbox.system import System

SETTINGS: Final = {"TOLLGATE_HEAL_SECONDS": "3"}  # in production minutes; nobody wants to watch those
LOST_SECONDS: Final = 3600
ALTERED_PENCE: Final = 3  # by which Stripe's fee of the payment is altered
QUIET_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
REPORT: Final = Path("build") / "reconciliation"


def heal_and_reconcile(console: Console, system: System, report: dict[str, Any]) -> dict[str, Any]:
    """Play the last act, and add to the report what came of it and what went wrong."""
    return play_act(console, report, "healing and reconciliation", lambda: _play(console, system, str(report["seed"])))


def _play(console: Console, system: System, run: str) -> dict[str, Any]:
    progress = Progress(1, "its webhooks are lost", make_booking(1, f"GAP{run}", random.Random(run)))  # noqa: S311 - no secret
    seconds = _heal(system, progress)
    console.print(
        f"\nAn hour of webhooks was lost: the payment is {progress.status} all the same, after {seconds:.0f} s"
    )
    _wait_until_quiet(system)
    before = _reconciled(system)
    if before["breaks"] or before["remainder"]:
        raise DemoError(f"the books do not agree before anything is planted: {before['breaks']} {before['remainder']}")
    charge = _alter_fee(system, progress)
    found = _reconciled(system)
    [kind] = [each["kind"] for each in found["breaks"]] or [None]
    if kind != "fee_differs" or found["breaks"][0]["stripe_id"] != charge or found["remainder"]:
        raise DemoError(f"planted was a fee of {charge}; found were {found['breaks']}")
    console.print(
        f"Reconciled {found['movements']} movements with Stripe: they agreed, and once a fee was altered there, "
        f"just that was found ({kind}, {charge}). For accountants: {REPORT / 'reconciliation.html'}"
    )
    return {
        "healed": {"payment": progress.payment_id, "seconds": round(seconds, 1)},
        "reconciled": {"movements": found["movements"], "planted": charge, "found": found["breaks"]},
    }


def _heal(system: System, progress: Progress) -> float:
    """Lose an hour of webhooks, in which a payment is paid; return after how many seconds it is known to be."""
    stage = Stage(system)
    posted, secret = stage.post(progress)
    system.simulator.switch_webhooks(on=False)
    stage.pay(progress, secret, GOOD_CARD, "succeeded")
    system.simulator.advance_clock(LOST_SECONDS)
    system.simulator.switch_webhooks(on=True)
    began = time.monotonic()
    stage.end(progress, posted, "paid")
    return time.monotonic() - began


def _wait_until_quiet(system: System) -> None:
    deadline, pause = time.monotonic() + QUIET_SECONDS, threading.Event()
    while time.monotonic() < deadline and unfinished_jobs(system.addresses.database_url):
        pause.wait(POLL_SECONDS)


def _alter_fee(system: System, progress: Progress) -> str:
    if progress.payment_id is None:
        raise DemoError("the payment has no id")
    name = system.api.payment(progress.payment_id).body["stripe_payment_intent"]
    ledger = system.simulator.ledger()
    [charge] = [str(each["id"]) for each in ledger["charges"] if each["payment_intent"] == name and each["paid"]]
    [fee] = [int(each["fee"]) for each in ledger["balance_transactions"] if each["source"] == charge]
    system.simulator.plant_fee(charge, fee + ALTERED_PENCE)
    return charge


def _reconciled(system: System) -> Mapping[str, Any]:
    """Return what `tollgate reconcile` prints; it ends with 1 if it finds something."""
    ran = run_tollgate(system, "reconcile", "--since", "1d", "--report", str(REPORT), "--json")
    if ran.returncode not in {0, 1} or not ran.stdout:
        raise DemoError(f"tollgate reconcile failed: {ran.stderr.strip()}")
    found: Mapping[str, Any] = json.loads(ran.stdout)
    return found
