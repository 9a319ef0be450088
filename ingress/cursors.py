"""Cursors: where a list goes on. They are sealed for one client's one list: nobody can make, read or swap them."""

import base64
import binascii
import re
from dataclasses import dataclass

from config.errors import KeyringError, SealBrokenError
from config.keyring import Keyring
from config.sealing import place, seal, unseal
from ingress.problems import ProblemError
from tasks.contracts.lists import ListKey

LONGEST = 512  # characters; ours have some 150
_ID = "[a-z]{3}_[a-z2-7]{26}"
_POSITION = re.compile(f"({_ID})? ({_ID})")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a client has got to.

    Args:
        before: the list's, as in `ListKey`: the newest things are on one, older ones on others.
        after: the last thing that the client was shown, by its id.
    """

    before: str | None
    after: str


def write_cursor(ring: Keyring, key: ListKey, position: Position) -> str:
    """Return a cursor for a list of a client, whichever part of it `key` names."""
    sealed = seal(ring, f"{position.before or ''} {position.after}".encode(), _where(key))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(ring: Keyring, key: ListKey, cursor: str) -> Position:
    """Return what a cursor says.

    Raises:
        ProblemError: `cursor_invalid`: we did not make it for this client and this list.
    """
    try:
        if len(cursor) > LONGEST:
            raise _invalid()
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = _POSITION.fullmatch(unseal(ring, sealed, _where(key)).decode("ascii"))
    except (ValueError, binascii.Error, SealBrokenError, KeyringError):
        raise _invalid() from None
    if position is None:
        raise _invalid()
    return Position(position[1], position[2])


def _where(key: ListKey) -> bytes:
    return place("cursor", key.client_id, key.noun, key.value)


def _invalid() -> ProblemError:
    return ProblemError("cursor_invalid", "The cursor was not given out for this list: begin again without one.")
