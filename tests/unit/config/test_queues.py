"""Every queue is served by exactly one kind of worker."""

from __future__ import annotations

from config.queues import DATABASE_ONLY, OTHER_STRIPE_CALLS, QUEUES, SHOPPER_WAITS


def test_every_queue_is_served_by_exactly_one_kind_of_worker() -> None:
    served = [*SHOPPER_WAITS, *OTHER_STRIPE_CALLS, *DATABASE_ONLY]
    assert sorted(served) == sorted(QUEUES)
    assert len(set(served)) == len(served)


def test_the_queues_are_those_of_the_design() -> None:
    assert set(QUEUES) == {"payments", "refunds", "invoices", "webhooks", "notifications", "maintenance"}
