"""Flag payments of which their card's bank warns, and find what was heard of a warning.

Revision: 0021, after 0020.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KINDS = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'fraud_warning', 'refund_failed', 'invoice_astray',"
    " 'invoice_number_gap', 'webhooks_missed', 'reconciliation_breaks', 'endpoint_gone')"
)
KINDS_BEFORE = KINDS.replace(" 'fraud_warning',", "")


def upgrade() -> None:
    """Apply."""
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", KINDS)


def downgrade() -> None:
    """Undo; fails while there are flags that only this version knows."""
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", KINDS_BEFORE)
