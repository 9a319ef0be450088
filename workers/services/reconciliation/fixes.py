"""Fixes: the ordinary jobs that a reconciliation leaves behind for what they can mend. It writes no state itself."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.schedules import HEAL
from config.settings import WorkerSettings
from models.client import OWN_CLIENT
from models.invoice import Invoice
from models.payment import Payment
from tasks.contracts.events import HealEvents
from tasks.contracts.invoices import RefreshInvoice
from tasks.contracts.job import Contract
from tasks.contracts.ledger import PostFee
from tasks.contracts.payments import RefreshPayment
from workers.jobs.follow_up import enqueue
from workers.services.reconciliation.breaks import Break, Fix


def leave_fixes(session: Session, settings: WorkerSettings, run_id: str, breaks: Iterable[Break]) -> dict[str, int]:
    """Leave a job behind for every break that one can mend; the same run leaves each once.

    Returns:
        how many jobs of each kind of fix were left.
    """
    left = Counter[str]()
    heals: list[dt.date] = []
    done: set[tuple[Fix, str]] = set()
    for each in breaks:
        subject = _subject(each)
        if each.fix is Fix.HEAL:
            heals.append(each.day)
        elif each.fix is not None and subject is not None:
            slot = each.stripe_id if each.fix is Fix.FEE else subject
            if (each.fix, slot) not in done:
                done.add((each.fix, slot))
                _leave(session, settings, _contract(each, subject), subject, f"{run_id}/{slot}")
                left[each.fix.value] += 1
    if heals:
        since = dt.datetime.combine(min(heals), dt.time(), dt.UTC)
        enqueue(
            session,
            settings,
            HealEvents(since=since.isoformat()),
            client_id=OWN_CLIENT,
            subject_id=HEAL.name,
            slot=run_id,
            request_id="",
        )
        left[Fix.HEAL.value] = 1
    return dict(left)


def _subject(found: Break) -> str | None:
    return found.invoice_id if found.fix is Fix.REFRESH_INVOICE else found.payment_id


def _contract(found: Break, subject_id: str) -> Contract:
    if found.fix is Fix.FEE:
        return PostFee(subject_id, found.noun, found.stripe_id)
    if found.fix is Fix.REFRESH_INVOICE:
        return RefreshInvoice(subject_id, even_if_clear=True)
    return RefreshPayment(subject_id, even_if_clear=True)


def _leave(session: Session, settings: WorkerSettings, contract: Contract, subject_id: str, slot: str) -> None:
    table = Invoice if isinstance(contract, RefreshInvoice) else Payment
    owner = session.execute(select(table.client_id).where(table.id == subject_id)).scalar_one()
    enqueue(
        session,
        settings,
        contract,
        client_id=owner,
        subject_id=subject_id,
        slot=slot,
        request_id="",
    )
