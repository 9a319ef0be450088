"""Calls to websites that do anything: each ends in time, and only a 2xx counts as taken."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from config.errors import WebsiteAddressError, WebsiteError, WebsitePausedError
from config.retries import LANE_FAILURES, LONGEST_RETRY_AFTER
from config.website_settings import WebsiteSettings
from tests.unit.workers.gateways.certificates import self_signed
from tests.unit.workers.gateways.scripted import (
    ScriptedServer,
    answer,
    blackhole,
    closed_port,
    drip,
    drop,
    reset,
    scripted,
    silence,
    write,
)
from workers.gateways.standard_webhooks import new_secret, signed_headers
from workers.gateways.website import MOST_BODY, Recipient, WebsiteGateway

SECRET = new_secret()
NOW = 1_800_000_000.0
BODY = b'{"type":"payment.paid"}'
CONNECT, READ = 0.3, 0.4  # seconds
SLACK = 2.0  # for a loaded machine; what is tested would go on for 30 s or for ever
PATIENCE = 10.0
SITE = "hooks.example.com"


def gateway(**changes: Any) -> WebsiteGateway:
    seconds = (PATIENCE, PATIENCE) if "trusted" in changes else (CONNECT, READ)  # a handshake is work
    settings = WebsiteSettings(*seconds, on_loopback=changes.pop("on_loopback", True))
    return WebsiteGateway(settings, **{"width": 4, "clock": lambda: NOW, **changes})


def recipient(url: str) -> Recipient:
    return Recipient("end_1", url, [SECRET])


def send(url: str, sender: WebsiteGateway | None = None) -> None:
    (sender or gateway()).send(recipient(url), "job_1", BODY)


def failure(url: str, sender: WebsiteGateway | None = None) -> WebsiteError:
    with pytest.raises(WebsiteError) as caught:
        send(url, sender)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_taken(status: int) -> None:
    with scripted(answer(status, raw=b"")) as server:
        url = server.url
        send(f"{url}/hooks?a=b")
    [heard] = server.heard
    assert (heard.method, heard.path, heard.query, heard.raw) == ("POST", "/hooks", {"a": ["b"]}, BODY)
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == url.removeprefix("http://")
    assert heard.headers["user-agent"].startswith("Tollgate/")
    assert set(signed_headers("job_1", int(NOW), BODY, [SECRET]).items()) <= set(heard.headers.items())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    with scripted(answer(200)) as other, scripted(answer(status, Location=f"{other.url}/elsewhere")) as server:
        assert "no redirect" in str(failure(server.url))
    assert other.connections == 0
    assert len(server.heard) == 1


@pytest.mark.parametrize("status", [304, 400, 401, 404, 413, 429, 500, 502, 503])
def test_any_other_status_is_a_failure_that_is_tried_again(status: int) -> None:
    with scripted(answer(status)) as server:
        error = failure(server.url)
    assert f"answered {status}" in str(error)
    assert not error.gone
    assert error.retry_after is None


def test_410_says_that_the_endpoint_is_gone() -> None:
    with scripted(answer(410)) as server:
        assert failure(server.url).gone


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "7", 7.0),
        (503, "0", 0.0),
        (503, format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (503, format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0.0),
        (429, "-5", 0.0),
        (429, "999999999", LONGEST_RETRY_AFTER),
        (429, "nan", None),
        (429, "inf", None),
        (429, "soon", None),
        (500, "7", None),
    ],
)
def test_retry_after_is_honoured_where_it_means_something(status: int, asked: str, seconds: float | None) -> None:
    with scripted(answer(status, Retry_After=asked)) as server:
        assert failure(server.url).retry_after == seconds


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (silence, "did not answer in time"),
        (drip(b"HTTP/1.1 200 OK\r\nX: "), "did not answer in time"),
        (drip(b""), "did not answer in time"),
        (drop, "broke the connection off"),
        (reset, "broke the connection off"),
        (write(b"220 mail.example.com ESMTP\r\n"), "broke the connection off"),
        (write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), "broke the connection off"),
        (write(b"HTTP/1.1 200 " + b"x" * 100_000), "broke the connection off"),
    ],
    ids=["hang", "slow head", "slow from the first byte", "drop", "reset", "no HTTP", "many headers", "long line"],
)
def test_trouble_ends_within_the_time_of_one_call_and_in_words(act: Any, words: str) -> None:
    with scripted(act) as server:
        started = time.monotonic()
        assert words in str(failure(server.url))
        assert time.monotonic() - started < CONNECT + READ + SLACK


@pytest.mark.parametrize(
    "act",
    [
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * (8 * MOST_BODY)),
        write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense"),
        write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz"),
        write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"),
    ],
    ids=["slow body", "huge body", "broken chunks", "broken gzip", "cut off"],
)
def test_once_the_status_says_taken_nothing_in_the_body_changes_it(act: Any) -> None:
    with scripted(act) as server:
        started = time.monotonic()
        send(server.url)
        assert time.monotonic() - started < CONNECT + READ + SLACK


def test_a_website_that_takes_no_connection_is_given_up_in_time() -> None:
    assert "does not take the connection" in str(failure(f"http://127.0.0.1:{closed_port()}/"))
    with blackhole() as url:
        started = time.monotonic()
        assert "does not take the connection" in str(failure(url))
        assert time.monotonic() - started < CONNECT + SLACK


def test_a_name_that_is_not_resolved_in_time_is_given_up() -> None:
    over = threading.Event()

    def hanging(*_: Any) -> Sequence[str]:
        over.wait()
        return ["8.8.8.8"]

    def unknown(*_: Any) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    started = time.monotonic()
    try:
        assert "not resolved in time" in str(failure(f"https://{SITE}/", gateway(names=hanging)))
        assert time.monotonic() - started < CONNECT + SLACK
    finally:
        over.set()
    assert "can't be resolved" in str(failure(f"https://{SITE}/", gateway(names=unknown)))
    assert "not resolved in time" in str(failure(f"https://{SITE}/", gateway(names=lambda *_: [])))


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "169.254.169.254"], ["::1"], ["fe80::1%eth0"], ["::ffff:10.0.0.1"]],
)
def test_a_name_with_any_address_of_a_private_network_is_sent_nothing(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_connection(*_: Any, **__: Any) -> Any:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", no_connection)
    with pytest.raises(WebsiteAddressError):
        send(f"https://{SITE}/", gateway(on_loopback=False, names=lambda *_: addresses))


def test_the_loopback_of_a_sandbox_is_refused_elsewhere() -> None:
    with scripted(answer(200)) as server:
        with pytest.raises(WebsiteAddressError):
            send(server.url, gateway(on_loopback=False))
        assert server.connections == 0


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    shown: list[str | None] = []
    certificate = self_signed(tmp_path, SITE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.sni_callback = lambda _socket, name, _context: shown.append(name)

    def names(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]  # as one who rebinds the name would answer

    original = socket.getaddrinfo

    def no_names(host: Any, *rest: Any, **options: Any) -> Any:
        assert host == "127.0.0.1", "the name was asked for again"
        return original(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    with scripted(answer(200), tls=tls) as server:
        port = server.url.rpartition(":")[2]
        send(f"https://{SITE}:{port}/", gateway(names=names, trusted=str(certificate)))
    assert asked == [SITE]
    assert shown == [SITE]
    assert server.heard[0].headers["host"] == f"{SITE}:{port}"


def test_a_certificate_of_another_name_or_of_nobody_is_not_trusted(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "another.example.com")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with scripted(answer(200), tls=tls) as server:
        url = f"https://{SITE}:{server.url.rpartition(':')[2]}/"
        for trusted in (str(certificate), None):
            error = failure(url, gateway(names=lambda *_: ["127.0.0.1"], trusted=trusted))
            assert "certificate" in str(error)
    assert server.heard == []


def test_another_address_of_a_name_is_tried_when_one_takes_no_connection(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, SITE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with scripted(answer(200), tls=tls) as server:
        port = server.url.rpartition(":")[2]
        sender = gateway(names=lambda *_: ["127.0.0.2", "127.0.0.1"], trusted=str(certificate))
        send(f"https://{SITE}:{port}/", sender)
        assert len(server.heard) == 1


def test_what_may_have_been_sent_is_not_sent_to_another_address(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, SITE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with scripted(drop, answer(200), tls=tls) as server:
        port = server.url.rpartition(":")[2]
        failure(f"https://{SITE}:{port}/", gateway(names=lambda *_: ["127.0.0.1"] * 2, trusted=str(certificate)))
        assert len(server.heard) == 1


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(answer(500)) as proxy, scripted(answer(200)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        send(server.url)
        assert proxy.connections == 0


def test_no_connection_is_kept_and_none_is_leaked() -> None:
    def served(server: ScriptedServer) -> bool:
        return server.ended == server.connections

    with scripted(answer(200)) as server:
        sender = gateway()
        for _ in range(3):
            send(server.url, sender)
    assert server.connections == 3
    assert served(server)


def test_an_endpoint_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    with scripted(answer(500)) as server:
        sender = gateway()
        for _ in range(LANE_FAILURES):
            failure(server.url, sender)
        with pytest.raises(WebsitePausedError) as paused:
            send(server.url, sender)
        assert paused.value.retry_after
        assert len(server.heard) == LANE_FAILURES


def test_an_error_tells_the_host_and_no_more_of_the_url() -> None:
    for url in ("http://127.0.0.1:1/secret-path?token=secret", "https://10.0.0.1/secret-path"):
        assert "secret" not in str(failure(url))


def test_neither_keys_nor_body_are_in_what_is_printed_of_a_recipient() -> None:
    assert SECRET not in repr(recipient("https://shop.example.com/"))
