"""HTTP/1.1 as far as the simulator needs it: reading a request, writing a response (RFC 9112)."""

from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from io import BufferedIOBase
from typing import Final
from urllib.parse import unquote

MAX_LINE: Final = 65_536  # bytes of the request line, or of one header
MAX_HEADERS: Final = 100
MAX_BODY: Final = 1_048_576  # bytes; Stripe's own requests stay far below


class UnreadableRequestError(Exception):
    """What arrived is not an HTTP request that the simulator reads; the connection is closed after the answer."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to send more requests on the connection."""
        return self.headers.get("connection", "").lower() != "close"

    @property
    def encoded_params(self) -> str:
        """The form-encoded parameters: of the query for GET and DELETE, of the body otherwise."""
        return self.query if self.method in {"GET", "DELETE"} else self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Response:
    """One response, before the headers that every response carries."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def read_request(stream: BufferedIOBase) -> Request | None:
    """Read the next request of a connection; None when the client has closed it.

    Raises:
        UnreadableRequestError: it is not HTTP/1.x, too large, or its body has no stated length.
    """
    line = stream.readline(MAX_LINE)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004  # method, target, version
        raise UnreadableRequestError("the first line is not that of an HTTP/1.1 request")
    method, target, _ = parts
    headers = _read_headers(stream)
    path, _, query = target.partition("?")
    return Request(method, unquote(path), query, headers, _read_body(stream, headers))


def _read_headers(stream: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = stream.readline(MAX_LINE)
        if line in {b"\r\n", b"\n", b""}:
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raise UnreadableRequestError(f"there are more than {MAX_HEADERS} headers")


def _read_body(stream: BufferedIOBase, headers: dict[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise UnreadableRequestError("a body needs a Content-Length; chunked bodies are not read")
    stated = headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) > MAX_BODY:
        raise UnreadableRequestError(f"Content-Length is {stated[:20]!r}, and has to be a number up to {MAX_BODY}")
    body = stream.read(int(stated))
    if len(body) != int(stated):
        raise UnreadableRequestError("the connection ended in the middle of the body")
    return body


def encode(response: Response, *, keep_alive: bool, now: int) -> bytes:
    """Return a response as bytes, to be sent in one piece; it is dated by the simulated time, in seconds since 1970."""
    headers = {
        "Server": "stripe-simulator",
        "Date": formatdate(now, usegmt=True),
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Cache-Control": "no-cache, no-store",
        "Connection": "keep-alive" if keep_alive else "close",
        **response.headers,
    }
    lines = "".join(f"{name}: {_one_line(value)}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n{lines}\r\n"
    return head.encode("latin-1", "replace") + response.body


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
