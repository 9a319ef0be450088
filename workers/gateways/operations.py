"""The name of one business operation at Stripe, from which its idempotency key is derived.

The name is written to Stripe as `metadata.tollgate_operation`, so that an object can be found again when an answer was
lost, and an event finds its row. Beside it stands which Tollgate has asked, for one account may serve several.
"""

import re
from collections.abc import Mapping
from typing import Final

OPERATION_METADATA: Final = "tollgate_operation"
SYSTEM_METADATA: Final = "tollgate_system"
# Stripe takes metadata values of up to 500 and idempotency keys of up to 255 characters; an id has at most 40 here.
_NAME: Final = re.compile(r"([a-z]{2,8}_[0-9A-Za-z]{1,32})/([a-z][a-z_]{0,31})/([1-9][0-9]{0,5})")


def operation_name(subject_id: str, verb: str, generation: int) -> str:
    """Return the operation's name, such as `pay_…/create/1`.

    Args:
        subject_id: our id of what is made or changed.
        verb: what is done to it, in lower-case letters and underscores.
        generation: from 1; a new one is begun only when it is certain that the one before had no effect.

    Raises:
        ValueError: the parts do not make a name that can be read back.
    """
    name = f"{subject_id}/{verb}/{generation}"
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no operation: use an id, a verb in lower-case letters and a generation from 1")
    return name


def parse_operation(text: str) -> tuple[str, str, int] | None:
    """Return (subject id, verb, generation), or None if the text is not one of our operations."""
    found = _NAME.fullmatch(text)
    return (found[1], found[2], int(found[3])) if found else None


def same_but_for_generation(operation: str, other: object) -> bool:
    """Tell whether both name the same business operation, each perhaps under another generation of its key."""
    mine, theirs = parse_operation(operation), parse_operation(other) if isinstance(other, str) else None
    return mine is not None and theirs is not None and mine[:2] == theirs[:2]


def marked(metadata: Mapping[str, str], operation: str, system: str) -> dict[str, str]:
    """Return the metadata of an object that is to be made: by which operation, and of which Tollgate.

    Args:
        metadata: what else stands there; what is ours to say wins.
        operation: as `operation_name` returns it.
        system: as `tasks.contracts.identity.system_id` returns it.
    """
    return {**metadata, OPERATION_METADATA: operation, SYSTEM_METADATA: system}


def own_operation(metadata: Mapping[str, object], system: str) -> str | None:
    """Return the operation that has made an object, None if that was none of ours: another Tollgate's, or nobody's.

    What was made before objects said whose they are may be ours.
    """
    operation, of = metadata.get(OPERATION_METADATA), metadata.get(SYSTEM_METADATA)
    is_anothers = isinstance(of, str) and of != system
    return operation if isinstance(operation, str) and not is_anothers else None


def idempotency_key(operation: str) -> str:
    """Return the idempotency key under which Stripe is asked for an operation."""
    return f"tollgate/{operation}"
