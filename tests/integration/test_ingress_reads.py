"""Reads from end to end, by the ingress's limited user: lists with cursors, and workers asked for what is missing."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.test import TestResponse

from config.acl import ingress_acl
from ingress import lists, misses
from ingress.app import create_app
from ingress.waiting import waiting_room
from tests.builders.house import House
from tests.builders.ingress import Site, ingress_settings
from tests.integration.test_lists import forget_all, made, refunded
from workers.projections import list_views
from workers.projections.projector import project
from workers.projections.repair import repair_forgotten, repair_views

pytestmark = pytest.mark.servers
BOOKED = "/v1/payments?booking_reference=BK-lists"
UNKNOWN = "pay_" + "a" * 26


@pytest.fixture
def site(house: House, redis_url: str) -> Iterator[Site]:
    """The website's server, whose ingress logs in to Redis as the user that may do no more than it must."""
    name, password = f"ingress-{secrets.token_hex(6)}", secrets.token_hex(8)
    redis, prefix = house.runtime.redis, house.keyspace.prefix
    redis.execute_command("ACL", "SETUSER", name, "reset", "on", f">{password}", *ingress_acl(house.keyspace))
    login = f"redis://{name}:{password}@{redis_url.rpartition('//')[2].rpartition('@')[2]}"
    settings = ingress_settings(login, prefix)
    waiting = waiting_room(settings)
    site = Site(redis_url, prefix, app=create_app(settings, waiting=waiting))
    site.waiting.close()
    site.waiting = waiting
    site.dispatch()
    yield site
    site.close()
    redis.execute_command("ACL", "DELUSER", name)


@contextmanager
def at_work(house: House) -> Iterator[None]:
    """Be a dispatcher and a worker for what reads ask."""
    over = threading.Event()
    reader = house.reader()

    def work() -> None:
        while not over.is_set():
            if reader.take_new():
                due = [row["id"] for row in house.jobs("views.show") if row["state"] == "ready"]
                house.show(*due)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.json
    assert answer.json is not None
    return [each["id"] for each in answer.json["data"]]


def shows(house: House) -> int:
    return len(house.jobs("views.show"))


# Lists


def test_payments_of_a_booking_and_of_a_customer_are_listed_as_they_are_shown_alone(house: House, site: Site) -> None:
    first, second = made(house, email="ada@example.org"), made(house, email="grace@example.org")
    listed = site.get(BOOKED)
    assert ids(listed) == [second, first]
    assert (listed.json["object"], listed.json["has_more"], listed.json["next_cursor"]) == ("list", False, None)
    assert listed.json["data"][0] == site.get(f"/v1/payments/{second}").json
    assert ids(site.get("/v1/payments?customer_email=ADA@example.org")) == [first]


def test_refunds_of_a_payment_are_listed(house: House, site: Site) -> None:
    payment = made(house)
    for name in (one := "ref_" + "a" * 26, two := "ref_" + "b" * 26):
        refunded(house, payment, name)
        project(house.runtime, [name])
    listed = site.get(f"/v1/payments/{payment}/refunds")
    assert ids(listed) == [two, one]
    assert listed.json["data"][0]["payment"] == payment


def test_two_clients_with_the_same_booking_see_their_own_payments_alone(house: House, site: Site) -> None:
    house.add_client("office")
    ours, theirs = made(house), made(house, client="office")
    office = site.new_key("office")
    assert ids(site.get(BOOKED)) == [ours]
    assert ids(site.get(BOOKED, office)) == [theirs]
    assert site.get(f"/v1/payments/{ours}", office).status_code == 404
    assert site.get(f"/v1/payments/{ours}/refunds", office).status_code == 404


def test_pages_follow_one_another_whatever_comes_in_front_meanwhile(house: House, site: Site) -> None:
    payments = [made(house) for _ in range(5)]
    first = site.get(f"{BOOKED}&limit=2")
    assert ids(first) == payments[:2:-1]
    newer = made(house)
    second = site.get(f"{BOOKED}&limit=2&cursor={first.json['next_cursor']}")
    third = site.get(f"{BOOKED}&limit=2&cursor={second.json['next_cursor']}")
    assert ids(second) + ids(third) == payments[2::-1]
    assert (third.json["has_more"], third.json["next_cursor"]) == (False, None)
    assert ids(site.get(f"{BOOKED}&limit=1")) == [newer]


def test_a_long_list_goes_on_where_workers_are_asked_for_it(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_views, "LONGEST", 3)
    payments = [made(house) for _ in range(8)][::-1]
    first = site.get(f"{BOOKED}&limit=2")
    made(house)  # pushes what a cursor names towards the end of its list
    seen, answer = ids(first), first
    with at_work(house):
        while answer.json["has_more"]:
            answer = site.get(f"{BOOKED}&limit=2&cursor={answer.json['next_cursor']}")
            seen += ids(answer)
    assert seen == payments


def test_a_cursor_is_good_for_its_client_and_list_alone(house: House, site: Site) -> None:
    made(house), made(house)
    cursor = site.get(f"{BOOKED}&limit=1").json["next_cursor"]
    for path, token in (
        (f"{BOOKED}&cursor={cursor}", site.new_key("office")),
        (f"/v1/payments?booking_reference=BK-2&cursor={cursor}", None),
        (f"{BOOKED}&cursor={cursor[:-2]}xx", None),
        (f"{BOOKED}&cursor=x", None),
    ):
        answer = site.get(path, token)
        assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", None),
        ("booking_reference=B&customer_email=a@example.org", None),
        ("booking_reference=", "booking_reference"),
        ("booking_reference=%00", "booking_reference"),
        ("booking_reference=B&booking_reference=C", "booking_reference"),
        ("customer_email=nobody", "customer_email"),
        ("booking_reference=B&limit=0", "limit"),
        ("booking_reference=B&limit=101", "limit"),
        ("booking_reference=B&limit=99999999999999", "limit"),
        ("booking_reference=B&limit=1.5", "limit"),
        ("booking_reference=B&limit=%D9%A1", "limit"),
        ("booking_reference=B&page=2", "page"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_with_the_parameter(site: Site, query: str, field: str | None) -> None:
    answer = site.get(f"/v1/payments?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "query_invalid")
    assert [each["field"] for each in answer.json.get("errors", [])] == ([] if field is None else [field])


def test_lists_are_only_for_those_with_a_key(site: Site) -> None:
    for path in (BOOKED, f"/v1/payments/{UNKNOWN}/refunds"):
        assert site.client().get(path).status_code == 401


# What Redis has not


def test_what_redis_forgot_is_said_to_be_unavailable_until_it_is_filled_anew(house: House, site: Site) -> None:
    payment = made(house)
    repair_forgotten(house.runtime)
    keys: Any = {name: house.runtime.redis.dump(name) for name in site.redis.keys(house.keyspace.api_key("*"))}
    house.sql("UPDATE payments SET updated_at = updated_at - interval '1 minute'")
    forget_all(house)
    for name, value in keys.items():
        house.runtime.redis.restore(name, 0, value)
    for path in (BOOKED, f"/v1/payments/{payment}", f"/v1/payments/{payment}/refunds"):
        answer = site.get(path)
        assert (answer.status_code, answer.json["code"]) == (503, "view_unavailable")
        assert answer.headers["Retry-After"] == "1"
    repair_forgotten(house.runtime)
    repair_views(house.runtime)
    assert ids(site.get(BOOKED)) == [payment]


def test_after_everything_was_forgotten_a_new_payment_does_not_hide_the_older_ones(house: House, site: Site) -> None:
    first = made(house)
    names: Any = site.redis.keys(house.keyspace.view("*"))
    site.redis.delete(*names)
    second = made(house)
    with at_work(house):
        assert ids(site.get(BOOKED)) == [second, first]


def test_what_is_missing_is_fetched_while_the_request_waits(house: House, site: Site) -> None:
    payment = made(house)
    job = house.payment(payment)["job_id"]
    names: Any = site.redis.keys(house.keyspace.view("*"))
    site.redis.delete(*names)
    with at_work(house):
        assert site.get(f"/v1/payments/{payment}").json["id"] == payment
        assert site.get(f"/v1/jobs/{job}").json["id"] == job
        assert ids(site.get(f"/v1/payments/{payment}/refunds")) == []
        assert ids(site.get(BOOKED)) == [payment]
    asked = shows(house)
    assert site.get(f"/v1/payments/{payment}").status_code == 200
    assert shows(house) == asked


def test_that_there_is_none_is_said_only_after_a_worker_looked_and_then_at_once(house: House, site: Site) -> None:
    with at_work(house):
        answer = site.get(f"/v1/payments/{UNKNOWN}")
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert ids(site.get("/v1/payments?booking_reference=BK-none")) == []
    asked = shows(house)
    for _ in range(20):
        assert site.get(f"/v1/payments/{UNKNOWN}").status_code == 404
        assert ids(site.get("/v1/payments?booking_reference=BK-none")) == []
    assert shows(house) == asked
    assert len(site.journal()) == asked


def test_while_nobody_answers_it_says_so_and_asks_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misses, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(misses, "SLOT_SECONDS", 10**9)
    for _ in range(3):
        answer = site.get(f"/v1/payments/{UNKNOWN}")
        assert (answer.status_code, answer.json["code"]) == (503, "view_unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert "being fetched" in answer.json["detail"]
    assert len(site.journal()) == 1


def test_it_waits_as_long_as_the_client_prefers(site: Site) -> None:
    started = time.monotonic()
    assert site.get(f"/v1/payments/{UNKNOWN}", Prefer="wait=2").status_code == 503
    assert 1.9 < time.monotonic() - started < 4


@pytest.mark.parametrize("away", ["dispatcher", "database"])
def test_nobody_is_asked_who_is_away(site: Site, away: str) -> None:
    if away == "dispatcher":
        site.redis.delete(site.keyspace.dispatcher_pulse)
    else:
        site.dispatch(database="away")
    answer = site.get(f"/v1/payments/{UNKNOWN}")
    assert (answer.status_code, answer.json["code"]) == (503, "view_unavailable")
    assert answer.headers["Tollgate-Delayed"] == away
    assert site.journal() == []


def test_a_flood_of_ids_at_random_ends_at_its_own_limit_and_commands_go_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(misses, "WAIT_SECONDS", 0.001)
    monkeypatch.setattr(misses, "BURST", 5)
    monkeypatch.setattr(misses, "RATE", 0.01)
    answers = [site.get(f"/v1/payments/pay_{letter * 26}") for letter in "abcdefghij"]
    assert [answer.status_code for answer in answers] == [503] * 5 + [429] * 5
    assert int(answers[-1].headers["Retry-After"]) > 1
    assert "may ask for 5 at once" in answers[-1].json["detail"]
    assert len(site.journal()) == 5
    assert site.post().status_code == 202


def test_an_old_word_that_there_was_none_counts_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misses, "WAIT_SECONDS", 0.001)
    site.say_absent(UNKNOWN, until=time.time() - 1)
    assert site.get(f"/v1/payments/{UNKNOWN}").status_code == 503


def test_a_word_or_a_list_that_was_put_in_anothers_place_is_not_believed(house: House, site: Site) -> None:
    site.say_absent("pay_" + "b" * 26)
    stolen: Any = site.redis.hgetall(site.keyspace.absent("pay_" + "b" * 26))
    site.redis.hset(site.keyspace.absent(UNKNOWN), mapping=stolen)
    assert site.get(f"/v1/payments/{UNKNOWN}").status_code == 503


def test_the_longest_page_is_as_long_as_a_list(site: Site) -> None:
    assert lists.LONGEST == list_views.LONGEST
    assert lists.DEFAULT_LIMIT <= lists.LONGEST
