"""How requests travel to Stripe: kept-alive connections, two time limits, and knowledge of whether anything was sent.

stripe-python's own clients cannot tell a refused connection from a lost answer by type, take proxies and credentials
from the environment and `.netrc`, follow redirects, close only the calling thread's connection, and let an answer that
comes one byte at a time take for ever. This one does none of it.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import stripe
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from workers.gateways.bounded_answer import BoundedAnswer

KEPT_CONNECTIONS: Final = 128  # above the threads of one process, so that none is ever thrown away
FIRST_ERROR_STATUS: Final = 300  # redirects count: Stripe has none, and following one would resend a POST as a GET
_progress = threading.local()


class NoAnswerError(stripe.APIConnectionError):
    """No answer of Stripe's came back.

    Args:
        reason: the kind of trouble; never the address, whose query may hold an e-mail address.
        status: the HTTP status, if something answered that was not Stripe.
        headers: what came with that status.
    """

    def __init__(self, reason: str, status: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason, http_status=status, headers=dict(headers or {}))  # type: ignore[no-untyped-call]  # stripe-python leaves its errors untyped
        self.reason = reason


class NotSentError(NoAnswerError):
    """Nothing of the request left this machine: it cannot have had an effect."""


class AnswerLostError(NoAnswerError):
    """The request was sent, at least in part: it may have had its effect."""


class TooLateError(OSError):
    """The connection was there only when the call's time was over: its asker's lease may have run out by then."""


def _begin_to_send() -> None:
    if _progress.monotonic() >= _progress.until:
        raise TooLateError
    _progress.sending = True


class _PlainConnection(HTTPConnection):
    response_class = BoundedAnswer

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _begin_to_send()
        super().send(data)


class _TlsConnection(HTTPSConnection):
    response_class = BoundedAnswer

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _begin_to_send()
        super().send(data)


class Transport(stripe.HTTPClient):
    """An HTTP client for stripe-python, safe for threads.

    A whole call takes at most `connect_timeout + read_timeout` seconds. The system's resolver, and further addresses of
    a name that has several, may take longer: then nothing is sent any more. It raises `NotSentError` or
    `AnswerLostError`, nothing else; an answer that is not Stripe's JSON counts as lost and carries its status.
    """

    name = "urllib3"

    def __init__(
        self,
        base: str,
        *,
        connect_timeout: float,
        read_timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._longest = connect_timeout + read_timeout
        self._timeout = Timeout(total=self._longest, connect=connect_timeout, read=read_timeout)
        self._pool = _pool(base)

    def request(  # type: ignore[override]  # the base class says str where stripe-python takes the body's bytes
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request and return (body, status, headers).

        Raises:
            NotSentError: nothing was sent.
            AnswerLostError: something was sent, but no readable answer came back.
        """
        parts = urlsplit(url)
        _progress.sending, _progress.monotonic = False, self._monotonic
        _progress.until = self._monotonic() + self._longest
        try:
            answer = self._pool.urlopen(
                method.upper(),
                f"{parts.path}?{parts.query}" if parts.query else parts.path,
                body=post_data,
                headers=headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            kind = AnswerLostError if _progress.sending else NotSentError
            lost: NoAnswerError = kind(type(error).__name__)
        else:
            if _is_stripes(answer.status, answer.data):
                # stripe-python turns this header into a Python warning, which a strict process makes an exception.
                answer.headers.discard("Stripe-Notice")
                return answer.data, answer.status, answer.headers
            lost = AnswerLostError("the answer is not Stripe's", answer.status, answer.headers)
        raise lost

    def close(self) -> None:
        """Close all idle connections; those in use close when their call ends."""
        self._pool.close()


def _pool(base: str) -> HTTPConnectionPool:
    address = urlsplit(base)
    if not address.hostname:
        raise ValueError(f"{base!r} is no address of an API")
    if address.scheme == "http":
        plain = HTTPConnectionPool(address.hostname, address.port, maxsize=KEPT_CONNECTIONS)
        plain.ConnectionCls = _PlainConnection
        return plain
    # One context for all connections: loading the certificates takes longer than a handshake.
    context = ssl.create_default_context(cafile=stripe.ca_bundle_path)
    pool = HTTPSConnectionPool(address.hostname, address.port, maxsize=KEPT_CONNECTIONS, ssl_context=context)
    pool.ConnectionCls = _TlsConnection
    return pool


def _is_stripes(status: int, body: bytes) -> bool:
    """Return whether a body is JSON as Stripe writes it: an object, and for an error one with an `error` object."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    return status < FIRST_ERROR_STATUS or isinstance(content.get("error"), dict)
