"""Invoices as rows, for tests of what is asked of many rows: with a job, a customer and a history that fit."""

from __future__ import annotations

import secrets
from typing import Any

from tests.builders.entries import CLIENT
from tests.builders.house import House
from tests.builders.payments import plant_customer, plant_job, plant_move

NET, TAX = 9900, 1980
TOTAL = NET + TAX


def plant_invoice(house: House, status: str = "sent", *, state: str = "done", **changes: Any) -> str:
    """Insert an invoice that came to its status in one move."""
    invoice_id = f"inv_{secrets.token_hex(13)}"
    made = status not in {"processing", "checking", "refused"}
    at_stripe = "open" if status in {"open", "sent", "overdue"} else status
    columns = {
        "id": invoice_id,
        "client_id": CLIENT,
        "job_id": f"job_{secrets.token_hex(13)}",
        "customer_id": plant_customer(house),
        "currency": "gbp",
        "tax_inclusive": False,
        "subtotal": NET,
        "tax_amount": TAX,
        "total": TOTAL,
        "status": status,
        "booking_metadata": b"",
        "sends": True,
        "stays_draft": False,
        "stripe_id": f"in_{secrets.token_hex(8)}" if made else None,
        "stripe_status": at_stripe if made else None,
        **changes,
    }
    plant_job(house, columns["job_id"], "invoices.create", invoice_id, state)
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    house.sql(f"INSERT INTO invoices ({names}) VALUES ({values})", **columns)  # noqa: S608 - columns of this file's
    plant_move(house, "invoice", invoice_id, status)
    return invoice_id


def plant_batch(house: House) -> str:
    """Insert a batch of no invoices, and the job that opened it."""
    batch_id, job_id = f"bat_{secrets.token_hex(13)}", f"job_{secrets.token_hex(13)}"
    plant_job(house, job_id, "invoices.batch", batch_id, "done")
    house.sql(
        "INSERT INTO invoice_batches (id, client_id, job_id, entries) VALUES (:id, :client, :job, '[]')",
        id=batch_id,
        client=CLIENT,
        job=job_id,
    )
    return batch_id
