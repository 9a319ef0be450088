"""The fault proxy: each kind of fault does to real sockets what it says, and nothing of it stays."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sandbox.chaos.link_faults import KINDS, LinkFault
from sandbox.chaos.proxy import Link, Proxies
from sandbox.servers.ports import free_port
from tests.polling import wait_until

SHORT_S = 0.3  # to see that nothing comes
LONG_S = 10.0


class EchoServer:
    """Answers each line with itself, and remembers what it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(LONG_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    self.got.append(data)
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def server() -> Iterator[EchoServer]:
    running = EchoServer()
    yield running
    running.close()


@pytest.fixture
def link(server: EchoServer) -> Iterator[Link]:
    with Proxies() as proxies:
        yield proxies.link("echo", server.port)


@pytest.fixture
def client(link: Link) -> Iterator[socket.socket]:
    with connect(link) as connected:
        assert ask(connected, b"hello") == b"hello"
        yield connected


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), LONG_S)


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        more = connection.recv(65_536)
        if not more:
            break
        answer += more
    return answer


def nothing_comes(connection: socket.socket) -> bool:
    connection.settimeout(SHORT_S)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(LONG_S)
    return False


def is_cut(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def is_refused(link: Link) -> bool:
    try:
        with connect(link) as connection:
            return is_cut(connection)
    except ConnectionResetError:  # so early that connecting itself sees it
        return True


def test_without_a_fault_everything_passes_both_ways(client: socket.socket) -> None:
    data = bytes(range(256)) * 4000
    threading.Thread(target=client.sendall, args=(data,)).start()
    got = b""
    while len(got) < len(data):
        got += client.recv(65_536)
    assert got == data


def test_latency_delays_each_answer(link: Link, client: socket.socket) -> None:
    link.spoil(LinkFault("latency", seconds=0.2))
    asked = time.monotonic()
    assert ask(client, b"late") == b"late"
    assert time.monotonic() - asked >= 0.2
    assert link.hits == 1


def test_reset_cuts_what_is_open_and_what_is_opened(link: Link, client: socket.socket) -> None:
    link.spoil(LinkFault("reset"))
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert is_refused(link)
    assert link.hits == 2
    assert len(link.refusals) == 1


def test_a_blackhole_closes_nothing_and_gives_back_what_it_swallowed(
    link: Link, server: EchoServer, client: socket.socket
) -> None:
    link.spoil(LinkFault("blackhole"))
    client.sendall(b"held")
    assert nothing_comes(client)
    assert server.got == [b"hello"]
    link.mend()
    assert client.recv(10) == b"held"


def test_a_blackhole_lets_nobody_through_who_connects_meanwhile(link: Link, server: EchoServer) -> None:
    link.spoil(LinkFault("blackhole"))
    with connect(link) as fresh:
        fresh.sendall(b"fresh")
        assert nothing_comes(fresh)
        assert server.got == []
        link.mend()
        assert fresh.recv(10) == b"fresh"


def test_a_dropped_response_was_asked_for_and_never_comes(
    link: Link, server: EchoServer, client: socket.socket
) -> None:
    link.spoil(LinkFault("dropped_response"))
    client.sendall(b"done?")
    wait_until(lambda: b"done?" in server.got, "the request to pass")
    assert nothing_comes(client)
    link.mend()
    assert is_cut(client)
    with connect(link) as fresh:
        assert ask(fresh, b"again") == b"again"


def test_slow_answers_trickle(link: Link, client: socket.socket) -> None:
    link.spoil(LinkFault("slow", bytes_per_second=1000))
    asked = time.monotonic()
    assert ask(client, b"x" * 400) == b"x" * 400
    assert time.monotonic() - asked >= 0.3


def test_a_half_closed_connection_reads_its_end_while_what_it_sends_passes(
    link: Link, server: EchoServer, client: socket.socket
) -> None:
    link.spoil(LinkFault("half_close"))
    assert client.recv(1) == b""
    client.sendall(b"still passes")
    wait_until(lambda: b"still passes" in server.got, "what was sent to pass")
    with connect(link) as fresh:
        fresh.sendall(b"fresh")
        assert fresh.recv(10) == b""
    wait_until(lambda: b"fresh" in server.got, "the new request to pass")


def test_flapping_cuts_and_recovers_by_turns(link: Link, client: socket.socket) -> None:
    link.spoil(LinkFault("flapping", seconds=0.1))
    assert is_cut(client)

    def passes() -> bool:
        try:
            with connect(link) as fresh:
                return ask(fresh, b"up") == b"up"
        except ConnectionError:
            return False

    wait_until(passes, "the link to be up")
    wait_until(lambda: not passes(), "the link to be down again")


@pytest.mark.parametrize("kind", KINDS)
def test_after_every_fault_new_connections_pass(link: Link, client: socket.socket, kind: str) -> None:
    link.spoil(LinkFault(kind))  # type: ignore[arg-type]  # parametrize loses the literal
    link.mend()
    with connect(link) as fresh:
        assert ask(fresh, b"whole") == b"whole"


def test_a_server_that_is_away_reads_as_a_cut_connection() -> None:
    with Proxies() as proxies:
        link = proxies.link("nobody", free_port())
        assert is_refused(link)


def test_leaving_ends_every_connection_and_frees_the_port(server: EchoServer) -> None:
    with Proxies() as proxies:
        link = proxies.link("echo", server.port)
        connection = connect(link)
        assert ask(connection, b"x") == b"x"
    with connection:
        assert is_cut(connection)
    with pytest.raises(ConnectionRefusedError):
        connect(link)
