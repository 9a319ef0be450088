"""Reminders: invoices whose due date has passed are overdue, and those that Stripe mails are mailed again.

Stripe tells of overdue invoices as well, if it is set up to; a look of our own does not depend on that.
"""

from typing import Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from config.schedules import REMINDER_DAYS
from models.base import one_of
from models.invoice import OWED
from tasks.contracts.invoice_operations import SendInvoice
from tasks.contracts.invoices import RemindInvoices
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.moves import Source
from workers.services.stripe_invoices import locked_invoice, restate

MOST: Final = 500  # invoices of one look; the next one finds the rest
# The whole day on which it is due is in time, wherever in Europe it is paid. Of several reminders whose day has come,
# for instance after an outage, the last one alone is sent.
_FACTS = """
SELECT invoices.id, clock_timestamp() AS now,
    date_trunc('day', due_at, 'UTC') + interval '1 day' <= clock_timestamp() AS is_overdue,
    (SELECT max(day) FROM unnest(CAST(:days AS int[])) AS day
        WHERE due_at + make_interval(days => day) <= clock_timestamp()) AS day
FROM invoices
"""
_DUE = text(f"""
SELECT id FROM ({_FACTS} WHERE {one_of("status", OWED)} AND due_at < clock_timestamp()) AS facts
JOIN invoices USING (id)
WHERE (is_overdue AND overdue_at IS NULL) OR (sent_at IS NOT NULL AND day > reminded_days)
ORDER BY id LIMIT :most
""")  # noqa: S608 - built of constants
_OF_ONE = text(f"{_FACTS} WHERE invoices.id = :id")


def remind(attempt: Attempt, _request: RemindInvoices) -> Outcome:
    """Let invoices be overdue whose day has passed, and have those mailed again whose reminder's day has come."""
    runtime = attempt.runtime
    with runtime.reading() as session:
        ids = session.scalars(_DUE, {"days": list(REMINDER_DAYS), "most": MOST}).all()

    def conclude(session: Session) -> None:
        for invoice_id in ids:
            _remind_of(session, runtime, attempt.job, invoice_id)

    return done(conclude, touched=tuple(ids))


def settle_remind(
    _session: Session, _runtime: Runtime, _job: JobRow, _request: RemindInvoices, _outcome: Outcome
) -> None:
    """Leave everything as it is: a look that was not done is made up by the next one."""


def _remind_of(session: Session, runtime: Runtime, job: JobRow, invoice_id: str) -> None:
    invoice = locked_invoice(session, invoice_id)
    if invoice.status not in OWED or invoice.due_at is None:
        return  # it was paid meanwhile
    facts: Row[tuple[object, ...]] = session.execute(_OF_ONE, {"id": invoice_id, "days": list(REMINDER_DAYS)}).one()
    if facts.is_overdue and invoice.overdue_at is None:
        invoice.overdue_at = facts.now
        restate(session, runtime, invoice, Source("job", facts.now, job.id))
    if invoice.sent_at is not None and facts.day is not None and facts.day > invoice.reminded_days:
        invoice.reminded_days = facts.day
        enqueue(
            session,
            runtime.settings,
            SendInvoice(invoice.id, shown=True),
            client_id=invoice.client_id,
            subject_id=invoice.id,
            slot=f"reminder/{facts.day}",
            request_id="",
        )
