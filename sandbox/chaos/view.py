"""The live view: a table at a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sandbox.chaos.stage import Stage

REFRESH_SECONDS: Final = 0.5
LINE_SECONDS: Final = 5.0
RATE_SECONDS: Final = 12.0  # over which the rate is measured


@dataclass(slots=True)
class Board:
    """What the view shows; the run writes, the painter reads."""

    scenario: str = ""
    number: int = 0
    of: int = 0
    stage: Stage | None = None
    since: float = field(default_factory=time.monotonic)
    _before: list[tuple[float, int]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return what stands now, in the order of its columns."""
        stage = self.stage
        if stage is None:
            return {}
        orders = list(stage.orders)
        accepted = sum(order.accepted for order in orders)
        return {
            "rate": f"{self._rate(accepted):.1f}/s",
            "accepted": accepted,
            "invoices": sum(len(order.wanted) for order in list(stage.invoices) if order.accepted),
            "unknown": sum(order.unknown for order in orders),
            "in flight": stage.load.in_flight if stage.load is not None else 0,
            "done": sum(order.ended_at is not None for order in orders),
            "of": len(orders),
            "faults": sum(stage.toll.fired.values()),
        }

    def active(self) -> str:
        """Return the faults that are under way."""
        return "" if self.stage is None else ", ".join(list(self.stage.toll.active.values()))

    def _rate(self, accepted: int) -> float:
        now = time.monotonic()
        self._before.append((now, accepted))
        while now - self._before[0][0] > RATE_SECONDS:
            self._before.pop(0)
        since, then = self._before[0]
        return max(0, accepted - then) / (now - since) if now > since else 0.0


@contextlib.contextmanager
def shown(console: Console, board: Board) -> Iterator[None]:
    """Show the board for the length of a `with` block."""
    done = threading.Event()
    with contextlib.ExitStack() as stack:
        if console.is_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False, transient=True))
            painter = threading.Thread(target=_paint, args=(live, board, done), name="view", daemon=True)
        else:
            painter = threading.Thread(target=_print, args=(console, board, done), name="view", daemon=True)
        painter.start()
        try:
            yield
        finally:
            done.set()
            painter.join()


def _paint(live: Live, board: Board, done: threading.Event) -> None:
    while not done.wait(REFRESH_SECONDS):
        live.update(_table(board), refresh=True)


def _print(console: Console, board: Board, done: threading.Event) -> None:
    while not done.wait(LINE_SECONDS):
        console.print(_line(board), markup=False, soft_wrap=True)


def _line(board: Board) -> str:
    seconds = time.monotonic() - board.since
    words = [f"{seconds:5.0f} s", f"{board.scenario} {board.number}/{board.of}"]
    if board.stage is not None:
        words.append(board.stage.doing)
        words += [f"{name} {value}" for name, value in board.figures().items()]
        words.append(f"now: {board.active() or '-'}")
    return "  ".join(words)


def _table(board: Board) -> Group:
    figures = board.figures()
    table = Table(box=None, pad_edge=False, title_justify="left")
    doing = "starting" if board.stage is None else board.stage.doing
    table.title = (
        f"{board.scenario} ({board.number} of {board.of}): {doing}, {time.monotonic() - board.since:.0f} s in all"
    )
    for name in figures:
        table.add_column(name, justify="right")
    table.add_row(*(str(value) for value in figures.values()))
    notes = [] if board.stage is None else list(board.stage.toll.notes)
    return Group(
        table,
        Text(f"now: {board.active() or 'nothing is spoilt'}", style="red" if board.active() else "green"),
        *(Text(f"done: {note}", style="dim") for note in notes),
    )
