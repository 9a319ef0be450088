"""Presence: a process that works on jobs says now and then that it lives, so that a death can be told from a delay."""

from sqlalchemy import text
from sqlalchemy.orm import Session

PRESENCE_SECONDS = 2.0  # between two signs of life; a lease is several times as long
FORGET_DAYS = 7  # an operator may still want to see what ran last week

_SEEN = text("""
INSERT INTO processes (name, strays) VALUES (:name, :strays)
ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp(), strays = EXCLUDED.strays
""")
_FORGET = text("DELETE FROM processes WHERE seen_at < clock_timestamp() - make_interval(days => :days)")


def give_sign(session: Session, name: str, strays: int = 0) -> None:
    """Note that the process lives, and how many messages it met so far that were no hints."""
    session.execute(_SEEN, {"name": name, "strays": strays})


def forget_old(session: Session) -> None:
    """Forget processes that have not been seen for a week."""
    session.execute(_FORGET, {"days": FORGET_DAYS})
