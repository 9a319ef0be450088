"""The HTTP server: a thread per connection, and connections that can be dropped, reset or left hanging."""

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, Final, cast

from sandbox.simulator import authentications, control, exchange, hosted_invoices, invoice_states, shopper_access
from sandbox.simulator.clock import Clock
from sandbox.simulator.control import Control
from sandbox.simulator.deliveries import Deliveries
from sandbox.simulator.engine import Engine, dumps
from sandbox.simulator.errors import ApiError
from sandbox.simulator.exchange import Ending, Reply
from sandbox.simulator.identifiers import Identifiers
from sandbox.simulator.ledger import Ledger, LedgerError
from sandbox.simulator.params import decode
from sandbox.simulator.wire import Request, Response, UnreadableRequestError, encode, read_request

IDLE_SECONDS: Final = 300.0  # a client's connection may rest that long
BACKLOG: Final = 512  # connections that may wait to be accepted, for bursts of a load test
MILLISECONDS: Final = 1000
# SO_LINGER on, zero seconds: closing sends RST instead of FIN.
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

Log = Callable[[str], None]


class SimulatorServer(ThreadingTCPServer):
    """The listening simulator.

    Raises:
        LedgerError: the ledger is damaged or in use.
        OSError: the address can't be bound.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, ledger: Path | None, log: Log) -> None:
        self.log = log
        self.failure: Exception | None = None
        clock = Clock(time.time)
        identifiers = Identifiers(Random())  # noqa: S311  # ids have to be distinct, not secret
        self.engine = Engine(Ledger(ledger), clock, identifiers)
        self.restored = self.engine.restore()
        self.deliveries = Deliveries(self.engine)
        self.control = Control(self.engine, self.deliveries)
        super().__init__((host, port), Connection)
        self.engine.base_url = f"http://{host}:{self.server_address[1]}"

    def give_up(self, failure: Exception) -> None:
        """Stop serving because the ledger can no longer be trusted."""
        self.failure = failure
        self.stop_soon()

    def stop_soon(self) -> None:
        """Stop serving from any thread, the serving one included."""
        Thread(target=self.shutdown, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note that a client went away; anything else is a fault of ours, and is shown whole even when quiet."""
        if isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            self.log(f"connection of {client_address} ended by {sys.exception()!r}")
        else:
            super().handle_error(request, client_address)


class Connection(StreamRequestHandler):
    """One client's connection, request after request."""

    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def handle(self) -> None:
        """Answer requests until the client or a fault ends the connection."""
        goes_on = True
        while goes_on:
            try:
                request = read_request(self.rfile)
            except UnreadableRequestError as problem:
                self._send(Response(400, dumps({"error": str(problem)}).encode()), keep_alive=False)
                return
            except (TimeoutError, ConnectionError):
                return
            if request is None:
                return
            goes_on = self._serve(request)

    def _serve(self, request: Request) -> bool:
        server = cast("SimulatorServer", self.server)
        started = time.perf_counter()
        try:
            reply = _reply(server, request)
        except (LedgerError, OSError) as failure:
            server.give_up(failure)
            return False
        goes_on = self._finish(request, reply)
        took = (time.perf_counter() - started) * MILLISECONDS
        result = reply.response.status if reply.response is not None else f"({reply.ending.name.lower()})"
        server.log(f"{request.method} {request.path} {result} {took:.1f} ms {reply.request_id}".rstrip())
        return goes_on

    def _finish(self, request: Request, reply: Reply) -> bool:
        if reply.ending is Ending.ANSWER and reply.response is not None:
            self._send(reply.response, keep_alive=request.keeps_alive)
            return request.keeps_alive
        time.sleep(reply.silence_seconds)
        if reply.ending is Ending.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.rfile.close()
            self.connection.close()
        return False

    def _send(self, response: Response, *, keep_alive: bool) -> None:
        now = cast("SimulatorServer", self.server).engine.clock.now()
        # A client that has gone away misses nothing that a later look would not tell it.
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.wfile.write(encode(response, keep_alive=keep_alive, now=now))


def _reply(server: SimulatorServer, request: Request) -> Reply:
    if request.path.startswith(control.PREFIX):
        return Reply(control.answer(server.control, request))
    if request.path.startswith(authentications.PATH):
        return _authenticate(server, request)
    if request.path.startswith(invoice_states.PAGES):
        return _show_invoice(server, request)
    reply = exchange.answer(server.engine, request)
    server.deliveries.add(reply.change)
    return reply


def _authenticate(server: SimulatorServer, request: Request) -> Reply:
    """Show the 3-D Secure page, or take the shopper's answer to it."""
    engine = server.engine
    step = request.path.removeprefix(authentications.PATH)
    change = engine.change(engine.identifiers.request())
    try:
        with engine.lock:
            if request.method == "GET":
                return _html(shopper_access.page(change, step))
            outcome = decode(request.encoded_params).get("outcome", "")
            intent, return_url = shopper_access.finish(change, step, str(outcome))
            position = engine.commit(change)
    except ApiError as error:
        return Reply(Response(error.status, dumps(error.body(change.request_id or "")).encode()))
    engine.ledger.wait(position)
    server.deliveries.add(change)
    body = dumps({"id": intent["id"], "status": intent["status"]}).encode()
    if return_url is None:
        return Reply(Response(200, body))
    joint = "&" if "?" in return_url else "?"
    return Reply(Response(303, body, {"Location": f"{return_url}{joint}payment_intent={intent['id']}"}))


def _show_invoice(server: SimulatorServer, request: Request) -> Reply:
    """Show the hosted page or the PDF of an invoice, or take its customer's card."""
    engine = server.engine
    change = engine.change(engine.identifiers.request())
    try:
        with engine.lock:
            invoice, wanted = hosted_invoices.opened(change, request.path)
            if wanted == "pdf":
                document = hosted_invoices.document(change, invoice)
                return Reply(Response(200, document, content_type="application/pdf"))
            if request.method == "GET":
                return _html(hosted_invoices.page(change, invoice))
            number = decode(request.encoded_params).get("number", "")
            paid = hosted_invoices.pay(change, invoice, str(number))
            position = engine.commit(change)
    except ApiError as error:
        return Reply(Response(error.status, dumps(error.body(change.request_id or "")).encode()))
    engine.ledger.wait(position)
    server.deliveries.add(change)
    headers = {"Location": paid["authentication_url"]} if paid["authentication_url"] else {}
    return Reply(Response(303 if headers else 402 if paid["code"] else 200, dumps(paid).encode(), headers))


def _html(page: str) -> Reply:
    return Reply(Response(200, page.encode(), content_type="text/html; charset=utf-8"))
