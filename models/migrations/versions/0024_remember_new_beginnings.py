"""Remember when a job began anew.

Revision: 0024, after 0023.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: of earlier replays it is not known whether they began anew."""
    op.add_column("jobs", sa.Column("began_anew_at", postgresql.TIMESTAMP(timezone=True)))


def downgrade() -> None:
    """Forget it again."""
    op.drop_column("jobs", "began_anew_at")
