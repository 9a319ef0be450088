"""One piece of time reconciled: read at Stripe, read here, compared, and looked at again where the two differ."""

import datetime as dt
from collections import Counter

from workers.runtime import Runtime
from workers.services.reconciliation import here as known
from workers.services.reconciliation.at_stripe import Asking, AtStripe, Piece
from workers.services.reconciliation.breaks import BreakKind, Fix
from workers.services.reconciliation.compare import (
    MOST_LOOKS,
    Compared,
    compare_lines,
    compare_movements,
    compare_payouts,
    doubtful_intents,
)
from workers.services.reconciliation.here import Here
from workers.services.reconciliation.invoices import compare_invoices
from workers.services.reconciliation.result import Result, Total, day_of

FIRST_LOOK = dt.timedelta(days=1)  # of an installation that has reconciled nothing yet


def settled_until(runtime: Runtime, asking: Asking) -> dt.datetime:
    """Return up to when all that happened must be known here, by Stripe's clock: later things may be on their way."""
    asking.before_call()
    now = dt.datetime.now(dt.UTC)
    answer = runtime.stripe.list_payouts(since=now - FIRST_LOOK, until=now, after=None)
    return answer.as_of.replace(microsecond=0) - dt.timedelta(seconds=runtime.settings.jobs.reconcile_settle)


def reconcile_piece(runtime: Runtime, piece: Piece, settled: dt.datetime, asking: Asking) -> Result:
    """Reconcile a piece of time. It reads, and changes nothing anywhere.

    Args:
        runtime: of the process.
        piece: which time; it ends at `settled` at the latest.
        settled: as `settled_until` returns it.
        asking: asks Stripe; raises as the gateway and its `before_call` do.
    """
    stripe = asking.read(piece)
    with runtime.reading() as session:
        here = known.read(session, piece, stripe)
    compared = Compared(piece)
    compare_movements(compared, stripe, here)
    compare_lines(compared, here, asking)
    compare_payouts(compared, stripe)
    _compare_intents(runtime, compared, stripe, here, settled, asking)
    compare_invoices(runtime, compared, stripe, here, settled, asking)
    return _result(compared, stripe, here)


def _compare_intents(
    runtime: Runtime, compared: Compared, stripe: AtStripe, here: Here, settled: dt.datetime, asking: Asking
) -> None:
    """Hold statuses against each other; what moved no longer ago than things take is left out, as what is known by now.

    A payment of which a movement's break tells already is not told of twice.
    """
    told = {each.payment_id for each in compared.breaks if each.payment_id is not None}
    looks = 0
    for name, payment, intent in doubtful_intents(stripe, here):
        if payment is None:
            compared.found(
                BreakKind.AT_STRIPE_NOT_HERE,
                ("payment_intent", name),
                intent.currency,
                (intent.status, None),
                fix=Fix.HEAL,
            )
            continue
        looks += 1
        if payment.id in told or looks > MOST_LOOKS:
            continue
        now = asking.intent(name)
        if now is None or (now.charge_created is not None and now.charge_created >= settled):
            continue
        with runtime.reading() as session:
            row = known.still(session, [payment.id]).get(payment.id)
        if row is not None and not row.dirty and row.stripe_status != now.status:
            compared.found(
                BreakKind.STATUS_DIFFERS,
                ("payment_intent", name),
                row.currency,
                (now.status, row.stripe_status),
                payment_id=row.id,
                fix=Fix.REFRESH,
            )
    _look_for_unlisted(compared, stripe, here, asking)


def _look_for_unlisted(compared: Compared, stripe: AtStripe, here: Here, asking: Asking) -> None:
    """Ask for the PaymentIntents that payments of this time name, and that are not among those of this time."""
    listed = {each.id for each in stripe.intents}
    of_now = [each for each in here.payments if compared.piece.since <= each.created_at < compared.piece.until]
    unlisted = [each for each in of_now if each.stripe_id is not None and each.stripe_id not in listed]
    for payment in unlisted[:MOST_LOOKS]:
        if asking.intent(payment.stripe_id) is None:
            compared.found(
                BreakKind.HERE_NOT_AT_STRIPE,
                ("payment_intent", payment.stripe_id),
                payment.currency,
                (None, payment.stripe_status),
                payment_id=payment.id,
            )


def _result(compared: Compared, stripe: AtStripe, here: Here) -> Result:
    at_stripe, explained = Counter[str](), Counter[str]()
    for each in stripe.movements:
        at_stripe[each.currency] += each.net
    for found in compared.breaks:
        explained[found.currency] += found.effect
    day = day_of(compared.piece.since)
    currencies = {*at_stripe, *explained, *here.totals, *compared.timing}
    totals = {
        (day, each): Total(at_stripe[each], here.totals.get(each, 0), compared.timing[each], explained[each])
        for each in sorted(currencies)
    }
    return Result(len(stripe.movements), compared.breaks, compared.matched, totals)
