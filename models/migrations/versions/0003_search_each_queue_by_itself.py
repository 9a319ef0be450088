"""Search each queue by itself, so that no backlog slows the others down.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DUE = "state IN ('ready', 'waiting', 'checking')"


def upgrade() -> None:
    """Apply."""
    op.drop_index("ix_jobs_due", table_name="jobs")
    op.drop_index("ix_jobs_published", table_name="jobs")
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["queue", "next_run_at"],
        unique=False,
        postgresql_where=sa.text(f"{DUE} AND published_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_published",
        "jobs",
        ["queue", sa.text("abs(publish_number)")],
        unique=False,
        postgresql_where=sa.text(f"{DUE} AND published_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_cancelling",
        "jobs",
        ["next_run_at"],
        unique=False,
        postgresql_where=sa.text(f"{DUE} AND cancel_asked_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index(
        "ix_jobs_cancelling", table_name="jobs", postgresql_where=sa.text(f"{DUE} AND cancel_asked_at IS NOT NULL")
    )
    op.drop_index(
        "ix_jobs_published", table_name="jobs", postgresql_where=sa.text(f"{DUE} AND published_at IS NOT NULL")
    )
    op.drop_index("ix_jobs_due", table_name="jobs", postgresql_where=sa.text(f"{DUE} AND published_at IS NULL"))
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["next_run_at"],
        unique=False,
        postgresql_where=sa.text(f"{DUE} AND published_at IS NULL"),
    )
    op.create_index("ix_jobs_published", "jobs", ["published_at"], unique=False, postgresql_where=sa.text(DUE))
