"""Flags: findings that an operator should look at, each raised once for a kind and a subject."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from models.payment import Payment
from workers.jobs.operator import Operator
from workers.runtime import Runtime
from workers.services.announcements import FLAGGED, announce

LOG = logging.getLogger("tollgate.flags")
PAYMENT = "pay_"  # payments show their flags

# What a check has cleared is raised again when it is found again. What an operator has put aside stays so, unless the
# finding has become another one: they have seen the old one.
_RAISE = text("""
WITH this AS MATERIALIZED (SELECT clock_timestamp() AS moment)
INSERT INTO flags AS known (kind, subject_id, details, raised_at)
SELECT :kind, :subject, CAST(:details AS jsonb), moment FROM this
ON CONFLICT (kind, subject_id) DO UPDATE SET details = EXCLUDED.details, cleared_at = NULL, cleared_by = NULL,
    raised_at = CASE WHEN known.cleared_at IS NULL THEN known.raised_at ELSE EXCLUDED.raised_at END
WHERE known.cleared_by = 'check' OR known.details <> EXCLUDED.details
RETURNING raised_at = (SELECT moment FROM this) AS is_raised
""")
_CLEAR = text("""
UPDATE flags SET cleared_at = clock_timestamp(), cleared_by = 'check'
WHERE kind = :kind AND subject_id = :subject AND cleared_at IS NULL RETURNING id
""")
_SUBJECTS = text("SELECT DISTINCT subject_id FROM flags WHERE id = ANY(:ids) AND cleared_at IS NULL ORDER BY 1")
_PUT_ASIDE = text("""
WITH meant AS (SELECT id FROM flags WHERE id = ANY(:ids) AND cleared_at IS NULL ORDER BY id FOR UPDATE)
UPDATE flags SET cleared_at = clock_timestamp(), cleared_by = 'operator'
FROM meant WHERE flags.id = meant.id RETURNING flags.id, flags.kind, flags.subject_id, flags.details
""")


def raise_flag(
    session: Session, runtime: Runtime | None, kind: str, subject_id: str, details: Mapping[str, Any]
) -> bool:
    """Raise a flag in the caller's transaction; return whether it was not up already.

    Args:
        session: the caller's transaction. A payment's row is locked, so that its view follows: whoever flags several
            payments does so in the order of their ids.
        runtime: seals what is told to the website; None for nobody to be told.
        kind: one of `models.flag.FLAGS`.
        subject_id: what it is about.
        details: figures and ids, never personal data; equal for as long as the finding is the same one.
    """
    parameters = {"kind": kind, "subject": subject_id, "details": json.dumps(dict(details))}
    payment = _locked_payment(session, subject_id)
    changed = session.execute(_RAISE, parameters).first()
    if changed is None:
        return False
    _show_again(payment)
    if changed.is_raised:
        LOG.warning("flagged: %s", kind, extra={"flag": kind, "subject_id": subject_id, "details": dict(details)})
        if payment is not None and runtime is not None and kind in FLAGGED:
            announce(session, runtime, FLAGGED[kind], payment)
    return bool(changed.is_raised)


def clear_flag(session: Session, kind: str, subject_id: str) -> bool:
    """Clear a flag since its finding holds no more; return whether it was up. Locks as `raise_flag` does."""
    payment = _locked_payment(session, subject_id)
    if session.execute(_CLEAR, {"kind": kind, "subject": subject_id}).first() is None:
        return False
    _show_again(payment)
    LOG.info("cleared: %s", kind, extra={"flag": kind, "subject_id": subject_id})
    return True


def put_aside(session: Session, flag_ids: Sequence[int], operator: Operator) -> list[Row[Any]]:
    """Let flags be up no more since an operator has dealt with them; return those that were up."""
    subjects = session.scalars(_SUBJECTS, {"ids": list(flag_ids)}).all()
    payments = [_locked_payment(session, subject) for subject in subjects]
    cleared = sorted(session.execute(_PUT_ASIDE, {"ids": list(flag_ids)}).all(), key=lambda flag: int(flag.id))
    for flag in cleared:
        operator.record(session, "clear", {flag.subject_id: {"flag": flag.kind, **flag.details}})
    for payment in payments:
        _show_again(payment)
    return cleared


def _locked_payment(session: Session, subject_id: str) -> Payment | None:
    """Lock the payment, before its flag: all who raise or clear take them in this order."""
    if not subject_id.startswith(PAYMENT):
        return None
    statement = select(Payment).where(Payment.id == subject_id).with_for_update()
    return session.execute(statement.execution_options(populate_existing=True)).scalar_one_or_none()


def _show_again(payment: Payment | None) -> None:
    if payment is not None:
        payment.version += 1
