"""The clock's look at invoices: overdue once their day has passed, mailed again at set days, each once."""

from __future__ import annotations

import json

import pytest

from config.schedules import REMINDER_DAYS
from models.client import OWN_CLIENT
from tasks.contracts.invoices import RemindInvoices
from tasks.contracts.steps import Step
from tests.builders.endpoints import add_endpoint, notifications
from tests.builders.house import House
from tests.builders.invoices import plant_invoice
from workers.jobs.follow_up import enqueue
from workers.jobs.run import Service, run_job
from workers.services import invoice_reminders

pytestmark = pytest.mark.servers
REMIND = Service(RemindInvoices, invoice_reminders.remind, invoice_reminders.settle_remind)
SENDS = "SELECT payload, id FROM jobs WHERE kind = 'invoices.send' AND subject_id = :id"


def look(house: House, slot: str = "now") -> None:
    """Do one slot's look."""
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        job_id = enqueue(
            session,
            house.runtime.settings,
            RemindInvoices(),
            client_id=OWN_CLIENT,
            subject_id="invoices",
            slot=slot,
            request_id="",
        )
    assert run_job(house.runtime, job_id, REMIND).state == "done"


def due(house: House, ago: str, status: str = "sent", *, sends: bool = True) -> str:
    """Return an invoice that was due so long ago, noon of its day."""
    invoice_id = plant_invoice(house, status, sends=sends)
    house.sql(
        "UPDATE invoices SET due_at = date_trunc('day', clock_timestamp(), 'UTC') + interval '12 hours'"
        " - CAST(:ago AS interval), sent_at = clock_timestamp() - interval '30 days' WHERE id = :id",
        ago=ago,
        id=invoice_id,
    )
    return invoice_id


def reminders(house: House, invoice_id: str) -> int:
    return len(house.sql(SENDS, id=invoice_id))


def test_an_invoice_is_overdue_when_its_day_is_over_and_not_before(house: House) -> None:
    today, yesterday = due(house, "0 days"), due(house, "1 day")
    look(house)
    assert house.invoice(today)["status"] == "sent"
    assert house.invoice(yesterday)["status"] == "overdue"
    assert house.moves(yesterday)[-2:] == ["sent", "overdue"]
    assert house.invoice_view(yesterday).status == "overdue"


@pytest.mark.parametrize("status", ["paid", "void", "uncollectible", "draft"])
def test_what_is_not_owed_is_left_alone(house: House, status: str) -> None:
    invoice_id = due(house, "40 days", status)
    look(house)
    assert (house.invoice(invoice_id)["status"], reminders(house, invoice_id)) == (status, 0)


def test_it_is_mailed_again_at_each_day_once(house: House) -> None:
    invoice_id = due(house, "2 days")
    look(house, "a")
    look(house, "b")
    assert reminders(house, invoice_id) == 1
    house.sql("UPDATE invoices SET due_at = due_at - interval '7 days' WHERE id = :id", id=invoice_id)
    look(house, "c")
    look(house, "d")
    assert (reminders(house, invoice_id), house.invoice(invoice_id)["reminded_days"]) == (2, REMINDER_DAYS[1])


def test_after_an_outage_one_reminder_takes_the_place_of_those_that_were_missed(house: House) -> None:
    invoice_id = due(house, "60 days")
    look(house)
    assert (reminders(house, invoice_id), house.invoice(invoice_id)["reminded_days"]) == (1, REMINDER_DAYS[-1])


def test_what_stripe_does_not_mail_is_overdue_without_a_reminder(house: House) -> None:
    invoice_id = due(house, "9 days", "open", sends=False)
    house.sql("UPDATE invoices SET sent_at = NULL WHERE id = :id", id=invoice_id)
    look(house)
    assert (house.invoice(invoice_id)["status"], reminders(house, invoice_id)) == ("overdue", 0)


def test_what_was_mailed_by_an_operation_alone_is_reminded_of_as_well(house: House) -> None:
    invoice_id = due(house, "9 days", sends=False)
    look(house)
    assert (house.invoice(invoice_id)["status"], reminders(house, invoice_id)) == ("overdue", 1)


def test_a_reminder_is_a_mail_of_this_invoice(house: House) -> None:
    invoice_id = due(house, "2 days")
    look(house)
    [row] = house.sql(SENDS, id=invoice_id)
    assert json.loads(house.payload(row["id"]))["invoice_id"] == invoice_id


def test_the_website_hears_of_it_once(house: House) -> None:
    add_endpoint(house, "https://example.org/hook")
    invoice_id = due(house, "1 day")
    look(house, "a")
    look(house, "b")
    told = [json.loads(house.payload(job["id"])) for job in notifications(house)]
    assert [each["type"] for each in told] == ["invoice.overdue"]
    data = json.loads(told[0]["body"])["data"]
    assert (data["id"], data["status"]) == (invoice_id, "overdue")
    assert not {"lines", "hosted_invoice_url", "invoice_pdf", "purchase_order"} & set(data)
