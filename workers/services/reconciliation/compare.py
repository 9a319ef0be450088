"""Comparing: every movement of Stripe's with the ledger's line of it, and every line with Stripe. Pure but for looks.

What is found not to be the same is a break; what moved in another piece of time than the ledger says is no break, and
is told of by `timing`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from workers.gateways.balance_listings import BalanceMovement, Source
from workers.services.reconciliation.at_stripe import Asking, AtStripe, Piece
from workers.services.reconciliation.breaks import Break, BreakKind, Fix
from workers.services.reconciliation.here import Here, Line
from workers.services.reconciliation.noun import Noun
from workers.services.reconciliation.nouns import BY_CATEGORY, BY_KIND

MOST_LOOKS: Final = 100  # at single objects, for lines that nothing in the piece explains: far more than there are
FEES: Final = frozenset({"fee", "dispute_fee"})


@dataclass(frozen=True, slots=True)
class Matched:
    """A movement of which Stripe and the ledger say the same; amount and fee in minor units."""

    at: datetime
    noun: str
    stripe_id: str
    movement_id: str
    payment_id: str | None
    currency: str
    amount: int
    fee: int


@dataclass(slots=True)
class Compared:
    """What a piece's comparison has come to.

    Args:
        piece: of what time.
        breaks, matched: what differs, and what does not.
        timing: by currency, what the ledger says of these movements at other times, less what it says now of others.
        seen: kind and id of the lines that a movement told of.
    """

    piece: Piece
    breaks: list[Break] = field(default_factory=list)
    matched: list[Matched] = field(default_factory=list)
    timing: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def found(
        self,
        kind: BreakKind,
        of: tuple[str, str],
        currency: str,
        said: tuple[int | str | None, int | str | None],
        *,
        payment_id: str | None = None,
        effect: int = 0,
        fix: Fix | None = None,
    ) -> None:
        """Note a break.

        Args:
            kind: of the break.
            of: noun and Stripe's id.
            currency: of the amounts.
            said: by Stripe, and here.
            payment_id: ours, if it is known.
            effect: as of `Break`.
            fix: what mends it.
        """
        (noun, stripe_id), (at_stripe, here) = of, said
        self.breaks.append(
            Break(kind, self.piece.day, currency, noun, stripe_id, payment_id, at_stripe, here, effect, fix)
        )


def compare_movements(compared: Compared, stripe: AtStripe, here: Here) -> None:
    """Hold every movement of Stripe's against the ledger's line of it."""
    for each in sorted(stripe.movements, key=lambda movement: (movement.created, movement.id)):
        noun = BY_CATEGORY.get(each.category)
        if noun is None or each.source is None:
            continue  # a movement that no noun tells of stays in the remainder, and is shown there
        kind, fee_kind = noun.postings[each.category]
        key = (kind, each.source.id)
        if key in compared.seen:
            compared.found(
                BreakKind.DUPLICATE, (noun.name, each.source.id), each.currency, (each.amount, None), effect=each.net
            )
            continue
        compared.seen |= {key, (fee_kind, each.id)}
        payment = here.payment_of(each.source)
        line, fee_line = here.lines.get(key), here.lines.get((fee_kind, each.id))
        if line is None:
            _without_line(compared, noun, each, each.source, payment, here)
            if fee_line is not None:
                _note_timing(compared, fee_line)
                compared.found(
                    BreakKind.LEDGER_EXTRA,
                    ("fee", each.id),
                    fee_line.currency,
                    (None, fee_line.moved),
                    payment_id=fee_line.payment_id,
                    effect=-fee_line.moved,
                )
            continue
        _note_timing(compared, line)
        _hold_line(compared, noun, each, each.source, line, fee_line)


def _without_line(
    compared: Compared, noun: Noun, moved: BalanceMovement, source: Source, payment: Row[Any] | None, here: Here
) -> None:
    payment_id = None if payment is None else payment.id
    kind, fix = _why_without(noun, source, payment, here)
    compared.found(
        kind,
        (noun.name, source.id),
        moved.currency,
        (moved.amount, None),
        payment_id=payment_id,
        effect=moved.net,
        fix=fix,
    )


def _why_without(noun: Noun, source: Source, payment: Row[Any] | None, here: Here) -> tuple[BreakKind, Fix | None]:
    if source.status in noun.unsettled:
        return BreakKind.IN_TRANSIT, None
    if noun.is_accounts:
        return BreakKind.AT_STRIPE_NOT_HERE, noun.mends
    if payment is None:
        return (BreakKind.FOREIGN, None) if source.operation is None else (BreakKind.AT_STRIPE_NOT_HERE, Fix.HEAL)
    is_known = payment.amount_received > 0 if noun.name == "charge" else source.id in here.refunds
    return (BreakKind.LEDGER_MISSING, None) if is_known else (BreakKind.AT_STRIPE_NOT_HERE, noun.mends)


def _hold_line(
    compared: Compared, noun: Noun, moved: BalanceMovement, source: Source, line: Line, fee_line: Line | None
) -> None:
    before = len(compared.breaks)
    if line.currency != moved.currency:
        kind = BreakKind.CONVERTED if line.currency == source.currency else BreakKind.CURRENCY_DIFFERS
        for currency, theirs, ours in ((moved.currency, moved.amount, None), (line.currency, None, line.moved)):
            effect = (theirs or 0) - (ours or 0)
            compared.found(
                kind, (noun.name, source.id), currency, (theirs, ours), payment_id=line.payment_id, effect=effect
            )
    elif line.moved != moved.amount:
        compared.found(
            BreakKind.AMOUNT_DIFFERS,
            (noun.name, source.id),
            moved.currency,
            (moved.amount, line.moved),
            payment_id=line.payment_id,
            effect=moved.amount - line.moved,
        )
    _hold_fee(compared, noun, moved, source, line, fee_line)
    if len(compared.breaks) == before:
        compared.matched.append(
            Matched(
                moved.created, noun.name, source.id, moved.id, line.payment_id, moved.currency, moved.amount, moved.fee
            )
        )


def _hold_fee(
    compared: Compared, noun: Noun, moved: BalanceMovement, source: Source, line: Line, fee_line: Line | None
) -> None:
    if fee_line is not None:
        _note_timing(compared, fee_line)
    posted = 0 if fee_line is None else -fee_line.moved
    if posted == moved.fee:
        return
    can_be_posted = fee_line is None and noun.name in {"charge", "refund"} and line.payment_id is not None
    compared.found(
        BreakKind.FEE_DIFFERS,
        (noun.name, source.id),
        moved.currency,
        (moved.fee, posted),
        payment_id=line.payment_id,
        effect=posted - moved.fee,
        fix=Fix.FEE if can_be_posted else None,
    )


def _note_timing(compared: Compared, line: Line) -> None:
    if not compared.piece.since <= line.occurred_at < compared.piece.until:
        compared.timing[line.currency] += line.moved


def compare_lines(compared: Compared, here: Here, asking: Asking) -> None:
    """Look for the lines of the ledger that no movement of the piece tells of: at another time, or never?"""
    looks = 0
    for key, line in sorted(here.lines.items()):
        if key in compared.seen or not compared.piece.since <= line.occurred_at < compared.piece.until:
            continue
        looks += 1
        if looks <= MOST_LOOKS and _moved_at_another_time(line, asking):
            compared.timing[line.currency] -= line.moved
            continue
        kind = BreakKind.HERE_NOT_AT_STRIPE if _is_claimed(line, here) else BreakKind.LEDGER_EXTRA
        noun = "fee" if line.kind in FEES else BY_KIND[line.kind].name
        compared.found(
            kind,
            (noun, line.stripe_id),
            line.currency,
            (None, line.moved),
            payment_id=line.payment_id,
            effect=-line.moved,
        )


def _is_claimed(line: Line, here: Here) -> bool:
    """Tell whether a payment or refund says the same as a line: then it is not the line that is too much."""
    if line.stripe_id in here.refunds:
        return True
    return any(each.id == line.payment_id and each.stripe_charge_id == line.stripe_id for each in here.payments)


def _moved_at_another_time(line: Line, asking: Asking) -> bool:
    if line.kind in FEES:
        return asking.movement(line.stripe_id) is not None
    categories = {name for name, (kind, _) in BY_KIND[line.kind].postings.items() if kind == line.kind}
    return any(each.category in categories for each in asking.movements_of(line.stripe_id))


def compare_payouts(compared: Compared, stripe: AtStripe) -> None:
    """Add up what each payout pays out; its own movement is listed with the others, and takes them out again."""
    for payout in stripe.payouts:
        parts = [each for each in stripe.parts.get(payout.id, ()) if each.category != "payout"]
        total = sum(each.net for each in parts)
        if payout.automatic and payout.status not in {"failed", "canceled"} and total != payout.amount:
            compared.found(BreakKind.PAYOUT_MISMATCH, ("payout", payout.id), payout.currency, (payout.amount, total))


def doubtful_intents(stripe: AtStripe, here: Here) -> Iterator[tuple[str, Row[Any] | None, Any]]:
    """Yield (PaymentIntent's id, payment, what the list says of it) wherever the two do not say the same.

    A payment that is dirty is being fetched: nothing is said of it.
    """
    by_intent = {each.stripe_id: each for each in here.payments if each.stripe_id is not None}
    for intent in stripe.intents:
        payment = by_intent.get(intent.id)
        if payment is None and intent.operation is not None:
            yield intent.id, None, intent
        elif payment is not None and not payment.dirty and payment.stripe_status != intent.status:
            yield intent.id, payment, intent
