"""What the office does in Stripe's dashboard: each act under an idempotency key, so that it may be repeated."""

from __future__ import annotations

from functools import cache

from stripe import StripeClient

from sandbox.chaos.orders import PART, Order
from sandbox.simulator.account import SECRET_KEY


def refund(base_url: str, order: Order) -> None:
    """Give all of a payment back. Raises stripe.StripeError."""
    _client(base_url).v1.refunds.create(
        {"payment_intent": _intent(order)}, {"idempotency_key": f"office/refund/{order.reference}"}
    )


def refund_a_part(base_url: str, order: Order) -> None:
    """Give a part of a payment back. Raises stripe.StripeError."""
    _client(base_url).v1.refunds.create(
        {"payment_intent": _intent(order), "amount": PART}, {"idempotency_key": f"office/part/{order.reference}"}
    )


def cancel(base_url: str, order: Order) -> None:
    """Cancel a payment that nobody has made. Raises stripe.StripeError."""
    _client(base_url).v1.payment_intents.cancel(
        _intent(order), {}, {"idempotency_key": f"office/cancel/{order.reference}"}
    )


def _intent(order: Order) -> str:
    return (order.secret or "").partition("_secret_")[0]


@cache
def _client(base_url: str) -> StripeClient:
    return StripeClient(SECRET_KEY, base_addresses={"api": base_url}, max_network_retries=0)
