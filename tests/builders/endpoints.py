"""Endpoints of a client's website, and the notifications that are left for them."""

from __future__ import annotations

import json
import secrets
from typing import Any

from models.encrypted import encrypt
from tasks.contracts.notifications import SendNotification
from tests.builders.entries import CLIENT
from tests.builders.house import House, Row

SECRET = "whsec_" + "A" * 43 + "="  # 32 bytes of zeros


def add_endpoint(
    house: House, url: str = "https://site.example/hooks", *, client: str = CLIENT, types: tuple[str, ...] = ()
) -> str:
    """Make an endpoint with `SECRET`, and return its id."""
    endpoint_id = f"end_{secrets.token_hex(4)}"
    sealed = encrypt(house.runtime.settings.encryption_keys, "endpoints", "secret", endpoint_id, SECRET)
    house.add_client(client)
    house.sql(
        "INSERT INTO endpoints (id, client_id, url, secret, types) VALUES (:id, :client, :url, :secret, :types)",
        id=endpoint_id,
        client=client,
        url=url,
        secret=sealed,
        types=list(types),
    )
    return endpoint_id


def notifications(house: House) -> list[Row]:
    """Return the jobs of notifications, in the order in which they were left."""
    return house.jobs(SendNotification.KIND.name)


def notification(house: House, job: Row) -> tuple[SendNotification, dict[str, Any]]:
    """Return what a job sends, and its body, read."""
    contract = SendNotification.from_bytes(house.payload(job["id"]))
    return contract, json.loads(contract.body)
