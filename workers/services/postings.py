"""Postings: what each movement of money means in the books. Pure rules, without a database.

Every movement goes from one account to another, in one currency, so it adds up to zero by its nature. A debit is
positive, a credit negative: what Stripe holds for us (`stripe`) and what it has paid out (`bank`) grow by debits, what
was sold by credits. Amounts are minor units.
"""

import dataclasses
import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction of the ledger before it is written.

    Args:
        kind: one of `models.ledger.LEDGER_KINDS`; with `stripe_id` it names the transaction for ever.
        stripe_id: the charge, refund, balance transaction, dispute or payout.
        debit: the account that the amount goes to.
        credit: the account that it comes from.
        amount: minor units; below zero it goes the other way round.
        currency: three letters, lower case.
        occurred_at: when, by Stripe's clock (UTC).
        payment_id: of whom it tells; None for payouts.
    """

    kind: str
    stripe_id: str
    debit: str
    credit: str
    amount: int
    currency: str
    occurred_at: dt.datetime
    payment_id: str | None

    @property
    def lines(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return its two entries, as (account, amount)."""
        return (self.debit, self.amount), (self.credit, -self.amount)


@dataclass(frozen=True, slots=True)
class Movement:
    """So much money of one payment, moved at one time by Stripe's clock; `payment_id` is None for a payout."""

    stripe_id: str
    amount: int
    currency: str
    occurred_at: dt.datetime
    payment_id: str | None

    def posted(self, kind: str, debit: str, credit: str) -> Posting:
        """Return it as a transaction of a kind."""
        return Posting(
            kind, self.stripe_id, debit, credit, self.amount, self.currency, self.occurred_at, self.payment_id
        )


def capture(charge: Movement) -> Posting:
    """Post what was taken from a card: Stripe holds it for us."""
    return charge.posted("capture", "stripe", "sales")


def fee(balance: Movement) -> Posting:
    """Post what Stripe keeps for a balance transaction (https://docs.stripe.com/api/balance_transactions/object)."""
    return balance.posted("fee", "fees", "stripe")


def refund(given_back: Movement) -> Posting:
    """Post what goes back to a customer: Stripe takes it from what it holds as soon as the refund is made."""
    return given_back.posted("refund", "refunds", "stripe")


def refund_failed(given_back: Movement, at: dt.datetime) -> tuple[Posting, Posting]:
    """Post a refund that came to nothing: Stripe puts the money back (https://docs.stripe.com/refunds#failed-refunds).

    The refund itself belongs to it, whatever has been heard of that before: then the order of news makes no difference.
    """
    return refund(given_back), _moved(given_back, at).posted("refund_failed", "stripe", "refunds")


def dispute(withdrawn: Movement) -> Posting:
    """Post what Stripe withdraws for a dispute (https://docs.stripe.com/disputes/how-disputes-work)."""
    return withdrawn.posted("dispute", "disputes", "stripe")


def dispute_reinstated(returned: Movement) -> Posting:
    """Post what Stripe gives back when a dispute is won."""
    return returned.posted("dispute_reinstated", "stripe", "disputes")


def dispute_fee(balance: Movement) -> Posting:
    """Post what Stripe charges for a dispute, below zero if it gives that back."""
    return balance.posted("dispute_fee", "fees", "stripe")


def payout(paid: Movement) -> Posting:
    """Post what Stripe pays out to the bank (https://docs.stripe.com/api/payouts/object)."""
    return paid.posted("payout", "bank", "stripe")


def payout_failed(paid: Movement, at: dt.datetime) -> tuple[Posting, Posting]:
    """Post a payout that the bank sent back; as with refunds, the payout itself belongs to it."""
    return payout(paid), _moved(paid, at).posted("payout_failed", "stripe", "bank")


def _moved(movement: Movement, at: dt.datetime) -> Movement:
    return dataclasses.replace(movement, occurred_at=at)
