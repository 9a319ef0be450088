"""Settings of Stripe: a key that fits the environment, and no host but Stripe's outside of the sandbox."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from config.environment import Reader
from config.errors import SettingsError

Environment = Literal["sandbox", "test", "live"]
STRIPE_API_BASE = "https://api.stripe.com"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class StripeSettings:
    """How to reach Stripe: key, address, timeouts (seconds), and when the circuit breaker opens and probes."""

    api_key: str = field(repr=False)
    api_base: str
    connect_timeout: float
    read_timeout: float
    breaker_failures: int
    breaker_reset: float


def read_stripe(read: Reader, environment: Environment) -> StripeSettings:
    """Read how to reach Stripe; the key and the address must fit the environment."""
    key = read.text("TOLLGATE_STRIPE_API_KEY")
    wanted = ("sk_live_", "rk_live_") if environment == "live" else ("sk_test_", "rk_test_")
    if not key.startswith(wanted):
        raise SettingsError(
            f"TOLLGATE_STRIPE_API_KEY must start with {' or '.join(wanted)} when TOLLGATE_ENV={environment}"
        )
    return StripeSettings(
        api_key=key,
        api_base=_stripe_base(read, environment),
        connect_timeout=read.seconds("TOLLGATE_STRIPE_CONNECT_TIMEOUT", 2.0),
        read_timeout=read.seconds("TOLLGATE_STRIPE_READ_TIMEOUT", 8.0),
        breaker_failures=read.whole("TOLLGATE_STRIPE_BREAKER_FAILURES", 10, low=1),
        breaker_reset=read.seconds("TOLLGATE_STRIPE_BREAKER_RESET", 15.0),
    )


def _stripe_base(read: Reader, environment: Environment) -> str:
    if environment != "sandbox":
        base = read.text("TOLLGATE_STRIPE_API_BASE", STRIPE_API_BASE)
        if base != STRIPE_API_BASE:
            raise SettingsError(
                f"TOLLGATE_STRIPE_API_BASE must be unset when TOLLGATE_ENV={environment}: only Stripe is asked"
            )
        return base
    base = read.address("TOLLGATE_STRIPE_API_BASE", ("http", "https"))
    if urlsplit(base).hostname not in LOOPBACK_HOSTS:
        raise SettingsError("TOLLGATE_STRIPE_API_BASE must be the simulator on this machine when TOLLGATE_ENV=sandbox")
    return base
