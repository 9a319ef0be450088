"""Keep evidence of payments.

Revision: 0022, after 0021.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("clock_timestamp()")
FIELDS = (
    "field IN ('access_activity_log', 'billing_address', 'cancellation_policy_disclosure', 'cancellation_rebuttal', "
    "'customer_email_address', 'customer_name', 'customer_purchase_ip', 'duplicate_charge_explanation', "
    "'product_description', 'refund_policy_disclosure', 'refund_refusal_explanation', 'service_date', "
    "'uncategorized_text')"
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "payment_evidence",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("accepted_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint(FIELDS, name=op.f("ck_payment_evidence_field")),
        sa.CheckConstraint("characters BETWEEN 1 AND 20000", name=op.f("ck_payment_evidence_characters")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_payment_evidence_job_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_evidence_payment_id")),
        sa.PrimaryKeyConstraint("job_id", "field", name=op.f("pk_payment_evidence")),
    )
    op.create_index("ix_payment_evidence_payment", "payment_evidence", ["payment_id", "accepted_at", "job_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("payment_evidence")
