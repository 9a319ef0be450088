"""One scenario from its start to its figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sandbox.chaos.availability import measure
from sandbox.chaos.database import dead, dead_letters, job_states, jobs_made_twice, unfinished
from sandbox.chaos.invoice_oracle import emails, judge_invoices
from sandbox.chaos.oracle import BROKEN, Verdict, judge
from sandbox.chaos.quiet import last_invoice_views, last_views
from sandbox.chaos.scenarios import Own, Scenario
from sandbox.chaos.stage import Length, Stage, set_stage
from sandbox.ledger_agreement import disagreements, read_posted

FINDINGS_KEPT: Final = 50  # in the report; the counts count all
SHARE_DIGITS: Final = 5
LEAST_AVAILABILITY: Final = 0.999  # of requests that nothing of ours kept from an answer


def run_scenario(
    scenario: Scenario,
    folder: Path,
    *,
    length: Length,
    seed: int,
    on_stage: Callable[[Stage], None],
    on_step: Callable[[str], None],
) -> dict[str, Any]:
    """Play a scenario on a system of its own and return its part of the report.

    Raises:
        SystemNotReadyError, ReleaseError, ServerNotStartedError, BinaryMissingError: the system did not come up.
    """
    started = time.monotonic()
    with set_stage(
        folder, name=scenario.name, length=length, seed=seed, settings=scenario.settings, on_step=on_step
    ) as stage:
        on_stage(stage)
        own = scenario.play(stage)
        stage.doing = "judging"
        result = _figures(stage, own)
    return {
        "title": scenario.title,
        "promise": scenario.promise,
        **result,
        "settings": dict(stage.settings),
        "seconds": round(time.monotonic() - started, 1),
    }


def _figures(stage: Stage, own: Own) -> dict[str, Any]:
    disturbed = list(stage.website.asked)
    states = job_states(stage.system.addresses.database_url)
    in_flight = 0 if stage.load is None else stage.load.in_flight
    # The views first: whatever a view tells of Stripe is in a ledger that is read later.
    views = last_views(stage.website, stage.orders)
    invoice_views = last_invoice_views(stage.website, stage.invoices)
    ledger = stage.system.simulator.ledger()
    verdict = judge(stage.orders, ledger, views, emails(stage.invoices))
    judge_invoices(verdict, stage.invoices, ledger, invoice_views)
    address = stage.system.addresses.database_url
    misposted = list(disagreements(stage.system.simulator.ledger(), read_posted(address))) if stage.quiet else []
    left, twice = unfinished(states), jobs_made_twice(stage.system.addresses.database_url)
    shares = measure(disturbed, stage.outages.ended)
    broken = [*own.broken, *_broken(verdict), *stage.toll.problems, *stage.website.unexpected]
    broken += [f"{each.reference}: {each.problem}" for each in (*stage.orders, *stage.invoices) if each.problem]
    if left or not stage.quiet:
        broken.append(
            f"not all was quiet in time: {in_flight} orders and {left} jobs had not ended: {_open_states(states)}"
        )
    if misposted:
        broken.append(f"{len(misposted)} movements of money differ from our ledger")
    if twice:
        broken.append(f"{twice} payments, refunds or invoices have more than one job")
    if shares.undisturbed is not None and shares.undisturbed < LEAST_AVAILABILITY:
        broken.append(f"availability {shares.undisturbed:.5f} is below {LEAST_AVAILABILITY}")
    return {
        "passed": not broken,
        "broken": broken[:FINDINGS_KEPT],
        "orders": len(stage.orders),
        "accepted": verdict.accepted,
        "invoices": verdict.invoices,
        "unknown": verdict.unknown,
        **{name: getattr(verdict, name) for name in BROKEN},
        "misposted": len(misposted),
        "unfinished": left,
        "dead": dead(states),
        "dead_letters": dead_letters(address),
        "availability": _rounded(shares.undisturbed),
        "availability_raw": _rounded(shares.raw),
        "requests": {"counted": shares.counted, "excluded": shares.excluded},
        "faults": dict(sorted(stage.toll.fired.items())),
        "figures": own.figures,
        "findings": [*verdict.findings, *misposted][:FINDINGS_KEPT],
    }


def _broken(verdict: Verdict) -> list[str]:
    return [f"{count} {what}" for name, what in BROKEN.items() if (count := getattr(verdict, name))]


def _open_states(states: dict[tuple[str, str], int]) -> str:
    return ", ".join(f"{jobs} {kind} {state}" for (kind, state), jobs in sorted(states.items()) if state != "done")


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, SHARE_DIGITS)
