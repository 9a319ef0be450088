"""Remember which saved card is charged, and until when a bank holds an amount.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Apply."""
    op.add_column("payments", sa.Column("saved_card", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("capture_before", INSTANT, nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("payments", "capture_before")
    op.drop_column("payments", "saved_card")
