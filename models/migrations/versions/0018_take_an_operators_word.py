"""Take an operator's word that Stripe did nothing for a job, and flag a website that is gone.

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ACTIONS = "action IN ('replay', 'discard', 'cancel', 'pause', 'resume', 'reread', 'clear', 'not_done')"
ACTIONS_BEFORE = "action IN ('replay', 'discard', 'cancel', 'pause', 'resume', 'reread', 'clear')"
KINDS = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'refund_failed', 'invoice_astray', 'invoice_number_gap',"
    " 'webhooks_missed', 'reconciliation_breaks', 'endpoint_gone')"
)
KINDS_BEFORE = KINDS.replace(", 'endpoint_gone'", "")


def check(table: str, name: str, condition: str) -> None:
    """Put a condition in the place of the one of that name."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def upgrade() -> None:
    """Apply."""
    check("operator_actions", "action", ACTIONS)
    check("flags", "kind", KINDS)
    op.add_column("jobs", sa.Column("not_done_said_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Undo; fails while there are rows that only this version knows."""
    op.drop_column("jobs", "not_done_said_at")
    check("flags", "kind", KINDS_BEFORE)
    check("operator_actions", "action", ACTIONS_BEFORE)
