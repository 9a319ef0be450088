"""A Stripe simulator: the parts of Stripe's API that Tollgate uses, on the loopback, with faults on demand.

It holds one account, whatever the key: every ``sk_test_…`` key sees the same objects, and idempotency keys are scoped
to that account. It imports nothing else of this project, so it runs alone: ``python -m sandbox.simulator``.
"""
