"""Reading Redis's replies, which come as RESP2."""

from collections.abc import Mapping
from typing import Any


def fields_of(reply: Any) -> Mapping[bytes, bytes]:
    """Return the fields of a hash; none, if there is no such key. An error reply is raised."""
    if isinstance(reply, Exception):
        raise reply
    return dict(zip(reply[::2], reply[1::2], strict=True))
