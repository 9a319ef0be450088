"""A timeline: what is recorded of one id, of ours or of Stripe's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from workers.timelines.jobs import lines_of_jobs, lines_of_operators
from workers.timelines.line import Line, in_order
from workers.timelines.money import (
    lines_of_disputes,
    lines_of_events,
    lines_of_evidence,
    lines_of_flags,
    lines_of_invoices,
    lines_of_ledger,
    lines_of_moves,
    lines_of_payments,
    lines_of_refunds,
    standing,
)
from workers.timelines.subjects import Subjects, find


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is known of one id.

    Args:
        standing: how its payments, refunds, invoices and disputes stand now.
        lines: what happened, by time.
    """

    subjects: Subjects
    standing: Mapping[str, Sequence[Mapping[str, Any]]]
    lines: Sequence[Line]


def timeline_of(session: Session, name: str) -> Timeline | None:
    """Return the timeline of an id, a booking reference or a request's id; None if nothing is known by it."""
    subjects = find(session, name)
    if not subjects.any:
        return None
    now = standing(session, subjects.payments, subjects.refunds, subjects.invoices)
    disputes = [str(each["id"]) for each in now["disputes"]]
    named = [*subjects.payments, *subjects.refunds, *subjects.invoices, *subjects.jobs, *disputes, name]
    bookings = {str(payment["booking_reference"]) for payment in now["payments"]}
    lines = [
        *lines_of_payments(session, subjects.payments),
        *lines_of_jobs(session, subjects.jobs),
        *lines_of_refunds(session, subjects.refunds),
        *lines_of_invoices(session, subjects.invoices),
        *lines_of_events(session, subjects.payments, subjects.jobs),
        *lines_of_disputes(session, subjects.payments),
        *lines_of_moves(session, [*subjects.payments, *subjects.refunds, *subjects.invoices, *disputes]),
        *lines_of_ledger(session, subjects.payments),
        *lines_of_evidence(session, subjects.payments),
        *lines_of_flags(session, sorted({*named, *bookings})),
        *lines_of_operators(session, sorted(set(named))),
    ]
    return Timeline(subjects, now, in_order(lines))
