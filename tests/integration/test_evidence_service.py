"""payments.keep_evidence, and what is assembled: every piece is kept once, sealed, and merged with what is known."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
from sqlalchemy.orm import Session

from config.errors import SealBrokenError
from config.evidence import MOST_TEXT
from models.encrypted import decrypt, encrypt
from models.evidence import piece_cell
from models.payment import Payment
from models.refund import Refund
from tasks.contracts.evidence import KeepEvidence
from tests.builders.entries import operation_entry, payment_entry
from tests.builders.house import House
from workers.jobs.run import Result
from workers.jobs.waiting import FRESH_SECONDS
from workers.services.evidence import assemble, assembly
from workers.services.evidence_texts import OLDER_LEFT_OUT, TIMELINE, Cut

pytestmark = pytest.mark.servers
LOG = "access_activity_log"
REST = "uncategorized_text"


@pytest.fixture
def payment_id(shop: House) -> str:
    """Return the id of a payment that is made."""
    entry = payment_entry(booking_reference="BK-77", customer_email="ada@example.org")
    shop.take_in(entry)
    assert shop.create(entry.job_id).state == "done"
    return entry.subject_id


def keep(
    shop: House, payment_id: str, texts: Mapping[str, str], *, shown: bool = False, client: str = "site"
) -> Result:
    """Take evidence in and run its job once."""
    entry = operation_entry(KeepEvidence(payment_id, texts, shown), client=client)
    shop.take_in(entry)
    return shop.operate(entry.job_id)


def assembled(shop: House, payment_id: str) -> Mapping[str, str]:
    with Session(shop.runtime.engine) as session:
        return assemble(session, shop.runtime, session.get_one(Payment, payment_id))


def test_every_text_is_a_piece_of_its_own_sealed_and_bound_to_its_row(shop: House, payment_id: str) -> None:
    result = keep(shop, payment_id, {LOG: "Canary signed in", "service_date": "2026-03-12"})
    assert result.state == "done"
    rows = shop.sql("SELECT * FROM payment_evidence ORDER BY field")
    accepted = shop.job(result.job_id)["accepted_at"]
    assert [(row["field"], row["characters"], row["payment_id"]) for row in rows] == [
        (LOG, 16, payment_id),
        ("service_date", 10, payment_id),
    ]
    assert {(row["job_id"], row["accepted_at"]) for row in rows} == {(result.job_id, accepted)}
    ring = shop.runtime.settings.encryption_keys
    sealed = bytes(rows[0]["text"])
    assert b"Canary" not in sealed
    assert decrypt(ring, "payment_evidence", "text", piece_cell(result.job_id, LOG), sealed) == "Canary signed in"
    with pytest.raises(SealBrokenError):
        decrypt(ring, "payment_evidence", "text", piece_cell(result.job_id, "service_date"), sealed)


def test_a_job_whose_outcome_was_lost_keeps_each_piece_once(shop: House, payment_id: str) -> None:
    result = keep(shop, payment_id, {LOG: "signed in"})
    shop.force("UPDATE jobs SET state = 'ready', finished_at = NULL WHERE id = :id", id=result.job_id)
    assert shop.operate(result.job_id).state == "done"
    assert len(shop.sql("SELECT field FROM payment_evidence")) == 1


def test_its_client_may_read_that_it_is_done_and_the_payment_is_as_before(shop: House, payment_id: str) -> None:
    before = shop.payment_view(payment_id)
    result = keep(shop, payment_id, {LOG: "signed in"})
    assert shop.job_view(result.job_id).state == "done"
    assert shop.payment_view(payment_id) == before


def test_pieces_are_merged_in_the_order_of_acceptance_whatever_order_they_are_kept_in(
    shop: House, payment_id: str
) -> None:
    entries = [
        operation_entry(KeepEvidence(payment_id, {LOG: text, "service_date": day}))
        for text, day in (("first", "2026-03-12"), ("second", "2026-03-19"))
    ]
    shop.take_in(*entries)
    shop.sql("UPDATE jobs SET accepted_at = accepted_at + interval '1 second' WHERE id = :id", id=entries[1].job_id)
    for entry in reversed(entries):
        assert shop.operate(entry.job_id).state == "done"
    texts = assembled(shop, payment_id)
    assert (texts[LOG], texts["service_date"]) == ("first\nsecond", "2026-03-19")
    assert len(shop.sql("SELECT field FROM payment_evidence")) == 4


def test_what_tollgate_knows_itself_is_there_without_any_post(shop: House, payment_id: str) -> None:
    texts = assembled(shop, payment_id)
    assert set(texts) == {
        *("customer_name", "customer_email_address", "customer_purchase_ip", "product_description", REST),
    }
    assert (texts["customer_name"], texts["customer_email_address"]) == ("Ada Lovelace", "ada@example.org")
    assert texts["customer_purchase_ip"] == "203.0.113.7"
    assert texts["product_description"].splitlines()[1] == "Booking BK-77"
    heading, booked = texts[REST].splitlines()
    assert "UTC" in heading
    assert booked.endswith(" booked as BK-77, 49.50 GBP")


def test_when_it_was_paid_and_given_back_is_told(shop: House, payment_id: str) -> None:
    shop.force(
        "UPDATE payments SET status = 'partially_refunded', amount_received = 4950, amount_refunded = 500, "
        "paid_at = '2126-03-01T10:00:00Z' WHERE id = :id",
        id=payment_id,
    )
    with Session(shop.runtime.engine) as session:
        for name, amount, status in (("ref_1", 500, "succeeded"), ("ref_2", 700, "pending"), ("ref_3", 900, "failed")):
            session.add(
                Refund(id=name, client_id="site", payment_id=payment_id, amount=amount, currency="gbp", status=status)
            )
        session.commit()
    shop.force("UPDATE refunds SET created_at = '2126-03-02T11:00:00Z'::timestamptz + amount * interval '1 second'")
    assert assembled(shop, payment_id)[REST].splitlines()[2:] == [
        "2126-03-01 10:00:00 paid, 49.50 GBP",
        "2126-03-02 11:08:20 refund of 5.00 GBP",
        "2126-03-02 11:11:40 refund of 7.00 GBP, not over yet",
    ]


def test_what_was_posted_wins(shop: House, payment_id: str) -> None:
    keep(shop, payment_id, {"customer_name": "Ada King", "customer_purchase_ip": "2001:db8::1", REST: "we wrote"})
    texts = assembled(shop, payment_id)
    assert (texts["customer_name"], texts["customer_purchase_ip"]) == ("Ada King", "2001:db8::1")
    assert texts[REST].startswith("we wrote\n\nFrom the records")


def test_what_had_to_be_left_out_is_said_in_the_text_in_the_log_and_to_who_asks(
    shop: House, payment_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        keep(shop, payment_id, {LOG: "Canary line\n" * 1000, REST: "x" * MOST_TEXT})
    with caplog.at_level(logging.WARNING, logger="tollgate.evidence"):
        texts = assembled(shop, payment_id)
    assert texts[LOG].startswith(OLDER_LEFT_OUT)
    assert len(texts[LOG]) <= MOST_TEXT
    assert {record.__dict__["field"] for record in caplog.records} == {LOG, REST, TIMELINE}
    assert "Canary" not in caplog.text
    with Session(shop.runtime.engine) as session:
        ring = shop.runtime.settings.encryption_keys
        cuts = assembly(session, ring, session.get_one(Payment, payment_id)).cuts
    assert {cut.field for cut in cuts} == {LOG, REST, TIMELINE}
    assert all(isinstance(cut, Cut) and cut.characters > 0 for cut in cuts)


def test_a_payment_by_an_invoice_has_no_shopper_and_no_description(shop: House, payment_id: str) -> None:
    ring = shop.runtime.settings.encryption_keys
    shop.sql(
        "UPDATE payments SET description = NULL, shopper_ip = :ip, booking_metadata = :data WHERE id = :id",
        id=payment_id,
        ip=encrypt(ring, "payments", "shopper_ip", payment_id, ""),
        data=encrypt(ring, "payments", "booking_metadata", payment_id, "{}"),
    )
    texts = assembled(shop, payment_id)
    assert "customer_purchase_ip" not in texts
    assert texts["product_description"] == "Booking BK-77"


def test_evidence_of_a_payment_that_is_on_its_way_waits_for_it(shop: House) -> None:
    entry = payment_entry()
    asked = operation_entry(KeepEvidence(entry.subject_id, {LOG: "signed in"}))
    shop.take_in(asked)
    assert shop.operate(asked.job_id).state == "waiting"
    assert shop.job(asked.job_id)["last_error"]["type"] == "PaymentNotHere"
    shop.take_in(entry)
    shop.create(entry.job_id)
    assert shop.operate(asked.job_id).state == "done"


def test_evidence_of_an_unknown_payment_is_refused_after_a_while(shop: House) -> None:
    result = keep(shop, "pay_" + "a" * 26, {LOG: "signed in"})
    for _ in range(8):
        assert result.state == "waiting"
        result = shop.operate(result.job_id)
    shop.grow_older(result.job_id, FRESH_SECONDS)
    assert shop.operate(result.job_id).state == "refused"
    assert shop.job(result.job_id)["problem"]["code"] == "payment_unknown"


def test_of_a_payment_that_was_shown_a_restored_database_has_yet_to_learn(shop: House) -> None:
    result = keep(shop, "pay_" + "b" * 26, {LOG: "signed in"}, shown=True)
    shop.grow_older(result.job_id, FRESH_SECONDS)
    assert shop.operate(result.job_id).state == "waiting"


def test_evidence_of_anothers_payment_is_refused_as_of_none(shop: House, payment_id: str) -> None:
    shop.add_client("other")
    result = keep(shop, payment_id, {LOG: "signed in"}, client="other")
    shop.grow_older(result.job_id, FRESH_SECONDS)
    assert shop.operate(result.job_id).state == "refused"
    assert shop.job(result.job_id)["problem"]["code"] == "payment_unknown"
    assert shop.sql("SELECT field FROM payment_evidence") == []


def test_no_error_and_no_attempt_tells_a_text(shop: House, payment_id: str) -> None:
    result = keep(shop, payment_id, {LOG: "Canary signed in"})
    told = str(shop.job(result.job_id)) + str(shop.attempts(result.job_id))
    assert "Canary" not in told
