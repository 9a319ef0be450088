"""The website under chaos: every request is timed, and every way of not being answered has a name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.api_client import Answer, ApiClient
from sandbox.chaos.availability import Asked
from sandbox.chaos.invoice_orders import Invoice, InvoiceOrder
from sandbox.chaos.orders import ACCEPTED, Order, Posted

TIMEOUT_SECONDS: Final = 5.0  # a website gives up then; the API promises 2 s
OK: Final = 200
TAKEN: Final = frozenset({200, 202})
SERVER_ERROR: Final = 500
SAID_SO: Final = frozenset({"acceptance_unknown", "redis_unavailable", "rate_limited"})


@dataclass(slots=True)
class Website:
    """Asks the API for many clients at once and remembers how it answered."""

    api: ApiClient
    clock: Callable[[], float] = time.monotonic
    asked: list[Asked] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, order: Order) -> str:
        """Post an order and return what came of it: `accepted`, a problem's code, `no_answer` or `server_error`."""
        order.posted_at = order.posted_at or self.clock()
        answer = self._ask(lambda: self.api.post_payment(order.body, order.reference))
        result = self._name(order, answer)
        with self.lock:  # one order may be posted many times at once
            order.answers[result] += 1
            if answer is not None and result == ACCEPTED:
                order.accepted_at = order.accepted_at or self.clock()
                order.payment_ids.add(answer.body["payment"]["id"])
                order.job_ids.add(answer.body["job"]["id"])
        return result

    def refund(self, order: Order, amount: int | None) -> str:
        """Ask to give back a payment, or so many pence of it, and return what came of it, as `post` does."""
        body = {} if amount is None else {"amount": amount}
        answer = self._ask(lambda: self.api.post_refund(order.payment_id, body, f"refund of {order.reference}"))
        result = self._name(order, answer)
        if answer is not None and result == ACCEPTED:
            with self.lock:
                order.refund_ids.add(answer.body["refund"]["id"])
                order.refund_job_ids.add(answer.body["job"]["id"])
        return result

    def operate(self, order: Order, verb: str, body: Mapping[str, Any]) -> str:
        """Ask for an operation on an order's payment, and return what came of it as `post` does."""
        answer = self._ask(lambda: self.api.operate(order.payment_id, verb, body, f"{verb} {order.reference}"))
        result = self._name(order, answer)
        if answer is not None and result == ACCEPTED:
            order.operation_id = answer.body["job"]["id"]
        return result

    def post_invoices(self, order: InvoiceOrder) -> str:
        """Post an invoice, or a batch of them, and return what came of it as `post` does."""
        order.posted_at = order.posted_at or self.clock()
        bodies = [each.body for each in order.invoices]
        if order.batch:
            answer = self._ask(lambda: self.api.post_invoice_batch(bodies, order.reference))
        else:
            answer = self._ask(lambda: self.api.post_invoice(bodies[0], order.reference))
        result = self._name(order, answer)
        order.answers[result] += 1
        if answer is not None and result == ACCEPTED:
            order.accepted_at = order.accepted_at or self.clock()
            order.job_ids.add(answer.body["job"]["id"])
            order.note(_invoice_ids(answer.body))
            if order.batch:
                order.batch_id = answer.body["batch"]["id"]
        return result

    def operate_invoice(self, order: InvoiceOrder, invoice: Invoice, verb: str) -> str:
        """Ask for an operation on an invoice, and return what came of it as `post` does."""
        answer = self._ask(lambda: self.api.operate_invoice(invoice.invoice_id, verb, f"{verb} {invoice.reference}"))
        result = self._name(order, answer)
        if answer is not None and result == ACCEPTED:
            invoice.operation_id = answer.body["job"]["id"]
        return result

    def invoice(self, invoice_id: str) -> Mapping[str, Any] | None:
        """Read an invoice; None if there was no answer, or it is not known just now."""
        return self._read(lambda: self.api.invoice(invoice_id))

    def batch(self, batch_id: str) -> Mapping[str, Any] | None:
        """Read a batch of invoices; None if there was no answer, or it is not known just now."""
        return self._read(lambda: self.api.batch(batch_id))

    def payment(self, payment_id: str) -> Mapping[str, Any] | None:
        """Read a payment; None if there was no answer, or it is not known just now."""
        return self._read(lambda: self.api.payment(payment_id))

    def job(self, job_id: str) -> Mapping[str, Any] | None:
        """Read a job; None if there was no answer, or it is not known just now."""
        return self._read(lambda: self.api.job(job_id))

    def _read(self, ask: Callable[[], Answer]) -> Mapping[str, Any] | None:
        answer = self._ask(ask)
        if answer is None or answer.status != OK:
            return None
        body: Mapping[str, Any] = answer.body
        return body

    def _ask(self, ask: Callable[[], Answer]) -> Answer | None:
        started = self.clock()
        try:
            answer: Answer | None = ask()
        except (OSError, ValueError):  # ValueError: an answer that was cut short is no JSON
            answer = None
        good = answer is not None and answer.status < SERVER_ERROR
        self.asked.append(Asked(started, self.clock(), good))
        return answer

    def _name(self, order: Posted, answer: Answer | None) -> str:
        if answer is None:
            return "no_answer"
        if answer.status in TAKEN:
            return ACCEPTED
        code = str(answer.body.get("code")) if isinstance(answer.body, dict) else "no problem document"
        if code in SAID_SO:
            return code
        self.unexpected.append(f"{order.reference} was answered {answer.status} {code}")
        return "server_error" if answer.status >= SERVER_ERROR else f"refused: {code}"


def _invoice_ids(body: Mapping[str, Any]) -> list[str | None]:
    """Return the ids of what was asked for, line by line; None for a line that was refused."""
    return [line["invoice"] for line in body["batch"]["lines"]] if "batch" in body else [body["invoice"]["id"]]
