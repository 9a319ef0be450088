"""Instants as clients read them."""

import datetime as dt


def rfc3339(instant: dt.datetime) -> str:
    """Return an instant in UTC with milliseconds (RFC 3339)."""
    return instant.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_from_ms(milliseconds: int) -> str:
    """Return an instant given in milliseconds since 1970, UTC."""
    return rfc3339(dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC))
