"""Remember how a payment is taken, and the seats kept for it.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)

CHECKS = {
    "capture_method": "capture_method IN ('automatic', 'manual')",
    "hold_late": "hold_late IS NULL OR hold_late IN ('confirm', 'refund')",
    "hold": "(hold_token IS NULL) = (hold_expires_at IS NULL)",
}


def upgrade() -> None:
    """Apply."""
    op.add_column("payments", sa.Column("amount_capturable", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("payments", sa.Column("capture_method", sa.String(), server_default="automatic", nullable=False))
    op.add_column("payments", sa.Column("off_session", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("payments", sa.Column("hold_token", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("hold_expires_at", INSTANT, nullable=True))
    op.add_column("payments", sa.Column("hold_late", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("paid_at", INSTANT, nullable=True))
    op.drop_index(op.f("ix_payments_booking_reference"), table_name="payments")
    op.drop_index(op.f("ix_payments_customer_id"), table_name="payments")
    op.create_index(
        "ix_payments_booking", "payments", ["client_id", "booking_reference", "created_at", "id"], unique=False
    )
    op.create_index("ix_payments_customer", "payments", ["customer_id", "created_at", "id"], unique=False)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_payments_{name}"), "payments", condition)


def downgrade() -> None:
    """Undo."""
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_payments_{name}"), "payments")
    op.drop_index("ix_payments_customer", table_name="payments")
    op.drop_index("ix_payments_booking", table_name="payments")
    op.create_index(op.f("ix_payments_customer_id"), "payments", ["customer_id"], unique=False)
    op.create_index(op.f("ix_payments_booking_reference"), "payments", ["booking_reference"], unique=False)
    op.drop_column("payments", "paid_at")
    op.drop_column("payments", "hold_late")
    op.drop_column("payments", "hold_expires_at")
    op.drop_column("payments", "hold_token")
    op.drop_column("payments", "off_session")
    op.drop_column("payments", "capture_method")
    op.drop_column("payments", "amount_capturable")
