"""Many processes on one terminal."""

from __future__ import annotations

import io

from sandbox.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ClosedPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_each_line_carries_its_process_name() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.write("web", "listening")
    console.write("worker-background", "ready")
    assert stream.getvalue() == "web                  | listening\nworker-background    | ready\n"


def test_on_a_terminal_each_process_keeps_a_colour_of_its_own() -> None:
    stream = Terminal()
    console = Console(stream)
    for name in ("web", "worker", "web"):
        console.write(name, "text")
    colours = [line.split("m", 1)[0] for line in stream.getvalue().splitlines()]
    assert colours[0] == colours[2] != colours[1]
    assert colours[0].startswith("\x1b[")


def test_a_reader_that_has_gone_stops_the_lines_and_nothing_else() -> None:
    console = Console(ClosedPipe())
    console.write("web", "first")
    console.write("web", "second")
