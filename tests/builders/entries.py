"""Journal entries as the ingress writes them."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from config.keyring import Keyring
from config.sealing import SealingKey, public_key_of
from tasks.contracts import identity
from tasks.contracts.events import StripeEvent
from tasks.contracts.invoices import CreateInvoice
from tasks.contracts.job import Contract
from tasks.contracts.journal import JournalEntry, seal_payload
from tasks.contracts.payments import CreatePayment
from tasks.contracts.refunds import CreateRefund
from tests.builders.ingress import MACS, PRIVATE

IDENTITY_KEY = b"i" * 32
CLIENT = "site"
PUBLIC = SealingKey("s1", public_key_of(PRIVATE.current))
MILLISECONDS = 1000
LETTERS = str.maketrans("0123456789", "ghijklmnop")
Fields = Mapping[bytes, bytes]


def new_key() -> str:
    """Return an idempotency key that no other test uses, so that tests may share a simulator.

    Without digits: sixteen of them may look like a card number by chance, and be refused.
    """
    return secrets.token_hex(8).translate(LETTERS)


def payment_request(key: str, client: str = CLIENT, **changes: Any) -> CreatePayment:
    """Return what a website asks for under an idempotency key; its customer is new unless an e-mail is given."""
    request = CreatePayment(
        payment_id=identity.payment_id(IDENTITY_KEY, client, "payment-intents", key),
        amount=4950,
        currency="gbp",
        booking_reference="BK-2026-0117",
        customer_name="Ada Lovelace",
        customer_email=f"ada.{key}@example.org",
        description="First aid at work",
        metadata={"course": "first-aid"},
        shopper_ip="203.0.113.7",
        shopper_user_agent="Mozilla/5.0",
    )
    return dataclasses.replace(request, **changes)


def payment_entry(key: str | None = None, client: str = CLIENT, **changes: Any) -> JournalEntry:
    """Return the entry of a payment; the same key and changes make the same entry but for its seal and time."""
    key = key or new_key()
    contract = payment_request(key, client, **changes)
    return entry_of(contract, client=client, route="payment-intents", key=key, subject=contract.payment_id)


def refund_entry(payment_id: str, key: str | None = None, client: str = CLIENT, **changes: Any) -> JournalEntry:
    """Return the entry of a refund of all that is left, unless changes say otherwise."""
    key, route = key or new_key(), f"payments/{payment_id}/refunds"
    refund_id = identity.refund_id(IDENTITY_KEY, client, route, key)
    contract = dataclasses.replace(CreateRefund(refund_id, payment_id, None, None, {}), **changes)
    return entry_of(contract, client=client, route=route, key=key, subject=refund_id)


def invoice_request(key: str, client: str = CLIENT, **changes: Any) -> CreateInvoice:
    """Return what a website asks for under an idempotency key: two places of a course, mailed, due in 30 days."""
    request = CreateInvoice(
        invoice_id=identity.invoice_id(IDENTITY_KEY, client, "invoices", key),
        customer_name="Ada Lovelace",
        customer_email=f"ada.{key}@example.org",
        currency="gbp",
        lines=[{"description": "First aid at work", "quantity": 2, "unit_amount": 4950, "tax": "gb_vat_standard"}],
        tax_inclusive=False,
        purchase_order=None,
        due_date=None,
        days_until_due=30,
        booking_reference=None,
        memo=None,
        footer=None,
        metadata={},
        payment_id=None,
        send=True,
        draft=False,
    )
    return dataclasses.replace(request, **changes)


def invoice_entry(key: str | None = None, client: str = CLIENT, **changes: Any) -> JournalEntry:
    """Return the entry of an invoice; the same key and changes make the same entry but for its seal and time."""
    key = key or new_key()
    contract = invoice_request(key, client, **changes)
    return entry_of(contract, client=client, route="invoices", key=key, subject=contract.invoice_id)


def invoice_operation_entry(contract: Any, key: str | None = None, client: str = CLIENT) -> JournalEntry:
    """Return the entry of an operation on an invoice."""
    verb = contract.KIND.name.partition(".")[2]
    route = f"invoices/{contract.invoice_id}/{verb}"
    return entry_of(contract, client=client, route=route, key=key or new_key(), subject=contract.invoice_id)


def operation_entry(contract: Any, key: str | None = None, client: str = CLIENT) -> JournalEntry:
    """Return the entry of an operation on a payment, such as a capture."""
    verb = contract.KIND.name.partition(".")[2]
    route = f"payments/{contract.payment_id}/{verb}"
    return entry_of(contract, client=client, route=route, key=key or new_key(), subject=contract.payment_id)


def event_entry(body: bytes, event_id: str | None = None) -> JournalEntry:
    """Return the entry of a webhook; its id is read from the body unless given."""
    name = event_id or str(json.loads(body)["id"])
    return entry_of(
        StripeEvent(body),
        client="stripe",
        route="webhooks/stripe",
        key=name,
        subject=name,
        fingerprint_of=name.encode(),
    )


def entry_of(
    contract: Contract, *, client: str, route: str, key: str, subject: str, fingerprint_of: bytes | None = None
) -> JournalEntry:
    """Return a sealed and signed entry."""
    fingerprint = identity.fingerprint(IDENTITY_KEY, fingerprint_of or contract.to_bytes())
    job_id = identity.job_id(IDENTITY_KEY, client, route, key, fingerprint)
    kind = contract.KIND
    entry = JournalEntry(
        job_id=job_id,
        kind=kind.name,
        version=kind.version,
        client_id=client,
        route=route,
        scope=identity.idempotency_scope(IDENTITY_KEY, client, route, key),
        fingerprint=fingerprint,
        subject_id=subject,
        request_id=f"req-{key[:12]}",
        accepted_ms=int(time.time() * MILLISECONDS),
        seal_key_id=PUBLIC.key_id,
        sealed=seal_payload(PUBLIC, contract.to_bytes(), job_id=job_id, kind=kind.name, client_id=client),
    )
    return entry.signed(MACS)


def resigned(entry: JournalEntry, ring: Keyring = MACS, **changes: Any) -> JournalEntry:
    """Return an entry with fields changed and a MAC that fits them again."""
    return dataclasses.replace(entry, **changes).signed(ring)


def stream_fields(entry: JournalEntry) -> Fields:
    """Return the entry's fields as Redis gives them back."""
    return {name.encode(): value for name, value in entry.to_fields().items()}
