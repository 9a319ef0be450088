"""Free ports of 127.0.0.1 for servers that may be killed and come back on the same port."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

HOST = "127.0.0.1"
LOWEST_PORT = 15_000  # above the well-known services that developers run
HIGHEST_PORT = 31_999  # below the usual ranges of outgoing connections (Linux 32768, macOS and IANA 49152)
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
TRIES = 200  # a machine with so many busy ports in a row has another problem


class NoFreePortError(RuntimeError):
    """No free port was found on 127.0.0.1."""


def free_port() -> int:
    """A port that nobody listens on just now; another process may still win the race to bind it.

    It lies below the range of outgoing connections: a client that keeps reconnecting to a killed server's port inside
    that range may be given the very port as its own and end up connected to itself, and the server can't come back.

    Raises:
        NoFreePortError: when 200 random ports are all in use.
    """
    highest = max(min(HIGHEST_PORT, _first_ephemeral_port() - 1), LOWEST_PORT + 1000)
    for _ in range(TRIES):
        port = LOWEST_PORT + secrets.randbelow(highest - LOWEST_PORT + 1)
        if port_is_free(port):
            return port
    raise NoFreePortError(f"no free port found on {HOST} between {LOWEST_PORT} and {highest}")


def port_is_free(port: int) -> bool:
    """Whether nobody listens on a port of 127.0.0.1 just now."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _first_ephemeral_port() -> int:
    try:
        return int(EPHEMERAL_RANGE.read_text().split()[0])
    except FileNotFoundError:  # not Linux
        return HIGHEST_PORT + 1
