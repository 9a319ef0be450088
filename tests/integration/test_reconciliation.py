"""Reconciliation: what Stripe and the books say is compared to the penny, and each planted difference is found."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import secrets
from pathlib import Path
from typing import Any

import pytest

from config.schedules import RECONCILIATION
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.identity import system_id
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.steps import Step
from tests.builders.command_line import Run, runner
from tests.builders.entries import payment_entry
from tests.builders.house import RECONCILE, House
from tests.builders.payments import plant_posting
from tests.builders.reconciled import AN_HOUR, compared, hear_all, mend, pass_time
from tests.builders.settings import put
from tests.builders.simulator import Simulator
from tests.builders.worker import operators_environment
from workers.jobs.follow_up import enqueue
from workers.jobs.run import Result as JobResult
from workers.jobs.run import run_job
from workers.services.reconciliation import runs
from workers.services.reconciliation.at_stripe import Asking, pieces
from workers.services.reconciliation.breaks import BreakKind, Fix
from workers.services.reconciliation.reconcile import reconcile_piece, settled_until
from workers.services.reconciliation.result import Result

pytestmark = pytest.mark.servers
CARD = "4242424242424242"


@pytest.fixture
def stripe(own_simulator: Simulator) -> Simulator:
    """Stripe's place in `shop`: its clock may move."""
    return own_simulator


@pytest.fixture
def run(shop: House, stripe: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a worker's environment."""
    given = operators_environment(shop.runtime.settings)
    put(monkeypatch, given)
    return runner(capsys)


def buy(house: House, stripe: Simulator) -> str:
    """Make a payment and let its shopper pay; nobody tells of it. Return our id."""
    entry = payment_entry()
    house.take_in(entry)
    house.create(entry.job_id)
    secret = house.payment_view(entry.subject_id).client_secret
    assert secret is not None
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, CARD).status == "succeeded"
    return entry.subject_id


def kinds_of(result: Result) -> list[BreakKind]:
    return [each.kind for each in result.breaks]


def charge_of(house: House, payment_id: str) -> str:
    return str(house.payment(payment_id)["stripe_charge_id"])


def test_books_that_agree_leave_nothing(shop: House, stripe: Simulator) -> None:
    payments = [buy(shop, stripe) for _ in range(3)]
    hear_all(shop, stripe)
    pass_time(stripe)
    result = compared(shop)
    assert (result.breaks, result.remainder, result.movements) == ([], {}, 3)
    assert {each.payment_id for each in result.matched} == set(payments)
    whole = sum(total.stripe for total in result.totals.values())
    assert whole == sum(total.ledger + total.timing for total in result.totals.values()) > 0


def test_what_has_just_happened_is_not_compared(shop: House, stripe: Simulator) -> None:
    buy(shop, stripe)
    assert (compared(shop).movements, compared(shop).breaks) == (0, [])


def test_a_fee_that_stripe_has_altered_is_the_one_break(shop: House, stripe: Simulator) -> None:
    payments = [buy(shop, stripe) for _ in range(3)]
    hear_all(shop, stripe)
    booked = stripe.client.v1.charges.retrieve(charge_of(shop, payments[1]), {"expand": ["balance_transaction"]})
    before: Any = booked.balance_transaction
    stripe.control("POST", "plant/fee", {"charge": booked.id, "fee": before.fee + 7})
    pass_time(stripe)
    result = compared(shop)
    [found] = result.breaks
    assert (found.kind, found.payment_id, found.stripe_id) == (BreakKind.FEE_DIFFERS, payments[1], booked.id)
    assert (found.at_stripe, found.here, found.effect, found.fix) == (before.fee + 7, before.fee, -7, None)
    assert result.remainder == {}
    assert len(result.matched) == 2


def test_a_fee_that_was_never_posted_is_posted_by_a_fix(shop: House, stripe: Simulator) -> None:
    payment = buy(shop, stripe)
    hear_all(shop, stripe)
    shop.sql("SET session_replication_role = replica; DELETE FROM ledger_entries WHERE transaction_id IN"
             " (SELECT id FROM ledger_transactions WHERE kind = 'fee'); DELETE FROM ledger_transactions WHERE"
             " kind = 'fee'; SET session_replication_role = DEFAULT")  # fmt: skip
    pass_time(stripe)
    result = compared(shop)
    assert [(each.kind, each.payment_id, each.here) for each in result.breaks] == [(BreakKind.FEE_DIFFERS, payment, 0)]
    assert mend(shop, result) == {"fee": 1}
    assert compared(shop).is_clean


def test_a_payment_whose_news_was_lost_is_fetched_by_a_fix(shop: House, stripe: Simulator) -> None:
    payment = buy(shop, stripe)
    pass_time(stripe)
    result = compared(shop)
    [found] = result.breaks
    assert (found.kind, found.payment_id, found.fix) == (BreakKind.AT_STRIPE_NOT_HERE, payment, Fix.REFRESH)
    assert result.remainder == {}
    assert mend(shop, result) == {"refresh": 1}
    assert shop.payment(payment)["status"] == "paid"
    assert compared(shop).is_clean


def test_a_refund_by_the_office_whose_news_was_lost_is_fetched_by_a_fix(shop: House, stripe: Simulator) -> None:
    payment = buy(shop, stripe)
    hear_all(shop, stripe)
    intent = shop.payment(payment)["stripe_id"]
    refund = stripe.client.v1.refunds.create({"payment_intent": intent, "amount": 1000})
    pass_time(stripe)
    result = compared(shop)
    assert [(each.kind, each.stripe_id) for each in result.breaks] == [(BreakKind.AT_STRIPE_NOT_HERE, refund.id)]
    assert mend(shop, result) == {"refresh": 1}
    assert shop.payment(payment)["status"] == "partially_refunded"
    assert compared(shop).is_clean


def test_money_that_tollgate_has_not_taken_is_told_of_and_is_no_fault(shop: House, stripe: Simulator) -> None:
    planted = stripe.control("POST", "plant/charge", {"amount": 4200, "currency": "gbp"})
    pass_time(stripe)
    result = compared(shop)
    assert [(each.kind, each.stripe_id) for each in result.breaks] == [(BreakKind.FOREIGN, planted["id"])]
    assert result.is_clean


def test_money_that_another_tollgate_on_the_account_has_taken_is_no_fault_either(
    shop: House, stripe: Simulator
) -> None:
    theirs = {"tollgate_operation": f"pay_{'a' * 26}/create/1", "tollgate_system": system_id(b"another's key")}
    made = stripe.client.v1.payment_intents.create(
        {"amount": 4200, "currency": "gbp", "payment_method": "pm_card_visa", "confirm": True, "metadata": theirs}
    )
    pass_time(stripe)
    result = compared(shop)
    assert [(each.kind, each.stripe_id) for each in result.breaks] == [(BreakKind.FOREIGN, made.latest_charge)]
    assert result.is_clean


def test_a_charge_of_ours_that_we_know_nothing_of_is_a_break(shop: House, stripe: Simulator) -> None:
    operation = {"tollgate_operation": "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa/create/1"}
    planted = stripe.control("POST", "plant/charge", {"amount": 4200, "currency": "gbp", "metadata": operation})
    pass_time(stripe)
    result = compared(shop)
    assert (BreakKind.AT_STRIPE_NOT_HERE, planted["id"]) in [(each.kind, each.stripe_id) for each in result.wrong]
    assert result.remainder == {}


def test_a_posting_of_which_stripe_knows_nothing_is_a_break(shop: House, stripe: Simulator) -> None:
    plant_posting(shop, None, 4950)
    pass_time(stripe)
    result = compared(shop)
    [found] = result.breaks
    assert (found.kind, found.here, found.effect) == (BreakKind.LEDGER_EXTRA, 4950, -4950)
    assert result.remainder == {}


def test_a_payout_is_added_up_and_its_lost_news_brought_in(shop: House, stripe: Simulator) -> None:
    buy(shop, stripe)
    hear_all(shop, stripe)
    payout = stripe.control("POST", "payouts", {"currency": "gbp"})
    pass_time(stripe)
    result = compared(shop)
    assert [(each.kind, each.stripe_id, each.fix) for each in result.breaks] == [
        (BreakKind.AT_STRIPE_NOT_HERE, payout["id"], Fix.HEAL)
    ]
    assert mend(shop, result) == {"heal": 1}
    after = compared(shop)
    assert after.is_clean
    assert {each.noun for each in after.matched} == {"charge", "payout"}


def test_a_payout_that_its_parts_do_not_add_up_to_is_a_break(shop: House, stripe: Simulator) -> None:
    payment = buy(shop, stripe)
    stripe.control("POST", "payouts", {"currency": "gbp"})
    hear_all(shop, stripe)
    stripe.control("POST", "plant/fee", {"charge": charge_of(shop, payment), "fee": 1})
    pass_time(stripe)
    assert set(kinds_of(compared(shop))) == {BreakKind.FEE_DIFFERS, BreakKind.PAYOUT_MISMATCH}


def test_disputes_won_and_lost_agree_and_one_whose_news_was_lost_is_brought_in(shop: House, stripe: Simulator) -> None:
    won, lost, unheard = (buy(shop, stripe) for _ in range(3))
    hear_all(shop, stripe)
    for payment, outcome in ((won, "won"), (lost, "lost")):
        opened = stripe.control("POST", "disputes", {"charge": charge_of(shop, payment)})
        stripe.control("POST", "disputes/close", {"dispute": opened["id"], "outcome": outcome})
    hear_all(shop, stripe)
    opened = stripe.control("POST", "disputes", {"charge": charge_of(shop, unheard)})
    pass_time(stripe)
    result = compared(shop)
    assert [(each.kind, each.noun, each.stripe_id, each.payment_id, each.fix) for each in result.breaks] == [
        (BreakKind.AT_STRIPE_NOT_HERE, "dispute", opened["id"], unheard, Fix.HEAL)
    ]
    assert result.remainder == {}
    assert mend(shop, result) == {"heal": 1}
    assert compared(shop).is_clean
    assert shop.payment(unheard)["status"] == "disputed"


def test_a_status_that_was_missed_is_a_break_and_fetched_by_a_fix(shop: House, stripe: Simulator) -> None:
    entry = payment_entry()
    shop.take_in(entry)
    shop.create(entry.job_id)
    stripe.client.v1.payment_intents.cancel(shop.payment(entry.subject_id)["stripe_id"])
    pass_time(stripe)
    result = compared(shop)
    [found] = result.breaks
    assert (found.kind, found.at_stripe, found.here) == (
        BreakKind.STATUS_DIFFERS,
        "canceled",
        "requires_payment_method",
    )
    mend(shop, result)
    assert shop.payment(entry.subject_id)["status"] == "canceled"
    assert compared(shop).is_clean


# The daily run


def daily(house: House, **request: Any) -> list[JobResult]:
    """Do a daily run, and all the jobs that it leaves behind."""
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        enqueue(
            session,
            house.runtime.settings,
            Reconcile(**request),
            client_id="tollgate",
            subject_id=RECONCILIATION.name,
            slot=secrets.token_hex(8),
            request_id="",
        )
    results = []
    while left := house.sql("SELECT id FROM jobs WHERE kind = 'reconciliation.run' AND state IN ('ready', 'waiting')"):
        for row in left:
            house.make_due(row["id"])
            results.append(run_job(house.runtime, row["id"], RECONCILE))
    return results


def flags(house: House) -> list[dict[str, Any]]:
    return [row["details"] for row in house.sql("SELECT details FROM flags WHERE cleared_at IS NULL")]


def test_the_daily_run_goes_piece_by_piece_is_kept_and_raises_its_flag(shop: House, stripe: Simulator) -> None:
    payment = buy(shop, stripe)
    pass_time(stripe)
    results = daily(shop)
    assert {result.state for result in results} == {"done"}
    assert len(results) >= 4
    kept = shop.one("SELECT * FROM reconciliations")
    assert (kept["started_by"], kept["movements"], kept["breaks"], kept["remainder"]) == ("schedule", 1, 1, {})
    assert kept["finished_at"] is not None
    assert kept["report"]["breaks"][0]["payment_id"] == payment
    assert flags(shop) == [{"breaks": {"at_stripe_not_here": 1}, "remainder": {}}]
    hear_all(shop, stripe)
    pass_time(stripe, 24 * AN_HOUR)
    daily(shop)
    first, second = shop.sql("SELECT * FROM reconciliations ORDER BY until")
    assert second["since"] == first["until"]
    assert flags(shop) == []


def test_a_piece_whose_end_was_not_committed_is_counted_once(
    shop: House, stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(shop, stripe)
    hear_all(shop, stripe)
    pass_time(stripe)
    real, failed = runs.keep, []

    def fails_once(*arguments: Any, **keywords: Any) -> None:
        real(*arguments, **keywords)
        if len(failed) < 3:
            failed.append(1)
            raise RuntimeError("the worker dies")

    monkeypatch.setattr(runs, "keep", fails_once)
    daily(shop)
    [kept] = shop.sql("SELECT * FROM reconciliations")
    assert (kept["movements"], kept["breaks"]) == (1, 0)
    assert len(failed) == 3


# The command line


def test_the_command_tells_by_its_exit_code_and_keeps_what_it_found(
    shop: House, stripe: Simulator, run: Run, tmp_path: Path
) -> None:
    payment = buy(shop, stripe)
    hear_all(shop, stripe)
    pass_time(stripe)
    clean = run("reconcile", "--since", "1d")
    assert (clean.code, "0 break(s)" in clean.err) == (0, True)
    stripe.control("POST", "plant/fee", {"charge": charge_of(shop, payment), "fee": 1})
    folder = tmp_path / "report"
    found = run("reconcile", "--since", "1d", "--report", str(folder))
    assert found.code == 1
    assert "fee_differs" in found.out
    assert "1 break(s)" in found.err
    rows = list(csv.DictReader((folder / "reconciliation.csv").read_text().splitlines()))
    assert [(row["result"], row["payment_id"], row["at_stripe"]) for row in rows] == [("fee_differs", payment, "0.01")]
    page = (folder / "reconciliation.html").read_text()
    assert payment in page
    assert "<svg" in page
    assert not [word for word in ("http:", "https:", "<script", "src=", "Ada", "example.org") if word in page]
    kept = run("reconcile", "list", "--json").json
    assert [(each["started_by"], each["breaks"]) for each in kept] == [("operator", 1), ("operator", 0)]
    shown = run("reconcile", "show", kept[0]["id"])
    assert (shown.code, "fee_differs" in shown.out) == (0, True)
    assert run("reconcile", "show", kept[0]["id"], "--json").json["report"]["breaks"][0]["payment_id"] == payment
    assert run("reconcile", "show", "rec_none").code == 1


def test_a_dry_run_keeps_and_mends_nothing_and_a_fix_does(shop: House, stripe: Simulator, run: Run) -> None:
    payment = buy(shop, stripe)
    pass_time(stripe)
    dry = run("reconcile", "--since", "1d", "--fix", "--dry-run", "--json")
    assert (dry.code, dry.json["fixable"], dry.json["fixes"], dry.json["run"]) == (1, 1, {}, None)
    assert shop.jobs("payments.refresh") == []
    assert shop.sql("SELECT id FROM reconciliations") == []
    fixed = run("reconcile", "--since", "1d", "--fix", "--json")
    assert (fixed.code, fixed.json["fixes"]) == (1, {"refresh": 1})
    shop.refresh_all()
    shop.collect_fees()
    assert shop.payment(payment)["status"] == "paid"
    assert run("reconcile", "--since", "1d").code == 0


def test_a_time_of_which_nothing_is_certain_is_refused(run: Run) -> None:
    assert "nothing is certain yet" in run("reconcile", "--since", "1m").err
    assert run("reconcile").code == 2


def test_a_movement_that_no_noun_tells_of_remains(shop: House, stripe: Simulator) -> None:
    buy(shop, stripe)
    hear_all(shop, stripe)
    pass_time(stripe)
    asking = Asking(shop.runtime.stripe, lambda: None)
    settled = settled_until(shop.runtime, asking)

    class Adjusted(Asking):
        def read(self, piece: Any) -> Any:
            found = super().read(piece)
            found.movements = [dataclasses.replace(each, category="other_adjustment") for each in found.movements]
            return found

    result = Result()
    for piece in pieces(settled - dt.timedelta(days=1), settled):
        result.add(reconcile_piece(shop.runtime, piece, settled, Adjusted(shop.runtime.stripe, lambda: None)))
    assert {each.kind for each in result.breaks} <= {BreakKind.LEDGER_EXTRA, BreakKind.HERE_NOT_AT_STRIPE}
    assert result.remainder["gbp"] > 0
    assert not result.is_clean
