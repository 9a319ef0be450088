"""payments.create against the simulator: at most one PaymentIntent, whatever is lost, repeated or killed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from config import errors
from models.encrypted import decrypt, encrypt
from tasks.contracts.identity import system_id
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, new_key, payment_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe, event, intent
from workers.jobs import dead
from workers.jobs.operator import Operator
from workers.jobs.run import Result
from workers.runtime import Runtime

pytestmark = pytest.mark.servers
INTENTS = {"method": "POST", "path": "^/v1/payment_intents$"}
CUSTOMERS = {"method": "POST", "path": "^/v1/customers$"}
LISTS = {"method": "GET", "path": "^/v1/payment_intents$"}


def accepted(shop: House, **changes: Any) -> tuple[str, str]:
    """Take a payment in; return the ids of its job and of itself."""
    entry = payment_entry(**changes)
    shop.take_in(entry)
    return entry.job_id, entry.subject_id


def made(stripe: Simulator, payment_id: str) -> list[Any]:
    """Return the PaymentIntents that Stripe made for a payment, by its own word."""
    listed = stripe.listed("payment_intents")
    named = [each["id"] for each in listed if each["metadata"].get("tollgate_payment") == payment_id]
    return [stripe.client.v1.payment_intents.retrieve(each) for each in named]


def run_until_over(shop: House, job_id: str, runtime: Runtime | None = None) -> Result:
    """Run a job again and again, as if its times had come."""
    for _ in range(6):
        result = shop.create_again(job_id, runtime)
        if result.state not in {"waiting", "checking", "ready"}:
            return result
    raise AssertionError(f"the job does not end: {result}")


def assert_one(shop: House, stripe: Simulator, payment_id: str) -> None:
    [found] = made(stripe, payment_id)
    row = shop.payment(payment_id)
    assert (row["status"], row["stripe_id"]) == ("requires_confirmation", found.id)
    ring = shop.runtime.settings.encryption_keys
    assert decrypt(ring, "payments", "client_secret", payment_id, row["client_secret"]) == found.client_secret


def test_a_payment_is_made_as_it_was_asked_for(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    assert shop.create(job_id).state == "done"
    assert_one(shop, stripe, payment_id)
    found = made(stripe, payment_id)[0].to_dict()
    assert (found["amount"], found["currency"], found["description"]) == (4950, "gbp", "First aid at work")
    assert found["metadata"] == {
        "course": "first-aid",
        "booking_reference": "BK-2026-0117",
        "tollgate_payment": payment_id,
        "tollgate_operation": f"{payment_id}/create/1",
        "tollgate_system": system_id(shop.runtime.settings.derivation_key),
    }
    assert shop.moves(payment_id) == ["processing", "requires_confirmation"]
    assert shop.attempts(job_id)[0]["stripe_request_id"]


def test_the_intent_is_committed_before_stripe_is_asked_for_anything(shop: House) -> None:
    job_id, payment_id = accepted(shop)
    seen: list[str] = []

    def look(**_: Any) -> Any:
        seen.append(shop.job(job_id)["intent"])
        raise errors.StripeUnavailableError

    shop.create(job_id, shop.with_stripe(FakeStripe(create_customer=look)))
    assert seen == [f"{payment_id}/create/1"]


def test_no_transaction_is_open_while_stripe_is_asked(shop: House, stripe: Simulator) -> None:
    job_id, _ = accepted(shop)
    gateway = shop.runtime.stripe
    open_transactions: list[int] = []

    class Watched(FakeStripe):
        def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
            rows = shop.sql(
                "SELECT count(*) AS open FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            )
            open_transactions.append(rows[0]["open"])
            return getattr(gateway, name)(**arguments)

    assert shop.create(job_id, shop.with_stripe(Watched())).state == "done"
    assert open_transactions == [0, 0]


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "drop", "match": INTENTS},
        {"do": "hang", "match": INTENTS},
        {"do": "reset", "match": INTENTS},
        {"do": "refuse", "match": INTENTS},
        {"do": "status", "match": INTENTS, "effect": True},
        {"do": "status", "match": INTENTS, "status": 502, "stored": False},
        {"do": "status", "match": INTENTS, "status": 503, "effect": True},
        {"do": "rate_limit", "match": INTENTS},
        {"do": "lock_timeout", "match": INTENTS},
        {"do": "drop", "match": CUSTOMERS},
        {"do": "status", "match": CUSTOMERS},
        {"do": "status", "match": CUSTOMERS, "effect": True},
    ],
    ids=lambda fault: (
        "-".join(f"{key}={value}" for key, value in fault.items() if key != "match")
        + ("-customer" if fault["match"] is CUSTOMERS else "")
    ),
)
def test_one_payment_intent_is_made_whatever_befalls_the_first_request(
    shop: House, stripe: Simulator, fault: dict[str, Any]
) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults(fault)
    first = shop.create(job_id)
    assert first.state in {"waiting", "checking", "done"}
    assert shop.payment(payment_id)["status"] != "failed"
    if first.state != "done":
        assert run_until_over(shop, job_id).state == "done"
    assert stripe.control("GET", "faults")["faults"][0]["fired"] == 1
    assert_one(shop, stripe, payment_id)


@pytest.mark.parametrize("effect", [True, False], ids=["acted", "did not act"])
def test_a_worker_that_dies_in_mid_call_leaves_one_payment_intent(shop: House, stripe: Simulator, effect: bool) -> None:
    job_id, payment_id = accepted(shop)
    gateway = shop.runtime.stripe

    def die(**arguments: Any) -> Any:
        if effect:
            gateway.create_payment_intent(**arguments)
        raise KeyboardInterrupt

    fake = FakeStripe(create_customer=gateway.create_customer, create_payment_intent=die)
    with pytest.raises(KeyboardInterrupt):
        shop.create(job_id, shop.with_stripe(fake))
    shop.lapse(job_id)
    assert shop.rescue() == [job_id]
    assert shop.job(job_id)["state"] == "checking"
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_a_worker_that_dies_between_the_answer_and_its_record_leaves_one_payment_intent(
    shop: House, stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, payment_id = accepted(shop)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("workers.jobs.run.finish", die)
        with pytest.raises(KeyboardInterrupt):
            shop.create(job_id)
    shop.lapse(job_id)
    shop.rescue()
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_a_frozen_worker_and_its_successor_make_one_payment_intent(shop: House, stripe: Simulator) -> None:
    """The first worker is frozen before its call, thaws when another has done the job, and writes nothing."""
    job_id, payment_id = accepted(shop)
    gateway = shop.runtime.stripe

    def freeze(**arguments: Any) -> Any:
        shop.lapse(job_id)
        shop.rescue()
        assert shop.create_again(job_id).state == "done"
        return gateway.create_payment_intent(**arguments)

    fake = FakeStripe(create_customer=gateway.create_customer, create_payment_intent=freeze)
    assert shop.create(job_id, shop.with_stripe(fake)).state == "running"
    assert_one(shop, stripe, payment_id)


# A stored failure


def test_a_stored_failure_is_not_got_around_before_two_minutes_have_passed(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "status", "match": INTENTS})
    for _ in range(3):
        assert shop.create_again(job_id).state == "checking"
    assert made(stripe, payment_id) == []
    assert shop.job(job_id)["intent_generation"] == 1
    assert shop.payment(payment_id)["status"] == "checking"


def test_after_two_minutes_the_next_generation_of_the_key_makes_it(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "status", "match": INTENTS})
    shop.create(job_id)
    assert shop.create_again(job_id).state == "checking"  # Stripe repeats what it has stored
    shop.age_intent(job_id, 121.0)
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)
    row = shop.job(job_id)
    assert (row["intent"], row["intent_generation"]) == (f"{payment_id}/create/2", 2)
    assert made(stripe, payment_id)[0].to_dict()["metadata"]["tollgate_operation"] == f"{payment_id}/create/2"


def test_what_the_first_generation_did_make_is_found_instead_of_making_a_second(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "status", "match": INTENTS, "effect": True})
    shop.create(job_id)
    shop.age_intent(job_id, 500.0)
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)
    assert shop.job(job_id)["intent_generation"] == 1


def test_a_new_generation_whose_answer_is_lost_is_found_under_its_own_name(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults(
        {"do": "status", "match": INTENTS},
        {"do": "drop", "match": {**INTENTS, "body": "create/2"}},
    )
    shop.create(job_id)
    shop.create_again(job_id)
    shop.age_intent(job_id, 121.0)
    assert shop.create_again(job_id).state == "checking"
    assert shop.job(job_id)["intent_generation"] == 2
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_a_failure_that_was_not_stored_is_no_reason_for_a_new_generation(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": False}, {"do": "drop", "match": INTENTS, "effect": False})
    shop.create(job_id)
    shop.age_intent(job_id, 500.0)
    shop.create_again(job_id)
    assert shop.job(job_id)["intent_generation"] == 1
    assert run_until_over(shop, job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_two_minutes_are_waited_after_the_stored_failure_however_old_the_doubt_is(
    shop: House, stripe: Simulator
) -> None:
    """Stripe did act, and its lists do not show it yet."""
    job_id, payment_id = accepted(shop)
    taken_in_late(shop, job_id, 2.0)
    gateway = shop.runtime.stripe
    blind = FakeStripe(
        create_customer=gateway.create_customer,
        create_payment_intent=gateway.create_payment_intent,
        find_payment_intent=lambda **_: None,
    )
    stripe.faults({"do": "status", "match": INTENTS, "effect": True})
    for _ in range(3):
        assert shop.create_again(job_id, shop.with_stripe(blind)).state == "checking"
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


# When Stripe may have forgotten


def test_after_23_hours_stripe_is_only_looked_at_and_nothing_is_sent(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "reset", "match": INTENTS})
    shop.create(job_id)
    shop.age_intent(job_id, 23 * 3600.0)
    stripe.faults({"do": "latency", "ms": 1, "match": {**INTENTS, "times": 0}})
    assert shop.create_again(job_id).state == "checking"
    assert made(stripe, payment_id) == []
    assert stripe.control("GET", "faults")["faults"][1]["matched"] == 0


def test_after_23_hours_what_was_made_is_still_found(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS})
    shop.create(job_id)
    shop.age_intent(job_id, 23 * 3600.0)
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


# Refusals and proofs


def test_a_request_that_stripe_refuses_is_refused_and_the_payment_failed(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop, currency="zzz")
    assert shop.create(job_id).state == "refused"
    assert shop.payment(payment_id)["status"] == "failed"
    assert shop.job(job_id)["problem"]["code"] == "stripe_refused"
    assert made(stripe, payment_id) == []


def test_a_refused_look_up_proves_nothing(shop: House, stripe: Simulator) -> None:
    """The customer was deleted at Stripe while the answer to the first request was lost."""
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS})
    shop.create(job_id)

    def refuse(**_: Any) -> Any:
        raise errors.StripeInvalidError("no such customer")

    assert shop.create_again(job_id, shop.with_stripe(FakeStripe(find_payment_intent=refuse))).state == "checking"
    assert shop.payment(payment_id)["status"] == "checking"


def test_a_look_up_that_fails_leaves_the_outcome_open_and_sends_nothing(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS}, {"do": "status", "match": LISTS})
    shop.create(job_id)
    assert shop.create_again(job_id).state == "checking"
    assert len(made(stripe, payment_id)) == 1
    assert run_until_over(shop, job_id).state == "done"
    assert_one(shop, stripe, payment_id)


@pytest.mark.parametrize(
    "error", [errors.BreakerOpenError, errors.StripeUnavailableError, errors.StripeRateLimitedError]
)
def test_a_payment_that_stripe_was_surely_not_asked_for_is_in_process_not_in_doubt(
    shop: House, error: type[errors.StripeError]
) -> None:
    job_id, payment_id = accepted(shop)

    def fail(**_: Any) -> Any:
        raise error

    assert shop.create(job_id, shop.with_stripe(FakeStripe(create_customer=fail))).state == "waiting"
    assert shop.payment(payment_id)["status"] == "processing"


# Customers


def customers_of(stripe: Simulator, email: str) -> list[Any]:
    return list(stripe.client.v1.customers.list({"email": email}).data)


def test_a_second_payment_of_one_e_mail_address_reuses_its_customer(shop: House, stripe: Simulator) -> None:
    email = f"{new_key()}@example.org"
    for address, name in ((email, "Ada"), (email.upper(), "Countess Ada")):
        job_id, _ = accepted(shop, customer_email=address, customer_name=name)
        assert shop.create(job_id).state == "done"
    [customer] = customers_of(stripe, email)
    assert customer.name == "Ada"
    assert shop.one("SELECT count(*) AS n FROM customers")["n"] == 1
    intents = stripe.client.v1.payment_intents.list({"customer": customer.id}).data
    assert len(intents) == 2


def test_two_clients_with_one_shopper_have_a_customer_each(shop: House, stripe: Simulator) -> None:
    email = f"{new_key()}@example.org"
    shop.add_client("other")
    for client in ("site", "other"):
        job_id, _ = accepted(shop, client=client, customer_email=email)
        assert shop.create(job_id).state == "done"
    assert len(customers_of(stripe, email)) == 2


def test_payments_of_one_new_customer_at_once_share_it(shop: House, stripe: Simulator) -> None:
    email = f"{new_key()}@example.org"
    jobs = [accepted(shop, customer_email=email) for _ in range(6)]
    threads = [threading.Thread(target=shop.create, args=(job_id,)) for job_id, _ in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job_id, payment_id in jobs:
        if shop.job(job_id)["state"] != "done":
            assert run_until_over(shop, job_id).state == "done"
        assert_one(shop, stripe, payment_id)
    assert len(customers_of(stripe, email)) == 1


def test_nothing_personal_of_a_payment_lies_readable_in_its_rows(shop: House) -> None:
    job_id, payment_id = accepted(shop, customer_email="canary@example.org")
    shop.create(job_id)
    tables = ("jobs", "payments", "customers", "history", "attempts", "stripe_events")
    rows = [row for table in tables for row in shop.sql(f"SELECT * FROM {table}")]  # noqa: S608 - names of our own
    dumped = str([bytes(value) if isinstance(value, memoryview) else value for row in rows for value in row.values()])
    assert payment_id in dumped
    for canary in ("Ada", "canary", "203.0.113", "Mozilla", "First aid", "first-aid", "_secret_"):
        assert canary not in dumped


def test_a_customer_that_was_deleted_at_stripe_is_made_anew_and_remembered(shop: House, stripe: Simulator) -> None:
    email = f"{new_key()}@example.org"
    first, _ = accepted(shop, customer_email=email)
    assert shop.create(first).state == "done"
    shop.sql("UPDATE customers SET stripe_id = 'cus_gone' WHERE stripe_id IS NOT NULL")
    for _ in range(2):  # and the next payment goes the usual way again
        job_id, payment_id = accepted(shop, customer_email=email)
        assert shop.create(job_id).state == "done"
        assert_one(shop, stripe, payment_id)
    customer = shop.one("SELECT stripe_id FROM customers WHERE stripe_id LIKE 'cus_%'")
    assert customer["stripe_id"] != "cus_gone"


def test_a_restored_database_that_names_a_customer_otherwise_still_gets_the_payment_made(
    shop: House, stripe: Simulator
) -> None:
    email = f"{new_key()}@example.org"
    first, _ = accepted(shop, customer_email=email)
    assert shop.create(first).state == "done"
    shop.sql("UPDATE customers SET stripe_id = NULL")
    restored, payment_id = accepted(shop, customer_email=email, customer_name="A. Lovelace")
    ring = shop.runtime.settings.encryption_keys
    [customer] = shop.sql("SELECT id FROM customers")
    name = encrypt(ring, "customers", "name", customer["id"], "A. Lovelace")
    shop.sql("UPDATE customers SET name = :name", name=name)
    assert shop.create(restored).state == "done"
    assert_one(shop, stripe, payment_id)


# The last look


def stop(shop: House, job_id: str, seconds_ago: float) -> None:
    """Let the job have expired so long ago."""
    shop.sql(
        "UPDATE jobs SET expires_at = clock_timestamp() - make_interval(secs => :s) WHERE id = :id",
        id=job_id,
        s=seconds_ago,
    )


def lose_the_answer(shop: House, stripe: Simulator, *, effect: bool) -> tuple[str, str]:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": effect})
    assert shop.create(job_id).state == "checking"
    return job_id, payment_id


def test_a_job_too_old_is_done_if_a_last_look_finds_that_stripe_did_it(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = lose_the_answer(shop, stripe, effect=True)
    stop(shop, job_id, 1.0)
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_a_job_too_old_is_failed_only_when_stripe_has_shown_nothing_for_long_enough(
    shop: House, stripe: Simulator
) -> None:
    job_id, payment_id = lose_the_answer(shop, stripe, effect=False)
    stop(shop, job_id, 60.0)
    assert shop.create_again(job_id).state == "checking"
    assert shop.payment(payment_id)["status"] == "checking"
    stop(shop, job_id, 121.0)
    assert shop.create_again(job_id).state == "dead"
    assert shop.job(job_id)["verdict"] == "safe_to_replay"
    assert shop.payment(payment_id)["status"] == "failed"
    assert made(stripe, payment_id) == []


def test_a_last_look_for_a_customer_that_stripe_never_had_makes_none(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": CUSTOMERS, "effect": False})
    assert shop.create(job_id).state == "checking"
    stop(shop, job_id, 121.0)
    asked = {"do": "latency", "ms": 1, "match": {"method": "POST", "times": 0}}
    stripe.faults(asked)
    assert shop.create_again(job_id).state == "dead"
    assert stripe.control("GET", "faults")["faults"][1]["matched"] == 0
    assert shop.payment(payment_id)["status"] == "failed"


def taken_in_late(shop: House, job_id: str, hours: float) -> None:
    """Let the job's row be that much younger than its acceptance, as after a restore."""
    shop.sql(
        "UPDATE jobs SET accepted_at = created_at - make_interval(secs => :s),"
        " expires_at = created_at - make_interval(secs => :s) + interval '6 hours' WHERE id = :id",
        id=job_id,
        s=hours * 3600.0,
    )


def test_a_job_that_a_restore_brought_back_is_looked_up_before_it_is_asked_for(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    assert shop.create(job_id).state == "done"
    shop.force("UPDATE payments SET stripe_id = NULL, stripe_status = NULL")
    shop.force(
        "UPDATE jobs SET state = 'ready', intent = NULL, intent_at = NULL, finished_at = NULL, published_at = NULL"
    )
    taken_in_late(shop, job_id, 2.0)
    asked = {"do": "latency", "ms": 1, "match": {**INTENTS, "times": 0}}
    stripe.faults(asked)
    assert shop.create_again(job_id).state == "done"
    assert stripe.control("GET", "faults")["faults"][0]["matched"] == 0
    assert len(made(stripe, payment_id)) == 1


def test_a_job_that_a_restore_may_have_lost_is_called_failed_only_after_a_look(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    taken_in_late(shop, job_id, 7.0)
    assert shop.create(job_id, shop.with_stripe(FakeStripe(find_customer=_unreachable))).state == "checking"
    assert shop.payment(payment_id)["status"] == "checking"
    assert shop.create_again(job_id).state == "dead"
    assert shop.payment(payment_id)["status"] == "failed"


def test_a_job_that_a_restore_set_back_is_cancelled_only_after_a_look(shop: House, stripe: Simulator) -> None:
    """Its row was there before the restore, as it was before anything was asked."""
    job_id, payment_id = accepted(shop)
    assert shop.create(job_id).state == "done"
    shop.force("UPDATE payments SET stripe_id = NULL, stripe_status = NULL, status = 'processing'")
    shop.force(
        "UPDATE jobs SET state = 'ready', intent = NULL, intent_at = NULL, finished_at = NULL, published_at = NULL,"
        " cancel_asked_at = clock_timestamp()"
    )
    with shop.runtime.transaction(Step.PUBLISH) as session:
        Operator("ada", "restored").record(session, "reread", {"journal": {}})
    assert shop.create(job_id).state == "done"
    assert len(made(stripe, payment_id)) == 1


def _unreachable(**_: Any) -> Any:
    raise errors.StripeUnavailableError


# What goes wrong on our side after Stripe has acted


def made_and(shop: House, job_id: str, then: Callable[[], object]) -> Result:
    """Run a job whose PaymentIntent is made, and let something happen before the answer is recorded."""
    gateway = shop.runtime.stripe

    def ask(**arguments: Any) -> Any:
        answer = gateway.create_payment_intent(**arguments)
        then()
        return answer

    return shop.create(
        job_id, shop.with_stripe(FakeStripe(create_customer=gateway.create_customer, create_payment_intent=ask))
    )


def test_an_error_of_our_own_after_stripe_acted_is_looked_into_and_never_taken_for_nothing(
    shop: House, stripe: Simulator
) -> None:
    job_id, payment_id = accepted(shop)

    def fail() -> None:
        raise RuntimeError("nobody expects it")

    assert made_and(shop, job_id, fail).state == "checking"
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds'")
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_an_outcome_that_postgresql_would_not_write_leaves_the_intent(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    with shop.runtime.engine.connect() as other:
        held = text("SELECT id FROM payments WHERE id = :id FOR UPDATE")
        result = made_and(shop, job_id, lambda: other.execute(held, {"id": payment_id}))
    assert result.state == "checking"
    assert shop.job(job_id)["intent"] == f"{payment_id}/create/1"
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '121 seconds'")
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


# Customers that were made anew, replays, and what comes late


def test_what_was_made_for_a_customer_is_found_though_another_took_their_place(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = lose_the_answer(shop, stripe, effect=True)
    email = decrypted_email(shop)
    gateway = shop.runtime.stripe
    refusals = iter([errors.StripeInvalidError("no such customer", code="resource_missing")])

    def ask(**arguments: Any) -> Any:
        for refusal in refusals:
            raise refusal
        return gateway.create_payment_intent(**arguments)

    other, _ = accepted(shop, customer_email=email)
    fake = FakeStripe(create_customer=gateway.create_customer, create_payment_intent=ask)
    assert shop.create(other, shop.with_stripe(fake)).state == "done"
    assert len(customers_of(stripe, email)) == 2
    stop(shop, job_id, 121.0)
    assert shop.create_again(job_id).state == "done"
    assert_one(shop, stripe, payment_id)


def test_of_two_jobs_that_replace_a_customer_at_once_the_first_is_followed(shop: House, stripe: Simulator) -> None:
    first, _ = accepted(shop)
    assert shop.create(first).state == "done"
    job_id, payment_id = accepted(shop, customer_email=decrypted_email(shop))
    gateway = shop.runtime.stripe
    refusals = iter([errors.StripeInvalidError("no such customer", code="resource_missing")])

    def ask(**arguments: Any) -> Any:
        for refusal in refusals:
            shop.sql("UPDATE customers SET stripe_id = 'cus_theirs'")
            raise refusal
        assert arguments["customer_id"] == "cus_theirs"
        raise errors.StripeOutcomeUnknownError

    fake = FakeStripe(create_customer=gateway.create_customer, create_payment_intent=ask)
    assert shop.create(job_id, shop.with_stripe(fake)).state == "checking"
    assert made(stripe, payment_id) == []
    assert shop.one("SELECT stripe_id FROM customers")["stripe_id"] == "cus_theirs"


def decrypted_email(shop: House) -> str:
    [row] = shop.sql("SELECT id, email FROM customers")
    return str(decrypt(shop.runtime.settings.encryption_keys, "customers", "email", row["id"], row["email"]))


def test_a_payment_is_failed_no_more_once_its_replayed_job_may_ask(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stop(shop, job_id, 1.0)
    assert shop.create(job_id).state == "dead"
    assert shop.payment(payment_id)["status"] == "failed"
    with shop.runtime.transaction(Step.PUBLISH) as session:
        dead.replay(session, [job_id], Operator("ada", "again"))
    seen: list[str] = []
    assert made_and(shop, job_id, lambda: seen.append(shop.payment(payment_id)["status"])).state == "done"
    assert seen == ["processing"]


def test_a_cancelled_payment_that_stripe_made_after_all_is_shown_as_it_is(shop: House) -> None:
    """A frozen worker sent its request long after the last look: an event tells of it."""
    job_id, payment_id = accepted(shop)
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp()")
    assert shop.create(job_id).state == "cancelled"
    assert shop.payment(payment_id)["status"] == "canceled"
    made_late = intent("pi_late", "requires_payment_method", operation=f"{payment_id}/create/1")
    late = event_entry(event("payment_intent.created", made_late))
    shop.take_in(late)
    assert [result.state for result in shop.handle(late.job_id)] == ["done"]
    assert shop.payment(payment_id)["status"] == "requires_confirmation"
