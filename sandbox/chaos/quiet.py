"""Quiet: every webhook is taken and every job has ended."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from sandbox.chaos.database import job_states, unfinished
from sandbox.chaos.invoice_orders import Invoice, InvoiceOrder
from sandbox.chaos.oracle import LastView
from sandbox.chaos.orders import Order
from sandbox.chaos.website import Website
from sandbox.system import System

POLL_SECONDS: Final = 0.5
TWICE: Final = 2  # quiet must last for a second look: a webhook may be on its way from the simulator to a job
READERS: Final = 8
# Views that were not written are repaired every 2 s. Those that are older than Redis keeps them are fetched for whoever
# asks, two a second for each client (`ingress.misses`): as long as more and more are read, the time begins anew.
VIEW_SECONDS: Final = 20.0


def wait_until_quiet(system: System, seconds: float) -> bool:
    """Wait until nothing is left to do; False if something still is when the time is up."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    looks = 0
    while looks < TWICE:
        looks = looks + 1 if _is_quiet(system) else 0
        if time.monotonic() >= deadline:
            return False
        pause.wait(POLL_SECONDS)
    return True


def _is_quiet(system: System) -> bool:
    try:
        waiting = system.simulator.deliveries()["waiting"]
    except (OSError, http.client.HTTPException):
        return False
    return not waiting and not unfinished(job_states(system.addresses.database_url))


def last_views(website: Website, orders: Sequence[Order]) -> Mapping[str, LastView]:
    """Return what the API says of every accepted order; those that do not read as hoped are asked for until they do."""
    return _read(_payment_reader(website), [order for order in orders if order.accepted])


def last_invoice_views(website: Website, orders: Sequence[InvoiceOrder]) -> Mapping[str, LastView]:
    """Return what the API says of every invoice that was accepted, read as payments are."""
    return _read(_invoice_reader(website), [each for order in orders for each in order.invoices if each.invoice_ids])


class _Read(Protocol):
    """What is read until it says what is hoped for."""

    reference: str

    @property
    def end(self) -> str: ...


_Subject = TypeVar("_Subject", bound=_Read)


def _read(reader: Callable[[_Subject], LastView], left: list[_Subject]) -> Mapping[str, LastView]:
    deadline = time.monotonic() + VIEW_SECONDS
    pause = threading.Event()
    views: dict[str, LastView] = {}
    with ThreadPoolExecutor(READERS) as pool:
        while True:
            views |= dict(zip((each.reference for each in left), pool.map(reader, left), strict=True))
            before = len(left)
            left = [each for each in left if views[each.reference].status != each.end]
            if len(left) < before:
                deadline = time.monotonic() + VIEW_SECONDS
            if not left or time.monotonic() >= deadline:
                return views
            pause.wait(POLL_SECONDS)


def _payment_reader(website: Website) -> Callable[[Order], LastView]:
    def read(order: Order) -> LastView:
        payment = website.payment(order.payment_id)
        status = None if payment is None else payment["status"]
        if status == order.end:
            return LastView(status, None)
        job = website.job(min(order.job_ids))
        return LastView(status, None if job is None else job["status"])

    return read


def _invoice_reader(website: Website) -> Callable[[Invoice], LastView]:
    def read(invoice: Invoice) -> LastView:
        shown = website.invoice(invoice.invoice_id)
        if shown is None:
            return LastView(None, None)
        if shown["status"] == invoice.end:
            return LastView(shown["status"], None)
        job = website.job(shown["links"]["job"].rpartition("/")[2])
        return LastView(shown["status"], None if job is None else job["status"])

    return read
