"""Keep invoices, their lines and their numbers.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("clock_timestamp()")

_AFTER_DRAFT = ["open", "overdue", "paid", "sent", "uncollectible", "void"]
INVOICE = {
    "processing": ["checking", "draft", *_AFTER_DRAFT, "refused"],
    "checking": ["draft", *_AFTER_DRAFT, "processing", "refused"],
    "draft": ["checking", "draft", *_AFTER_DRAFT, "processing"],
    "open": _AFTER_DRAFT,
    "sent": _AFTER_DRAFT,
    "overdue": _AFTER_DRAFT,
    "uncollectible": ["paid", "void"],
    "paid": [],
    "void": [],
    "refused": ["checking", "draft", *_AFTER_DRAFT, "processing"],
}
STATUSES = (
    "status IN ('processing', 'checking', 'draft', 'open', 'sent', 'overdue', 'uncollectible', 'paid', 'void',"
    " 'refused')"
)
MOVES = sa.table("moves", *(sa.column(name, sa.String()) for name in ("noun", "old", "new")))
GUARD = """
CREATE TRIGGER invoices_move_by_the_table BEFORE UPDATE OF status ON invoices FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_move('invoice', 'status')
"""
KINDS = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'refund_failed', 'invoice_astray', 'invoice_number_gap')"
)
KINDS_BEFORE = (
    "kind IN ('late_payment', 'duplicate_payment', 'refunds_above_capture', 'ledger_unbalanced', 'ledger_incomplete',"
    " 'status_astray', 'history_incomplete', 'stuck', 'refund_failed')"
)


def upgrade() -> None:
    """Apply."""
    _create_invoices()
    _create_indexes()
    op.create_table(
        "invoice_lines",
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.LargeBinary(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_amount", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.String(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax_amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "tax IN ('gb_vat_standard', 'gb_vat_reduced', 'zero_rated', 'exempt')", name=op.f("ck_invoice_lines_tax")
        ),
        sa.CheckConstraint(
            "quantity > 0 AND unit_amount >= 0 AND net >= 0 AND tax_amount >= 0", name=op.f("ck_invoice_lines_amounts")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_lines_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", "position", name=op.f("pk_invoice_lines")),
    )
    op.create_table(
        "invoice_numbers",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stripe_id", sa.String(), nullable=False),
        sa.Column("recorded_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_invoice_numbers_sequence")),
        sa.PrimaryKeyConstraint("prefix", "sequence", name=op.f("pk_invoice_numbers")),
    )
    op.add_column("payments", sa.Column("invoice_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_payments_invoice_id"), "payments", ["invoice_id"], unique=False)
    _check_kinds(KINDS)
    op.bulk_insert(
        MOVES, [{"noun": "invoice", "old": old, "new": new} for old, following in INVOICE.items() for new in following]
    )
    op.execute(GUARD)


def _create_invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("booking_reference", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("tax_inclusive", sa.Boolean(), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("tax_amount", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("amount_paid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("purchase_order", sa.LargeBinary(), nullable=True),
        sa.Column("memo", sa.LargeBinary(), nullable=True),
        sa.Column("footer", sa.LargeBinary(), nullable=True),
        sa.Column("booking_metadata", sa.LargeBinary(), nullable=False),
        sa.Column("sends", sa.Boolean(), nullable=False),
        sa.Column("stays_draft", sa.Boolean(), nullable=False),
        sa.Column("asked_payment_id", sa.String(), nullable=True),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("reached", sa.String(), server_default="accepted", nullable=False),
        sa.Column("stripe_id", sa.String(), nullable=True),
        sa.Column("stripe_status", sa.String(), nullable=True),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("hosted_url", sa.LargeBinary(), nullable=True),
        sa.Column("pdf_url", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("overdue_at", INSTANT, nullable=True),
        sa.Column("reminded_days", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paid_at", INSTANT, nullable=True),
        sa.Column("paid_out_of_band", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("snapshot_at", INSTANT, nullable=True),
        sa.Column("dirty", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("projected_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint(STATUSES, name=op.f("ck_invoices_status")),
        sa.CheckConstraint(
            "reached IN ('accepted', 'drafted', 'lined', 'finalized', 'delivered')", name=op.f("ck_invoices_reached")
        ),
        sa.CheckConstraint(
            "total > 0 AND subtotal >= 0 AND tax_amount >= 0 AND subtotal + tax_amount = total",
            name=op.f("ck_invoices_total"),
        ),
        sa.CheckConstraint("amount_paid >= 0", name=op.f("ck_invoices_paid")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_invoices_client_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_invoices_customer_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_invoices_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_invoices_stripe_id")),
    )


def _create_indexes() -> None:
    op.create_index("ix_invoices_booking", "invoices", ["client_id", "booking_reference", "created_at", "id"])
    op.create_index("ix_invoices_customer", "invoices", ["customer_id", "created_at", "id"])
    op.create_index(op.f("ix_invoices_job_id"), "invoices", ["job_id"])
    op.create_index(op.f("ix_invoices_number"), "invoices", ["number"])
    op.create_index(op.f("ix_invoices_payment_id"), "invoices", ["payment_id"])
    op.create_index(
        "ix_invoices_asked_payment",
        "invoices",
        ["asked_payment_id"],
        unique=True,
        postgresql_where=sa.text("asked_payment_id IS NOT NULL AND NOT (status IN ('refused', 'void'))"),
    )
    op.create_index(
        "ix_invoices_owed",
        "invoices",
        ["due_at"],
        postgresql_where=sa.text("status IN ('open', 'sent', 'overdue')"),
    )
    op.create_index(
        "ix_invoices_on_the_way",
        "invoices",
        ["created_at"],
        postgresql_where=sa.text("status IN ('processing', 'checking')"),
    )
    op.create_index(
        "ix_invoices_unprojected", "invoices", ["id"], postgresql_where=sa.text("version > projected_version")
    )


def _check_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_flags_kind"), "flags")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", condition)


def downgrade() -> None:
    """Undo; fails while there are flags that only this version knows."""
    op.execute("DELETE FROM moves WHERE noun = 'invoice'")
    _check_kinds(KINDS_BEFORE)
    op.drop_index(op.f("ix_payments_invoice_id"), table_name="payments")
    op.drop_column("payments", "invoice_id")
    op.drop_table("invoice_numbers")
    op.drop_table("invoice_lines")
    op.drop_table("invoices")
