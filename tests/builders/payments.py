"""Payments as rows, for tests of what is asked of many rows: with a job, a customer and a history that fit."""

from __future__ import annotations

import secrets
from typing import Any

from models.encrypted import encrypt
from tests.builders.entries import CLIENT
from tests.builders.house import House

AMOUNT = 4950
_JOB = """
INSERT INTO jobs (id, kind, queue, contract_version, client_id, subject_id, scope, fingerprint, request_id, payload,
    state, accepted_at, expires_at, finished_at, projected_version)
VALUES (:id, :kind, 'payments', 1, :client, :subject, :id, '', '', '', :state, clock_timestamp(),
    clock_timestamp() + interval '6 hours', CASE WHEN :state = 'done' THEN clock_timestamp() END, 1)
"""
CUSTOMER = "cst_1"
_CUSTOMER = """
INSERT INTO customers (id, client_id, email_hash, name, email) VALUES (:id, :client, 'e', :name, :email)
ON CONFLICT DO NOTHING
"""
_PAYMENT = """
INSERT INTO payments ({columns}) VALUES ({values})
"""
_MOVE = """
INSERT INTO history (noun, subject_id, old, new, source) VALUES (:noun, :id, :old, :new, 'job')
"""
_REFUND = """
INSERT INTO refunds (id, client_id, payment_id, amount, currency, status)
VALUES (:id, :client, :payment, :amount, 'gbp', :status)
"""
_LEDGER = """
WITH head AS (
    INSERT INTO ledger_transactions (kind, stripe_id, payment_id, currency, occurred_at)
    VALUES (:kind, :stripe_id, :payment, 'gbp', clock_timestamp()) RETURNING id
)
INSERT INTO ledger_entries (transaction_id, account, currency, amount)
SELECT head.id, line.account, 'gbp', line.amount
FROM head, (VALUES ('stripe', CAST(:debit AS bigint)), ('sales', CAST(:credit AS bigint))) AS line (account, amount)
"""


def plant_payment(house: House, status: str = "paid", *, state: str = "done", **changes: Any) -> str:
    """Insert a payment that came to its status in one move; a paid one has its amount, and the ledger tells so."""
    payment_id = f"pay_{secrets.token_hex(13)}"
    paid = status in {"paid", "partially_refunded", "refunded", "disputed"}
    columns = {
        "id": payment_id,
        "client_id": CLIENT,
        "job_id": f"job_{secrets.token_hex(13)}",
        "customer_id": plant_customer(house),
        "booking_reference": f"B-{secrets.token_hex(4)}",
        "amount": AMOUNT,
        "currency": "gbp",
        "status": status,
        "amount_received": AMOUNT if paid else 0,
        "stripe_id": f"pi_{secrets.token_hex(8)}",
        "stripe_status": "succeeded" if paid else None,
        "booking_metadata": b"",
        "shopper_ip": b"",
        "shopper_user_agent": b"",
        **changes,
    }
    plant_job(house, columns["job_id"], "payments.create", payment_id, state)
    statement = _PAYMENT.format(columns=", ".join(columns), values=", ".join(f":{name}" for name in columns))
    house.sql(statement, **columns)
    plant_move(house, "payment", payment_id, status)
    if paid:
        plant_posting(house, payment_id, columns["amount_received"])
    return payment_id


def plant_customer(house: House) -> str:
    """Insert the customer whose all that is planted is, unless it is there; return its id."""
    sealed = {
        name: encrypt(house.runtime.settings.encryption_keys, "customers", name, CUSTOMER, text)
        for name, text in (("name", "Ada Lovelace"), ("email", "ada@example.org"))
    }
    house.sql(_CUSTOMER, id=CUSTOMER, client=CLIENT, **sealed)
    return CUSTOMER


def plant_job(house: House, job_id: str, kind: str, subject_id: str, state: str) -> None:
    """Insert the job that has made something."""
    house.sql(_JOB, id=job_id, kind=kind, client=CLIENT, subject=subject_id, state=state)


def plant_move(house: House, noun: str, subject_id: str, status: str) -> None:
    """Insert the history of what came to its status in one move."""
    first = [(None, "processing")] if status == "processing" else [(None, "processing"), ("processing", status)]
    for old, new in first:
        house.sql(_MOVE, noun=noun, id=subject_id, old=old, new=new)


def plant_refund(house: House, payment_id: str, amount: int, status: str = "succeeded") -> str:
    """Insert a refund that came to its status in one move."""
    refund_id = f"ref_{secrets.token_hex(13)}"
    house.sql(_REFUND, id=refund_id, client=CLIENT, payment=payment_id, amount=amount, status=status)
    house.sql(_MOVE, noun="refund", id=refund_id, old=None, new=status)
    return refund_id


def plant_posting(house: House, payment_id: str | None, debit: int, credit: int | None = None) -> None:
    """Insert a capture into the ledger."""
    house.sql(
        _LEDGER,
        kind="capture",
        stripe_id=f"ch_{secrets.token_hex(8)}",
        payment=payment_id,
        debit=debit,
        credit=-debit if credit is None else credit,
    )
