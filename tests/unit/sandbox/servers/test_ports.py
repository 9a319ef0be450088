"""Free ports for servers that come back."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sandbox.servers import ports


def test_a_port_that_is_in_use_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as busy:
        busy.bind((ports.HOST, 0))
        number = busy.getsockname()[1]
        offers = iter([number - ports.LOWEST_PORT, 17])
        monkeypatch.setattr("secrets.randbelow", lambda _: next(offers))
        monkeypatch.setattr(ports, "port_is_free", lambda port: port != number and port == ports.LOWEST_PORT + 17)
        assert ports.free_port() == ports.LOWEST_PORT + 17


def test_a_bound_port_is_known_to_be_busy_and_a_released_one_to_be_free() -> None:
    with socket.socket() as busy:
        busy.bind((ports.HOST, 0))
        number = busy.getsockname()[1]
        assert not ports.port_is_free(number)
    assert ports.port_is_free(number)


def test_ports_stay_below_the_range_of_outgoing_connections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "ip_local_port_range"
    settings.write_text("20000\t60999\n")
    monkeypatch.setattr(ports, "EPHEMERAL_RANGE", settings)
    assert all(ports.LOWEST_PORT <= ports.free_port() < 20000 for _ in range(200))


def test_without_a_free_port_the_error_names_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "port_is_free", lambda _: False)
    with pytest.raises(ports.NoFreePortError, match=r"between 15000 and \d+"):
        ports.free_port()
