"""Answers that must arrive as a whole within one time limit, however they trickle."""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any


class BoundedReader(io.RawIOBase):
    """Reads from a socket, all reads together within the time that the socket allows for one."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        limit = sock.gettimeout()
        self._deadline = None if limit is None else time.monotonic() + limit

    def readable(self) -> bool:
        """Say that it can be read from."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there; raises TimeoutError once the time is up."""
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer did not come in time")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Close the socket's end."""
        if not self.closed:
            self._raw.close()
        super().close()


class BoundedAnswer(HTTPResponse):
    """An answer whose head and body must arrive within one read timeout of the request."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(BoundedReader(self.fp.detach(), sock))
