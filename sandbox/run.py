"""`make run`: the whole system, until Ctrl-C."""

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from sandbox import running
from sandbox.demo.table import wide_console
from sandbox.failures import say_clearly
from sandbox.running import FOLDER, Running
from sandbox.servers.ports import port_is_free
from sandbox.system import Ports, System, running_system
from sandbox.website_receiver import HEARD

WEB_PORT = 8000
FLOWER_PORT = 5555
SIMULATOR_PORT = 12111  # stripe-mock's
PASSED_ON = ("TOLLGATE_FAILPOINTS",)
BODY = (
    '{"amount": 12500, "currency": "gbp", "booking_reference": "B-1001", '
    '"customer": {"name": "Ada Byron", "email": "ada@example.org"}, '
    '"shopper": {"ip": "192.0.2.1", "user_agent": "curl"}}'
)


@click.command(epilog="Example: make run ARGS='--web-port 8080'")
@click.option(
    "--web-port", type=click.IntRange(1, 65535), help=f"Port of the API; by default {WEB_PORT} if it is free, else any."
)
@click.option("--quiet", is_flag=True, help="Keep the processes' output in .run/system/logs instead of showing it.")
def main(web_port: int | None, *, quiet: bool) -> None:
    """Run everything on this machine until Ctrl-C: servers, simulator, web, dispatcher, workers, Flower.

    What was stored in .run/system stays there; delete that folder to start afresh.
    """
    console = wide_console(stderr=False)
    other = Running.find()
    if other is not None:
        console.print(f"It runs already, as process {other.pid}, at {other.web_url}. Stop it with Ctrl-C there.")
        sys.exit(1)
    if web_port is not None and not port_is_free(web_port):
        raise click.BadParameter(f"port {web_port} is taken; choose another", param_hint="--web-port")
    ports = Ports(web_port or _usual(WEB_PORT), _usual(FLOWER_PORT), _usual(SIMULATOR_PORT), website=True)
    with say_clearly(console, FOLDER / "logs", interrupted=0):
        _run(console, FOLDER, ports, quiet=quiet)


def _usual(port: int) -> int | None:
    return port if port_is_free(port) else None


def _run(console: Console, folder: Path, ports: Ports, *, quiet: bool) -> None:
    shown = None if quiet else sys.stdout
    with running_system(
        folder,
        ports=ports,
        console=shown,
        on_step=lambda step: console.print(f"· {step}"),
        settings={name: os.environ[name] for name in PASSED_ON if name in os.environ} | _settings(shown),
    ) as system:
        Running(
            pid=os.getpid(),
            web_url=system.web_url,
            flower_url=system.flower_url,
            simulator_url=system.simulator.base_url,
            api_key=system.api.key,
            database_url=system.addresses.database_url,
        ).write()
        try:
            _greet(console, system)
            system.supervisor.wait()
        finally:
            running.forget()


def _settings(shown: object) -> dict[str, str]:
    # The supervisor reads the processes through a pipe, so they can't see the terminal for themselves.
    return {"TOLLGATE_LOG_FORMAT": "text"} if shown is not None and sys.stdout.isatty() else {}


def _greet(console: Console, system: System) -> None:
    user, _, password = system.flower_login.partition(":")
    console.print(
        f"\n  API        {system.web_url}        documentation {system.web_url}/v1/openapi.json"
        f"\n  Flower     {system.flower_url}        user {user}, password {password}"
        f"\n  Stripe     {system.simulator.base_url}        simulated; key {system.simulator.publishable_key}"
        f"\n  API key    {system.api.key}"
        f"\n  Website    {'' if system.website is None else system.website.url}        hears notifications; "
        f"what it heard: {system.folder / HEARD}"
        f"\n\nTry a payment:\n\n"
        f"  curl -i {system.web_url}/v1/payment-intents \\\n"
        f"    -H 'Authorization: Bearer {system.api.key}' \\\n"
        f"    -H 'Idempotency-Key: my-first' -H 'Prefer: wait=5' -H 'Content-Type: application/json' \\\n"
        f"    -d '{BODY}'\n\n"
        "The README's 'One payment by hand' goes on from there, as the shopper. Ctrl-C stops everything.\n",
        soft_wrap=True,
        markup=False,
    )


if __name__ == "__main__":
    main()
