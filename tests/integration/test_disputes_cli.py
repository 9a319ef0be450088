"""`tollgate disputes`: what is under way, one in full, and the decisions that only an operator makes."""

from __future__ import annotations

import json

import pytest

from tests.builders.command_line import Run, runner
from tests.builders.dispute_stage import Disputed, disputed, hear_of, row_of
from tests.builders.house import House
from tests.builders.settings import put
from tests.builders.simulator import Simulator
from tests.builders.worker import operators_environment

pytestmark = pytest.mark.servers
WHY = ("--why", "read by Grace")


@pytest.fixture
def run(shop: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a worker's environment."""
    put(monkeypatch, operators_environment(shop.runtime.settings))
    return runner(capsys)


@pytest.fixture
def found(shop: House, stripe: Simulator) -> Disputed:
    return disputed(shop, stripe)


def test_what_is_under_way_is_listed_the_nearest_day_first_and_the_rest_on_demand(
    shop: House, stripe: Simulator, run: Run, found: Disputed
) -> None:
    other = disputed(shop, stripe)
    shop.sql("UPDATE disputes SET due_at = due_at - interval '1 day' WHERE stripe_id = :id", id=other.at_stripe)
    stripe.control("POST", "disputes/close", {"dispute": found.at_stripe, "outcome": "won"})
    listed = run("disputes", "list", "--json").json
    assert [each["stripe"] for each in listed] == [other.at_stripe, found.at_stripe]
    shop.force("UPDATE disputes SET status = 'won' WHERE stripe_id = :id", id=found.at_stripe)
    text = run("disputes", "list")
    assert (row_of(shop, other)["id"] in text.out, row_of(shop, found)["id"] in text.out) == (True, False)
    assert "49.50 gbp" in text.out
    assert len(run("disputes", "list", "--all", "--json").json) == 2


def test_one_is_shown_by_our_id_and_by_stripes_without_anything_personal(
    shop: House, run: Run, found: Disputed
) -> None:
    ours = row_of(shop, found)["id"]
    for name in (ours, found.at_stripe):
        shown = run("disputes", "show", name, "--json").json
        assert (shown["id"], shown["payment"], shown["status"]) == (ours, found.payment, "needs_response")
        assert [each["new"] for each in shown["history"]] == ["needs_response"]
    text = run("disputes", "show", ours)
    assert (text.code, "Ada" in text.out, "example.org" in text.out) == (0, False, False)
    missing = run("disputes", "show", "du_nothing")
    assert (missing.code, "there is no dispute 'du_nothing'" in missing.err) == (1, True)


def test_a_dry_run_shows_what_would_be_sent_and_leaves_nothing(shop: House, run: Run, found: Disputed) -> None:
    dry = run("disputes", "submit", found.at_stripe, *WHY, "--dry-run")
    assert (dry.code, "nothing was changed" in dry.err) == (0, True)
    assert "customer_email_address" in dry.out
    assert shop.jobs("disputes.submit") == []
    assert shop.sql("SELECT id FROM operator_actions WHERE action IN ('submit', 'accept')") == []


def test_what_is_submitted_is_what_was_shown_once_and_with_who_and_why(
    shop: House, stripe: Simulator, run: Run, found: Disputed
) -> None:
    first = run("disputes", "submit", found.at_stripe, *WHY, "--by", "grace", "--json").json
    again = run("disputes", "submit", found.at_stripe, *WHY, "--by", "grace", "--json").json
    assert first["job"] == again["job"]
    assert json.loads(shop.payload(first["job"]))["evidence"] == first["evidence"]
    assert shop.decide(first["job"]).state == "done"
    at_stripe = stripe.client.v1.disputes.retrieve(found.at_stripe)
    assert at_stripe.evidence.customer_email_address == first["evidence"]["customer_email_address"]
    [acted, _] = shop.sql("SELECT * FROM operator_actions WHERE action = 'submit' ORDER BY id")
    assert (acted["operator"], acted["reason"], acted["subject"]) == ("grace", WHY[1], row_of(shop, found)["id"])
    late = run("disputes", "submit", found.at_stripe, *WHY)
    assert (late.code, "a bank takes it once" in late.err) == (1, True)
    assert [each["kind"] for each in run("disputes", "show", found.at_stripe, "--json").json["jobs"]] == [
        "disputes.submit"
    ]


def test_a_decision_that_came_to_nothing_can_be_given_again(shop: House, run: Run, found: Disputed) -> None:
    first = run("disputes", "accept", found.at_stripe, *WHY, "--json").json
    shop.force("UPDATE jobs SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = :id", id=first["job"])
    again = run("disputes", "accept", found.at_stripe, *WHY, "--json").json
    assert again["job"] != first["job"]
    assert run("disputes", "accept", found.at_stripe, *WHY, "--json").json["job"] == again["job"]
    shop.force("UPDATE jobs SET state = 'dead', finished_at = clock_timestamp() WHERE id = :id", id=again["job"])
    refused = run("disputes", "accept", found.at_stripe, *WHY)
    assert (refused.code, again["job"] in refused.err) == (1, True)


def test_what_is_past_due_is_not_submitted_and_the_command_says_until_when(
    shop: House, run: Run, found: Disputed
) -> None:
    shop.sql("UPDATE disputes SET due_at = '2026-01-02 23:59:59Z' WHERE stripe_id = :id", id=found.at_stripe)
    late = run("disputes", "submit", found.at_stripe, *WHY)
    assert late.code == 1
    assert "until 2026-01-02T23:59:59" in late.err
    assert shop.jobs("disputes.submit") == []


def test_an_escalated_inquiry_is_answered_anew_even_with_the_same_evidence(
    shop: House, stripe: Simulator, run: Run
) -> None:
    asked = disputed(shop, stripe, inquiry=True)
    first = run("disputes", "submit", asked.at_stripe, *WHY, "--json").json
    assert shop.decide(first["job"]).state == "done"
    stripe.control("POST", "disputes/escalate", {"dispute": asked.at_stripe})
    hear_of(shop, stripe, asked)
    again = run("disputes", "submit", asked.at_stripe, *WHY, "--json").json
    assert (again["evidence"], again["job"] != first["job"]) == (first["evidence"], True)
    assert shop.decide(again["job"]).state == "done"
    assert stripe.client.v1.disputes.retrieve(asked.at_stripe).status == "under_review"


def test_giving_in_is_left_to_a_worker_and_can_be_tried_dry(
    shop: House, stripe: Simulator, run: Run, found: Disputed
) -> None:
    assert run("disputes", "accept", found.at_stripe, *WHY, "--dry-run").code == 0
    assert shop.jobs("disputes.accept") == []
    left = run("disputes", "accept", found.at_stripe, *WHY, "--json").json
    assert shop.decide(left["job"]).state == "done"
    assert stripe.client.v1.disputes.retrieve(found.at_stripe).status == "lost"
    refused = run("disputes", "accept", found.at_stripe, *WHY)
    assert (refused.code, "The dispute is closed." in refused.err) == (1, True)


def test_explain_tells_of_a_dispute_by_every_name_it_has(shop: House, run: Run, found: Disputed) -> None:
    for name in (row_of(shop, found)["id"], found.at_stripe, found.payment):
        told = run("explain", name, "--json").json
        assert [each["stripe_id"] for each in told["disputes"]] == [found.at_stripe]
        assert {"dispute", "due"} <= {line["what"] for line in told["timeline"]}
