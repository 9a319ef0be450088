"""The account at work: one lock, one state, one ledger, one clock."""

import json
from threading import Lock
from typing import Any, Final

from sandbox.simulator import confirmation, disputes, invoice_payments, invoice_states, refunds
from sandbox.simulator.clock import Clock
from sandbox.simulator.faults import Faults
from sandbox.simulator.idempotency import KeysInUse
from sandbox.simulator.identifiers import Identifiers
from sandbox.simulator.ledger import Ledger
from sandbox.simulator.state import Change, State

CLOCK: Final = "clock"  # the id of the one record in the collection of that name


class Engine:
    """Everything a request needs. ``lock`` guards the state, the ledger's order and the keys in use."""

    def __init__(self, ledger: Ledger, clock: Clock, identifiers: Identifiers, base_url: str = "") -> None:
        self.lock = Lock()
        self.state = State()
        self.ledger = ledger
        self.clock = clock
        self.identifiers = identifiers
        self.base_url = base_url
        self.faults = Faults()
        self.keys_in_use = KeysInUse()

    def restore(self) -> int:
        """Rebuild the state from the ledger and return how many records there were.

        Raises:
            LedgerError: the ledger is damaged.
        """
        count = 0
        for record in self.ledger.replay():
            self.state.apply(record)
            count += 1
        moved = self.state.get("clock", CLOCK)
        if moved is not None:
            self.clock.offset_seconds = moved["offset_seconds"]
        return count

    def change(self, request_id: str | None = None, idempotency_key: str | None = None) -> Change:
        """Begin a change."""
        return Change(self.state, self.clock, self.identifiers, self.base_url, request_id, idempotency_key)

    def commit(self, change: Change, *, promised: bool = True) -> int:
        """Record and apply a change, with the lock held, and return the ledger position that an answer has to wait for.

        Raises:
            OSError: the disk refused; nothing has changed.
        """
        invoice_payments.settle(change)
        if not change.is_empty():
            record = change.record()
            self.ledger.append(record, promised=promised)
            self.state.apply(record)
        return self.ledger.promised()

    def advance_clock(self, seconds: int) -> Change:
        """Move the clock on, do what has become due, and return that change, which is on the disk by then.

        Raises:
            ValueError: the step is negative.
        """
        with self.lock:
            offset = self.clock.advance(seconds)
            change = self.change()
            change.put("clock", {"id": CLOCK, "offset_seconds": offset})
            confirmation.finish_notices(change)
            refunds.finish(change)
            disputes.expire(change)
            invoice_states.tell_overdue(change)
            position = self.commit(change)
        self.ledger.wait(position)
        return change

    def finish_refunds(self) -> tuple[Change, int]:
        """Bring all refunds to their ends now; return that change, which is on the disk by then, and how many."""
        with self.lock:
            change = self.change()
            count = refunds.finish(change, at_once=True)
            position = self.commit(change)
        self.ledger.wait(position)
        return change, count


def dumps(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
