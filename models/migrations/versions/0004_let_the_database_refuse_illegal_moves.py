"""Let the database refuse illegal moves.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# As the moves stood when this was written; what changed later is in later migrations.
JOB = {
    "ready": ["cancelled", "dead", "running"],
    "running": ["cancelled", "checking", "dead", "done", "ready", "refused", "waiting"],
    "waiting": ["cancelled", "dead", "running"],
    "checking": ["cancelled", "dead", "running"],
    "done": [],
    "refused": [],
    "dead": ["checking", "ready"],
    "cancelled": [],
}
PAYMENT = {
    "processing": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "requires_confirmation": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "requires_action": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "requires_capture": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "declined": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "in_review": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "checking": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "paid": ["disputed", "paid", "partially_refunded", "refunded"],
    "partially_refunded": ["disputed", "paid", "partially_refunded", "refunded"],
    "refunded": ["disputed", "paid", "partially_refunded", "refunded"],
    "disputed": ["disputed", "paid", "partially_refunded", "refunded"],
    "canceled": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
    "failed": [
        "canceled",
        "checking",
        "declined",
        "disputed",
        "failed",
        "in_review",
        "paid",
        "partially_refunded",
        "processing",
        "refunded",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
    ],
}
GUARDED = {"job": "state", "payment": "status"}
CHECK_MOVE = """
CREATE FUNCTION check_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_state text := to_jsonb(OLD) ->> TG_ARGV[1];
    new_state text := to_jsonb(NEW) ->> TG_ARGV[1];
BEGIN
    IF NOT EXISTS (
        SELECT FROM moves WHERE moves.noun = TG_ARGV[0] AND moves.old = old_state AND moves.new = new_state
    ) THEN
        RAISE EXCEPTION '% % is % and cannot become %', TG_ARGV[0], OLD.id, old_state, new_state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def trigger(noun: str, column: str) -> str:
    """Return the trigger that holds a noun's table to its moves."""
    return (
        f"CREATE TRIGGER {noun}s_move_by_the_table BEFORE UPDATE OF {column} ON {noun}s FOR EACH ROW"
        f" WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION check_move('{noun}', '{column}')"
    )


def fill(noun: str, table: dict[str, list[str]]) -> None:
    """Insert a noun's moves; a state may stay as it is without one."""
    moves = sa.table("moves", *(sa.column(name, sa.String()) for name in ("noun", "old", "new")))
    op.bulk_insert(moves, [{"noun": noun, "old": old, "new": new} for old in table for new in table[old] if new != old])


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "moves",
        sa.Column("noun", sa.String(), nullable=False),
        sa.Column("old", sa.String(), nullable=False),
        sa.Column("new", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("noun", "old", "new", name=op.f("pk_moves")),
    )
    op.execute(CHECK_MOVE)
    fill("job", JOB)
    fill("payment", PAYMENT)
    for noun, column in GUARDED.items():
        op.execute(trigger(noun, column))


def downgrade() -> None:
    """Undo."""
    for noun in GUARDED:
        op.execute(f"DROP TRIGGER {noun}s_move_by_the_table ON {noun}s")
    op.execute("DROP FUNCTION check_move()")
    op.drop_table("moves")
