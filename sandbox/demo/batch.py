"""The demo's act of invoices: a batch of 50, two lines of it refused, is followed until all others are at Stripe."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sandbox.api_client import OK
from sandbox.demo.acts import play_act
from sandbox.demo.bookings import COURSES, NAMES
from sandbox.demo.fates import ACCEPTED, POLL_SECONDS, SETTLE_SECONDS, DemoError
from sandbox.system import System

LINES: Final = 50
# By their numbers from 0: one with a tax that there is not, one with a card number in its text.
BAD: Final[Mapping[int, str]] = {12: "tax_unknown", 36: "card_number_refused"}
NO_TAX: Final = "gb_vat_of_old"
CARD: Final = "4242 4242 4242 4242"
VAT_PER_CENT: Final = 20
DONE: Final = "sent"
UNAVAILABLE: Final = 503


def invoice_a_batch(console: Console, system: System, report: dict[str, Any]) -> dict[str, Any]:
    """Play the act, and add to the report what came of it and what went wrong."""
    run = f"BAT{report['seed']}"
    return play_act(console, report, "the batch of invoices", lambda: _play(console, system, run))


def _play(console: Console, system: System, run: str) -> dict[str, Any]:
    bodies = [make_invoice(number, run) for number in range(LINES)]
    began = time.monotonic()
    answer = system.api.post_invoice_batch(bodies, run)
    if answer.status not in ACCEPTED:
        raise DemoError(f"the post was answered {answer.status}: {answer.body.get('detail')}")
    batch = answer.body["batch"]
    console.print(
        f"\nA batch of {LINES} invoices: {batch['accepted']} accepted, {batch['refused']} refused, in one post"
    )
    refused = {line["line"]: line["problem"] for line in batch["lines"] if line["invoice"] is None}
    for number, problem in refused.items():
        console.print(f"  line {number} refused: {_why(problem)}", markup=False)
    batch = _follow(console, system, batch["id"], began)
    seconds = time.monotonic() - began
    wrong = [*wrongly_refused(refused), *differences(bodies, batch["lines"], system.simulator.ledger()["invoices"])]
    if wrong:
        raise DemoError("; ".join(wrong))
    console.print(
        f"  [green]All {batch['accepted']} are at Stripe, each once, with the total asked for, numbered and mailed, "
        f"{seconds:.0f} s after the post[/green]"
    )
    told = {"accepted": batch["accepted"], "refused": {str(number): _why(each) for number, each in refused.items()}}
    return {"batch": {**told, "seconds": round(seconds, 1)}}


def make_invoice(number: int, run: str) -> dict[str, Any]:
    """Return what the website asks for in one line of the batch; two of them can't be accepted."""
    course, price = COURSES[number % len(COURSES)]
    name = NAMES[number % len(NAMES)]
    line = {"description": course, "quantity": 1 + number % 3, "unit_amount": price + number, "tax": "gb_vat_standard"}
    if BAD.get(number) == "tax_unknown":
        line["tax"] = NO_TAX
    if BAD.get(number) == "card_number_refused":
        line["description"] = f"{course}, paid with {CARD}"
    return {
        "customer": {"name": name, "email": f"accounts.{number}@example.org"},
        "currency": "gbp",
        "lines": [line],
        "booking_reference": f"{run}-{number:02d}",
        "purchase_order": f"PO-{number:04d}",
    }


def wrongly_refused(refused: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Return, in words, where other lines were refused than had to be, or for another reason."""
    found = {number: [error["code"] for error in problem["errors"]] for number, problem in refused.items()}
    expected = {number: [code] for number, code in BAD.items()}
    return [] if found == expected else [f"refused had to be {expected}, and were {found}"]


def differences(
    bodies: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]], at_stripe: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return, in words, where the invoices in the simulator's ledger are not those that were asked for and accepted.

    Args:
        bodies: what was asked for, line by line.
        lines: what the API says of each in the end.
        at_stripe: all invoices in the simulator's ledger.
    """
    wrong = [
        f"line {line['line']} is {line['status']} in the end"
        for line in lines
        if line["line"] not in BAD and line["status"] != DONE
    ]
    made: dict[str, list[Mapping[str, Any]]] = {}
    for invoice in at_stripe:
        made.setdefault(str(invoice["metadata"].get("booking_reference")), []).append(invoice)
    for number, body in enumerate(bodies):
        found = made.pop(body["booking_reference"], [])
        if len(found) != (number not in BAD):
            wrong.append(f"line {number} has {len(found)} invoices at Stripe")
            continue
        wrong += [
            f"line {number} is over {each['total']} at Stripe, {each['status']}, number {each['number']}"
            for each in found
            if each["total"] != _total(body) or each["status"] != "open" or each["number"] is None
        ]
    return wrong + [f"nobody asked for {len(found)} invoices of {reference}" for reference, found in made.items()]


def _follow(console: Console, system: System, batch_id: str, began: float) -> Mapping[str, Any]:
    """Read the batch, and show how far it is, until all of its invoices are mailed or refused."""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            answer = system.api.batch(batch_id)
            seconds = time.monotonic() - began
            if answer.status == OK:
                batch: Mapping[str, Any] = answer.body
                counts = ", ".join(f"{count} {status}" for status, count in batch["statuses"].items())
                live.update(Text(f"  {seconds:3.0f} s: {counts}"), refresh=True)
                if batch["finished"]:
                    return batch
            elif answer.status != UNAVAILABLE:  # not all of its invoices are shown yet
                raise DemoError(f"reading it was answered {answer.status}: {answer.body.get('detail')}")
            if seconds > SETTLE_SECONDS:
                raise DemoError(f"after {seconds:.0f} s it is not finished: {answer.body.get('statuses', answer.body)}")
            time.sleep(POLL_SECONDS)


def _why(problem: Mapping[str, Any]) -> str:
    return "; ".join(f"{error['code']} at {error['field']}" for error in problem["errors"]) or str(problem["code"])


def _total(body: Mapping[str, Any]) -> int:
    net = sum(line["quantity"] * line["unit_amount"] for line in body["lines"])
    return int(net + (net * VAT_PER_CENT + 50) // 100)  # half a penny goes upwards; each has one line
