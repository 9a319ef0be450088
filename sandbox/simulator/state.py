"""What the account holds, and the only way it changes: a change is collected, recorded, then applied as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.clock import Clock
from sandbox.simulator.identifiers import Identifiers

COLLECTIONS: Final = (
    # what Stripe shows
    "customers",
    "payment_intents",
    "payment_methods",
    "charges",
    "refunds",
    "disputes",
    "early_fraud_warnings",
    "payouts",
    "balance_transactions",
    "invoices",
    "invoice_items",
    "invoice_payments",
    "tax_rates",
    "events",
    "webhook_endpoints",
    # what only the simulator knows
    "webhook_secrets",  # the secrets that sign for an endpoint
    "deliveries",  # an event that an endpoint has not acknowledged
    "authentications",  # a 3-D Secure step that a shopper has to take
    "card_fates",  # which test card a payment method is
    "payout_parts",  # of which payout a balance transaction is a part
    "refund_fates",  # a refund that is not over: what becomes of it, and when
    "invoice_lines",  # all lines of an invoice, the newest first
    "invoice_pages",  # the secret in the address of a hosted invoice page
    "invoice_deadlines",  # an invoice that was not yet told to be overdue, and when it is
    "payments_of_invoices",  # the invoice payments of an invoice, the newest first
    "intent_invoices",  # the invoice payment that a PaymentIntent stands behind
    "tax_rate_data",  # the tax rate that was made of such data
    "origins",  # the request that made an object
    "idempotency",  # the stored result of an idempotency key
    "clock",  # the offset of the movable clock
)


class State:
    """Every object by collection and id. Its owner's lock guards it; objects are replaced, never changed in place."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, JsonObject]] = {name: {} for name in COLLECTIONS}

    def get(self, collection: str, identifier: str) -> JsonObject | None:
        """Return an object, or None."""
        return self._collections[collection].get(identifier)

    def all(self, collection: str) -> list[JsonObject]:
        """Return a collection's objects, the oldest first."""
        return list(self._collections[collection].values())

    def newest(self, collection: str) -> Iterator[JsonObject]:
        """Walk a collection from the newest object to the oldest."""
        return reversed(self._collections[collection].values())

    def oldest(self, collection: str) -> Iterator[JsonObject]:
        """Walk a collection from the oldest object to the newest."""
        return iter(self._collections[collection].values())

    def count(self, collection: str) -> int:
        """Return how many objects a collection holds."""
        return len(self._collections[collection])

    def apply(self, record: JsonObject) -> None:
        """Apply one change, fresh or read back from the ledger."""
        for collection, objects in record["puts"].items():
            self._collections[collection].update((each["id"], each) for each in objects)
        for collection, identifier in record["removed"]:
            self._collections[collection].pop(identifier, None)


@dataclass
class Change:
    """What one request is about to do: reads see its own writes, and nothing reaches the state before it is applied."""

    state: State
    clock: Clock
    identifiers: Identifiers
    base_url: str
    request_id: str | None = None
    idempotency_key: str | None = None
    _puts: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    _removed: list[tuple[str, str]] = field(default_factory=list)

    def get(self, collection: str, identifier: str) -> JsonObject | None:
        """Return an object as this change sees it, or None."""
        own = self._puts.get(collection, {}).get(identifier)
        return own if own is not None else self.state.get(collection, identifier)

    def all(self, collection: str) -> list[JsonObject]:
        """Return a collection's objects as this change sees them, the oldest first."""
        known = {each["id"]: each for each in self.state.oldest(collection)}
        return list((known | self._puts.get(collection, {})).values())

    def put(self, collection: str, new: JsonObject) -> JsonObject:
        """Write an object and return it."""
        self._puts.setdefault(collection, {})[new["id"]] = new
        return new

    def create(self, collection: str, new: JsonObject) -> JsonObject:
        """Write a new object, note which request made it, and return it."""
        origin = {"id": new["id"], "request": self.request_id, "idempotency_key": self.idempotency_key}
        self.put("origins", origin)
        return self.put(collection, new)

    def keep_silent(self) -> None:
        """Let no event tell of this change."""
        for collection in ("events", "deliveries"):
            self._puts.pop(collection, None)

    def remove(self, collection: str, identifier: str) -> None:
        """Forget an object that the state holds."""
        self._removed.append((collection, identifier))

    def written(self, collection: str) -> list[JsonObject]:
        """Return what this change writes into a collection."""
        return list(self._puts.get(collection, {}).values())

    def is_empty(self) -> bool:
        """Tell whether there is nothing to record."""
        return not self._puts and not self._removed

    def record(self) -> JsonObject:
        """Return the change as one ledger record."""
        puts = {collection: list(objects.values()) for collection, objects in self._puts.items()}
        return {"at": self.clock.now(), "puts": puts, "removed": self._removed}
