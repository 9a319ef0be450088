"""Requests as they arrive at Stripe: each was intended before, and not cancelled."""

from __future__ import annotations

from typing import Any

import psycopg2.extensions

from tasks.contracts.payments import CreatePayment
from tests.model.fake_stripe import generation_of
from workers.jobs.attempt import ROW_SECONDS

_INTENDED = """
SELECT intent, cancel_asked_at < started_at, EXTRACT(EPOCH FROM cancel_asked_at)::float8 FROM jobs
JOIN attempts ON job_id = jobs.id AND attempts.fence = jobs.fence WHERE subject_id = %s AND kind = %s
"""


class Arrivals:
    """Looks at every PaymentIntent that is asked for, before anything is done.

    Args:
        connection: to the workers' database.
        strays: what should not have been asked.
    """

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        self.strays: list[str] = []

    def look(self, asked: dict[str, Any], sent_at: float) -> None:
        """Look at a request: its intent was committed before, and nobody had cancelled it when it was sent."""
        with self._connection.cursor() as cursor:
            cursor.execute(_INTENDED, (asked["metadata"]["tollgate_payment"], CreatePayment.KIND.name))
            found = cursor.fetchall()
        operation = asked["operation"]
        if not any(intent == operation or _is_earlier(operation, intent) for intent, _, _ in found):
            self.strays.append(f"Stripe was asked for {operation}, which no job intends: {found}")
        for intent, before, cancelled_at in found:
            if intent != operation or cancelled_at is None:
                continue
            if before:
                self.strays.append(f"Stripe was asked for {operation} by an attempt that began after its cancellation")
            elif cancelled_at < sent_at - ROW_SECONDS:
                self.strays.append(
                    f"Stripe was asked for {operation} {sent_at - cancelled_at:g} s after its cancellation"
                )


def _is_earlier(operation: str, intent: str | None) -> bool:
    """Tell whether a sleeper asks for an earlier generation of what is intended by now."""
    return intent is not None and generation_of(operation) < generation_of(intent)
