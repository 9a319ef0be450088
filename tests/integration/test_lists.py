"""Lists and misses on the workers' side: complete by construction, named by keyed hashes, shown when asked for."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import pytest

from config.keyring import Keyring
from tasks.contracts.lists import (
    BOOKING,
    CUSTOMER,
    INVOICES_OF_BOOKING,
    INVOICES_OF_CUSTOMER,
    LONGEST,
    PAYMENT,
    ListKey,
)
from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tasks.contracts.views import AbsentView, ListView
from tests.builders.entries import CLIENT, entry_of, event_entry, new_key, payment_entry
from tests.builders.house import House
from tests.builders.ingress import VIEWS
from tests.builders.invoices import plant_invoice
from tests.builders.stripe_events import event
from workers.jobs.forget import forget
from workers.projections.missing import ABSENT_INVOICE_SECONDS, ABSENT_SECONDS, OLDER_LIST_SECONDS
from workers.projections.projector import project, show
from workers.projections.repair import repair_forgotten, repair_views
from workers.runtime import Runtime

pytestmark = pytest.mark.servers
BOOKED = "BK-lists"


def made(house: House, booking: str = BOOKED, client: str = CLIENT, email: str | None = None) -> str:
    """Return a payment of a booking, with its row and its views."""
    entry = payment_entry(
        client=client, booking_reference=booking, **({} if email is None else {"customer_email": email})
    )
    house.take_in(entry)
    house.create(entry.job_id)
    return entry.subject_id


def listed(house: House, key: ListKey, ring: Keyring = VIEWS) -> ListView | None:
    """Return a list as the ingress reads it; None if it is not there."""
    name = house.keyspace.view(key.name(ring))
    fields = house.view_fields(name)
    return ListView.open(house.runtime.settings.view_keys, name, fields) if fields else None


def entries(house: House, key: ListKey) -> Sequence[str]:
    found = listed(house, key)
    assert found is not None, "there is no such list"
    return found.entries


def of_booking(booking: str = BOOKED, client: str = CLIENT) -> ListKey:
    return ListKey(client, BOOKING, booking)


def forget_all(house: House) -> None:
    names: Any = house.runtime.redis.keys(f"{house.keyspace.prefix}*")
    house.runtime.redis.delete(*names)


def asked(house: House, request: ShowViews, client: str = CLIENT, runtime: Runtime | None = None) -> str:
    """Have a worker do what a read asks for; return the job's id."""
    entry = entry_of(request, client=client, route="views", key=new_key(), subject=request.subject_id)
    house.take_in(entry)
    [result] = house.show(entry.job_id, runtime=runtime)
    assert result.state == "done"
    return entry.job_id


def asked_for_list(house: House, key: ListKey) -> None:
    asked(house, ShowViews(key.name(VIEWS), key.noun, key.value, key.before), key.client_id)


def test_a_booking_lists_its_payments_the_newest_in_front(house: House) -> None:
    first, second = made(house), made(house)
    made(house, "BK-another")
    assert entries(house, of_booking()) == [second, first]


def test_a_customer_lists_theirs_whatever_the_booking_and_the_letters_case(house: House) -> None:
    first = made(house, "BK-1", email="Ada.Byron@example.org")
    second = made(house, "BK-2", email="ada.byron@EXAMPLE.org")
    made(house, "BK-2")
    assert entries(house, ListKey(CLIENT, CUSTOMER, "ADA.byron@example.org")) == [second, first]


def test_two_clients_with_the_same_booking_have_a_list_each(house: House) -> None:
    house.add_client("office")
    ours, theirs = made(house), made(house, client="office")
    assert entries(house, of_booking()) == [ours]
    assert entries(house, of_booking(client="office")) == [theirs]


def test_a_booking_and_a_customer_list_their_invoices_and_no_payments(house: House) -> None:
    customer = house.payment(made(house, email="ada@example.org"))["customer_id"]
    first, second, other = (
        plant_invoice(house, booking_reference=name, customer_id=customer) for name in (BOOKED, BOOKED, None)
    )
    project(house.runtime, [first, second, other])
    assert entries(house, ListKey(CLIENT, INVOICES_OF_BOOKING, BOOKED)) == [second, first]
    assert entries(house, ListKey(CLIENT, INVOICES_OF_CUSTOMER, "Ada@example.org")) == [other, second, first]
    assert len(entries(house, of_booking())) == 1
    forget_all(house)
    house.runtime.redis.set(house.keyspace.epoch, 1)
    asked_for_list(house, ListKey(CLIENT, INVOICES_OF_BOOKING, BOOKED))
    assert entries(house, ListKey(CLIENT, INVOICES_OF_BOOKING, BOOKED)) == [second, first]
    assert house.invoice_view(first).status == "sent"


def test_a_payment_lists_its_refunds(house: House) -> None:
    payment = made(house)
    for name in ("ref_1", "ref_2"):
        refunded(house, payment, name)
    project(house.runtime, ["ref_1", "ref_2"])
    assert entries(house, ListKey(CLIENT, PAYMENT, payment)) == ["ref_2", "ref_1"]


def test_another_client_lists_no_refunds_of_a_payment_whose_id_it_has_come_by(house: House) -> None:
    house.add_client("another")
    payment = made(house)
    refunded(house, payment, "ref_" + "a" * 26)
    for client, there in (("another", 0), (CLIENT, 1)):
        key = ListKey(client, PAYMENT, payment)
        asked_for_list(house, key)
        assert len(entries(house, key)) == there


def refunded(house: House, payment: str, name: str) -> None:
    house.sql(
        "INSERT INTO refunds (id, client_id, payment_id, amount, currency, status)"
        " VALUES (:id, :client, :payment, 1, 'gbp', 'succeeded')",
        id=name,
        payment=payment,
        client=CLIENT,
    )


def test_a_slow_projector_never_puts_an_older_list_over_a_newer_one(house: House) -> None:
    first = made(house)
    older = house.view_fields(house.keyspace.view(of_booking().name(VIEWS)))
    second = made(house)
    key = house.keyspace.view(of_booking().name(VIEWS))
    house.runtime.redis.hset(key, mapping=older)  # type: ignore[arg-type]  # redis-py's union of sync and async
    show(house.runtime, [second], again=True)
    assert entries(house, of_booking()) == [second, first]
    show(house.runtime, [first], again=True)
    assert entries(house, of_booking()) == [second, first]


def test_what_redis_forgot_is_listed_whole_as_soon_as_one_of_it_is_shown(house: House) -> None:
    first, second = made(house), made(house)
    forget_all(house)
    assert listed(house, of_booking()) is None
    third = made(house)
    assert entries(house, of_booking()) == [third, second, first]


def test_lists_are_filled_anew_with_everything_else(house: House) -> None:
    payment = made(house)
    repair_forgotten(house.runtime)
    forget_all(house)
    house.sql("UPDATE payments SET updated_at = updated_at - interval '1 minute'")
    assert repair_forgotten(house.runtime) is True
    repair_views(house.runtime)
    assert entries(house, of_booking()) == [payment]


def test_a_payment_that_is_shown_already_costs_its_lists_nothing(house: House) -> None:
    payment = made(house)
    house.runtime.redis.delete(house.keyspace.view(of_booking().name(VIEWS)))
    house.sql("UPDATE payments SET version = version + 1")
    project(house.runtime, [payment])
    assert listed(house, of_booking()) is None


def test_names_tell_nothing_and_are_by_every_key_of_the_ring(house: House) -> None:
    ring = Keyring("v2", {"v2": b"w" * 32, "v1": VIEWS.current})
    rotating = dataclasses.replace(house.runtime, settings=dataclasses.replace(house.runtime.settings, view_keys=ring))
    entry = payment_entry(booking_reference=BOOKED, customer_email="ada@example.org")
    house.take_in(entry)
    house.create(entry.job_id, rotating)
    names: Any = house.runtime.redis.keys(house.keyspace.view("lst_*"))
    assert len(names) == 4
    assert not any(BOOKED.encode() in name or b"example" in name for name in names)
    house.runtime = rotating
    for known in (ring, VIEWS):
        found = listed(house, of_booking(), known)
        assert found is not None
        assert found.entries == [entry.subject_id]


def test_a_list_put_in_anothers_place_is_not_believed(house: House) -> None:
    made(house)
    stolen: Any = house.view_fields(house.keyspace.view(of_booking().name(VIEWS)))
    other = of_booking("BK-another")
    house.runtime.redis.hset(house.keyspace.view(other.name(VIEWS)), mapping=stolen)
    with pytest.raises(Exception, match="cannot be opened"):
        listed(house, other)


# Misses


def test_a_view_that_expired_is_shown_when_it_is_asked_for(house: House) -> None:
    payment = made(house)
    job = house.payment(payment)["job_id"]
    refunded(house, payment, "ref_1")
    forget_all(house)
    for name in (payment, job, "ref_1"):
        asked(house, ShowViews(name))
        assert house.view_fields(house.keyspace.view(name))
        assert house.runtime.redis.exists(house.keyspace.waiters(name))
        assert not house.runtime.redis.exists(house.keyspace.absent(name))


def test_a_list_is_shown_with_all_that_is_on_it(house: House) -> None:
    payments = [made(house) for _ in range(3)]
    forget_all(house)
    asked_for_list(house, of_booking())
    assert entries(house, of_booking()) == payments[::-1]
    assert all(house.payment_view(payment).id == payment for payment in payments)
    assert house.runtime.redis.exists(house.keyspace.waiters(of_booking().name(VIEWS)))


def test_an_older_list_begins_where_it_is_told_and_lives_for_minutes(house: House) -> None:
    first, second, third = made(house), made(house), made(house)
    key = dataclasses.replace(of_booking(), before=third)
    asked_for_list(house, key)
    found = listed(house, key)
    assert found is not None
    assert (found.entries, found.more) == ([second, first], False)
    ttl: Any = house.runtime.redis.ttl(house.keyspace.view(key.name(VIEWS)))
    assert 0 < ttl <= OLDER_LIST_SECONDS


def test_a_list_holds_so_many_and_says_that_there_are_more(house: House) -> None:
    payment = made(house)
    for number in range(LONGEST):
        refunded(house, payment, f"ref_{number:03d}")
    key = ListKey(CLIENT, PAYMENT, payment)
    asked_for_list(house, key)
    whole = listed(house, key)
    assert whole is not None
    assert (len(whole.entries), whole.more) == (LONGEST, False)
    refunded(house, payment, "ref_more")
    asked_for_list(house, key)
    newest = listed(house, key)
    assert newest is not None
    assert (newest.entries[0], len(newest.entries), newest.more) == ("ref_more", LONGEST, True)
    older = dataclasses.replace(key, before=newest.entries[-1])
    asked_for_list(house, older)
    assert entries(house, older) == ["ref_000"]


def test_that_there_is_none_is_said_for_a_moment(house: House) -> None:
    unknown = "pay_" + "a" * 26
    asked(house, ShowViews(unknown))
    key = house.keyspace.absent(unknown)
    word = AbsentView.open(VIEWS, key, house.view_fields(key))
    assert word.id == unknown
    assert time.time() < word.until <= time.time() + ABSENT_SECONDS + 1
    ttl: Any = house.runtime.redis.ttl(key)
    assert 0 < ttl <= ABSENT_SECONDS
    assert house.view_fields(house.keyspace.view(unknown)) == {}


def test_an_invoice_is_called_absent_for_no_longer_than_its_batch_may_be_on_its_way(house: House) -> None:
    unknown = "inv_" + "a" * 26
    asked(house, ShowViews(unknown))
    key = house.keyspace.absent(unknown)
    assert AbsentView.open(VIEWS, key, house.view_fields(key)).until <= time.time() + ABSENT_INVOICE_SECONDS + 1
    ttl: Any = house.runtime.redis.ttl(key)
    assert 0 < ttl <= ABSENT_INVOICE_SECONDS < ABSENT_SECONDS


def test_an_empty_list_is_said_for_a_moment_and_gives_way_to_the_first_payment(house: House) -> None:
    asked_for_list(house, of_booking())
    assert entries(house, of_booking()) == []
    ttl: Any = house.runtime.redis.ttl(house.keyspace.view(of_booking().name(VIEWS)))
    assert 0 < ttl <= ABSENT_SECONDS
    payment = made(house)
    assert entries(house, of_booking()) == [payment]
    ttl = house.runtime.redis.ttl(house.keyspace.view(of_booking().name(VIEWS)))
    assert ttl > ABSENT_SECONDS


def test_what_a_job_is_yet_to_make_is_not_said_to_be_absent(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    asked(house, ShowViews(entry.subject_id))
    assert not house.runtime.redis.exists(house.keyspace.absent(entry.subject_id))


def test_jobs_of_tollgates_own_are_shown_to_nobody(house: House) -> None:
    entry = event_entry(event("customer.created", {"object": "customer", "id": "cus_1"}))
    house.take_in(entry)
    asked(house, ShowViews(entry.job_id))
    assert house.view_fields(house.keyspace.view(entry.job_id)) == {}
    assert house.runtime.redis.exists(house.keyspace.absent(entry.job_id))


def test_one_that_comes_too_late_ends_without_a_dead_letter(house: House) -> None:
    entry = entry_of(ShowViews("pay_x"), client=CLIENT, route="views", key=new_key(), subject="pay_x")
    house.take_in(entry)
    house.sql("UPDATE jobs SET expires_at = accepted_at")
    [result] = house.show(entry.job_id)
    assert result.state == "cancelled"


def test_one_that_is_taken_in_too_late_gets_no_row(house: House) -> None:
    entry = entry_of(ShowViews("pay_x"), client=CLIENT, route="views", key=new_key(), subject="pay_x")
    house.post(entry)
    reader = house.reader()
    reader.clock = lambda: entry.accepted_ms / 1000 + 61
    assert reader.take_new() == 1
    assert house.jobs("views.show") == []
    assert house.pending() == 0


def test_their_rows_are_deleted_soon_and_no_others(house: House) -> None:
    kept = made(house)
    asked(house, ShowViews(kept))
    assert _forgotten(house, after=60.0) == 0
    assert _forgotten(house, after=0.0) == 1
    assert house.jobs("views.show") == []
    assert len(house.jobs("payments.create")) == 1
    assert house.one("SELECT count(*) AS n FROM attempts")["n"] == 1


def _forgotten(house: House, after: float) -> int:
    with house.runtime.transaction(Step.FORGET_JOBS) as session:
        return forget(session, 10, after=after)
