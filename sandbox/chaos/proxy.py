"""A TCP proxy that spoils what passes: one link from a port of ours to a server's, steered from other threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final, Self, TypeVar

from sandbox.chaos.connection import Connection, reset
from sandbox.chaos.link_faults import LinkFault
from sandbox.servers.ports import HOST, free_port

BACKLOG: Final = 512  # a whole pool may connect at once
BIND_TRIES: Final = 5  # a lost race for a port is rare, five in a row are no accident
CONTROL_SECONDS: Final = 10.0  # a loop that has not answered by then is stuck

T = TypeVar("T")


class Link:
    """One proxied connection between processes and a server.

    `hits` counts what the current fault has spoilt so far: connections or pieces of data. `refusals` are the moments
    (monotonic seconds) at which a new connection was reset.
    """

    def __init__(self, name: str, target_port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.target_port = target_port
        self.port = 0
        self.fault: LinkFault | None = None
        self.hits = 0
        self.refusals: list[float] = []
        self.flows = asyncio.Event()
        self.flows.set()
        self._down = False
        self._loop = loop
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flapping: asyncio.Task[None] | None = None

    def spoil(self, fault: LinkFault) -> None:
        """Set a fault, instead of the one before; from any thread."""
        _ask(self._loop, self._spoil(fault))

    def mend(self) -> None:
        """Let everything pass again; from any thread."""
        _ask(self._loop, self._mend())

    async def open(self) -> None:
        """Listen on a free port. Raises OSError."""
        for attempt in range(1, BIND_TRIES + 1):
            self.port = free_port()
            try:
                self._server = await asyncio.start_server(self._serve, HOST, self.port, backlog=BACKLOG)
            except OSError:
                if attempt == BIND_TRIES:
                    raise
            else:
                return

    async def close(self) -> None:
        """Stop listening and end every connection."""
        await self._mend()
        if self._server is not None:
            self._server.close()
        self._abort_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _spoil(self, fault: LinkFault) -> None:
        await self._mend()
        self.hits = 0
        self.refusals = []
        self.fault = fault
        if fault.kind == "blackhole":
            self.flows.clear()
        elif fault.kind == "reset":
            self._go_down()
        elif fault.kind == "half_close":
            for connection in self._connections:
                connection.end_answers()
        elif fault.kind == "flapping":
            self._flapping = asyncio.create_task(self._flap(fault.seconds))

    async def _mend(self) -> None:
        self.fault = None
        self._down = False
        if self._flapping is not None:
            self._flapping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flapping
            self._flapping = None
        self.flows.set()
        for connection in [each for each in self._connections if each.muted]:
            connection.abort()

    async def _flap(self, seconds: float) -> None:
        while True:
            self._go_down()
            await asyncio.sleep(seconds)
            self._down = False
            await asyncio.sleep(seconds)

    def _go_down(self) -> None:
        self._down = True
        self.hits += len(self._connections)
        self._abort_all()

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows the type: asyncio calls this in a task
        self._tasks.add(task)
        try:
            await self._lead_through(reader, writer)
        except asyncio.CancelledError:
            reset(writer)  # the link closes; asyncio would log a cancellation that left this callback
        finally:
            self._tasks.discard(task)

    async def _lead_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            self.hits += 1
            self.refusals.append(time.monotonic())
            reset(writer)
            return
        if not self.flows.is_set():
            self.hits += 1
            await self.flows.wait()
        try:
            server_reader, server_writer = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            reset(writer)  # nobody listens there: the nearest thing to a refused connection
            return
        connection = Connection(self, (reader, writer), (server_reader, server_writer))
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            connection.abort()


class Proxies:
    """The thread that all links run in, for the length of a `with` block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._links: list[Link] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for link in self._links:
                _ask(self._loop, link.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def link(self, name: str, target_port: int) -> Link:
        """Open a link to a port of 127.0.0.1, which need not listen yet. Raises OSError."""
        link = Link(name, target_port, self._loop)
        _ask(self._loop, link.open())
        self._links.append(link)
        return link


def _ask(loop: asyncio.AbstractEventLoop, what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(what, loop).result(CONTROL_SECONDS)
