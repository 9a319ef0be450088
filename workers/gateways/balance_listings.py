"""What Stripe lists of the account's balance: its movements with what caused each, payouts and PaymentIntents.

A part of the gateway, page by page; whoever asks goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from stripe import V1Services
from stripe.params import BalanceTransactionListParams, PaymentIntentListParams, PayoutListParams

from config.errors import ContractError
from tasks.contracts.steps import Step
from workers.gateways.balance_snapshots import PayoutSnapshot, payout_snapshot
from workers.gateways.calls import Answered, Caller, Request, WholePage, whole_page
from workers.gateways.fields import id_of, instant, mapping, require, text, text_or_none, whole
from workers.gateways.listings import PAGE_SIZE
from workers.gateways.operations import own_operation
from workers.gateways.snapshots import Answer

T = TypeVar("T")
WITH_SOURCE: Final = "data.source"


@dataclass(frozen=True, slots=True)
class Source:
    """What moved the balance, as far as books are compared: a charge, refund, dispute, payout or another object.

    Args:
        noun: Stripe's name of its kind.
        amount, currency: the object's own, minor units; None for objects without.
        operation: what this Tollgate was doing, if it made it.
        payment_intent_id, charge_id: what it belongs to.
        refunded: of a charge: what was given back of it.
    """

    id: str
    noun: str
    amount: int | None
    currency: str | None
    status: str | None
    operation: str | None
    payment_intent_id: str | None
    charge_id: str | None
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class BalanceMovement:
    """One balance transaction with its source (https://docs.stripe.com/api/balance_transactions/object).

    Args:
        amount: above zero it came in; minor units, without regard to the fee.
        fee: what Stripe keeps of it; amount less fee is what the balance moved by.
        category: Stripe's reporting category (https://docs.stripe.com/reports/reporting-categories).
    """

    id: str
    amount: int
    fee: int
    currency: str
    created: datetime
    category: str
    source: Source | None

    @property
    def net(self) -> int:
        """Return by how much the balance moved, minor units."""
        return self.amount - self.fee


@dataclass(frozen=True, slots=True)
class ListedIntent:
    """A PaymentIntent as far as books are compared; amounts in minor units."""

    id: str
    status: str
    amount_received: int
    currency: str
    operation: str | None
    created: datetime


def movement(fields: Mapping[str, Any], system: str) -> BalanceMovement:
    """Read a balance transaction, as the Tollgate of that name; raises ContractError if it is none."""
    require(fields, "balance_transaction")
    origin = fields.get("source")
    if isinstance(origin, str):
        raise ContractError("Stripe's balance transaction names its source, which was to be expanded")
    return BalanceMovement(
        id=text(fields, "id"),
        amount=whole(fields, "amount"),
        fee=whole(fields, "fee"),
        currency=text(fields, "currency"),
        created=instant(fields, "created"),
        category=text(fields, "reporting_category"),
        source=None if origin is None else source(mapping(fields, "source"), system),
    )


def source(fields: Mapping[str, Any], system: str) -> Source:
    """Read what moved the balance, as the Tollgate of that name; raises ContractError if that is no object."""
    return Source(
        id=text(fields, "id"),
        noun=text(fields, "object"),
        amount=None if fields.get("amount") is None else whole(fields, "amount"),
        currency=text_or_none(fields, "currency"),
        status=text_or_none(fields, "status"),
        operation=own_operation(mapping(fields, "metadata"), system),
        payment_intent_id=id_of(fields, "payment_intent"),
        charge_id=id_of(fields, "charge"),
        refunded=whole(fields, "amount_refunded", 0),
    )


def listed_intent(fields: Mapping[str, Any], system: str) -> ListedIntent:
    """Read a PaymentIntent, as the Tollgate of that name; raises ContractError if the fields are not those of one."""
    require(fields, "payment_intent")
    return ListedIntent(
        id=text(fields, "id"),
        status=text(fields, "status"),
        amount_received=whole(fields, "amount_received", 0),
        currency=text(fields, "currency"),
        operation=own_operation(mapping(fields, "metadata"), system),
        created=instant(fields, "created"),
    )


class BalanceListings:
    """Lists of what an account's balance consists of; raises as the rest of the gateway does.

    Of each: `since` is included, `until` is not, and `after` is the last object of the page before, None for the first.
    """

    _caller: Caller
    _system: str
    _stripe: V1Services

    def list_movements(
        self, *, since: datetime, until: datetime, after: str | None
    ) -> Answer[WholePage[BalanceMovement]]:
        """Return a page of the balance transactions of a time, the newest in front, with their sources."""
        params: BalanceTransactionListParams = {
            "limit": PAGE_SIZE,
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "expand": [WITH_SOURCE],
        }
        return self._movements(params, after)

    def list_movements_of(
        self, *, payout: str | None = None, source: str | None = None, after: str | None = None
    ) -> Answer[WholePage[BalanceMovement]]:
        """Return a page of the balance transactions that a payout pays out, or that an object has caused."""
        params: BalanceTransactionListParams = {"limit": PAGE_SIZE, "expand": [WITH_SOURCE]}
        if payout is not None:
            params["payout"] = payout
        if source is not None:
            params["source"] = source
        return self._movements(params, after)

    def _movements(self, params: BalanceTransactionListParams, after: str | None) -> Answer[WholePage[BalanceMovement]]:
        if after is not None:
            params["starting_after"] = after

        def send() -> Answered:
            return self._stripe.balance_transactions.list(params)

        return self._page("balance_transactions.list", send, partial(movement, system=self._system))

    def retrieve_movement(self, name: str) -> Answer[BalanceMovement]:
        """Fetch a balance transaction with its source."""

        def send() -> Answered:
            return self._stripe.balance_transactions.retrieve(name, {"expand": ["source"]})

        read = partial(movement, system=self._system)
        return self._caller.answer(Request(Step.LOOK_UP, "GET", "balance_transactions.retrieve", None, send, read))

    def list_payouts(self, *, since: datetime, until: datetime, after: str | None) -> Answer[WholePage[PayoutSnapshot]]:
        """Return a page of the payouts that were made in a time, the newest in front."""
        params: PayoutListParams = {
            "limit": PAGE_SIZE,
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        }
        if after is not None:
            params["starting_after"] = after

        def send() -> Answered:
            return self._stripe.payouts.list(params)

        return self._page("payouts.list", send, payout_snapshot)

    def list_payment_intents(
        self, *, since: datetime, until: datetime, after: str | None
    ) -> Answer[WholePage[ListedIntent]]:
        """Return a page of the PaymentIntents that were made in a time, the newest in front."""
        params: PaymentIntentListParams = {
            "limit": PAGE_SIZE,
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        }
        if after is not None:
            params["starting_after"] = after

        def send() -> Answered:
            return self._stripe.payment_intents.list(params)

        return self._page("payment_intents.list", send, partial(listed_intent, system=self._system))

    def _page(
        self, name: str, send: Callable[[], Answered], read: Callable[[Mapping[str, Any]], T]
    ) -> Answer[WholePage[T]]:
        reading = partial(whole_page, read=read)
        return self._caller.answer(Request(Step.LOOK_UP, "GET", name, None, send, reading))
