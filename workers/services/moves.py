"""Moves: the one way in which a payment, refund, invoice or dispute changes its status."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.dispute import DISPUTE_MOVES, Dispute
from models.history import History
from models.invoice import INVOICE_MOVES, Invoice
from models.payment import PAYMENT_MOVES, Payment
from models.refund import REFUND_MOVES, Refund
from models.states import Moves
from workers.runtime import Runtime
from workers.services.announcements import announce


@dataclass(frozen=True, slots=True)
class Source:
    """Who brought a change, how new it is by Stripe's clock (UTC), and the evidence for it."""

    name: str
    as_of: dt.datetime
    evidence: str | None


def move(
    session: Session, runtime: Runtime, row: Payment | Refund | Invoice | Dispute, status: str, source: Source
) -> None:
    """Move a row to a status, write history, tell the client's website, and let the view follow.

    The caller has locked the row, and set whatever else has changed. Staying is no move, but the view follows all the
    same. Of a dispute the website hears by its payment.

    Raises:
        IllegalMoveError: if the status may not follow the present one.
    """
    moves = moves_of(row)
    moved = status != row.status
    if moved:
        moves.check(row.id, row.status, status)
        note(session, moves.noun, row.id, old=row.status, new=status, source=source)
        row.status = status
    row.version += 1
    if moved and not isinstance(row, Dispute):
        announce(session, runtime, f"{moves.noun}.{status}", row)


def moves_of(row: Payment | Refund | Invoice | Dispute) -> Moves:
    """Return the table of moves of a row's noun."""
    if isinstance(row, Payment):
        return PAYMENT_MOVES
    if isinstance(row, Dispute):
        return DISPUTE_MOVES
    return REFUND_MOVES if isinstance(row, Refund) else INVOICE_MOVES


def note(session: Session, noun: str, subject_id: str, *, old: str | None, new: str, source: Source) -> None:
    """Write one line of history; `old` is None for the first status."""
    session.add(
        History(noun=noun, subject_id=subject_id, old=old, new=new, source=source.name, evidence=source.evidence)
    )
