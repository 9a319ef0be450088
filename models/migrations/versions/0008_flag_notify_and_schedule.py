"""Flag what operators should see, notify websites, and schedule work.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "flags",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("raised_at", INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("cleared_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'stuck',"
            " 'refund_failed')",
            name=op.f("ck_flags_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flags")),
        sa.UniqueConstraint("kind", "subject_id", name=op.f("uq_flags_kind_subject_id")),
    )
    op.create_index(
        "ix_flags_open", "flags", ["raised_at", "id"], unique=False, postgresql_where=sa.text("cleared_at IS NULL")
    )
    op.create_index("ix_flags_subject", "flags", ["subject_id"], unique=False)
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("former_secret", sa.LargeBinary(), nullable=True),
        sa.Column("types", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_endpoints_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
    )
    op.create_index(op.f("ix_endpoints_client_id"), "endpoints", ["client_id"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slot", INSTANT, nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_schedules_job_id")),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_schedules")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("schedules")
    op.drop_index(op.f("ix_endpoints_client_id"), table_name="endpoints")
    op.drop_table("endpoints")
    op.drop_index("ix_flags_subject", table_name="flags")
    op.drop_index("ix_flags_open", table_name="flags", postgresql_where=sa.text("cleared_at IS NULL"))
    op.drop_table("flags")
