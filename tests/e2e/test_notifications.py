"""Notifications through real processes: the website is told of each move, verifies it, and takes each message once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.conftest import Website
from tests.polling import wait_until

pytestmark = [pytest.mark.owns_servers, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]


def told(website: Website, payment_id: str) -> list[str]:
    """Return the types of what the website took about a payment, in the order in which it came."""
    assert website.system.website is not None
    return [each["type"] for each in website.system.website.heard() if each["data"]["id"] == payment_id]


def test_the_website_is_told_of_each_move_of_a_payment(simulated_website: Website) -> None:
    payment = simulated_website.ready_payment()
    simulated_website.stripe.pay(payment, "no_funds")
    simulated_website.until(payment["id"], "declined")
    simulated_website.stripe.pay(payment, "good")
    simulated_website.until(payment["id"], "paid")
    wanted = {"payment.requires_confirmation", "payment.declined", "payment.paid"}
    wait_until(lambda: wanted <= set(told(simulated_website, payment["id"])), "the website is told of all of it")
    assert max(Counter(told(simulated_website, payment["id"])).values()) == 1


def test_what_could_not_be_told_while_no_worker_was_there_is_told_afterwards(simulated_website: Website) -> None:
    supervisor = simulated_website.system.supervisor
    supervisor.stop("worker-notifications")
    try:
        payment = simulated_website.ready_payment()
        simulated_website.stripe.pay(payment, "good")
        simulated_website.until(payment["id"], "paid")
        assert told(simulated_website, payment["id"]) == []
    finally:
        supervisor.start("worker-notifications")
    wait_until(
        lambda: set(told(simulated_website, payment["id"])) == {"payment.requires_confirmation", "payment.paid"},
        "the website is told afterwards",
        within_s=40.0,
    )
