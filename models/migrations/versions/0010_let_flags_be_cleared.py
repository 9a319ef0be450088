"""Let flags be cleared, name what a check may find, and let scheduled work run in a name of its own.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ACTIONS = "action IN ('replay', 'discard', 'cancel', 'pause', 'resume', 'reread', 'clear')"
ACTIONS_BEFORE = "action IN ('replay', 'discard', 'cancel', 'pause', 'resume', 'reread')"
KINDS = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'refund_failed')"
)
KINDS_BEFORE = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'stuck',"
    " 'refund_failed')"
)
CLEARED = "(cleared_at IS NULL) = (cleared_by IS NULL) AND (cleared_by IS NULL OR cleared_by IN ('check', 'operator'))"


def check(table: str, name: str, condition: str) -> None:
    """Put a condition in the place of the one of that name."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def upgrade() -> None:
    """Apply."""
    check("operator_actions", "action", ACTIONS)
    check("flags", "kind", KINDS)
    op.add_column("flags", sa.Column("cleared_by", sa.String(), nullable=True))
    op.execute("UPDATE flags SET cleared_by = 'check' WHERE cleared_at IS NOT NULL")
    op.create_check_constraint(op.f("ck_flags_cleared"), "flags", CLEARED)
    op.execute("INSERT INTO clients (id, name) VALUES ('tollgate', 'Tollgate, for scheduled work')")


def downgrade() -> None:
    """Undo; fails while there are rows that only this version knows."""
    op.execute("DELETE FROM clients WHERE id = 'tollgate'")
    op.drop_constraint(op.f("ck_flags_cleared"), "flags")
    op.drop_column("flags", "cleared_by")
    check("flags", "kind", KINDS_BEFORE)
    check("operator_actions", "action", ACTIONS_BEFORE)
