"""Alembic runs this file for every migration command."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from models.database import psycopg_url
from models.tables import METADATA

# Two migrations at once would trip over each other; the lock's number is arbitrary and ours.
_LOCK = 7_061_954


def run() -> None:
    """Run the migrations over one connection, in one transaction, alone."""
    engine = create_engine(psycopg_url(context.config.attributes["database_url"]), poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=METADATA, compare_type=True, compare_server_default=False
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            context.run_migrations()
    engine.dispose()


run()
