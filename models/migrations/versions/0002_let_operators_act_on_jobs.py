"""Let operators act on jobs and queues, and know which processes live.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE TRIGGER operator_actions_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def _now() -> sa.TextClause:
    return sa.text("clock_timestamp()")


def upgrade() -> None:
    """Apply."""
    instant = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "queues",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("paused_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_queues")),
    )
    op.create_table(
        "operator_actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("acted_at", instant, server_default=_now(), nullable=False),
        sa.CheckConstraint(
            "action IN ('replay', 'discard', 'cancel', 'pause', 'resume', 'reread')",
            name=op.f("ck_operator_actions_action"),
        ),
        sa.CheckConstraint("operator <> '' AND reason <> ''", name=op.f("ck_operator_actions_said")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_actions")),
    )
    op.create_index("ix_operator_actions_subject", "operator_actions", ["subject", "id"], unique=False)
    op.create_table(
        "processes",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("started_at", instant, server_default=_now(), nullable=False),
        sa.Column("seen_at", instant, server_default=_now(), nullable=False),
        sa.Column("strays", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_processes")),
    )
    op.add_column("jobs", sa.Column("replays", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("cancel_asked_at", instant, nullable=True))
    op.add_column("jobs", sa.Column("discarded_at", instant, nullable=True))
    op.add_column(
        "customers",
        sa.Column("former_stripe_ids", sa.ARRAY(sa.String()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["finished_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'dead' AND discarded_at IS NULL"),
    )
    op.create_index("ix_jobs_accepted", "jobs", ["accepted_at", "id"], unique=False)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    """Undo."""
    op.execute("DROP TRIGGER operator_actions_is_append_only ON operator_actions")
    op.drop_index("ix_jobs_accepted", table_name="jobs")
    op.drop_index(
        "ix_jobs_dead", table_name="jobs", postgresql_where=sa.text("state = 'dead' AND discarded_at IS NULL")
    )
    op.drop_column("customers", "former_stripe_ids")
    op.drop_column("jobs", "discarded_at")
    op.drop_column("jobs", "cancel_asked_at")
    op.drop_column("jobs", "replays")
    op.drop_table("processes")
    op.drop_index("ix_operator_actions_subject", table_name="operator_actions")
    op.drop_table("operator_actions")
    op.drop_table("queues")
