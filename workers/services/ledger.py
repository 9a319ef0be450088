"""The ledger: each movement of money is posted once, whoever tells of it and however often.

A transaction is named by its kind and Stripe's id. It is written in the database transaction that first learns of the
money, together with what it changes of the payment or refund; the rules are in `workers.services.postings`.
"""

import datetime as dt

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.payment import Payment
from models.refund import Refund
from workers.gateways.balance_snapshots import BalanceTransactionSnapshot, DisputeSnapshot, PayoutSnapshot
from workers.services import postings
from workers.services.moves import Source
from workers.services.postings import Movement, Posting

_POST = text("""
WITH made AS (
    INSERT INTO ledger_transactions (kind, stripe_id, payment_id, currency, occurred_at, evidence)
    VALUES (:kind, :stripe_id, :payment_id, :currency, :occurred_at, :evidence)
    ON CONFLICT (kind, stripe_id) DO NOTHING
    RETURNING id, currency
)
INSERT INTO ledger_entries (transaction_id, account, currency, amount)
SELECT made.id, line.account, made.currency, line.amount
FROM made, (VALUES (:debit, CAST(:amount AS bigint)), (:credit, -CAST(:amount AS bigint))) AS line (account, amount)
RETURNING transaction_id
""")


def post(session: Session, posting: Posting, evidence: str | None) -> bool:
    """Write a transaction unless it is written already, or moves nothing; return whether it was written now.

    Args:
        session: the transaction of what is learnt.
        posting: what moved.
        evidence: the event or request that tells of it.
    """
    if posting.amount == 0:
        return False
    parameters = {
        "kind": posting.kind,
        "stripe_id": posting.stripe_id,
        "payment_id": posting.payment_id,
        "currency": posting.currency,
        "occurred_at": posting.occurred_at,
        "evidence": evidence,
        "debit": posting.debit,
        "credit": posting.credit,
        "amount": posting.amount,
    }
    return session.execute(_POST, parameters).first() is not None


def post_capture(session: Session, payment: Payment, source: Source) -> bool:
    """Post what was taken of a payment, whose charge and amount received are known; return whether this is new."""
    if payment.stripe_charge_id is None:
        return False
    taken = Movement(
        payment.stripe_charge_id,
        payment.amount_received,
        payment.currency,
        payment.paid_at or source.as_of,
        payment.id,
    )
    return post(session, postings.capture(taken), source.evidence)


def post_fee(session: Session, payment_id: str, balance: BalanceTransactionSnapshot, source: Source) -> bool:
    """Post what Stripe keeps of a balance transaction, in its own currency; return whether this is new."""
    return post(session, postings.fee(_fee(balance, payment_id)), source.evidence)


def _fee(balance: BalanceTransactionSnapshot, payment_id: str | None) -> Movement:
    return Movement(balance.id, balance.fee, balance.currency, balance.created, payment_id)


def post_dispute(session: Session, payment: Payment, dispute: DisputeSnapshot, source: Source) -> None:
    """Post what Stripe has withdrawn for a dispute and given back so far, and what it charges for that.

    Every event of a dispute tells of all its movements up to then, so it is the same in whatever order they come. Where
    the account has another currency than the charge, the dispute is posted in the charge's, as its capture was.
    """
    for balance in dispute.balances:
        same = balance.currency == dispute.currency
        amount = abs(balance.amount) if same else dispute.amount
        moved = Movement(dispute.id, amount, dispute.currency, balance.created, payment.id)
        rule = postings.dispute if balance.amount < 0 else postings.dispute_reinstated
        post(session, rule(moved), source.evidence)
        post(session, postings.dispute_fee(_fee(balance, payment.id)), source.evidence)


def post_payout(session: Session, payout: PayoutSnapshot, source: Source, *, failed: bool) -> None:
    """Post a payout that has reached the bank, or that failed; a failed one may have been told of as paid before."""
    paid = Movement(payout.id, payout.amount, payout.currency, payout.created, None)
    rules = postings.payout_failed(paid, source.as_of) if failed else (postings.payout(paid),)
    for posting in rules:
        post(session, posting, source.evidence)


def post_refund(
    session: Session, payment: Payment, refund: Refund, source: Source, *, at: dt.datetime | None = None
) -> bool:
    """Post a refund that Stripe has made; return whether this is new.

    Args:
        session: the transaction that learns of it.
        payment: of which it is.
        refund: its row, with Stripe's id.
        source: who tells of it.
        at: when Stripe made it, if that is known better than by the source.
    """
    given_back = _given_back(payment, refund, at or source.as_of)
    return given_back is not None and post(session, postings.refund(given_back), source.evidence)


def post_refund_failed(
    session: Session, payment: Payment, refund: Refund, source: Source, *, at: dt.datetime | None = None
) -> bool:
    """Post that a refund came to nothing, failed or cancelled; return whether this is new.

    The refund is posted as well if it was not: what is heard of it later changes nothing more. Arguments as those of
    `post_refund`: `at` is when Stripe made the refund, the source says when it came to nothing.
    """
    given_back = _given_back(payment, refund, at or source.as_of)
    if given_back is None:
        return False
    made, failed = postings.refund_failed(given_back, source.as_of)
    post(session, made, source.evidence)
    return post(session, failed, source.evidence)


def _given_back(payment: Payment, refund: Refund, at: dt.datetime) -> Movement | None:
    if refund.stripe_id is None:
        return None
    return Movement(refund.stripe_id, refund.amount, refund.currency, at, payment.id)
