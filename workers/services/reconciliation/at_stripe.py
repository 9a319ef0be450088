"""What Stripe says of a piece of time: movements with their sources, PaymentIntents, and payouts with their parts."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from config.errors import StripeInvalidError
from workers.gateways.balance_listings import BalanceMovement, ListedIntent
from workers.gateways.balance_snapshots import PayoutSnapshot
from workers.gateways.calls import WholePage
from workers.gateways.invoice_snapshots import InvoiceSnapshot, ListedInvoice
from workers.gateways.snapshots import Answer, PaymentIntentSnapshot
from workers.gateways.stripe import StripeGateway

T = TypeVar("T")
PIECE: Final = dt.timedelta(hours=6)  # some thousands of movements at the most: a job reads them within a minute


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of time within one day, UTC: `since` is included, `until` is not."""

    since: dt.datetime
    until: dt.datetime

    @property
    def day(self) -> dt.date:
        """The day that it is of."""
        return self.since.date()


@dataclass(slots=True)
class AtStripe:
    """What Stripe says of a piece; `parts` are a payout's movements, by its id."""

    movements: list[BalanceMovement] = field(default_factory=list)
    intents: list[ListedIntent] = field(default_factory=list)
    payouts: list[PayoutSnapshot] = field(default_factory=list)
    parts: dict[str, list[BalanceMovement]] = field(default_factory=dict)
    invoices: list[ListedInvoice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asking:
    """How Stripe is asked: the gateway, and what must be done before each call, which may raise."""

    stripe: StripeGateway
    before_call: Callable[[], object]

    def read(self, piece: Piece) -> AtStripe:
        """Read all that Stripe says of a piece."""
        found = AtStripe(
            self.all(lambda after: self.stripe.list_movements(since=piece.since, until=piece.until, after=after)),
            self.all(lambda after: self.stripe.list_payment_intents(since=piece.since, until=piece.until, after=after)),
            self.all(lambda after: self.stripe.list_payouts(since=piece.since, until=piece.until, after=after)),
        )
        invoices = self.stripe.invoices
        found.invoices = self.all(lambda after: invoices.list_made(since=piece.since, until=piece.until, after=after))
        for payout in found.payouts:
            if payout.automatic:
                found.parts[payout.id] = self.parts_of(payout.id)
        return found

    def parts_of(self, payout: str) -> list[BalanceMovement]:
        """Return the movements that a payout pays out, and its own."""
        return self.all(lambda after: self.stripe.list_movements_of(payout=payout, after=after))

    def movements_of(self, source: str) -> Sequence[BalanceMovement]:
        """Return what an object has moved, whenever; nothing if Stripe knows no such object."""
        try:
            return self.all(lambda after: self.stripe.list_movements_of(source=source, after=after))
        except StripeInvalidError:
            return ()

    def movement(self, name: str) -> BalanceMovement | None:
        """Return a balance transaction by its id, None if Stripe knows none."""
        self.before_call()
        try:
            return self.stripe.retrieve_movement(name).value
        except StripeInvalidError:
            return None

    def intent(self, name: str) -> PaymentIntentSnapshot | None:
        """Return a PaymentIntent with its latest charge, None if Stripe knows none."""
        self.before_call()
        try:
            return self.stripe.retrieve_payment_intent(name).value
        except StripeInvalidError:
            return None

    def invoice(self, name: str) -> InvoiceSnapshot | None:
        """Return an invoice with what has paid it, None if Stripe knows none."""
        self.before_call()
        try:
            return self.stripe.invoices.retrieve(name).value
        except StripeInvalidError:
            return None

    def all(self, page: Callable[[str | None], Answer[WholePage[T]]]) -> list[T]:
        """Return what all pages of a list hold; given is a function that asks for the page after an object."""
        self.before_call()
        answer = page(None)
        found = [*answer.value.objects]
        while answer.value.last is not None:
            self.before_call()
            answer = page(answer.value.last)
            found += answer.value.objects
        return found


def pieces(since: dt.datetime, until: dt.datetime) -> list[Piece]:
    """Cut a time into pieces, at the same moments of every day."""
    cut: list[Piece] = []
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = since
    while begin < until:
        steps = (begin - midnight) // PIECE + 1
        end = min(midnight + steps * PIECE, until)
        cut.append(Piece(begin, end))
        begin = end
    return cut
