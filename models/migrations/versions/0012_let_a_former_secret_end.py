"""Let the former secret of an endpoint sign until a given time.

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("endpoints", sa.Column("former_until", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_endpoints_former"), "endpoints", "former_until IS NULL OR former_secret IS NOT NULL"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_constraint(op.f("ck_endpoints_former"), "endpoints", type_="check")
    op.drop_column("endpoints", "former_until")
