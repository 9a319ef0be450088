"""One connection through a link: two directions, each of which the link's fault may spoil."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final, Protocol

from sandbox.chaos.link_faults import LinkFault

CHUNK: Final = 65_536  # bytes read at once
TRICKLE_SECONDS: Final = 0.05  # between two pieces of a slow answer
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends RST instead of FIN

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Spoilt(Protocol):
    """What a connection needs of its link."""

    fault: LinkFault | None
    hits: int
    flows: asyncio.Event


class Connection:
    """A client's connection and the one to the server. `muted` once an answer was kept back for good."""

    def __init__(self, link: Spoilt, client: Stream, server: Stream) -> None:
        self.muted = False
        self._link = link
        self._client_reader, self._client = client
        self._server_reader, self._server = server

    async def run(self) -> None:
        """Pass both directions on until both have ended or one was cut."""
        asked = asyncio.create_task(self._pass_requests())
        answered = asyncio.create_task(self._pass_answers())
        try:
            await asyncio.gather(asked, answered)
        except OSError:
            return  # cut by one side or by a fault; whoever calls aborts the other side too
        finally:
            for task in (asked, answered):
                task.cancel()
            await asyncio.gather(asked, answered, return_exceptions=True)

    def abort(self) -> None:
        """Reset both sides."""
        for writer in (self._client, self._server):
            reset(writer)

    def end_answers(self) -> None:
        """Show the client the end of the stream; what it sends still passes."""
        if not self.muted and not self._client.is_closing():
            self.muted = True
            self._link.hits += 1
            self._client.write_eof()

    async def _pass_requests(self) -> None:
        while chunk := await self._client_reader.read(CHUNK):
            await self._hold()
            self._server.write(chunk)
            await self._server.drain()
        await self._link.flows.wait()
        self._server.write_eof()

    async def _pass_answers(self) -> None:
        while chunk := await self._server_reader.read(CHUNK):
            await self._hold()
            await self._answer(chunk)
        await self._link.flows.wait()
        if not self.muted:
            self._client.write_eof()

    async def _hold(self) -> None:
        if not self._link.flows.is_set():
            self._link.hits += 1
            await self._link.flows.wait()

    async def _answer(self, chunk: bytes) -> None:
        fault = self._link.fault
        if fault is not None:
            if fault.kind == "dropped_response":
                self.muted = True
                self._link.hits += 1
            elif fault.kind == "half_close":
                self.end_answers()
        if self.muted:
            return
        if fault is not None and fault.kind == "latency":
            self._link.hits += 1
            await asyncio.sleep(fault.seconds)
        elif fault is not None and fault.kind == "slow":
            chunk = await self._trickle(chunk, fault)
        self._client.write(chunk)
        await self._client.drain()

    async def _trickle(self, chunk: bytes, fault: LinkFault) -> bytes:
        """Send piece by piece for as long as the fault lasts; return the rest."""
        self._link.hits += 1
        size = max(1, int(fault.bytes_per_second * TRICKLE_SECONDS))
        while len(chunk) > size and self._link.fault is fault:
            self._client.write(chunk[:size])
            await self._client.drain()
            chunk = chunk[size:]
            await asyncio.sleep(TRICKLE_SECONDS)
        return chunk


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection by RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
