"""Keep reconciliations.

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KINDS_BEFORE = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'refund_failed', 'invoice_astray', 'invoice_number_gap',"
    " 'webhooks_missed')"
)
KINDS = KINDS_BEFORE.replace("'webhooks_missed'", "'webhooks_missed', 'reconciliation_breaks'")


def upgrade() -> None:
    """Apply."""
    moment = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("started_at", moment, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.Column("movements", sa.BigInteger(), nullable=False),
        sa.Column("breaks", sa.Integer(), nullable=False),
        sa.Column("remainder", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("started_by IN ('schedule', 'operator')", name=op.f("ck_reconciliations_started_by")),
        sa.CheckConstraint("since < until", name=op.f("ck_reconciliations_time")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
    )
    op.create_index("ix_reconciliations_started", "reconciliations", ["started_at", "id"], unique=False)
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", KINDS)


def downgrade() -> None:
    """Undo; fails while there are rows that only this version knows."""
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", KINDS_BEFORE)
    op.drop_index("ix_reconciliations_started", table_name="reconciliations")
    op.drop_table("reconciliations")
