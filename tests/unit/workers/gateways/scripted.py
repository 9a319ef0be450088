"""A server on a real socket that does to each request what the test's script says."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

DATE = "Thu, 01 Jan 2026 12:00:00 GMT"
TICK = 0.02  # seconds between the bytes of a slow answer


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Mapping[str, list[str]]
    connection: int
    raw: bytes = b""


Act = Callable[[socket.socket, threading.Event], bool]
"""Do something to a connection; True if it can be used again."""


def answer(status: int, content: Any = None, *, raw: bytes | None = None, **headers: str) -> Act:
    """Answer with JSON, or with raw bytes."""
    body = json.dumps(content).encode() if raw is None else raw
    lines = {"Date": DATE, "Request-Id": "req_1", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} Said\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"

    def act(connection: socket.socket, _: threading.Event) -> bool:
        connection.sendall(head.encode() + body)
        return True

    return act


def drop(connection: socket.socket, _: threading.Event) -> bool:
    """Close without an answer."""
    return False


def reset(connection: socket.socket, _: threading.Event) -> bool:
    """Reset without an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def silence(_: socket.socket, over: threading.Event) -> bool:
    """Say nothing until the test is over."""
    over.wait(30)
    return False


def write(raw: bytes) -> Act:
    """Write some bytes and close."""

    def act(connection: socket.socket, _: threading.Event) -> bool:
        connection.sendall(raw)
        return False

    return act


def drip(start: bytes) -> Act:
    """Write some bytes, then one byte after another for ever: never silent, never done."""

    def act(connection: socket.socket, over: threading.Event) -> bool:
        connection.sendall(start)
        while not over.wait(TICK):
            connection.sendall(b"x")
        return False

    return act


@dataclass
class ScriptedServer:
    """Does the acts of its script in turn, one for each request; the last one again and again."""

    script: list[Act]
    tls: ssl.SSLContext | None = None
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    ended: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is closed already
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection, self.connections)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := _read(stream, number)) is not None:
                    with self._lock:
                        self.heard.append(request)
                        act = self.script[min(len(self.heard), len(self.script)) - 1]
                    if not act(connection, self._over):
                        return
        except OSError:
            return  # the client went away
        finally:
            connection.close()
            with self._lock:
                self.ended += 1


def _read(stream: Any, number: int) -> Heard | None:
    first = stream.readline().decode("latin-1").split()
    if not first or not first[-1].startswith("HTTP/"):
        return None  # the end, or no HTTP
    headers: dict[str, str] = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    raw = stream.read(int(headers.get("content-length", "0")))
    target = urlsplit(first[1])
    return Heard(first[0], target.path, parse_qs(target.query), headers, parse_qs(raw.decode()), number, raw)


@contextmanager
def scripted(*script: Act, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Run a scripted server for a block."""
    server = ScriptedServer(list(script), tls)
    try:
        yield server
    finally:
        server.stop()


def closed_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def blackhole() -> Iterator[str]:
    """Give the address of a port whose queue of connections is full, so that no more are answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        try:
            for _ in range(8):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(address)
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for each in waiting:
                each.close()
