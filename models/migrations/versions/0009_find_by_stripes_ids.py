"""Find jobs and payments by the ids that people have at hand: of charges and of requests.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_payments_charge",
        "payments",
        ["stripe_charge_id"],
        unique=False,
        postgresql_where=sa.text("stripe_charge_id IS NOT NULL"),
    )
    op.create_index("ix_jobs_request", "jobs", ["request_id"], unique=False)
    op.create_index(
        "ix_attempts_stripe_request",
        "attempts",
        ["stripe_request_id"],
        unique=False,
        postgresql_where=sa.text("stripe_request_id IS NOT NULL"),
    )
    op.create_index("ix_ledger_transactions_stripe_id", "ledger_transactions", ["stripe_id"], unique=False)
    # What is not kept for ever (`Kind.kept`) is found to be deleted.
    op.create_index(
        "ix_jobs_fleeting", "jobs", ["finished_at"], unique=False, postgresql_where=sa.text("kind = 'views.show'")
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_jobs_fleeting", table_name="jobs")
    op.drop_index("ix_ledger_transactions_stripe_id", table_name="ledger_transactions")
    op.drop_index("ix_attempts_stripe_request", table_name="attempts")
    op.drop_index("ix_jobs_request", table_name="jobs")
    op.drop_index("ix_payments_charge", table_name="payments")
