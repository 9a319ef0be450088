"""The website's server, as small as can be: asks Tollgate's API as any client would."""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 15.0  # above the longest wait that can be asked for
OK = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A client with one API key; each call has a connection of its own, so that threads need not share.

    Args:
        base_url: where the API listens.
        key: the API key.
        timeout: seconds to wait for a connection, and for each part of the answer.
    """

    base_url: str
    key: str = field(repr=False)
    timeout: float = TIMEOUT_SECONDS

    def post_payment(self, body: Mapping[str, Any], idempotency_key: str, *, wait: int | None = None) -> Answer:
        """Ask for a payment intent, waiting up to `wait` seconds for its outcome. Raises OSError."""
        return self._command("/v1/payment-intents", body, idempotency_key, wait)

    def post_refund(
        self, payment_id: str, body: Mapping[str, Any], idempotency_key: str, *, wait: int | None = None
    ) -> Answer:
        """Ask for a refund of a payment, waiting up to `wait` seconds for its outcome. Raises OSError."""
        return self._command(f"/v1/payments/{payment_id}/refunds", body, idempotency_key, wait)

    def refund(self, refund_id: str) -> Answer:
        """Read a refund. Raises OSError."""
        return self.ask("GET", f"/v1/refunds/{refund_id}")

    def post_invoice(self, body: Mapping[str, Any], idempotency_key: str, *, wait: int | None = None) -> Answer:
        """Ask for an invoice, waiting up to `wait` seconds for its outcome. Raises OSError."""
        return self._command("/v1/invoices", body, idempotency_key, wait)

    def post_invoice_batch(self, bodies: Sequence[Mapping[str, Any]], idempotency_key: str) -> Answer:
        """Ask for many invoices at once. Raises OSError."""
        return self._command("/v1/invoices/batch", {"invoices": list(bodies)}, idempotency_key, None)

    def post_evidence(
        self, payment_id: str, body: Mapping[str, Any], idempotency_key: str, *, wait: int | None = None
    ) -> Answer:
        """Keep evidence of a payment, waiting up to `wait` seconds until it is kept. Raises OSError."""
        return self._command(f"/v1/payments/{payment_id}/evidence", body, idempotency_key, wait)

    def operate_invoice(self, invoice_id: str, verb: str, idempotency_key: str, *, wait: int | None = None) -> Answer:
        """Ask for an operation on an invoice, such as `finalize` or `void`. Raises OSError."""
        return self._command(f"/v1/invoices/{invoice_id}/{verb}", {}, idempotency_key, wait)

    def invoice(self, invoice_id: str) -> Answer:
        """Read an invoice. Raises OSError."""
        return self.ask("GET", f"/v1/invoices/{invoice_id}")

    def batch(self, batch_id: str) -> Answer:
        """Read a batch of invoices. Raises OSError."""
        return self.ask("GET", f"/v1/batches/{batch_id}")

    def _command(self, path: str, body: Mapping[str, Any], idempotency_key: str, wait: int | None) -> Answer:
        headers = {"Idempotency-Key": idempotency_key}
        if wait is not None:
            headers["Prefer"] = f"wait={wait}"
        return self.ask("POST", path, headers, json.dumps(body).encode())

    def operate(
        self, payment_id: str, verb: str, body: Mapping[str, Any], idempotency_key: str, *, wait: int | None = None
    ) -> Answer:
        """Ask for a payment's `capture` or `cancel`, as `post_payment` does. Raises OSError."""
        return self._command(f"/v1/payments/{payment_id}/{verb}", body, idempotency_key, wait)

    def payment(self, payment_id: str) -> Answer:
        """Read a payment. Raises OSError."""
        return self.ask("GET", f"/v1/payments/{payment_id}")

    def job(self, job_id: str) -> Answer:
        """Read a job. Raises OSError."""
        return self.ask("GET", f"/v1/jobs/{job_id}")

    def ready(self) -> bool:
        """Whether the API can accept and a dispatcher takes in."""
        try:
            answer = self.ask("GET", "/health/ready")
        except OSError:
            return False
        return answer.status == OK and answer.body.get("dispatcher_pulse_age_seconds") is not None

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send one request; raises OSError if there is no answer."""
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=self.timeout)
        own = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, own | dict(headers or {}))
            response = connection.getresponse()
            raw = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no answer to {method} {path}: {error!r}") from error
        finally:
            connection.close()
        return Answer(response.status, dict(response.getheaders()), json.loads(raw) if raw else None)
