from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.unit.workers.gateways.certificates import self_signed
from tests.unit.workers.gateways.scripted import (
    Act,
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
from workers.gateways.bounded_answer import BoundedReader
from workers.gateways.transport import AnswerLostError, NoAnswerError, NotSentError, Transport

CONNECT = 0.3
READ = 0.4
MARGIN = 0.5  # seconds a busy machine may add to a time limit
OK = answer(200, {"fine": True})


@contextmanager
def transport(base: str) -> Iterator[Transport]:
    made = Transport(base, connect_timeout=CONNECT, read_timeout=READ)
    try:
        yield made
    finally:
        made.close()


def post(client: Transport, base: str) -> tuple[bytes, int]:
    body, status, _ = client.request("post", f"{base}/v1/things?a=1", {"X-One": "1"}, "b=2")
    return body, status


def failing(base: str) -> tuple[NoAnswerError, float]:
    """Return how a request fails and after how many seconds."""
    with transport(base) as client:
        started = time.monotonic()
        with pytest.raises(NoAnswerError) as failure:
            post(client, base)
        return failure.value, time.monotonic() - started


def test_a_request_arrives_as_it_was_given() -> None:
    with scripted(OK) as server, transport(server.url) as client:
        assert post(client, server.url) == (b'{"fine": true}', 200)
        (heard,) = server.heard
        assert (heard.method, heard.path, heard.query, heard.body) == ("POST", "/v1/things", {"a": ["1"]}, {"b": ["2"]})
        assert heard.headers["x-one"] == "1"


def test_a_refused_connection_sent_nothing() -> None:
    error, _ = failing(f"http://127.0.0.1:{closed_port()}")
    assert isinstance(error, NotSentError)


def test_a_name_that_does_not_resolve_sent_nothing() -> None:
    error, _ = failing("http://stripe.invalid")
    assert isinstance(error, NotSentError)


def test_a_connection_that_is_not_taken_ends_at_the_connect_timeout_and_sent_nothing() -> None:
    with blackhole() as base:
        error, seconds = failing(base)
    assert isinstance(error, NotSentError)
    assert error.reason == "ConnectTimeoutError"
    assert seconds < CONNECT + MARGIN


def test_what_could_not_be_sent_within_the_time_of_one_call_is_not_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver has limits of its own, and by then the job may be another worker's."""
    look_up, now = socket.getaddrinfo, [0.0]

    def slowly(*what: Any, **how: Any) -> Any:
        now[0] += CONNECT + READ
        return look_up(*what, **how)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with scripted(OK) as server:
        late = Transport(server.url, connect_timeout=CONNECT, read_timeout=READ, monotonic=lambda: now[0])
        with pytest.raises(NotSentError):
            post(late, server.url)
        late.close()
        assert server.heard == []


def test_an_address_that_speaks_no_tls_sent_nothing() -> None:
    with scripted(OK) as server:
        error, _ = failing(server.url.replace("http:", "https:"))
        assert isinstance(error, NotSentError)
        assert server.heard == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_tls_works_with_a_trusted_certificate_and_keeps_its_connection(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe, "ca_bundle_path", str(certificate))
    with scripted(OK, OK, drip(HEAD + b"\r\n"), tls=tls) as server, transport(server.url) as client:
        for _ in range(2):
            assert post(client, server.url) == (b'{"fine": true}', 200)
        assert server.connections == 1
        started = time.monotonic()
        with pytest.raises(AnswerLostError):
            post(client, server.url)
        assert time.monotonic() - started < READ + MARGIN


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(tls: ssl.SSLContext) -> None:
    with scripted(OK, tls=tls) as server:
        error, _ = failing(server.url)
        assert isinstance(error, NotSentError)
        assert error.reason == "SSLError"
        assert server.heard == []


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"


@pytest.mark.parametrize(
    "act",
    [
        silence,
        drip(b""),
        drip(HEAD),
        drip(HEAD + b"\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n"),
    ],
    ids=["silence", "slow from the start", "slow head", "slow body", "slow body without end", "slow chunk"],
)
def test_an_answer_that_does_not_come_in_time_is_lost_within_the_time_of_one_call(act: Act) -> None:
    with scripted(act) as server:
        error, seconds = failing(server.url)
    assert isinstance(error, AnswerLostError)
    assert error.http_status is None
    assert READ - 0.05 <= seconds < READ + MARGIN


def test_silence_after_a_late_beginning_does_not_begin_the_time_anew() -> None:
    read = 1.0

    def late(connection: socket.socket, over: threading.Event) -> bool:
        over.wait(0.9 * read)
        connection.sendall(HEAD)
        return silence(connection, over)

    with scripted(late) as server:
        client = Transport(server.url, connect_timeout=CONNECT, read_timeout=read)
        started = time.monotonic()
        with pytest.raises(AnswerLostError):
            post(client, server.url)
        client.close()
    assert time.monotonic() - started < read + MARGIN


def test_what_arrives_after_the_time_is_over_is_not_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        reader = BoundedReader(ours.makefile("rb", buffering=0), ours)
        theirs.sendall(b"late")
        threading.Event().wait(0.05)
        with pytest.raises(TimeoutError, match="did not come in time"):
            reader.read(4)
        reader.close()


@pytest.mark.parametrize(
    "act",
    [drop, reset, write(b"\x16\x03garbage\r\n\r\n"), write(HEAD + b"\r\n{"), write(b"HTTP/1.1 200 OK\r\n")],
    ids=["dropped", "reset", "not HTTP", "cut short", "cut in the head"],
)
def test_an_answer_that_breaks_off_is_lost(act: Act) -> None:
    with scripted(act) as server:
        error, _ = failing(server.url)
        assert len(server.heard) == 1
    assert isinstance(error, AnswerLostError)


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"null"),
        (200, b"\xff\xfe"),
        (200, b'{"cut": '),
        (200, b"[" * 100_000),
        (302, b"{}"),
        (400, b'{"error": "text"}'),
        (400, b'{"error": null}'),
        (502, b"<html>Bad gateway</html>"),
    ],
)
def test_an_answer_that_is_not_stripes_json_is_lost_but_keeps_its_status(status: int, raw: bytes) -> None:
    with scripted(answer(status, raw=raw, Stripe_Should_Retry="true")) as server:
        error, _ = failing(server.url)
    assert isinstance(error, AnswerLostError)
    assert error.http_status == status
    assert error.headers == error.headers | {"Stripe-Should-Retry": "true", "Request-Id": "req_1"}


def test_a_redirect_is_not_followed() -> None:
    with scripted(OK) as elsewhere, scripted(answer(302, {}, Location=elsewhere.url)) as server:
        failing(server.url)
        assert elsewhere.heard == []


def test_neither_proxies_nor_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with scripted(OK) as server, transport(server.url) as client:
        assert post(client, server.url)[1] == 200


def test_connections_are_kept_and_used_again() -> None:
    with scripted(OK) as server, transport(server.url) as client:
        for _ in range(5):
            post(client, server.url)
        assert server.connections == 1


def test_threads_do_not_wait_for_one_another() -> None:
    together = threading.Barrier(8)

    def meet(connection: object, over: threading.Event) -> bool:
        together.wait(10)
        return False

    with scripted(meet) as server, transport(server.url) as client:

        def ask() -> None:
            with pytest.raises(AnswerLostError):
                post(client, server.url)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert not together.broken
        assert len(server.heard) == 8


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    with scripted(OK, drop, OK) as server, transport(server.url) as client:
        post(client, server.url)
        with pytest.raises(AnswerLostError):
            post(client, server.url)
        assert post(client, server.url)[1] == 200
        assert server.connections == 2


def test_a_closed_transport_has_closed_its_connections_and_sends_nothing() -> None:
    with scripted(OK) as server, transport(server.url) as client:
        post(client, server.url)
        client.close()
        deadline = time.monotonic() + 5
        while server.ended < 1:
            assert time.monotonic() < deadline, "the kept connection stayed open"
            threading.Event().wait(0.01)
        with pytest.raises(NotSentError):
            post(client, server.url)
        assert len(server.heard) == 1


def test_the_reason_does_not_name_the_address() -> None:
    with scripted(drop) as server, transport(server.url) as client, pytest.raises(NoAnswerError) as failure:
        client.request("get", f"{server.url}/v1/customers?email=jane%40example.com", {})
    assert "jane" not in repr(failure.value)
    assert "jane" not in str(failure.value)
    assert failure.value.__context__ is None


def test_a_notice_of_stripes_does_not_become_a_warning_that_breaks_the_call() -> None:
    with scripted(answer(200, {}, Stripe_Notice="hello")) as server, transport(server.url) as client:
        _, _, headers = client.request("get", f"{server.url}/v1/things", {})
        assert "stripe-notice" not in headers


def test_a_base_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        Transport("nonsense", connect_timeout=1, read_timeout=1)
