"""Calls to clients' websites, which may be anywhere and do anything: one POST, one status, and no more is believed.

The name is resolved once, all its addresses are checked, and the connection is made to a checked one, with the name
for TLS and `Host`: between check and connection nobody can give the name another address. Redirects are failures, the
body is thrown away, and neither proxies nor anything else is taken from the environment.
"""

import contextlib
import ipaddress
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError

from config.errors import WebsiteAddressError, WebsiteError
from config.retries import LONGEST_RETRY_AFTER
from config.version import VERSION
from config.website_settings import WebsiteSettings
from tasks.contracts.steps import Step
from workers.gateways.bounded_answer import BoundedAnswer
from workers.gateways.standard_webhooks import signed_headers
from workers.gateways.website_address import Target, check_address, target_of
from workers.resilience.lanes import Lanes

MOST_BODY: Final = 16 * 1024  # bytes of an answer that are read, so that a polite server may finish; the rest is not
MOST_ADDRESSES: Final = 4  # tried, of one name: two of either family
SHORTEST: Final = 0.001  # seconds: a limit of none at all would be an error of ours
WORDS: Final = (
    (ConnectTimeoutError, "does not take the connection in time"),
    (NewConnectionError, "does not take the connection"),
    (ReadTimeoutError, "did not answer in time"),
    (TimeoutError, "did not answer in time"),
    (SSLError, "has no TLS that can be trusted: see its certificate"),
)
BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})  # with them comes Retry-After

Resolve = Callable[[str, int], Sequence[str]]


class _Plain(HTTPConnection):
    response_class = BoundedAnswer


class _Tls(HTTPSConnection):
    response_class = BoundedAnswer


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, in the order in which the system would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Recipient:
    """An endpoint as it is sent to.

    Args:
        keys: the secrets that sign, one or, while it is rotated, two.
    """

    id: str
    url: str
    keys: Sequence[str] = field(repr=False)


class WebsiteGateway:
    """Sends notifications, safe for threads.

    Args:
        settings: limits of time, and whether this machine's own websites will do.
        width: how many calls to one endpoint may be under way in this process.
        trusted: a file of certificates, by default Mozilla's.
        names: finds the addresses of a name.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        settings: WebsiteSettings,
        *,
        width: int,
        trusted: str | None = None,
        names: Resolve = resolve,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._names = names
        self._clock = clock
        self._lanes = Lanes(max(width, 1))
        self._trusted = trusted or certifi.where()
        self._loading = threading.Lock()
        self._context: ssl.SSLContext | None = None

    @property
    def longest_call(self) -> float:
        """How many seconds one call may take."""
        return self._settings.longest_call

    def send(self, endpoint: Recipient, message_id: str, body: bytes) -> None:
        """Send one notification, and return once the website has taken it.

        Raises:
            WebsitePausedError: nothing was sent, since the endpoint fails or is busy.
            WebsiteAddressError: nothing may be sent there, and nothing was.
            WebsiteError: the website did not take it, as far as is known.
        """
        with self._lanes.calling(endpoint.id):
            self._send(endpoint.url, message_id, body, endpoint.keys)

    def _send(self, url: str, message_id: str, body: bytes, keys: Sequence[str]) -> None:
        target = target_of(url, on_loopback=self._settings.on_loopback)
        addresses = self._addresses(target)
        headers = {
            "Host": target.authority,
            "Content-Type": "application/json",
            "User-Agent": f"Tollgate/{VERSION}",
            **signed_headers(message_id, int(self._clock()), body, keys),
        }
        try:
            with Step.SEND_NOTIFICATION:
                status, retry_after = self._post(target, addresses, body, headers)
        except (HTTPError, OSError) as error:
            raise WebsiteError(f"{target.host} {_in_words(error)}") from None
        _judge(target, status, retry_after)

    def _addresses(self, target: Target) -> Sequence[str]:
        """Resolve a name within the limit, and check all that it leads to: one bad address spoils them all."""
        found: list[str] = []
        failed: list[Exception] = []

        def look_up() -> None:
            try:
                found.extend(self._names(target.host, target.port))
            except (OSError, UnicodeError) as error:
                failed.append(error)

        # The system's resolver has limits of its own, beyond ours; the thread ends with it.
        thread = threading.Thread(target=look_up, name="resolve", daemon=True)
        thread.start()
        thread.join(self._settings.connect_timeout)
        addresses = list(found)
        if not addresses:
            words = "its name can't be resolved" if failed else "its name was not resolved in time"
            raise WebsiteError(f"{target.host}: {words}")
        for address in addresses:
            _check(target, address, on_loopback=self._settings.on_loopback)
        return addresses[:MOST_ADDRESSES]

    def _post(
        self, target: Target, addresses: Sequence[str], body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, float | None]:
        """Post to the first address that takes a connection; return the status, and what Retry-After asks for."""
        ends = time.monotonic() + self._settings.connect_timeout + self._settings.read_timeout
        *others, last = addresses
        for address in others:
            # Nothing was sent to one that takes no connection; another may take it.
            with contextlib.suppress(NewConnectionError, ConnectTimeoutError):
                return self._post_to(target, address, body, headers, ends - time.monotonic())
        return self._post_to(target, last, body, headers, ends - time.monotonic())

    def _post_to(
        self, target: Target, address: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> tuple[int, float | None]:
        settings, seconds = self._settings, max(seconds, SHORTEST)
        limits = Timeout(total=seconds, connect=min(settings.connect_timeout, seconds), read=settings.read_timeout)
        with contextlib.closing(self._pool(target, address)) as pool:
            answer = pool.urlopen(
                "POST",
                target.path,
                body=body,
                headers=headers,
                timeout=limits,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                return answer.status, self._retry_after(answer)
            finally:
                _throw_away(answer)

    def _pool(self, target: Target, address: str) -> HTTPConnectionPool:
        if not target.tls:
            plain = HTTPConnectionPool(address, target.port, maxsize=1)
            plain.ConnectionCls = _Plain
            return plain
        pool = HTTPSConnectionPool(
            address, target.port, maxsize=1, ssl_context=self._tls(), server_hostname=target.host
        )
        pool.ConnectionCls = _Tls
        return pool

    def _tls(self) -> ssl.SSLContext:
        """Return the one context of all connections, made when it is needed: loading certificates takes time."""
        with self._loading:
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._trusted)
            return self._context

    def _retry_after(self, answer: BaseHTTPResponse) -> float | None:
        """Read Retry-After (RFC 9110, section 10.2.3): seconds or a date; what can't be read asks for nothing."""
        asked = answer.headers.get("retry-after") if answer.status in BUSY else None
        if asked is None:
            return None
        try:
            seconds = float(asked)
        except ValueError:
            try:
                when = parsedate_to_datetime(asked)
            except ValueError:
                return None
            seconds = when.replace(tzinfo=when.tzinfo or UTC).timestamp() - self._clock()
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def _judge(target: Target, status: int, retry_after: float | None) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status < HTTPStatus.BAD_REQUEST:
        words = f"answered {status}, which leads elsewhere: notifications follow no redirect, give the last address"
        raise WebsiteError(f"{target.host} {words}")
    gone = status == HTTPStatus.GONE
    raise WebsiteError(f"{target.host} answered {status}", gone=gone, retry_after=retry_after)


def _check(target: Target, text: str, *, on_loopback: bool) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise WebsiteAddressError(f"{target.host} leads to no address of the open internet") from None
    check_address(address, on_loopback=on_loopback)


def _throw_away(answer: Any) -> None:
    """Read a little of a body and close: what it says is nobody's business here, nor whether it ends well."""
    with contextlib.suppress(HTTPError, OSError):
        answer.read(MOST_BODY)
    answer.close()


def _in_words(error: Exception) -> str:
    return next((words for kind, words in WORDS if isinstance(error, kind)), "broke the connection off")
