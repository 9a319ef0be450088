"""Keep disputes, flag those that are due, and record what operators decide about them.

Revision: 0023, after 0022.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("clock_timestamp()")
ENDS = ["lost", "won"]
CHARGEBACK = ["needs_response", "under_review"]
DISPUTE = {
    "warning_needs_response": [*ENDS, *CHARGEBACK, "warning_under_review", "warning_closed", "prevented"],
    "warning_under_review": [*ENDS, *CHARGEBACK, "warning_needs_response", "warning_closed", "prevented"],
    "warning_closed": [*ENDS, *CHARGEBACK],
    "needs_response": [*ENDS, "under_review", "prevented"],
    "under_review": [*ENDS, "needs_response", "prevented"],
    "won": ["lost", *CHARGEBACK],
    "lost": ["won", *CHARGEBACK],
    "prevented": [],
}
STATUSES = (
    "status IN ('warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review',"
    " 'won', 'lost', 'prevented')"
)
UNDER_WAY = "status IN ('warning_needs_response', 'warning_under_review', 'needs_response', 'under_review')"
MOVES = sa.table("moves", *(sa.column(name, sa.String()) for name in ("noun", "old", "new")))
GUARD = """
CREATE TRIGGER disputes_move_by_the_table BEFORE UPDATE OF status ON disputes FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_move('dispute', 'status')
"""
KINDS = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'fraud_warning', 'dispute_due', 'refund_failed',"
    " 'invoice_astray', 'invoice_number_gap', 'webhooks_missed', 'reconciliation_breaks', 'endpoint_gone')"
)
KINDS_BEFORE = KINDS.replace(" 'dispute_due',", "")
ACTIONS = (
    "action IN ('replay', 'discard', 'cancel', 'pause', 'resume', 'reread', 'clear', 'not_done', 'submit', 'accept')"
)
ACTIONS_BEFORE = ACTIONS.replace(", 'submit', 'accept'", "")


def check(table: str, name: str, condition: str) -> None:
    """Put a condition in the place of the one of that name."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "disputes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("stripe_id", sa.String(), nullable=False),
        sa.Column("stripe_charge_id", sa.String(), nullable=True),
        sa.Column("case_type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("network_reason_code", sa.String(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reinstated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("has_evidence", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("submissions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("past_due", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_charge_refundable", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("snapshot_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint(STATUSES, name=op.f("ck_disputes_status")),
        sa.CheckConstraint("case_type IN ('chargeback', 'inquiry')", name=op.f("ck_disputes_case_type")),
        sa.CheckConstraint("amount >= 0 AND withdrawn >= 0 AND reinstated >= 0", name=op.f("ck_disputes_amounts")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_disputes_client_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_disputes_stripe_id")),
    )
    op.create_index("ix_disputes_payment", "disputes", ["payment_id", "created_at", "id"])
    op.create_index("ix_disputes_under_way", "disputes", ["due_at"], postgresql_where=sa.text(UNDER_WAY))
    check("flags", "kind", KINDS)
    check("operator_actions", "action", ACTIONS)
    op.bulk_insert(
        MOVES, [{"noun": "dispute", "old": old, "new": new} for old, following in DISPUTE.items() for new in following]
    )
    op.execute(GUARD)


def downgrade() -> None:
    """Undo; fails while there are flags or acts that only this version knows."""
    op.execute("DELETE FROM moves WHERE noun = 'dispute'")
    check("operator_actions", "action", ACTIONS_BEFORE)
    check("flags", "kind", KINDS_BEFORE)
    op.drop_table("disputes")
