"""Moves as the database knows them: what is not in this table can't be committed, whoever writes it.

A test holds the table equal to the `Moves` of the nouns; a change of those needs a migration.
"""

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Move(Base):
    """One state that may follow another."""

    __tablename__ = "moves"

    noun: Mapped[str] = mapped_column(primary_key=True)
    old: Mapped[str] = mapped_column(primary_key=True)
    new: Mapped[str] = mapped_column(primary_key=True)
