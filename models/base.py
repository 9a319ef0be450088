"""The declarative base and the few column types that every table shares."""

import datetime as dt
from typing import Annotated

from sqlalchemy import MetaData, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Constraints have names that can be computed, so that a migration can find what it must change.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Instant = Annotated[dt.datetime, mapped_column(TIMESTAMP(timezone=True))]
Recorded = Annotated[dt.datetime, mapped_column(TIMESTAMP(timezone=True), server_default=text("clock_timestamp()"))]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)


def one_of(column: str, values: tuple[str, ...]) -> str:
    """Return the condition that a column holds one of the values, for a CHECK constraint."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
