"""Remember how far Stripe's events have been compared with those that were handled.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KINDS_BEFORE = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'refund_failed', 'invoice_astray', 'invoice_number_gap')"
)
KINDS = KINDS_BEFORE.replace("'invoice_number_gap'", "'invoice_number_gap', 'webhooks_missed'")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "event_cursors",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("through", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("goes_on_in", sa.String(), nullable=True),
        sa.Column("missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("missed_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "looked_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["goes_on_in"], ["jobs.id"], name=op.f("fk_event_cursors_goes_on_in")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_cursors")),
    )
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", KINDS)


def downgrade() -> None:
    """Undo; fails while there are rows that only this version knows."""
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", KINDS_BEFORE)
    op.drop_table("event_cursors")
