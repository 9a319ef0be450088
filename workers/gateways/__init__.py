"""The outside world: the only code that talks to Stripe."""
