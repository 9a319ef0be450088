"""``python -m sandbox.simulator``: the simulator in the foreground."""

import gc
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import click

from sandbox.simulator import webhook_endpoints
from sandbox.simulator.account import API_VERSION, PUBLISHABLE_KEY, SECRET_KEY
from sandbox.simulator.errors import ApiError
from sandbox.simulator.ledger import LedgerError
from sandbox.simulator.server import SimulatorServer

DEFAULT_PORT = 12111


@click.command(epilog="Example: python -m sandbox.simulator --port 12111 --ledger build/simulator.jsonl")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False), help="File that keeps every change.")
@click.option("--webhook-url", help="Deliver every event to this URL.")
@click.option("--webhook-secret", multiple=True, help="Sign deliveries with this secret (whsec_…); may be repeated.")
@click.option("--allow-remote", is_flag=True, help="Listen on an address that other machines can reach.")
@click.option("--quiet", is_flag=True, help="No line per request.")
def main(  # one argument per option of the command line
    host: str,
    port: int,
    ledger: Path | None,
    webhook_url: str | None,
    webhook_secret: tuple[str, ...],
    *,
    allow_remote: bool,
    quiet: bool,
) -> None:
    """Simulate Stripe's API for one test account.

    Without --ledger everything is forgotten at the end. Every key of the form sk_test_… works and sees the same
    account; live keys are refused. Faults, clock and webhooks are steered under /_simulator/.
    """
    if not allow_remote and not _is_loopback(host):
        raise click.UsageError(f"{host} can be reached from other machines; add --allow-remote if that is meant")
    log = _ignore if quiet else _to_stderr
    try:
        with _uncollected():
            server = SimulatorServer(host, port, ledger, log)
    except (LedgerError, OSError) as problem:
        raise click.ClickException(f"can't start on {host}:{port}: {problem}; --port 0 takes a free port") from problem
    _register(server, webhook_url, webhook_secret)
    waiting = server.deliveries.start()
    _greet(server, waiting)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop_soon())
    server.serve_forever(poll_interval=0.1)
    server.deliveries.stop()
    server.server_close()
    if server.failure is not None:
        raise click.ClickException(f"stopped: {server.failure}")
    # Taken for good: whoever still waits for the lock must not answer once the ledger is closed.
    server.engine.lock.acquire()
    server.engine.ledger.close()
    sys.exit(0)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage in the block, and never for any in what was made by then.

    What the ledger holds stays, and has no cycles: after a long run half of the time of a start went into going through
    it again and again, and each later look stopped the server for a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _register(server: SimulatorServer, url: str | None, secrets: tuple[str, ...]) -> None:
    if url is None:
        return
    engine = server.engine
    with engine.lock:
        change = engine.change()
        try:
            webhook_endpoints.register(change, url, secrets, ["*"])
        except ApiError as error:
            raise click.UsageError(f"--webhook-url {url}: {error.message}") from error
        engine.ledger.wait(engine.commit(change))


def _greet(server: SimulatorServer, waiting: int) -> None:
    click.echo(f"listening on {server.engine.base_url}")
    click.echo(f"Stripe API {API_VERSION}, simulated. Keys: {SECRET_KEY} (any sk_test_… works), {PUBLISHABLE_KEY}")
    click.echo(f"restored {server.restored} changes from the ledger; {waiting} webhook deliveries to resume")
    click.echo(
        "webhooks: start with --webhook-url URL --webhook-secret whsec_…, or POST {url, secret} to "
        f"{server.engine.base_url}/_simulator/webhook_endpoints"
    )
    sys.stdout.flush()


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def _ignore(_line: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    main()
