"""An embedded PostgreSQL: one cluster, one superuser with a password, TCP on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from sandbox.guarded import Guarded, Identity
from sandbox.guardian import NOBODY
from sandbox.servers.binaries import postgres_folder
from sandbox.servers.identity import ENVIRONMENT, identity_for, nobodys_home, programs_in
from sandbox.servers.server import Server, ServerNotStartedError
from sandbox.servers.shared_memory import remove_segment

USER = "tollgate"
DATABASE = "postgres"  # the one that every cluster has
INITDB_S = 120.0  # 1 s as a rule; generous for a loaded machine
SHARED_MEMORY_LINE = 6  # of postmaster.pid, from 0: key and id of the interlock segment (PostgreSQL's pidfile.h)
STATUS_LINE = 7  # of postmaster.pid, from 0
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes, and a checkout's may be longer
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",  # files of the data folder: nothing stays in /dev/shm after kill -9
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",  # messages are looked for in the log
    "shared_buffers": "64MB",
}
NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class ServerRunningError(RuntimeError):
    """The server runs, and must not."""


class Postgres(Server):
    """An embedded PostgreSQL server.

    Args:
        folder: data and log; made with mode 0700 if it is not there. Where PostgreSQL can't work in it (root without
            user namespaces) the data are in a temporary folder of nobody's, named in the file `home`.
        port: a fixed port of 127.0.0.1, or None for a free one.
        password: of the superuser `tollgate`; None for a random one, kept in the file `password` of the folder.
        fsync: False gives up durability for speed; for throw-away tests only.
        settings: more of postgresql.conf.
        identity: who it runs as; None to find out.
    """

    name = "postgres"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        password: str | None = None,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
        identity: Identity | None = None,
    ) -> None:
        super().__init__(folder.absolute(), port)
        self._given_password = password
        self._settings = {**SETTINGS, **({} if fsync else NOT_DURABLE), **(settings or {})}
        self._given_identity = identity
        self._home = self.folder
        self._programs = Path()
        self._identity: Identity = "same"

    @property
    def password(self) -> str:
        """The superuser's password; raises FileNotFoundError before the first start if none was given."""
        return self._given_password or (self.folder / "password").read_text().strip()

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database `postgres`, with the password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one database, with the password."""
        return f"postgresql://{USER}:{quote(self.password, safe='')}@{self.host}:{self.port}/{quote(database, safe='')}"

    def prepare(self) -> None:
        """Make the cluster if it is not there.

        Raises:
            BinaryMissingError: no binary for this platform.
            ServerNotStartedError: initdb failed, or the data were made by another major version.
        """
        self._programs = postgres_folder()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._identity = self._given_identity or identity_for(self.folder)
        if self._identity == "nobody":
            self._home = self._nobodys_home()
            self._programs = programs_in(self._home)
        if not self._data.exists():
            self._make_cluster()

    def launch(self, output: int) -> Guarded:
        """Start the postmaster; its stop is the fast one, then the immediate one."""
        options = {**self._settings, "port": str(self.port)}
        return self._run(
            "postgres", "-D", str(self._data), *(f"--{name}={value}" for name, value in options.items()), output=output
        )

    def is_ready(self, process: Guarded) -> bool:
        """Whether this postmaster's pid file says that it accepts connections."""
        lines = self._pid_file()
        return len(lines) > STATUS_LINE and lines[0] == str(process.pid) and lines[STATUS_LINE].strip() == "ready"

    def stop_immediately(self) -> None:
        """PostgreSQL's immediate stop: no checkpoint, so that the next start recovers as after a crash."""
        if self.running and self._process is not None:
            self._process.send(signal.SIGQUIT)
        self.stop()

    def close(self) -> None:
        """Stop for good; the shared memory segment that kill -9 has left is removed too."""
        self.stop()
        lines = self._pid_file()
        ours = self._process is not None and lines[:1] == [str(self._process.pid)]  # a file from before a reboot is not
        if ours and len(lines) > SHARED_MEMORY_LINE:
            remove_segment(int(lines[SHARED_MEMORY_LINE].split()[1]))

    def discard(self) -> None:
        """Close, then delete the data."""
        self.close()
        if self._home != self.folder:
            shutil.rmtree(self._home)
        shutil.rmtree(self.folder)

    def copy_data(self, to: Path) -> None:
        """Copy the data folder, as a backup of a stopped server is made; `to` must not exist yet.

        Raises:
            ServerRunningError: the server runs, so that the copy would be torn.
        """
        self._must_be_stopped()
        shutil.copytree(self._data, to, copy_function=_copy_owned)
        _own_as(self._data, to)

    def put_back(self, copy: Path) -> None:
        """Replace the data by a copy that `copy_data` has made, which stays.

        Raises:
            ServerRunningError: the server runs.
        """
        self._must_be_stopped()
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data, copy_function=_copy_owned)
        _own_as(copy, self._data)

    def _must_be_stopped(self) -> None:
        if self.running:
            raise ServerRunningError("stop PostgreSQL first: files that change while they are copied make no backup")

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _nobodys_home(self) -> Path:
        try:
            return nobodys_home(self.folder)
        except OSError as error:
            raise ServerNotStartedError(
                "PostgreSQL refuses to run as root; user namespaces are forbidden here, "
                f"and becoming nobody failed: {error}; run as an ordinary user"
            ) from error

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _run(self, program: str, *arguments: str, output: int) -> Guarded:
        return Guarded(
            [str(self._programs / program), *arguments],
            environment=ENVIRONMENT,
            folder=self._home,
            output=output,
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            identity=self._identity,
        )

    def _make_cluster(self) -> None:
        unfinished = self._home / "data.unfinished"  # renamed when whole, so that an interrupted one is made again
        if unfinished.exists():
            shutil.rmtree(unfinished)
        password_file = self._home / "password.new"
        self._write_secret(password_file, self._given_password or secrets.token_hex(16))
        with self.log.open("ab") as log:
            initdb = self._run(
                "initdb",
                f"--pgdata={unfinished}",
                f"--username={USER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--no-instructions",
                output=log.fileno(),
            )
        try:
            code = initdb.wait(INITDB_S)
        except subprocess.TimeoutExpired:
            raise ServerNotStartedError(f"initdb did not end within {INITDB_S:.0f} s; see {self.log}") from None
        finally:
            initdb.stop()
        if code != 0:
            raise ServerNotStartedError(f"initdb ended with exit code {code}; {self.log_tail()}")
        if self._given_password is None:
            shutil.copyfile(password_file, self._secret_copy())
        password_file.unlink()
        unfinished.rename(self._data)

    def _secret_copy(self) -> Path:
        path = self.folder / "password"
        self._write_secret(path, "")
        return path

    def _write_secret(self, path: Path, content: str) -> None:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{content}\n")
        if self._identity == "nobody" and path.parent == self._home:
            os.chown(path, NOBODY, NOBODY)


def _copy_owned(source: str, target: str) -> None:
    shutil.copy2(source, target)
    owner = Path(source).stat()
    os.chown(target, owner.st_uid, owner.st_gid)  # PostgreSQL refuses data that are another user's


def _own_as(source: Path, target: Path) -> None:
    """Give the copied folders the owners of their sources, which copytree does not."""
    for folder in [source, *(path for path in source.rglob("*") if path.is_dir())]:
        owner = folder.stat()
        os.chown(target / folder.relative_to(source), owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def with_postgres(
    folder: Path | None = None,
    port: int | None = None,
    *,
    password: str | None = None,
    fsync: bool = True,
    settings: Mapping[str, str] | None = None,
    identity: Identity | None = None,
) -> Iterator[Postgres]:
    """Run a PostgreSQL for the length of a `with` block; without a folder it is a throw-away one.

    Raises:
        BinaryMissingError: no binary for this platform.
        ServerNotStartedError: it did not come up.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="tollgate-postgres-"))
    server = Postgres(place, port, password=password, fsync=fsync, settings=settings, identity=identity)
    try:
        server.start()
        yield server
    finally:
        if folder is None:
            server.discard()
        else:
            server.close()
