"""Sending one webhook: an HTTP POST over a connection that is kept for the next one."""

import http.client
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 10.0  # an endpoint that takes longer has not acknowledged
SUCCESS: Final = range(200, 300)


class Courier:
    """Posts to endpoints, one at a time; each delivery thread has its own."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> str | None:
        """Post a body; return None if it was acknowledged with a 2xx, otherwise what went wrong."""
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        connection = self._connections.pop(place, None) or _connect(*place)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            connection.request("POST", target, body=body, headers=headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{type(error).__name__}: {error}"
        if response.will_close:
            connection.close()
        else:
            self._connections[place] = connection
        return None if response.status in SUCCESS else f"answered {response.status}"


def _connect(scheme: str, netloc: str) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(netloc, timeout=TIMEOUT_SECONDS)
