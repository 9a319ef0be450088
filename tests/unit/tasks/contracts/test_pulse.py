from __future__ import annotations

import pytest

from config.errors import ContractError
from tasks.contracts.pulse import Pulse


def test_a_pulse_is_read_as_it_was_written() -> None:
    pulse = Pulse(1_700_000_000_000, "away", "up")
    assert Pulse.from_bytes(pulse.to_bytes()) == pulse


def test_the_pulse_of_an_older_dispatcher_tells_its_time_alone() -> None:
    assert Pulse.from_bytes(b"1700000000000") == Pulse(1_700_000_000_000, "unknown", "unknown")


def test_what_a_newer_dispatcher_says_otherwise_is_unknown() -> None:
    value = b'{"at_ms": 1, "database": "tired", "stripe": ["up"], "moon": "full"}'
    assert Pulse.from_bytes(value) == Pulse(1, "unknown", "unknown")


@pytest.mark.parametrize("value", [b"", b"x", b"\xff", b"[]", b"{}", b'{"at_ms": "1"}', b'{"at_ms": true}', b"1.5"])
def test_anything_else_is_no_pulse(value: bytes) -> None:
    with pytest.raises(ContractError):
        Pulse.from_bytes(value)
