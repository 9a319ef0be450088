"""Tables of moves: the states are the design's, each can be reached, and what is final stays."""

from __future__ import annotations

import pytest

from config.errors import IllegalMoveError
from models.dispute import CHARGEBACK, CLOSED, DISPUTE_MOVES, INQUIRY, STANDING
from models.invoice import INVOICE_MOVES, OWED
from models.job import DUE_STATES, JOB_MOVES
from models.payment import PAYMENT_MOVES
from models.states import Moves
from tasks.contracts.views import FINAL_JOB_STATES

JOB_STATES = {"ready", "running", "waiting", "checking", "done", "refused", "dead", "cancelled"}
PAYMENT_STATUSES = {
    "processing",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "paid",
    "partially_refunded",
    "refunded",
    "disputed",
    "declined",
    "in_review",
    "checking",
    "canceled",
    "failed",
}
MONEY_MOVED = {"paid", "partially_refunded", "refunded", "disputed"}


def reachable(moves: Moves, start: str) -> set[str]:
    seen, ahead = {start}, [start]
    while ahead:
        new = moves.table[ahead.pop()] - seen
        seen |= new
        ahead += new
    return seen


def test_the_states_are_those_of_the_design() -> None:
    assert set(JOB_MOVES.states) == JOB_STATES
    assert set(PAYMENT_MOVES.states) == PAYMENT_STATUSES


@pytest.mark.parametrize("moves", [JOB_MOVES, PAYMENT_MOVES, INVOICE_MOVES, DISPUTE_MOVES])
def test_every_move_leads_to_a_state_of_the_table(moves: Moves) -> None:
    assert set().union(*moves.table.values()) <= set(moves.states)


@pytest.mark.parametrize(
    ("moves", "start"),
    [
        (JOB_MOVES, "ready"),
        (PAYMENT_MOVES, "processing"),
        (INVOICE_MOVES, "processing"),
        (DISPUTE_MOVES, "warning_needs_response"),
    ],
)
def test_every_state_can_be_reached_from_the_first(moves: Moves, start: str) -> None:
    assert reachable(moves, start) == set(moves.states)


def test_a_job_that_is_done_refused_or_cancelled_is_so_for_ever_and_a_dead_one_may_be_replayed() -> None:
    assert JOB_MOVES.final == {"done", "refused", "cancelled"}
    assert JOB_MOVES.table["dead"] == {"ready", "checking"}
    assert JOB_MOVES.final | {"dead"} == FINAL_JOB_STATES


def test_only_a_running_job_can_be_done() -> None:
    assert {state for state, following in JOB_MOVES.table.items() if "done" in following} == {"running"}


def test_what_waits_can_run_and_is_published_when_due() -> None:
    assert {state for state, following in JOB_MOVES.table.items() if "running" in following} == set(DUE_STATES)


def test_nothing_leads_from_paid_back_to_where_no_money_moved() -> None:
    for status in MONEY_MOVED:
        assert reachable(PAYMENT_MOVES, status) == MONEY_MOVED


def test_a_declined_card_is_not_the_end() -> None:
    assert {"paid", "requires_action", "canceled"} <= PAYMENT_MOVES.table["declined"]


def test_a_payment_is_never_beyond_what_is_heard_of_it_later() -> None:
    assert PAYMENT_MOVES.final == set()


def test_an_invoice_that_is_paid_or_void_is_so_for_ever() -> None:
    assert INVOICE_MOVES.final == {"paid", "void"}


def test_an_invoice_that_has_a_number_is_never_a_draft_again() -> None:
    numbered = {*OWED, "uncollectible", "paid", "void"}
    for status in numbered:
        assert reachable(INVOICE_MOVES, status) <= numbered


def test_what_is_owed_can_be_paid() -> None:
    assert all("paid" in INVOICE_MOVES.table[status] for status in (*OWED, "uncollectible"))


def test_a_chargeback_never_becomes_an_inquiry_again() -> None:
    for status in (*CHARGEBACK, "won", "lost"):
        assert not reachable(DISPUTE_MOVES, status) & {*INQUIRY, "warning_closed"}


def test_a_dispute_is_open_or_closed_and_stands_while_its_money_is_away() -> None:
    assert {*INQUIRY, *CHARGEBACK, *CLOSED} == set(DISPUTE_MOVES.states)
    assert set(STANDING) & {*INQUIRY, "won", "warning_closed", "prevented"} == set()


def test_an_unknown_outcome_may_turn_out_as_anything() -> None:
    assert PAYMENT_MOVES.table["checking"] >= PAYMENT_STATUSES - {"partially_refunded", "refunded", "disputed"}


@pytest.mark.parametrize("moves", [JOB_MOVES, PAYMENT_MOVES, INVOICE_MOVES, DISPUTE_MOVES])
def test_staying_is_always_allowed(moves: Moves) -> None:
    assert all(moves.allow(state, state) for state in moves.states)


def test_a_forbidden_move_names_the_subject_and_both_states() -> None:
    with pytest.raises(IllegalMoveError, match="payment pay_1 is paid and cannot become declined"):
        PAYMENT_MOVES.check("pay_1", "paid", "declined")
    PAYMENT_MOVES.check("pay_1", "declined", "paid")
