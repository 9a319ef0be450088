"""The agreement of ledgers: every penny that only one side tells of is named, and what is not ours is left out."""

from __future__ import annotations

from typing import Any

from sandbox.ledger_agreement import Movement, disagreements

CHARGE = {"id": "ch_1", "operation": "pay_1/create/1", "invoice": None}
FOREIGN = {"id": "ch_2", "operation": None, "invoice": "in_2"}
OF_INVOICE = {"id": "ch_3", "operation": None, "invoice": "in_1"}
POSTED: dict[Movement, int] = {
    ("capture", "ch_1", "gbp"): 4950,
    ("fee", "txn_1", "gbp"): 94,
    ("refund", "re_1", "gbp"): 100,
    ("payout", "po_1", "gbp"): 4000,
}


def balance(name: str, source: str, category: str, amount: int, fee: int = 0) -> dict[str, Any]:
    return {
        "id": name,
        "source": source,
        "reporting_category": category,
        "amount": amount,
        "fee": fee,
        "currency": "gbp",
    }


def facts(*more: dict[str, Any]) -> dict[str, Any]:
    return {
        "charges": [CHARGE, FOREIGN, OF_INVOICE],
        "invoices": [{"id": "in_1", "operation": "inv_1/draft/1"}, {"id": "in_2", "operation": None}],
        "refunds": [{"id": "re_1", "charge": "ch_1"}],
        "disputes": [],
        "payouts": [{"id": "po_1"}],
        "balance_transactions": [
            balance("txn_1", "ch_1", "charge", 4950, fee=94),
            balance("txn_2", "ch_2", "charge", 700, fee=31),
            balance("txn_3", "re_1", "refund", -100),
            balance("txn_4", "po_1", "payout", -4000),
            *more,
        ],
    }


def test_books_that_say_the_same_agree() -> None:
    assert list(disagreements(facts(), POSTED)) == []


def test_what_an_invoice_of_ours_was_paid_with_is_ours() -> None:
    paid = facts(balance("txn_6", "ch_3", "charge", 800))
    [told] = disagreements(paid, POSTED)
    assert told == "ledger: capture ch_3 is 800 gbp at Stripe, nothing here"
    assert list(disagreements(paid, {**POSTED, ("capture", "ch_3", "gbp"): 800})) == []


def test_what_is_not_posted_is_named() -> None:
    [told] = disagreements(facts(balance("txn_5", "re_1", "refund_failure", 100)), POSTED)
    assert told == "ledger: refund_failed re_1 is 100 gbp at Stripe, nothing here"


def test_what_is_posted_and_never_happened_is_named() -> None:
    [told] = disagreements(facts(), {**POSTED, ("refund", "re_2", "gbp"): 5})
    assert told == "ledger: refund re_2 is nothing gbp at Stripe, 5 here"


def test_a_penny_of_difference_is_named() -> None:
    [told] = disagreements(facts(), {**POSTED, ("fee", "txn_1", "gbp"): 95})
    assert told == "ledger: fee txn_1 is 94 gbp at Stripe, 95 here"
