"""Find what has changed lately, and what is on its way, for the checks of invariants.

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ON_THE_WAY = sa.text("status IN ('processing', 'checking')")


def upgrade() -> None:
    """Apply."""
    for table in ("history", "ledger_transactions"):
        op.create_index(f"ix_{table}_recorded", table, ["recorded_at"], postgresql_using="brin")
    for table in ("payments", "refunds"):
        op.create_index(f"ix_{table}_on_the_way", table, ["created_at"], postgresql_where=ON_THE_WAY)


def downgrade() -> None:
    """Undo."""
    for table in ("payments", "refunds"):
        op.drop_index(f"ix_{table}_on_the_way", table_name=table)
    for table in ("history", "ledger_transactions"):
        op.drop_index(f"ix_{table}_recorded", table_name=table)
