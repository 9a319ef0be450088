"""Keep batches of invoices.

Revision: 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "invoice_batches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("entries", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("projected_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_invoice_batches_client_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_invoice_batches_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_batches")),
    )
    op.create_index(op.f("ix_invoice_batches_job_id"), "invoice_batches", ["job_id"])
    op.create_index(
        "ix_invoice_batches_unprojected",
        "invoice_batches",
        ["id"],
        postgresql_where=sa.text("version > projected_version"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("invoice_batches")
