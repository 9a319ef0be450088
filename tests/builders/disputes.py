"""Disputes as rows, for tests of what is asked of many rows."""

from __future__ import annotations

import secrets
from typing import Any

from tests.builders.entries import CLIENT
from tests.builders.house import House
from tests.builders.payments import AMOUNT, plant_move


def plant_dispute(house: House, payment_id: str, status: str = "needs_response", **changes: Any) -> str:
    """Insert a dispute of a payment, that was opened in its status and may be answered for a week."""
    dispute_id = f"dsp_{secrets.token_hex(13)}"
    columns = {
        "id": dispute_id,
        "client_id": CLIENT,
        "payment_id": payment_id,
        "stripe_id": f"du_{secrets.token_hex(8)}",
        "case_type": "inquiry" if status.startswith("warning_") else "chargeback",
        "status": status,
        "reason": "fraudulent",
        "amount": AMOUNT,
        "currency": "gbp",
        "due_days": 7,
        **changes,
    }
    names = [name for name in columns if name != "due_days"]
    values = ", ".join(f":{name}" for name in names)
    house.sql(
        f"INSERT INTO disputes ({', '.join(names)}, due_at, opened_at, snapshot_at) VALUES ({values},"  # noqa: S608 - columns of this file's
        " clock_timestamp() + make_interval(secs => 86400.0 * :due_days), clock_timestamp(), clock_timestamp())",
        **columns,
    )
    plant_move(house, "dispute", dispute_id, status)
    return dispute_id
