"""Runs one command and sees to it that nothing of it outlives whoever asked for it.

Started by `sandbox.guarded` as a script of its own (`python -I -S guardian.py`), so it may import the standard library
only and must start in some 20 ms. Its standard input is a lifeline: a line of it is a signal number for the command,
its end means that the starter is gone (also by kill -9) or wants the command stopped. Linux's PR_SET_PDEATHSIG alone
would not do: it is tied to the starter's *thread*, and it does not reach grandchildren. So the guardian is also their
subreaper: whatever the command leaves behind becomes the guardian's child and is ended.

Arguments: status file descriptor, stop signals (comma-separated, milder first), seconds of grace for each, identity,
command...
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
CLONE_NEWUSER = 0x10000000  # <linux/sched.h>
NAMESPACE_USER = 1000  # any id but 0: PostgreSQL refuses to run as 0, even as a namespace's own
NOBODY = 65534  # the overflow id of Linux
COMMAND_NOT_STARTED = 127  # as a shell reports it
SIGNAL_EXIT_BASE = 128  # as a shell reports death by a signal
REAP_INTERVAL_S = 0.02  # how often leftovers are looked at while they end
LINUX = os.uname().sysname == "Linux"


def main(arguments: list[str]) -> int:
    """Run the command to its end, or to the end of the lifeline; return its exit code as a shell would report it."""
    status_fd, grace_s, identity = int(arguments[0]), float(arguments[2]), arguments[3]
    stop_signals = [int(number) for number in arguments[1].split(",")]
    os.set_inheritable(status_fd, False)  # noqa: FBT003 - the standard library takes it by position only
    wake_fd = _watch_children()
    child = _start(status_fd, stop_signals[-1], identity, arguments[4:])
    exit_code = _watch(child, wake_fd, stop_signals, grace_s)
    _end_leftovers(child, grace_s)
    return exit_code


def _watch_children() -> int:
    """Make every orphan below us our child, and return a descriptor that turns readable when a child ends."""
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake_fd, write_fd = os.pipe()
    os.set_blocking(wake_fd, False)
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # the lifeline alone decides
        signal.signal(ignored, signal.SIG_IGN)
    return wake_fd


def _start(status_fd: int, death_signal: int, identity: str, command: list[str]) -> int:
    """Fork and exec the command; report `pid N` or `error WORDS` on the status descriptor."""
    guardian = os.getpid()
    trouble_read, trouble_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _become_command(guardian, death_signal, identity, command)
        except OSError as error:
            os.write(trouble_write, f"{command[0]}: {error.strerror or error}".encode())
        os._exit(COMMAND_NOT_STARTED)
    os.close(trouble_write)
    trouble = os.read(trouble_read, 4096)  # empty once exec has closed the other end
    os.close(trouble_read)
    report = b"error " + trouble if trouble else b"pid %d" % child
    try:
        os.write(status_fd, report + b"\n")
    except BrokenPipeError:  # the starter died meanwhile: the lifeline says so too
        return child
    os.close(status_fd)
    return child


def _become_command(guardian: int, death_signal: int, identity: str, command: list[str]) -> NoReturn:
    os.setpgid(0, 0)
    if identity == "namespace":
        _enter_user_namespace()
    elif identity == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if LINUX:  # after the identity, for changing that clears it
        _prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != guardian:
            os._exit(COMMAND_NOT_STARTED)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.execvp(command[0], command)  # noqa: S606 - an argument list by design; the starter chose the command


def _enter_user_namespace() -> None:
    """Appear as an ordinary user, to whom our own files belong: user_namespaces(7)."""
    user, group = os.geteuid(), os.getegid()
    _libc_call("unshare", CLONE_NEWUSER)
    for path, content in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", f"{NAMESPACE_USER} {user} 1"),
        ("/proc/self/gid_map", f"{NAMESPACE_USER} {group} 1"),
    ):
        fd = os.open(path, os.O_WRONLY)
        os.write(fd, content.encode())
        os.close(fd)


def _watch(child: int, wake_fd: int, stop_signals: list[int], grace_s: float) -> int:
    """Wait for the command, passing on signals; when the lifeline ends, stop it with growing force."""
    sources = [0, wake_fd]
    deadline: float | None = None
    remaining = list(stop_signals)
    while True:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable = select.select(sources, [], [], timeout)[0]
        if wake_fd in readable:
            os.read(wake_fd, 4096)
        exit_code = _reap(child)
        if exit_code is not None:
            return exit_code
        if 0 in readable:
            lines = os.read(0, 4096)
            for number in lines.split():
                os.kill(child, int(number))
            if not lines:
                sources, deadline = [wake_fd], time.monotonic()
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(child, remaining.pop(0) if remaining else signal.SIGKILL)
            os.kill(child, signal.SIGCONT)  # a frozen process would not hear anything milder than SIGKILL
            deadline = time.monotonic() + grace_s


def _reap(child: int) -> int | None:
    """Take in every ended child; return the exit code if the command itself was among them."""
    exit_code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return exit_code
        if pid == 0:
            return exit_code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            exit_code = code if code >= 0 else SIGNAL_EXIT_BASE - code


def _end_leftovers(child: int, grace_s: float) -> None:
    """End what the command has left behind: ask first, then SIGKILL, until nothing is left."""
    deadline, asked = time.monotonic() + grace_s, False
    while leftovers := _leftovers(child):
        late = time.monotonic() >= deadline
        for pid in leftovers if late or not asked else []:
            try:
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue  # it ended by itself, which is what we want
        asked = True
        time.sleep(REAP_INTERVAL_S)
        _reap(child)


def _leftovers(child: int) -> list[int]:
    if not LINUX:
        try:
            os.killpg(child, 0)
        except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            return []
        return [-child]
    ours = os.getpid()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == ours]  # noqa: PTH208 - pathlib costs 10 ms of start-up


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - pathlib costs 10 ms of start-up
            return int(stat.read().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _prctl(option: int, value: int) -> None:
    _libc_call("prctl", option, value, 0, 0, 0)


def _libc_call(name: str, *arguments: int) -> None:
    import ctypes  # noqa: PLC0415 - Linux only, and it costs start-up time elsewhere

    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(ctypes.c_ulong(argument) for argument in arguments)) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{name}: {os.strerror(errno)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
