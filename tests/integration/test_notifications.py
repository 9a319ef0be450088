"""Notifications: whatever moves leaves one for each endpoint that hears it, in the same transaction, and once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from tasks.contracts.steps import Step
from tests.builders.endpoints import SECRET, add_endpoint, notification, notifications
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House
from tests.builders.stripe_events import AMOUNT, FakeStripe, intent
from tests.builders.stripe_events import event as stripe_event
from workers.services.notifications import announce
from workers.services.stripe_objects import locked

pytestmark = pytest.mark.servers


def under_way(house: House) -> tuple[str, str]:
    """Let a payment be on its way to Stripe, whose answer is lost; return its id and its operation."""
    entry = payment_entry()
    house.take_in(entry)

    def lost(**_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        house.create(entry.job_id, house.with_stripe(FakeStripe(create_customer=lost)))
    return entry.subject_id, f"{entry.subject_id}/create/1"


def paid(house: House) -> str:
    """Let a payment be paid, as an event tells; return its id."""
    payment_id, operation = under_way(house)
    hear(house, intent(f"pi_{payment_id}", "succeeded", operation=operation))
    return payment_id


def hear(house: House, *objects: dict[str, Any]) -> None:
    entries = [
        event_entry(stripe_event("payment_intent.updated", each, at=number)) for number, each in enumerate(objects)
    ]
    house.take_in(*entries)
    house.handle(*(entry.job_id for entry in entries))


def test_a_move_leaves_a_notification_with_the_payment_as_it_is_then_without_its_client_secret(house: House) -> None:
    endpoint = add_endpoint(house)
    payment_id = paid(house)
    [job] = notifications(house)
    contract, body = notification(house, job)
    assert (contract.endpoint_id, contract.type, body["type"]) == (endpoint, "payment.paid", "payment.paid")
    assert (job["subject_id"], job["queue"], job["state"]) == (payment_id, "notifications", "ready")
    assert set(body) == {"type", "timestamp", "data"}
    shown = body["data"]
    assert (shown["id"], shown["status"], shown["amount_received"]) == (payment_id, "paid", AMOUNT)
    assert "client_secret" not in shown
    assert body["timestamp"] >= shown["created_at"]
    assert "Ada" not in contract.body
    assert "example.org" not in contract.body


def test_each_move_leaves_one_of_its_own(house: House) -> None:
    add_endpoint(house)
    payment_id, operation = under_way(house)
    name = f"pi_{payment_id}"
    hear(
        house,
        intent(name, "requires_payment_method", operation=operation),
        intent(name, "requires_action", operation=operation),
        intent(name, "succeeded", operation=operation),
    )
    told = [notification(house, job)[1]["data"]["status"] for job in notifications(house)]
    assert told == [*house.moves(payment_id)[1:]]
    assert len(told) == 3


def test_what_is_heard_again_leaves_nothing_more(house: House) -> None:
    add_endpoint(house)
    payment_id = paid(house)
    for _ in range(3):
        hear(house, intent(f"pi_{payment_id}", "succeeded", operation=f"{payment_id}/create/1"))
    assert len(notifications(house)) == 1


def test_the_same_slot_is_the_same_notification(house: House) -> None:
    add_endpoint(house)
    payment_id = paid(house)
    for _ in range(3):
        with house.runtime.transaction(Step.OUTCOME) as session:
            announce(session, house.runtime, "payment.late", locked(session, payment_id), {"hold": "gone"}, slot="hold")
    [_, job] = notifications(house)
    assert notification(house, job)[1]["data"] == {"hold": "gone"}


def test_what_is_rolled_back_leaves_nothing(house: House) -> None:
    payment_id = paid(house)
    add_endpoint(house)

    def announce_and_fail() -> None:
        with house.runtime.transaction(Step.OUTCOME) as session:
            announce(session, house.runtime, "payment.late", locked(session, payment_id))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        announce_and_fail()
    assert notifications(house) == []


def test_only_the_clients_own_endpoints_that_hear_the_type_and_are_not_disabled_are_told(house: House) -> None:
    all_of_it, this, its_noun = (
        add_endpoint(house, types=types) for types in ((), ("payment.paid",), ("payment.*", "refund.failed"))
    )
    add_endpoint(house, types=("payment.declined", "refund.*"))
    add_endpoint(house, client="another")
    off = add_endpoint(house)
    house.sql("UPDATE endpoints SET disabled_at = now() WHERE id = :id", id=off)
    paid(house)
    told = {notification(house, job)[0].endpoint_id for job in notifications(house)}
    assert told == {all_of_it, this, its_noun}


def test_the_payload_is_sealed_at_rest(house: House) -> None:
    add_endpoint(house)
    paid(house)
    [job] = notifications(house)
    assert b"payment.paid" not in bytes(job["payload"])
    assert SECRET.encode() not in bytes(house.one("SELECT secret FROM endpoints")["secret"])


def test_a_client_without_endpoints_costs_one_query_in_a_transaction(house: House) -> None:
    payment_id = paid(house)
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with house.runtime.transaction(Step.OUTCOME) as session:
        payment = locked(session, payment_id)
        event.listen(house.runtime.engine, "before_cursor_execute", note)
        started = time.perf_counter()
        for kind in ("payment.paid", "payment.refunded", "payment.disputed"):
            announce(session, house.runtime, kind, payment)
        took = time.perf_counter() - started
        event.remove(house.runtime.engine, "before_cursor_execute", note)
    assert len(seen) == 1
    assert took < 0.1  # it takes a millisecond or two


def test_the_query_for_endpoints_uses_their_index(house: House) -> None:
    with house.runtime.reading() as session:
        plan = explained(session)
    assert "ix_endpoints_client_id" in plan


def explained(session: Session) -> str:
    connection = session.connection()
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    rows = connection.exec_driver_sql(
        "EXPLAIN SELECT * FROM endpoints WHERE client_id = 'site' AND disabled_at IS NULL"
    )
    return "\n".join(row[0] for row in rows)
