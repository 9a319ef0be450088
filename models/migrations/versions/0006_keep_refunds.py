"""Keep refunds.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)

REFUND = {
    "processing": ["canceled", "checking", "failed", "pending", "refused", "requires_action", "succeeded"],
    "checking": ["canceled", "failed", "pending", "processing", "refused", "requires_action", "succeeded"],
    "pending": ["canceled", "failed", "pending", "requires_action", "succeeded"],
    "requires_action": ["canceled", "failed", "pending", "requires_action", "succeeded"],
    "succeeded": ["failed"],
    "failed": [],
    "canceled": [],
    "refused": ["canceled", "checking", "failed", "pending", "processing", "requires_action", "succeeded"],
}
MOVES = sa.table("moves", *(sa.column(name, sa.String()) for name in ("noun", "old", "new")))
GUARD = """
CREATE TRIGGER refunds_move_by_the_table BEFORE UPDATE OF status ON refunds FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_move('refund', 'status')
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("failure_reason", sa.String(), nullable=True),
        sa.Column("stripe_id", sa.String(), nullable=True),
        sa.Column("snapshot_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("projected_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(
            "reason IS NULL OR reason IN ('duplicate', 'fraudulent', 'requested_by_customer')",
            name=op.f("ck_refunds_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('processing', 'checking', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled',"
            " 'refused')",
            name=op.f("ck_refunds_status"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_refunds_client_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_refunds_job_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_refunds_stripe_id")),
    )
    op.create_index(op.f("ix_refunds_job_id"), "refunds", ["job_id"], unique=False)
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)
    op.create_index(
        "ix_refunds_unprojected",
        "refunds",
        ["id"],
        unique=False,
        postgresql_where=sa.text("version > projected_version"),
    )
    op.bulk_insert(
        MOVES, [{"noun": "refund", "old": old, "new": new} for old, following in REFUND.items() for new in following]
    )
    op.execute(GUARD)


def downgrade() -> None:
    """Undo."""
    op.execute("DELETE FROM moves WHERE noun = 'refund'")
    op.drop_index(
        "ix_refunds_unprojected", table_name="refunds", postgresql_where=sa.text("version > projected_version")
    )
    op.drop_index(op.f("ix_refunds_payment_id"), table_name="refunds")
    op.drop_index(op.f("ix_refunds_job_id"), table_name="refunds")
    op.drop_table("refunds")
