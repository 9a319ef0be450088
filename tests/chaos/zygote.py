"""`python -m tests.chaos.zygote`: forks an actor for every line on its standard input, each to do one thing and end.

Everything is imported once, here, also what libraries import only at its first use, and this process has one thread: so
an actor is a real process of its own, there within milliseconds. Told to it and by it, one JSON object a line, is what
`tests.builders.actors` describes.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import sys
from typing import Any

import sqlalchemy
import stripe
from sqlalchemy.orm import configure_mappers

from config import failpoints
from config.celery_factory import create_celery
from config.failpoints import parse_failpoints
from config.keyspace import Keyspace
from models.base import Base
from tasks.contracts.steps import arm_failpoints
from tests.builders.worker import worker_settings
from tests.chaos.roles import ROLES
from workers.runtime import create_runtime

READ_BYTES = 65_536
# What the gateway uses of Stripe's library; a name that is missing here costs an actor some milliseconds, no more.
STRIPE_CLASSES = (
    "BalanceTransaction",
    "Charge",
    "Customer",
    "Dispute",
    "Event",
    "Invoice",
    "InvoiceLineItem",
    "InvoicePayment",
    "ListObject",
    "PaymentIntent",
    "PaymentMethod",
    "Refund",
)
STRIPE_SERVICES = (
    "balance_transactions",
    "charges",
    "customers",
    "disputes",
    "events",
    "invoices",
    "payment_intents",
    "payouts",
    "refunds",
)


def main() -> None:
    """Fork actors until standard input ends; then end those that are left."""
    load()
    gc.freeze()  # or each actor's first collection copies all memory that it shares with this process
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup_write)
    children: dict[int, int] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0, wakeup_read], [], [])
        if wakeup_read in ready:
            os.read(wakeup_read, READ_BYTES)
            _tell_of_ends(children)
        if 0 in ready:
            read = os.read(0, READ_BYTES)
            if not read:
                break
            *lines, unread = (unread + read).split(b"\n")
            for line in lines:
                _fork(json.loads(line), children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def load() -> None:
    """Have libraries load and prepare what they put off until it is used; nothing is connected."""
    configure_mappers()
    runtime = create_runtime(worker_settings(), "zygote")
    for mapper in Base.registry.mappers:
        sqlalchemy.select(mapper).compile(runtime.engine)
    runtime.close()
    app = create_celery(broker_url="memory://", keyspace=Keyspace("none:"), publishes_only=True)
    app.finalize()
    for late in ("amqp", "events", "backend"):
        getattr(app, late)
    app.close()
    services = stripe.StripeClient("sk_test_none").v1
    for owner, names in ((stripe, STRIPE_CLASSES), (services, STRIPE_SERVICES)):
        for name in names:
            getattr(owner, name)


def _tell_of_ends(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        tell(children.pop(pid), ended=os.waitstatus_to_exitcode(status))


def _fork(command: dict[str, Any], children: dict[int, int]) -> None:
    number = command["number"]
    pid = os.fork()
    if pid:
        children[pid] = number
        tell(number, pid=pid)
        return
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, lambda *_: failpoints.WOKEN.set())
        logging.getLogger("tollgate.failpoints").addHandler(_Teller(number))
        arm_failpoints(parse_failpoints("armed", command["failpoints"]))
        tell(number, answer=ROLES[command["role"]](command["house"], **command["arguments"]))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


class _Teller(logging.Handler):
    """Tells that a failpoint was reached, before it acts."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def emit(self, record: logging.LogRecord) -> None:
        point = getattr(record, "failpoint", None)
        if point is not None:
            tell(self._number, reached=point)


def tell(number: int, **what: Any) -> None:
    """Write one line, in one go, so that lines of several processes don't mix."""
    os.write(1, json.dumps({"number": number, **what}).encode() + b"\n")


if __name__ == "__main__":
    main()
