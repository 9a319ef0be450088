"""The report: each scenario's figures, and their sums."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox.chaos.oracle import BROKEN

PATH: Final = Path("build") / "chaos.json"
SUMMED: Final = (
    "accepted",
    "invoices",
    "unknown",
    *BROKEN,
    "misposted",
    "unfinished",
    "dead",
)


def summary(seed: int, length: str, scenarios: Mapping[str, Mapping[str, Any]], seconds: float) -> dict[str, Any]:
    """Return the report of a run, complete or as far as it has come."""
    done = list(scenarios.values())
    faults: Counter[str] = Counter()
    for each in done:
        faults.update(each["faults"])
    return {
        "seed": seed,
        "length": length,
        "passed": bool(done) and all(each["passed"] for each in done),
        **{name: sum(each[name] for each in done) for name in SUMMED},
        "availability": _lowest(each["availability"] for each in done),
        "availability_raw": _lowest(each["availability_raw"] for each in done),
        "faults": dict(sorted(faults.items())),
        "seconds": round(seconds, 1),
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": sys.version.split()[0],
            "load_average": [round(each, 2) for each in os.getloadavg()],
        },
        "scenarios": dict(scenarios),
    }


def write(report: Mapping[str, Any], path: Path = PATH) -> None:
    """Keep the report; a reader never sees half of it."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(report, indent=2) + "\n")
    unfinished.replace(path)


def _lowest(shares: Any) -> float | None:
    known = [share for share in shares if share is not None]
    return min(known) if known else None
