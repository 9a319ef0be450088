"""Strays: messages in our queues that are no hints. They are counted, never run, and never stop a worker."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from celery.signals import task_rejected, task_unknown

from config.broker import STRAYS

LOG = logging.getLogger("tollgate.strays")
MOST_IDS = 1000  # far more than any batch of ours


def job_ids_in(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[str] | None:
    """Return the job ids that a message carries as its one argument, or None if it is no hint; then it is counted."""
    ids = arguments[0] if len(arguments) == 1 and not keywords else None
    if isinstance(ids, list) and 0 < len(ids) <= MOST_IDS and all(map(_may_be_an_id, ids)):
        return ids
    _note("its arguments are no job ids")
    return None


def _may_be_an_id(thing: object) -> bool:
    # PostgreSQL takes no NUL, and no half of a surrogate pair can be sent to it.
    return isinstance(thing, str) and thing.isascii() and thing.isprintable()


# Weak references would let go of these at once.
@task_unknown.connect(weak=False)
def _unknown_task(**_: Any) -> None:
    _note("it names no kind of job")


@task_rejected.connect(weak=False)
def _no_task_message(**_: Any) -> None:
    _note("it is no message of Celery's")


def _note(why: str) -> None:
    STRAYS.add()
    LOG.error("a message in a queue was no hint and was dropped: %s", why)
