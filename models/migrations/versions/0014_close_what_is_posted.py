"""Let no line be added to a transaction of the ledger once it is committed.

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# A transaction of the ledger is whole when it is committed. Two more lines that balance each other would change what it
# says of an account, though it stays at zero.
CHECK_BALANCE = """
CREATE OR REPLACE FUNCTION check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    whose bigint := CASE TG_TABLE_NAME WHEN 'ledger_entries' THEN (to_jsonb(NEW) ->> 'transaction_id')::bigint
        ELSE NEW.id END;
    total numeric;
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_transactions WHERE id = whose AND made_in = txid_current()) THEN
        RAISE EXCEPTION 'ledger transaction % is closed', whose USING ERRCODE = 'check_violation';
    END IF;
    SELECT sum(amount) INTO total FROM ledger_entries WHERE transaction_id = whose;
    IF total IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'ledger transaction % adds up to %', whose, coalesce(total::text, 'nothing')
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
CHECK_BALANCE_BEFORE = """
CREATE OR REPLACE FUNCTION check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    whose bigint := CASE TG_TABLE_NAME WHEN 'ledger_entries' THEN (to_jsonb(NEW) ->> 'transaction_id')::bigint
        ELSE NEW.id END;
    total numeric;
BEGIN
    SELECT sum(amount) INTO total FROM ledger_entries WHERE transaction_id = whose;
    IF total IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'ledger transaction % adds up to %', whose, coalesce(total::text, 'nothing')
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Apply."""
    made_in = sa.Column("made_in", sa.BigInteger(), server_default=sa.text("txid_current()"), nullable=False)
    op.add_column("ledger_transactions", made_in)
    op.execute(CHECK_BALANCE)


def downgrade() -> None:
    """Undo."""
    op.execute(CHECK_BALANCE_BEFORE)
    op.drop_column("ledger_transactions", "made_in")
