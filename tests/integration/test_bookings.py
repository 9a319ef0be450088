"""Bookings: a second payment is refused or flagged, money that comes late is kept or given back, and always flagged."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from typing import Any

import pytest

from config.errors import StripeInvalidError
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, new_key, payment_entry
from tests.builders.house import REVIEW, House
from tests.builders.payments import plant_payment
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import START, FakeStripe, answer_of, charge, event, intent
from workers.jobs import dead
from workers.jobs.operator import Operator
from workers.jobs.run import Result, run_job

pytestmark = pytest.mark.servers
HOLD_END = 100  # seconds after the start


def moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(START + seconds, dt.UTC)


def booking() -> str:
    return f"B-{new_key()}"


def posted(house: House, booking_reference: str, **changes: Any) -> tuple[str, str]:
    """Take a payment intent in; return the ids of its job and payment."""
    entry = payment_entry(booking_reference=booking_reference, **changes)
    house.take_in(entry)
    return entry.job_id, entry.subject_id


def review_all(house: House, stripe: Any = None) -> list[Result]:
    """Run every review that is not over."""
    runtime = house.runtime if stripe is None else house.with_stripe(stripe)
    rows = house.sql("SELECT id FROM jobs WHERE kind = 'payments.review' AND state IN ('ready', 'waiting') ORDER BY id")
    return [run_job(runtime, row["id"], REVIEW) for row in rows]


def flagged(house: House, kind: str) -> dict[str, Any]:
    rows = house.sql("SELECT subject_id, details FROM flags WHERE kind = :kind AND cleared_at IS NULL", kind=kind)
    return {row["subject_id"]: row["details"] for row in rows}


# A second payment


def test_what_is_asked_of_seats_is_kept_and_shown(shop: House) -> None:
    hold = {"hold_token": "hold_1", "hold_expires_at": "2026-03-12T10:15:00.500Z", "hold_late": "refund"}
    job, payment = posted(shop, booking(), **hold)
    assert shop.create(job).state == "done"
    view = shop.payment_view(payment)
    expected = {"token": "hold_1", "expires_at": "2026-03-12T10:15:00.500Z", "late": "refund"}
    assert (view.seat_hold, list(view.flags)) == (expected, [])


def test_of_two_at_once_that_would_be_refused_one_is(shop: House, stripe: Simulator) -> None:
    reference = booking()
    jobs = dict(posted(shop, reference, on_duplicate="refuse") for _ in range(4))
    stripe.faults({"do": "latency", "ms": 100, "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    barrier, results = threading.Barrier(len(jobs)), list[Result]()

    def work(job_id: str) -> None:
        barrier.wait()
        results.append(shop.create(job_id))

    threads = [threading.Thread(target=work, args=(job_id,)) for job_id in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.state for result in results) == ["done", "refused", "refused", "refused"]
    [winner] = [result.job_id for result in results if result.state == "done"]
    intents = [
        each
        for each in stripe.control("GET", "ledger")["payment_intents"]
        if each["metadata"].get("booking_reference") == reference
    ]
    assert [each["metadata"]["tollgate_payment"] for each in intents] == [jobs[winner]]


def test_a_refused_one_is_failed_with_its_reason_and_stripe_was_never_asked(house: House) -> None:
    earlier = plant_payment(house, "requires_confirmation", booking_reference="B-1")
    job, payment = posted(house, "B-1", on_duplicate="refuse")
    stripe = FakeStripe()
    assert house.create(job, house.with_stripe(stripe)).state == "refused"
    row = house.job(job)
    assert (row["problem"]["code"], row["intent"], stripe.asked) == ("duplicate_payment", None, [])
    assert house.payment(payment)["status"] == "failed"
    assert house.moves(payment) == ["failed"]
    assert house.payment_view(payment).status == "failed"
    assert house.payment(earlier)["status"] == "requires_confirmation"
    assert review_all(house) == []


LIVE = ("processing", "requires_confirmation", "requires_action", "requires_capture", "checking", "in_review")


@pytest.mark.parametrize(
    ("status", "off_session", "refused"),
    [
        *((status, False, True) for status in (*LIVE, "paid", "partially_refunded", "disputed", "declined")),
        *((status, False, False) for status in ("canceled", "failed", "refunded")),
        ("declined", True, False),
    ],
)
def test_only_a_live_payment_stands_in_the_way(house: House, status: str, off_session: bool, refused: bool) -> None:
    plant_payment(house, status, booking_reference="B-1", off_session=off_session)
    job, _ = posted(house, "B-1", on_duplicate="refuse")
    lost = house.with_stripe(FakeStripe())  # which can't be asked anything
    assert (house.create(job, lost).state == "refused") is refused


def test_another_booking_or_client_does_not_stand_in_the_way(house: House) -> None:
    house.add_client("office")
    plant_payment(house, booking_reference="B-1", client_id="office")
    plant_payment(house, booking_reference="B-2")
    job, _ = posted(house, "B-1", on_duplicate="refuse")
    assert house.create(job, house.with_stripe(FakeStripe())).state != "refused"


def test_a_payment_that_was_admitted_is_not_refused_by_a_later_attempt(shop: House) -> None:
    job, payment = posted(shop, "B-1", on_duplicate="refuse")
    shop.create(job, shop.with_stripe(FakeStripe()))
    assert shop.payment(payment)["status"] in {"processing", "checking"}
    plant_payment(shop, booking_reference="B-1")
    assert shop.create_again(job).state == "done"


def test_after_a_restore_a_second_payment_is_not_called_failed(shop: House) -> None:
    """Stripe was asked before the database lost what it knew."""
    job, payment = posted(shop, "B-1", on_duplicate="refuse")
    assert shop.create(job).state == "done"
    restored_before_it_was_asked(shop, job, payment)
    plant_payment(shop, "requires_confirmation", booking_reference="B-1")
    assert shop.create(job).state == "done"
    assert shop.payment(payment)["status"] == "requires_confirmation"
    review_all(shop)
    assert payment in flagged(shop, "duplicate_payment")


def test_a_second_payment_that_was_taken_in_late_is_refused_if_stripe_knows_nothing_of_it(shop: House) -> None:
    reference = booking()
    plant_payment(shop, "requires_confirmation", booking_reference=reference)
    job, payment = posted(shop, reference, on_duplicate="refuse")
    shop.sql("UPDATE jobs SET accepted_at = accepted_at - interval '1 hour' WHERE id = :id", id=job)
    assert shop.create(job).state == "refused"
    assert shop.job(job)["problem"]["code"] == "duplicate_payment"
    assert shop.payment(payment)["status"] == "failed"


def test_a_dead_letter_that_is_replayed_is_refused_if_its_booking_was_paid_meanwhile(shop: House) -> None:
    reference = booking()
    job, payment = posted(shop, reference, on_duplicate="refuse")
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() WHERE id = :id", id=job)
    assert shop.create(job).state == "dead"
    assert (shop.job(job)["verdict"], shop.payment(payment)["status"]) == ("safe_to_replay", "failed")
    plant_payment(shop, "paid", booking_reference=reference)
    with shop.runtime.transaction(Step.OUTCOME) as session:
        assert dead.replay(session, [job], Operator("ada", "Stripe is well again")) == {job: "ready"}
    assert shop.create(job).state == "refused"
    assert shop.job(job)["problem"]["code"] == "duplicate_payment"
    assert shop.payment(payment)["status"] == "failed"


def restored_before_it_was_asked(house: House, job: str, payment: str) -> None:
    """Let rows be as they were before Stripe was asked, long after the job was accepted."""
    house.force(
        "UPDATE jobs SET state = 'ready', intent = NULL, intent_at = NULL, finished_at = NULL,"
        " accepted_at = accepted_at - interval '1 hour' WHERE id = :id",
        id=job,
    )
    house.force(
        "UPDATE payments SET status = 'processing', stripe_id = NULL, stripe_status = NULL WHERE id = :id", id=payment
    )


def test_a_second_live_payment_is_flagged_with_the_first_by_default(shop: House) -> None:
    reference = booking()
    ids = []
    for _ in range(2):
        job, payment = posted(shop, reference)
        assert shop.create(job).state == "done"
        ids.append(payment)
    assert [result.state for result in review_all(shop)] == ["done"]
    details = {"payments": sorted(ids), "number": 2, "paid": False}
    assert flagged(shop, "duplicate_payment") == dict.fromkeys(ids, details)
    for payment in ids:
        assert list(shop.payment_view(payment).flags) == ["duplicate_payment"]


# Money


def held(house: House, late: str | None = "confirm", ends: float = HOLD_END, **changes: Any) -> str:
    """Return a payment that may be paid now, whose seats are kept until then."""
    hold = {"hold_token": "hold_1", "hold_expires_at": moment(ends), "hold_late": late} if late else {}
    return plant_payment(house, "requires_confirmation", stripe_status="requires_payment_method", **hold, **changes)


def events_of(house: House, payment: str, charged: int, told: int | None = None) -> list[bytes]:
    """Return what Stripe tells of a payment that was charged then, told so many seconds after the start."""
    name = str(house.payment(payment)["stripe_id"])
    at = charged if told is None else told
    return [
        event("payment_intent.succeeded", intent(name, "succeeded", latest_charge=f"ch_{name}"), at),
        event("charge.succeeded", charge(name, "succeeded", created=START + charged), at),
    ]


def hear(house: House, *bodies: bytes) -> None:
    """Handle events, each in a batch of its own."""
    for body in bodies:
        entry = event_entry(body)
        house.take_in(entry)
        house.handle(entry.job_id)


def pay(house: House, payment: str, charged: int, told: int | None = None) -> None:
    """Let money come, be heard of, and be reviewed."""
    hear(house, *events_of(house, payment, charged, told))
    review_all(house, at_stripe(house, payment, charged))


def at_stripe(house: House, payment: str, charged: int) -> FakeStripe:
    name = str(house.payment(payment)["stripe_id"])
    shown = intent(name, "succeeded", latest_charge=charge(name, "succeeded", created=START + charged))
    return FakeStripe(retrieve_payment_intent=lambda name: answer_of(shown, charged + 50))  # noqa: ARG005 - its name


def refunds(house: House) -> list[str]:
    return [row["state"] for row in house.jobs("refunds.create")]


@pytest.mark.parametrize(
    ("ends", "charged", "is_late"),
    [
        (HOLD_END, HOLD_END - 1, False),
        (HOLD_END, HOLD_END, False),  # within the second in which it ended
        (HOLD_END + 0.001, HOLD_END, False),
        (HOLD_END + 0.999, HOLD_END, False),
        (HOLD_END + 0.999, HOLD_END + 1, True),
        (HOLD_END, HOLD_END + 1, True),
        (HOLD_END, HOLD_END + 1000, True),
    ],
)
def test_money_is_late_when_its_second_began_after_the_hold_had_ended(
    house: House, ends: float, charged: int, is_late: bool
) -> None:
    payment = held(house, ends=ends)
    pay(house, payment, charged)
    assert house.payment(payment)["status"] == "paid"
    assert (payment in flagged(house, "late_payment")) is is_late
    assert ("late_payment" in house.payment_view(payment).flags) is is_late


def test_an_event_of_a_later_second_does_not_make_money_late(house: House) -> None:
    payment = held(house)
    pay(house, payment, charged=HOLD_END, told=HOLD_END + 2)
    assert flagged(house, "late_payment") == {}


def test_late_money_that_confirms_is_kept_and_flagged_with_both_times(house: House) -> None:
    payment = held(house, "confirm")
    pay(house, payment, HOLD_END + 60)
    details = {
        "charged_at": moment(HOLD_END + 60).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "hold_expired_at": moment(HOLD_END).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "then": "confirm",
    }
    assert flagged(house, "late_payment") == {payment: details}
    assert refunds(house) == []


def test_late_money_is_given_back_once_whatever_comes_twice(house: House) -> None:
    payment = held(house, "refund")
    pay(house, payment, HOLD_END + 60)
    for _ in range(2):
        house.force("UPDATE jobs SET state = 'ready' WHERE kind = 'payments.review'")
        house.sql("UPDATE payments SET version = version + 1, updated_at = clock_timestamp()")
        [again] = review_all(house, at_stripe(house, payment, HOLD_END + 60))
        assert again.state == "done"
    [job] = house.jobs("refunds.create")
    assert (job["client_id"], job["state"]) == ("site", "ready")
    assert b'"amount":null' in house.payload(job["id"])
    assert payment.encode() in house.payload(job["id"])
    assert list(flagged(house, "late_payment")) == [payment]


def test_money_without_a_hold_or_in_time_asks_stripe_nothing_more(house: House) -> None:
    for payment in (held(house, None), held(house)):
        hear(house, *events_of(house, payment, HOLD_END - 1))
    assert house.jobs("payments.review") == []


def test_late_money_is_flagged_even_if_stripe_shows_the_payment_no_more(house: House) -> None:
    def gone(name: str) -> Any:
        raise StripeInvalidError(f"no such payment_intent: {name}", code="resource_missing")

    payment = held(house)
    hear(house, *events_of(house, payment, HOLD_END + 1))
    review_all(house, FakeStripe(retrieve_payment_intent=gone))
    assert list(flagged(house, "late_payment")) == [payment]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1, 1), (1, 0, 1)], ids=str)
def test_in_whatever_order_and_number_events_come_late_money_ends_the_same(
    house: House, order: tuple[int, ...]
) -> None:
    payment = held(house, "refund")
    events = events_of(house, payment, HOLD_END + 1, told=HOLD_END + 2)
    hear(house, *(events[number] for number in order))
    stripe = at_stripe(house, payment, HOLD_END + 1)
    house.refresh_all(house.with_stripe(stripe))
    review_all(house, stripe)
    assert house.payment(payment)["status"] == "paid"
    assert flagged(house, "late_payment")[payment]["charged_at"].startswith(moment(HOLD_END + 1).isoformat()[:19])
    assert len(refunds(house)) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[:3], ids=str)
def test_a_booking_that_is_paid_twice_is_flagged_on_each_payment(house: House, order: tuple[int, ...]) -> None:
    ids = [held(house, None, booking_reference="B-1") for _ in range(3)]
    first, second, third = (ids[number] for number in order)
    pay(house, first, 1)
    assert flagged(house, "duplicate_payment") == {}
    pay(house, second, 2)
    two = {"payments": sorted([first, second]), "number": 2, "paid": True}
    assert flagged(house, "duplicate_payment") == {first: two, second: two}
    pay(house, third, 3)
    assert flagged(house, "duplicate_payment") == {
        each: {"payments": sorted(ids), "number": 3, "paid": True} for each in ids
    }


def test_payments_of_one_booking_that_are_paid_at_once_are_both_flagged(house: House) -> None:
    ids = [held(house, None, booking_reference="B-1") for _ in range(2)]
    threads = [threading.Thread(target=hear, args=(house, *events_of(house, payment, 1))) for payment in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.state for result in review_all(house)] == ["done", "done"]
    assert set(flagged(house, "duplicate_payment")) == set(ids)
