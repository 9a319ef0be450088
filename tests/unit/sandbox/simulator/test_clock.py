from __future__ import annotations

import pytest

from sandbox.simulator.clock import Clock


def test_the_clock_moves_forward_only_and_leaves_wall_time_alone() -> None:
    clock = Clock(lambda: 1000.9)
    assert (clock.now(), clock.wall()) == (1000, 1000)
    assert clock.advance(90) == 90
    assert (clock.now(), clock.wall()) == (1090, 1000)
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(-1)
