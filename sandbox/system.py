"""The whole system on one machine: embedded servers, the Stripe simulator and the Procfile's processes."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import TextIO

from config.acl import ingress_acl
from config.celery_factory import create_celery
from config.keyspace import Keyspace
from sandbox.api_client import ApiClient
from sandbox.processes import Event
from sandbox.servers import Postgres, Valkey, with_postgres, with_valkey
from sandbox.servers.ports import HOST, free_port
from sandbox.settings import REDIS_USER, Addresses, environments, keep_secrets
from sandbox.simulator_control import SimulatorControl
from sandbox.supervisor import Supervisor
from sandbox.website_receiver import Receiver

PROCFILE = Path(__file__).parent.parent / "Procfile"
WORKERS = ("worker", "worker-webhooks", "worker-background", "worker-notifications", "worker-quarantine")
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS")
# What a process has until it dies: one that killed it at every start would prove nothing (docs/crash-points.md).
FIRST_LIFE = ("TOLLGATE_FAILPOINTS",)
READY_SECONDS = 60.0  # some 6 s on two cores; a loaded machine may take longer
POLL_SECONDS = 0.05
PING_SECONDS = 0.5
COMMAND_SECONDS = 60.0
CLIENT = "website"  # in whose name the API key is issued
KEYSPACE = Keyspace("tg:")


class SystemNotReadyError(RuntimeError):
    """The system did not come up in time; the message says what is missing and where its log is."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports to listen on; None for a free one.

    Args:
        website: whether a website hears notifications on a free one, as an endpoint of the API key's client.
    """

    web: int | None = None
    flower: int | None = None
    simulator: int | None = None
    website: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """The running system, and handles to everything in it."""

    folder: Path
    addresses: Addresses
    api: ApiClient
    simulator: SimulatorControl
    supervisor: Supervisor
    valkey: Valkey
    postgres: Postgres
    flower_login: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    environments: Mapping[str, Mapping[str, str]] = field(repr=False)
    website: Receiver | None = None

    @property
    def web_url(self) -> str:
        """Where the API listens."""
        return f"http://{HOST}:{self.addresses.web_port}"

    @property
    def flower_url(self) -> str:
        """Where Flower listens."""
        return f"http://{HOST}:{self.addresses.flower_port}"


@contextlib.contextmanager
def running_system(
    folder: Path,
    *,
    ports: Ports | None = None,
    settings: Mapping[str, str] | None = None,
    stripe_key: str | None = None,
    via: Callable[[Addresses], Addresses] = lambda direct: direct,
    on_event: Callable[[Event], None] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    console: TextIO | None = None,
) -> Iterator[System]:
    """Run everything for the length of a `with` block; what was stored stays in the folder.

    Args:
        folder: data, logs and secrets; made with mode 0700.
        ports: fixed ports; free ones by default.
        settings: settings that differ from the defaults. A process that dies of a failpoint is started again without.
        stripe_key: a key of Stripe's test mode, to be used instead of the simulator, which then is not started.
        via: told where everything listens, returns where the processes shall look for it: proxies, for instance. The
            operator's commands, the migration and the handles of the System go straight.
        on_event: told of every process that starts, dies or stops.
        on_step: told in words what is being started.
        console: gets the output of all processes; by default it goes to files in the folder's `logs`.

    Raises:
        SystemNotReadyError, ReleaseError, ServerNotStartedError, BinaryMissingError: it did not come up.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = keep_secrets(folder)
    on_step("starting Valkey and PostgreSQL")
    acl_file = _write_acl(folder, values)
    with (
        with_valkey(folder / "valkey", password=values["redis_password"], acl_file=acl_file) as valkey,
        with_postgres(folder / "postgres") as postgres,
    ):
        addresses = _addresses(valkey, postgres, values, ports or Ports())
        own = _environments(values, addresses, via(addresses), _without(settings or {}, FIRST_LIFE), stripe_key)
        supervisor = Supervisor(
            PROCFILE,
            own["release"],
            folder / "logs",
            on_event=on_event,
            console=console,
            environments=own,
            first_life={name: value for name, value in (settings or {}).items() if name in FIRST_LIFE},
        )
        if stripe_key is None:
            supervisor.add("simulator", _simulator_command(folder, addresses, values))
        receiver = Receiver(folder, free_port()) if ports is not None and ports.website else None
        if receiver is not None:
            supervisor.add("website", receiver.command())
        on_step("starting the Stripe simulator, migrating the database, starting web, dispatcher, workers and Flower")
        with supervisor:
            key = _api_key(folder, own["operator"])
            if receiver is not None:
                _add_endpoint(receiver, own["operator"])
            system = System(
                folder=folder,
                addresses=addresses,
                api=ApiClient(f"http://{HOST}:{addresses.web_port}", key),
                simulator=SimulatorControl(addresses.simulator_url),
                supervisor=supervisor,
                valkey=valkey,
                postgres=postgres,
                flower_login=values["TOLLGATE_FLOWER_BASIC_AUTH"],
                webhook_secret=values["TOLLGATE_STRIPE_WEBHOOK_SECRETS"],
                environments=own,
                website=receiver,
            )
            on_step("waiting until all of it answers")
            try:
                _wait_until_ready(system)
                yield system
            finally:
                on_step("stopping")


def _without(settings: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name not in names}


def _write_acl(folder: Path, values: Mapping[str, str]) -> Path:
    def hashed(name: str) -> str:
        return "#" + hashlib.sha256(values[name].encode()).hexdigest()

    path = folder / "users.acl"
    rules = " ".join(ingress_acl(KEYSPACE))
    path.touch(mode=0o600)
    path.write_text(
        f"user default on {hashed('redis_password')} ~* &* +@all\n"
        f"user {REDIS_USER} on {hashed('ingress_redis_password')} {rules}\n"
    )
    return path


def _addresses(valkey: Valkey, postgres: Postgres, values: Mapping[str, str], ports: Ports) -> Addresses:
    return Addresses(
        web_port=ports.web or free_port(),
        flower_port=ports.flower or free_port(),
        simulator_url=f"http://{HOST}:{ports.simulator or free_port()}",
        redis_url=valkey.url,
        ingress_redis_url=f"redis://{REDIS_USER}:{values['ingress_redis_password']}@{HOST}:{valkey.port}/0",
        database_url=postgres.url,
    )


def _environments(
    values: Mapping[str, str],
    direct: Addresses,
    led: Addresses,
    settings: Mapping[str, str],
    stripe_key: str | None,
) -> dict[str, dict[str, str]]:
    own = environments(values, led, settings, _surroundings(), stripe_key)
    straight = environments(values, direct, settings, _surroundings(), stripe_key)
    return own | {name: straight[name] for name in ("release", "operator")}


def _surroundings() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


def _simulator_command(folder: Path, addresses: Addresses, values: Mapping[str, str]) -> list[str]:
    return [
        *(sys.executable, "-m", "sandbox.simulator", "--port", addresses.simulator_url.rpartition(":")[2]),
        *("--ledger", str(folder / "simulator.jsonl")),
        *("--webhook-url", f"http://{HOST}:{addresses.web_port}/v1/webhooks/stripe"),
        *("--webhook-secret", values["TOLLGATE_STRIPE_WEBHOOK_SECRETS"]),
    ]


def _api_key(folder: Path, environment: Mapping[str, str]) -> str:
    """Return the website's key, the same for as long as the folder is kept."""
    path = folder / "api_key"
    if not path.exists():
        key = _issue_key(environment)
        path.touch(mode=0o600)
        path.write_text(key)
    return path.read_text()


def _issue_key(environment: Mapping[str, str]) -> str:
    # The sandbox measures the system, not its rate limit.
    limits = ("--rate", "1000", "--burst", "1000")
    return _command(environment, "keys", "issue", "--client", CLIENT, *limits)


def _add_endpoint(receiver: Receiver, environment: Mapping[str, str]) -> None:
    """Have the website told from now on; of an earlier run's endpoints, which listen no more, none is left."""
    for known in json.loads(_command(environment, "endpoints", "list", "--client", CLIENT, "--json")):
        _command(environment, "endpoints", "remove", known["id"])
    receiver.keep_secret(_command(environment, "endpoints", "add", receiver.url, "--client", CLIENT))


def _command(environment: Mapping[str, str], *arguments: str) -> str:
    """Run `tollgate` and return what it printed."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "tollgate"), *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise SystemNotReadyError(f"tollgate {arguments[0]} {arguments[1]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _wait_until_ready(system: System) -> None:
    deadline = time.monotonic() + READY_SECONDS
    celery = create_celery(broker_url=system.addresses.redis_url, keyspace=KEYSPACE, publishes_only=True)
    pause = Flag()
    missing = ["web"]
    try:
        while missing:
            if time.monotonic() > deadline:
                logs = system.folder / "logs"
                raise SystemNotReadyError(f"not ready after {READY_SECONDS:.0f} s: {', '.join(missing)}; see {logs}")
            missing = [] if system.api.ready() else ["web and dispatcher"]
            if not missing and len(celery.control.ping(timeout=PING_SECONDS) or ()) < len(WORKERS):
                missing = ["workers"]
            pause.wait(POLL_SECONDS)
    finally:
        celery.close()
