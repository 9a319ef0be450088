"""An embedded Valkey, as durable as production must be: every write is fsynced, nothing is ever evicted."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox.guarded import Guarded
from sandbox.servers.binaries import valkey_server
from sandbox.servers.server import Server

ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
CLIENT_TIMEOUT_S = 1.0  # on this machine anything slower is frozen
DATABASE = 0
READY = "Ready to accept connections"
SETTINGS: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": "",  # the append-only file is the record; snapshots would only add load
    "daemonize": "no",
    "protected-mode": "yes",
    "always-show-logo": "no",
    "loglevel": "notice",  # the level at which it says that it is ready
}


class Valkey(Server):
    """An embedded Valkey server with `appendfsync always` and `noeviction`.

    Args:
        folder: data, configuration and log; made with mode 0700 if it is not there.
        port: a fixed port of 127.0.0.1, or None for a free one.
        password: of the default user; None for no password, which is for throw-away servers only.
        acl_file: users as by `ACL SAVE`; it must then define the default user too, and `password` must fit it.
        settings: more of valkey.conf, e.g. `{"maxmemory": "50mb"}`.
    """

    name = "valkey"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        password: str | None = None,
        acl_file: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder.absolute(), port)
        self.password = password
        self.acl_file = acl_file.absolute() if acl_file else None
        self.settings = dict(settings or {})

    @property
    def url(self) -> str:
        """The redis:// URL of database 0, with the password."""
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{login}{self.host}:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the folder; raises BinaryMissingError when there is no binary to run in it."""
        valkey_server()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def launch(self, output: int) -> Guarded:
        """Start the server on a configuration file of its own, for a command line would show the password to all."""
        configuration = self.folder / "valkey.conf"
        configuration.unlink(missing_ok=True)
        with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._configuration())
        return Guarded(
            [str(valkey_server()), str(configuration)], environment=ENVIRONMENT, folder=self.folder, output=output
        )

    def is_ready(self, process: Guarded) -> bool:
        """Whether it says so in its log: that needs no login, and no other server on the port can say it."""
        return any(line.startswith(f"{process.pid}:") and READY in line for line in self.log_since_start().splitlines())

    def client(self) -> redis.Redis:
        """A client for looking in from outside, with short timeouts and no retries; close it after use."""
        return redis.Redis(
            host=self.host,
            port=self.port,
            db=DATABASE,
            password=self.password,
            socket_timeout=CLIENT_TIMEOUT_S,
            socket_connect_timeout=CLIENT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def _configuration(self) -> str:
        settings = {
            **SETTINGS,
            "port": str(self.port),
            "bind": self.host,
            "dir": str(self.folder),
            **({"requirepass": self.password} if self.password and not self.acl_file else {}),
            **({"aclfile": str(self.acl_file)} if self.acl_file else {}),
            **self.settings,
        }
        return "".join(f"{name} {_quoted(value)}\n" for name, value in settings.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


@contextlib.contextmanager
def with_valkey(
    folder: Path | None = None,
    port: int | None = None,
    *,
    password: str | None = None,
    acl_file: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Valkey]:
    """Run a Valkey for the length of a `with` block; without a folder it is a throw-away one with a random password.

    Raises:
        BinaryMissingError: no binary for this platform.
        ServerNotStartedError: it did not come up.
    """
    throw_away = Path(tempfile.mkdtemp(prefix="tollgate-valkey-")) if folder is None else None
    if throw_away and password is None and acl_file is None:
        password = secrets.token_hex(16)
    server = Valkey(folder or throw_away or Path(), port, password=password, acl_file=acl_file, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.close()
        if throw_away:
            shutil.rmtree(throw_away)
