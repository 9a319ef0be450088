"""Tell of which invoice an event is.

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("stripe_events", sa.Column("invoice_id", sa.String(), nullable=True))
    op.create_foreign_key(op.f("fk_stripe_events_invoice_id"), "stripe_events", "invoices", ["invoice_id"], ["id"])
    op.create_index(op.f("ix_stripe_events_invoice_id"), "stripe_events", ["invoice_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_stripe_events_invoice_id"), table_name="stripe_events")
    op.drop_constraint(op.f("fk_stripe_events_invoice_id"), "stripe_events")
    op.drop_column("stripe_events", "invoice_id")
