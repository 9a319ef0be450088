"""What is fixed about the one simulated Stripe account."""

from typing import Any, Final

API_VERSION: Final = "2026-10-28.endive"
"""The one API version the simulator speaks, the one that stripe-python 16.1.0 pins."""

ACCOUNT_ID: Final = "acct_1SimulatedAccount"
SECRET_KEY: Final = "sk_test_simulator"  # noqa: S105  # a made-up key that is printed for newcomers; any sk_test_ key works
PUBLISHABLE_KEY: Final = "pk_test_simulator"

STATEMENT_DESCRIPTOR: Final = "SIMULATED TRAINING CO"
ACCOUNT_NAME: Final = "Simulated Training Co"
ACCOUNT_COUNTRY: Final = "GB"
ACCOUNT_CURRENCY: Final = "gbp"

JsonObject = dict[str, Any]
"""A JSON object as Stripe sends it. Objects in the state are shared and never changed in place."""
