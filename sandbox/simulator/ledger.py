"""The append-only ledger: one JSON line per change, on the disk before anyone is told of the change."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Condition
from typing import Final

from sandbox.simulator.account import JsonObject

# macOS has no fdatasync; elsewhere it spares the write of the file's times.
sync: Final = getattr(os, "fdatasync", os.fsync)


class LedgerError(Exception):
    """The ledger can't be used: another simulator holds it, its contents are damaged, or the disk refuses."""


class Ledger:
    """A file of JSON lines. Concurrent waiters share one fsync.

    A line is written in one call before its effect is visible; ``wait`` returns once the line is on the disk. Without
    a path the ledger keeps nothing and waits for nothing.

    Raises:
        LedgerError: another process has the file, or a line before the last is damaged.
    """

    def __init__(self, path: Path | None) -> None:
        self._condition = Condition()
        self._descriptor: int | None = None
        self._path = path
        self._end = 0
        self._appended = 0
        self._durable = 0
        self._promised = 0
        self._syncing = False
        self._failure: OSError | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._hold(path)

    def _hold(self, path: Path) -> None:
        assert self._descriptor is not None  # noqa: S101  # narrows the type for the one caller, which has just opened it
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            os.close(self._descriptor)
            raise LedgerError(f"another simulator is using the ledger {path}; stop it or name another file") from held

    def replay(self) -> Iterator[JsonObject]:
        """Yield every record of the file, oldest first, and cut a last line that a crash tore.

        Raises:
            LedgerError: a line before the last is not JSON.
        """
        if self._descriptor is None or self._path is None:
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = json.loads(line)
                except ValueError as damage:
                    raise LedgerError(f"line {number} of the ledger {self._path} is damaged: {damage}") from damage
                self._end += len(line)
                yield record
        os.ftruncate(self._descriptor, self._end)

    def append(self, record: JsonObject, *, promised: bool = True) -> None:
        """Write a record. A promised one holds back every later answer until it is on the disk.

        Raises:
            OSError: the disk refused; the file is as it was before.
        """
        if self._descriptor is None:
            return
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with self._condition:
            try:
                _write_whole(self._descriptor, line)
            except OSError:
                os.ftruncate(self._descriptor, self._end)
                raise
            self._end += len(line)
            self._appended += 1
            if promised:
                self._promised = self._appended

    def promised(self) -> int:
        """Return the position that an answer given now has to wait for."""
        return self._promised

    def wait(self, position: int) -> None:
        """Return once everything up to a position is on the disk.

        Raises:
            LedgerError: the disk refused, now or earlier; nothing may be answered any more.
        """
        if self._descriptor is None:
            return
        while True:
            with self._condition:
                while self._syncing and self._durable < position:
                    self._condition.wait()
                if self._failure is not None:
                    raise LedgerError(f"the ledger can't be written: {self._failure}")
                if self._durable >= position:
                    return
                self._syncing = True
                target = self._appended
            self._sync(target)

    def _sync(self, target: int) -> None:
        assert self._descriptor is not None  # noqa: S101  # narrows the type; wait() has returned already without a file
        failure: OSError | None = None
        try:
            sync(self._descriptor)
        except OSError as error:
            failure = error
        with self._condition:
            self._syncing = False
            self._failure = self._failure or failure
            if failure is None:
                self._durable = max(self._durable, target)
            self._condition.notify_all()

    def close(self) -> None:
        """Bring what is left to the disk and let the file go."""
        if self._descriptor is None:
            return
        self.wait(self._appended)
        os.close(self._descriptor)
        self._descriptor = None


def _write_whole(descriptor: int, line: bytes) -> None:
    written = os.write(descriptor, line)
    if written != len(line):
        raise OSError(f"only {written} of {len(line)} bytes fitted")
