"""A reconciliation as CSV: one line for each break and for each movement that matches, for a spreadsheet."""

import csv
import datetime as dt
from pathlib import Path

from config.currencies import in_units
from ops.output import instant
from workers.services.reconciliation.breaks import Break
from workers.services.reconciliation.compare import Matched
from workers.services.reconciliation.result import Result

COLUMNS = (
    "result", "date", "object", "stripe_id", "movement_id", "payment_id", "invoice_id", "currency", "at_stripe", "here",
    "fee", "difference", "what_to_do",
)  # fmt: skip


def write_sheet(path: Path, _window: tuple[dt.datetime, dt.datetime], result: Result) -> None:
    """Write the sheet; amounts in the currency's main unit, with a point, as spreadsheets in English read them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(_break(each) for each in result.breaks)
        writer.writerows(_match(each) for each in result.matched)


def _break(found: Break) -> dict[str, str]:
    return {
        "result": found.kind.value,
        "date": found.day.isoformat(),
        "object": found.noun,
        "stripe_id": found.stripe_id,
        "movement_id": "",
        "payment_id": found.payment_id or "",
        "invoice_id": found.invoice_id or "",
        "currency": found.currency,
        "at_stripe": _value(found.at_stripe, found.currency),
        "here": _value(found.here, found.currency),
        "fee": "",
        "difference": in_units(found.effect, found.currency),
        "what_to_do": found.suggestion,
    }


def _match(matched: Matched) -> dict[str, str]:
    amount = in_units(matched.amount, matched.currency)
    return {
        "result": "matched",
        "date": instant(matched.at),
        "object": matched.noun,
        "stripe_id": matched.stripe_id,
        "movement_id": matched.movement_id,
        "payment_id": matched.payment_id or "",
        "invoice_id": "",
        "currency": matched.currency,
        "at_stripe": amount,
        "here": amount,
        "fee": in_units(matched.fee, matched.currency),
        "difference": in_units(0, matched.currency),
        "what_to_do": "",
    }


def _value(value: int | str | None, currency: str) -> str:
    return in_units(value, currency) if isinstance(value, int) else value or ""
