from __future__ import annotations

import io

import pytest

from sandbox.simulator.wire import Response, UnreadableRequestError, encode, read_request


def read(data: bytes) -> object:
    return read_request(io.BytesIO(data))


def test_a_request_is_read_whole() -> None:
    request = read_request(
        io.BytesIO(b"POST /v1/a%20b?x=1 HTTP/1.1\r\nContent-Length: 3\r\nIdempotency-KEY: k \r\n\r\na=1GET")
    )
    assert request is not None
    assert (request.method, request.path, request.query, request.body) == ("POST", "/v1/a b", "x=1", b"a=1")
    assert request.headers["idempotency-key"] == "k"
    assert request.encoded_params == "a=1"
    assert request.keeps_alive


def test_a_closed_connection_holds_no_request() -> None:
    assert read(b"") is None


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_readable_request_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableRequestError):
        read(data)


def test_a_response_is_one_piece_and_no_value_breaks_its_headers() -> None:
    data = encode(Response(402, b"{}", {"Idempotency-Key": "a\r\nX: b"}), keep_alive=False, now=0)
    head, _, body = data.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.startswith(b"HTTP/1.1 402 Payment Required\r\n")
    assert b"Idempotency-Key: a  X: b" in head
    assert b"Content-Length: 2" in head
    assert b"Connection: close" in head
