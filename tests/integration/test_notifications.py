"""Notifications: whatever moves leaves one for each endpoint that hears it, in the same transaction, and once."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from marshmallow import RAISE
from sqlalchemy import event
from sqlalchemy.orm import Session
from standardwebhooks import Webhook, WebhookVerificationError

from config.errors import JournalRejectedError
from config.retries import LANE_FAILURES
from ingress.notifications import NotifiedPaymentSchema, PaymentNotificationSchema, RefundNotificationSchema
from models.encrypted import encrypt
from models.endpoint import Endpoint
from tasks.contracts import representations
from tasks.contracts.notifications import SendNotification
from tasks.contracts.steps import Step
from tests.builders.endpoints import SECRET, add_endpoint, notification, notifications
from tests.builders.entries import entry_of, event_entry, new_key, payment_entry, refund_entry
from tests.builders.house import House
from tests.builders.payments import plant_payment
from tests.builders.stripe_events import AMOUNT, FakeStripe, intent
from tests.builders.stripe_events import event as stripe_event
from tests.unit.workers.gateways.scripted import Act, ScriptedServer, answer, scripted, silence
from workers.gateways.standard_webhooks import new_secret
from workers.gateways.website import Recipient, WebsiteGateway
from workers.jobs import dead
from workers.jobs.operator import Operator
from workers.jobs.run import Result, Service, run_job
from workers.services.announcements import announce
from workers.services.flags import clear_flag, raise_flag
from workers.services.notifications import send, settle_send
from workers.services.stripe_objects import locked

pytestmark = pytest.mark.servers
SEND = Service(SendNotification, send, settle_send)


@dataclasses.dataclass(frozen=True)
class Told:
    """A notification on its way to an endpoint."""

    server: ScriptedServer
    endpoint: str
    job_id: str


def deliver(house: House, job_id: str, *, at: float | None = None) -> Result:
    """Run a notification's job now, whenever it would be due, by a clock that a test may set."""
    house.make_due(job_id)
    runtime = house.runtime
    if at is not None:
        sender = WebsiteGateway(runtime.settings.websites, width=1, clock=lambda: at)
        runtime = dataclasses.replace(runtime, websites=sender)
    return run_job(runtime, job_id, SEND)


def replay(house: House, job_id: str) -> None:
    with house.runtime.transaction(Step.OUTCOME) as session:
        assert dead.replay(session, [job_id], Operator("ada", "the website is well again"))


def soon(house: House) -> Any:
    """Return when a job that failed once is due at the latest."""
    base = house.runtime.settings.jobs.backoff_base
    return house.one("SELECT clock_timestamp() + make_interval(secs => :base) AS at", base=base)["at"]


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
    assert PaymentNotificationSchema(unknown=RAISE).validate(body) == {}
    assert set(shown) == set(NotifiedPaymentSchema().fields)
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


def test_a_flag_on_a_payment_that_concerns_the_website_is_told_each_time_it_is_raised(house: House) -> None:
    payment_id = paid(house)
    add_endpoint(house)

    def flag(kind: str, details: dict[str, Any]) -> None:
        with house.runtime.transaction(Step.OUTCOME) as session:
            raise_flag(session, house.runtime, kind, payment_id, details)

    for details in ({"seats": 1}, {"seats": 1}, {"seats": 2}):
        flag("late_payment", details)  # raised once; then the same, or more of it
    flag("stuck", {})
    flag("duplicate_payment", {})
    told = [notification(house, job)[1] for job in notifications(house)]
    assert [each["type"] for each in told] == ["payment.late", "payment.duplicate"]
    assert {each["data"]["id"] for each in told} == {payment_id}
    with house.runtime.transaction(Step.OUTCOME) as session:
        clear_flag(session, "late_payment", payment_id)
    flag("late_payment", {"seats": 2})
    assert [notification(house, job)[1]["type"] for job in notifications(house)][2:] == ["payment.late"]


def test_a_refund_that_is_refused_before_anything_is_reserved_is_told_as_its_job_tells_it(house: House) -> None:
    endpoint = add_endpoint(house, types=("refund.*",))
    entry = refund_entry(f"pay_{'a' * 26}", amount=1500, reason="duplicate")
    house.take_in(entry)
    assert house.refund(entry.job_id).state == "refused"
    [job] = notifications(house)
    contract, body = notification(house, job)
    assert (contract.endpoint_id, body["type"], job["subject_id"]) == (endpoint, "refund.refused", entry.subject_id)
    shown = representations.refund(house.refund_view(entry.subject_id))
    assert body["data"] == shown
    assert (shown["status"], shown["amount"], shown["currency"]) == ("refused", 1500, None)
    assert RefundNotificationSchema(unknown=RAISE).validate(body) == {}


def test_a_refund_that_waits_or_is_asked_for_by_somebody_else_tells_nobody(house: House) -> None:
    add_endpoint(house)
    house.add_client("another")
    waiting, others = refund_entry(f"pay_{'a' * 26}", shown="paid"), refund_entry(f"pay_{'a' * 26}", client="another")
    house.take_in(waiting, others)
    assert house.refund(waiting.job_id).state == "waiting"
    assert house.refund(others.job_id).state == "refused"
    assert notifications(house) == []


def test_a_payment_that_ends_before_it_began_is_told(house: House) -> None:
    plant_payment(house, "requires_confirmation", booking_reference="B-1")
    add_endpoint(house)
    entry = payment_entry(booking_reference="B-1", on_duplicate="refuse")
    house.take_in(entry)
    assert house.create(entry.job_id).state == "refused"
    [job] = notifications(house)
    _, body = notification(house, job)
    assert (body["type"], body["data"]["id"], body["data"]["status"]) == ("payment.failed", entry.subject_id, "failed")


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


def test_whoever_can_write_the_journal_cannot_have_a_notification_sent(house: House) -> None:
    forged = SendNotification(add_endpoint(house), "payment.paid", '{"type":"payment.paid"}')
    entry = entry_of(forged, client="site", route="notifications", key=new_key(), subject="pay_forged")
    with pytest.raises(JournalRejectedError, match="does not come by the journal"):
        house.take_in(entry)
    assert notifications(house) == []


# Sending


@pytest.fixture
def told(house: House) -> Iterator[Callable[..., Told]]:
    """Let a payment be paid for an endpoint that does what a script says."""
    with ExitStack() as stack:

        def tell(*script: Act) -> Told:
            server = stack.enter_context(scripted(*script))
            endpoint = add_endpoint(house, f"{server.url}/hooks")
            paid(house)
            [job] = [each for each in notifications(house) if notification(house, each)[0].endpoint_id == endpoint]
            return Told(server, endpoint, job["id"])

        yield tell


def test_a_notification_is_sent_signed_with_its_jobs_id_as_its_own(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(200))
    assert deliver(house, sent.job_id).state == "done"
    [heard] = sent.server.heard
    assert (heard.method, heard.path, heard.headers["webhook-id"]) == ("POST", "/hooks", sent.job_id)
    assert Webhook(SECRET).verify(heard.raw, dict(heard.headers))["type"] == "payment.paid"
    assert heard.raw.decode() == notification(house, house.job(sent.job_id))[0].body


def test_what_failed_is_sent_again_as_the_same_message_with_a_new_time(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(500), answer(200))
    result = deliver(house, sent.job_id)
    assert (result.state, "answered 500" in result.reason) == ("waiting", True)
    assert house.job(sent.job_id)["next_run_at"] <= soon(house)
    assert deliver(house, sent.job_id, at=time.time() + 100).state == "done"
    first, second = sent.server.heard
    assert (first.headers["webhook-id"], first.raw) == (second.headers["webhook-id"], second.raw)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_a_website_that_is_busy_is_asked_again_when_it_says(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(503, Retry_After="240"))
    assert deliver(house, sent.job_id).state == "waiting"
    wait = house.one(
        "SELECT EXTRACT(EPOCH FROM next_run_at - clock_timestamp())::float AS s FROM jobs WHERE id = :id",
        id=sent.job_id,
    )["s"]
    assert 230 < wait <= 240


def test_410_disables_the_endpoint_and_refuses_the_notification(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(410))
    assert deliver(house, sent.job_id).state == "refused"
    assert house.job(sent.job_id)["problem"]["code"] == "endpoint_gone"
    assert house.one("SELECT disabled_at FROM endpoints WHERE id = :id", id=sent.endpoint)["disabled_at"] is not None
    [flag] = house.sql("SELECT kind, subject_id, details FROM flags WHERE cleared_at IS NULL")
    assert flag == {"kind": "endpoint_gone", "subject_id": sent.endpoint, "details": {"client": "site"}}
    paid(house)
    assert len(notifications(house)) == 1


def test_what_waits_for_a_disabled_endpoint_is_a_dead_letter_that_can_be_replayed(
    house: House, told: Callable[..., Told]
) -> None:
    sent = told(answer(200))
    house.sql("UPDATE endpoints SET disabled_at = now()")
    assert deliver(house, sent.job_id).state == "dead"
    house.sql("UPDATE endpoints SET disabled_at = NULL")
    replay(house, sent.job_id)
    assert deliver(house, sent.job_id).state == "done"
    assert [heard.headers["webhook-id"] for heard in sent.server.heard] == [sent.job_id]


def test_what_was_for_an_endpoint_that_is_removed_is_refused(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(200))
    house.sql("DELETE FROM endpoints")
    assert deliver(house, sent.job_id).state == "refused"
    assert sent.server.heard == []


def test_a_notification_that_is_too_old_is_dead_and_safe_to_replay(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(500), answer(200))
    deliver(house, sent.job_id)
    house.sql("UPDATE jobs SET expires_at = clock_timestamp() WHERE id = :id", id=sent.job_id)
    assert deliver(house, sent.job_id).state == "dead"
    assert house.job(sent.job_id)["verdict"] == "safe_to_replay"
    replay(house, sent.job_id)
    assert deliver(house, sent.job_id).state == "done"
    assert len({heard.headers["webhook-id"] for heard in sent.server.heard}) == 1


def test_a_worker_that_dies_after_the_website_took_it_has_it_sent_again_as_the_same(
    house: House, told: Callable[..., Told]
) -> None:
    sent = told(answer(200))
    [job] = house.claim(sent.job_id)
    with house.runtime.reading() as session:
        endpoint = session.get_one(Endpoint, sent.endpoint)
        to = Recipient(endpoint.id, endpoint.url, [SECRET])
    house.runtime.websites.send(to, job.id, b"{}")
    house.lapse(sent.job_id)
    house.rescue()
    assert house.job(sent.job_id)["state"] == "ready"
    assert deliver(house, sent.job_id).state == "done"
    assert [heard.headers["webhook-id"] for heard in sent.server.heard] == [sent.job_id] * 2


def test_a_former_secret_signs_until_its_time(house: House, told: Callable[..., Told]) -> None:
    sent = told(answer(500))
    former = new_secret()
    sealed = encrypt(house.runtime.settings.encryption_keys, "endpoints", "former_secret", sent.endpoint, former)
    house.sql("UPDATE endpoints SET former_secret = :sealed", sealed=sealed)
    for until in ("NULL", "clock_timestamp() + interval '1 hour'", "clock_timestamp() - interval '1 second'"):
        house.sql(f"UPDATE endpoints SET former_until = {until}")  # noqa: S608 - of this test
        deliver(house, sent.job_id)
    for heard in sent.server.heard[:2]:
        for secret in (SECRET, former):
            Webhook(secret).verify(heard.raw, dict(heard.headers))
    last = sent.server.heard[2]
    Webhook(SECRET).verify(last.raw, dict(last.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(last.raw, dict(last.headers))


def test_one_website_that_hangs_holds_up_no_other(house: House) -> None:
    """Eight notifications to a website that hangs and one to another: with four threads they are not one by one."""
    with scripted(silence) as hanging, scripted(answer(200)) as well:
        add_endpoint(house, hanging.url)
        for _ in range(8):
            paid(house)
        house.sql("UPDATE endpoints SET disabled_at = now()")
        add_endpoint(house, well.url)
        paid(house)
        house.sql("UPDATE endpoints SET disabled_at = NULL")
        ids = [job["id"] for job in notifications(house)]
        started = time.monotonic()
        with ThreadPoolExecutor(house.runtime.settings.concurrency) as pool:
            results = list(pool.map(lambda job_id: deliver(house, job_id), ids))
        took = time.monotonic() - started
    assert [result.state for result in results].count("done") == 1
    assert len(hanging.heard) <= LANE_FAILURES + house.runtime.settings.concurrency // 2
    assert took < 4 * house.runtime.websites.longest_call
