"""The tables of moves as PostgreSQL holds them: equal to the code's, and what they lack can't be committed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from models.dispute import DISPUTE_MOVES
from models.invoice import INVOICE_MOVES
from models.job import JOB_MOVES
from models.payment import PAYMENT_MOVES
from models.refund import REFUND_MOVES
from models.states import Moves
from tests.builders.disputes import plant_dispute
from tests.builders.house import House
from tests.builders.invoices import plant_invoice
from tests.builders.payments import AMOUNT, plant_payment, plant_refund

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
ALL = (JOB_MOVES, PAYMENT_MOVES, REFUND_MOVES, INVOICE_MOVES, DISPUTE_MOVES)


def pairs(moves: Moves) -> set[tuple[str, str]]:
    return {(old, new) for old, following in moves.table.items() for new in following if old != new}


@pytest.mark.parametrize("moves", ALL, ids=lambda moves: moves.noun)
def test_the_table_is_equal_to_the_codes(house: House, moves: Moves) -> None:
    rows = house.sql("SELECT old, new FROM moves WHERE noun = :noun AND old <> new", noun=moves.noun)
    assert {(row["old"], row["new"]) for row in rows} == pairs(moves)


def planted(house: House, moves: Moves, state: str) -> tuple[str, str, str]:
    """Return table, column and id of a row in that state."""
    if moves is PAYMENT_MOVES:
        return "payments", "status", plant_payment(house, state)
    if moves is INVOICE_MOVES:
        return "invoices", "status", plant_invoice(house, state)
    payment = plant_payment(house)
    if moves is DISPUTE_MOVES:
        return "disputes", "status", plant_dispute(house, payment, state)
    if moves is REFUND_MOVES:
        return "refunds", "status", plant_refund(house, payment, AMOUNT, state)
    job = house.payment(payment)["job_id"]
    house.force(
        "UPDATE jobs SET state = CAST(:state AS text),"
        " lease_until = CASE WHEN CAST(:state AS text) = 'running' THEN clock_timestamp() END WHERE id = :id",
        state=state,
        id=job,
    )
    return "jobs", "state", job


@pytest.mark.parametrize("moves", ALL, ids=lambda moves: moves.noun)
def test_every_move_that_the_table_lacks_is_refused_whoever_writes_it(shared_house: House, moves: Moves) -> None:
    tried = 0
    for old in moves.states:
        illegal = [new for new in moves.states if not moves.allow(old, new)]
        if not illegal:
            continue
        table, column, subject = planted(shared_house, moves, old)
        for new in illegal:
            with pytest.raises(IntegrityError, match=f"{moves.noun} {subject} is {old} and cannot become {new}"):
                shared_house.sql(f"UPDATE {table} SET {column} = :new WHERE id = :id", new=new, id=subject)  # noqa: S608 - a table of this test's
            tried += 1
        assert shared_house.one(f"SELECT {column} FROM {table} WHERE id = :id", id=subject)[column] == old  # noqa: S608 - likewise
    assert tried >= len(moves.states)


def test_a_legal_move_is_taken(house: House) -> None:
    table, column, subject = planted(house, REFUND_MOVES, "succeeded")
    house.sql(f"UPDATE {table} SET {column} = 'failed' WHERE id = :id", id=subject)  # noqa: S608 - a table of this test's


def test_a_noun_whose_moves_are_missing_cannot_move(house: House) -> None:
    """A noun that the table does not know can't move at all, so a forgotten migration is noticed at once."""
    house.sql("DELETE FROM moves WHERE noun = 'refund'")
    _, _, subject = planted(house, REFUND_MOVES, "pending")
    with pytest.raises(IntegrityError, match=subject):
        house.sql("UPDATE refunds SET status = 'succeeded' WHERE id = :id", id=subject)


def test_one_function_alone_sets_a_status_so_that_each_move_has_its_history() -> None:
    """What gets round it is found by the check of invariants, `history_incomplete`."""
    setting = {
        f"{path.relative_to(ROOT)} {function.name}"
        for package in ("workers", "tasks", "ops")
        for path in sorted((ROOT / package).rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Attribute) and target.attr == "status" for target in node.targets)
    }
    assert setting == {"workers/services/moves.py move"}
