"""The supervisor, with real processes: what dies comes back, and in the end nothing is left."""

from __future__ import annotations

import io
import os
import pty
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox.processes import Event
from sandbox.procfile import ProcfileError
from sandbox.supervisor import ReleaseError, Supervisor, UnknownProcessError
from tests.children import child
from tests.polling import wait_until

ENVIRONMENT = {"PATH": os.defpath, "WORD": "given"}
PROCFILE = """
release: sh -c 'echo released ${WORD}; sleep 0.2; echo release done'
web: sh -c 'echo web on ${PORT:-8000}; sleep 1000 & wait'
worker: sh -c 'echo working; sleep 1000 & wait'
"""


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"
    folder.mkdir()
    file = folder / "Procfile"
    file.write_text(PROCFILE)
    return file


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def supervisor(procfile: Path, logs: Path, events: list[Event]) -> Iterator[Supervisor]:
    with Supervisor(procfile, ENVIRONMENT, logs, on_event=events.append) as running:
        yield running


def test_what_is_for_the_first_life_is_not_there_in_the_next(procfile: Path, logs: Path) -> None:
    procfile.write_text("worker: sh -c 'echo armed: ${ARMED:-no}; sleep 1000 & wait'")
    with Supervisor(procfile, ENVIRONMENT, logs, only=["worker"], first_life={"ARMED": "yes"}) as supervisor:
        log = logs / "worker.log"
        wait_until(lambda: "armed: yes" in log.read_text(), "its first life")
        supervisor.kill("worker")
        wait_until(lambda: "armed: no" in log.read_text(), "its second life")
        assert log.read_text().count("armed: yes") == 1


def family(supervisor: Supervisor) -> list[psutil.Process]:
    """Every process of the supervisor, once each has its child."""
    wait_until(lambda: all(supervisor.pids(name)[1:] for name in supervisor.names), "all processes to be up")
    return [psutil.Process(pid) for name in supervisor.names for pid in supervisor.pids(name)]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


def kinds(events: list[Event], name: str) -> list[str]:
    return [event.kind for event in events if event.name == name]


def test_the_release_ends_before_anything_else_starts(supervisor: Supervisor, logs: Path) -> None:
    assert supervisor.names == ["web", "worker"]
    assert (logs / "release.log").read_text() == "released given\nrelease done\n"


def test_each_process_logs_to_a_file_of_its_own(supervisor: Supervisor, logs: Path) -> None:
    wait_until(lambda: (logs / "web.log").read_text() == "web on 8000\n", "the web's line")
    wait_until(lambda: (logs / "worker.log").read_text() == "working\n", "the worker's line")


def test_what_is_killed_comes_back_with_new_processes_and_a_note(supervisor: Supervisor, events: list[Event]) -> None:
    before = family(supervisor)
    old = supervisor.pids("web")
    supervisor.kill("web")
    assert not any(psutil.pid_exists(pid) for pid in old)
    new = wait_until(lambda: supervisor.pids("web"), "the web to be back")
    assert not set(new) & set(old)
    assert kinds(events, "web") == ["started", "killed", "ended", "restarting", "started"]
    assert kinds(events, "worker") == ["started"]
    assert psutil.Process(supervisor.pids("worker")[0]) in before


def test_what_dies_by_itself_comes_back_ever_more_slowly(procfile: Path, logs: Path, events: list[Event]) -> None:
    procfile.write_text("web: false\n")
    with Supervisor(procfile, ENVIRONMENT, logs, on_event=events.append) as supervisor:
        wait_until(lambda: supervisor.starts("web") == 3, "the third start")
    notes = [event.detail for event in events if event.kind in ("ended", "restarting")][:4]
    ended = "ended with exit code 1"
    assert notes == [ended, "starts again in 0.2 s", ended, "starts again in 0.4 s"]


def test_a_stopped_process_stays_down_until_it_is_started(supervisor: Supervisor) -> None:
    supervisor.stop("worker")
    assert supervisor.pids("worker") == []
    assert supervisor.starts("worker") == 1
    supervisor.start("worker")
    assert supervisor.pids("worker")
    supervisor.restart("worker")
    assert supervisor.starts("worker") == 3


def test_a_frozen_process_is_stopped_with_its_children_until_thawed(supervisor: Supervisor) -> None:
    processes = family(supervisor)
    supervisor.freeze("web")
    supervisor.freeze("worker")
    wait_until(lambda: {process.status() for process in processes} == {psutil.STATUS_STOPPED}, "all to be stopped")
    supervisor.thaw("web")
    supervisor.thaw("worker")
    wait_until(lambda: psutil.STATUS_STOPPED not in {process.status() for process in processes}, "all to go on")


def test_added_commands_start_first_or_at_once_and_are_supervised_alike(procfile: Path, logs: Path) -> None:
    supervisor = Supervisor(procfile, ENVIRONMENT, logs)
    supervisor.add("early", ["sleep", "1000"])
    with supervisor:
        supervisor.add("late", ["sleep", "1000"])
        assert supervisor.names == ["early", "web", "worker", "late"]
        assert len(supervisor.pids("early")) == len(supervisor.pids("late")) == 1
        with pytest.raises(ValueError, match="'late' is supervised already"):
            supervisor.add("late", ["sleep", "1000"])


def test_only_the_named_processes_run(procfile: Path, logs: Path) -> None:
    with Supervisor(procfile, ENVIRONMENT, logs, only={"worker"}) as supervisor:
        assert supervisor.names == ["worker"]
    assert not (logs / "release.log").exists()


def test_a_process_may_have_an_environment_of_its_own(procfile: Path, logs: Path) -> None:
    procfile.write_text("web: sh -c 'echo ${WORD}; sleep 1000'\nworker: sh -c 'echo ${WORD}; sleep 1000'\n")
    with Supervisor(procfile, ENVIRONMENT, logs, environments={"web": {"WORD": "own"}}):
        wait_until(lambda: (logs / "web.log").read_text() == "own\n", "the web's own word")
        wait_until(lambda: (logs / "worker.log").read_text() == "given\n", "the worker's common word")


def test_unknown_names_are_refused_with_the_known_ones(supervisor: Supervisor, procfile: Path) -> None:
    with pytest.raises(UnknownProcessError, match="no process 'wokrer' is supervised; there are web, worker"):
        supervisor.kill("wokrer")
    with pytest.raises(UnknownProcessError, match="no process wokrer; it has release, web, worker"):
        Supervisor(procfile, ENVIRONMENT, only={"wokrer"})
    with pytest.raises(ProcfileError):
        Supervisor(procfile.with_name("None"), ENVIRONMENT)


def test_a_failed_release_starts_nothing_and_shows_its_last_lines(procfile: Path, logs: Path) -> None:
    procfile.write_text("release: sh -c 'echo no database; exit 3'\nweb: sleep 1000\n")
    supervisor = Supervisor(procfile, ENVIRONMENT, logs)
    supervisor.add("simulator", ["sleep", "1000"])
    with pytest.raises(ReleaseError, match=r"exit code 3; .*release\.log ends with: no database"):
        supervisor.__enter__()
    assert supervisor.names == ["simulator"]
    assert supervisor.pids("simulator") == []


def test_leaving_the_block_stops_everything_in_reverse_order(procfile: Path, logs: Path, events: list[Event]) -> None:
    with Supervisor(procfile, ENVIRONMENT, logs, on_event=events.append) as supervisor:
        processes = family(supervisor)
    assert all_gone(processes)
    assert [event.name for event in events if event.kind == "stopped"] == ["worker", "web"]


def test_signals_are_given_back_after_the_block(supervisor: Supervisor, procfile: Path, logs: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Supervisor(procfile, ENVIRONMENT, logs):
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_without_a_log_folder_all_lines_come_together_with_names(procfile: Path) -> None:
    together = io.StringIO()
    with Supervisor(procfile, ENVIRONMENT, console=together):
        wait_until(
            lambda: "working" in together.getvalue() and "web on" in together.getvalue(), "both processes' lines"
        )
    lines = together.getvalue().splitlines()
    width = len("worker-notifications")  # the longest of their names
    assert f"{'release':<{width}} | released given" in lines
    assert f"{'web':<{width}} | web on 8000" in lines
    assert f"{'worker':<{width}} | working" in lines
    assert f"{'web':<{width}} | -- stopped" in lines


RUNNER = textwrap.dedent(
    """
    import signal, sys
    from pathlib import Path
    from sandbox.supervisor import Supervisor

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it as ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and under nohup this one
    with Supervisor(Path(sys.argv[1]), {"PATH": "/usr/bin:/bin"}, Path(sys.argv[2])) as supervisor:
        print(*(supervisor.pids(name)[0] for name in supervisor.names), flush=True)
        supervisor.wait()
    """
)
STUBBORN = "web: sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1000; done'\nworker: sleep 1000\n"


@pytest.fixture
def runner(procfile: Path, logs: Path) -> list[str]:
    return [sys.executable, "-c", RUNNER, str(procfile), str(logs)]


def guarded_family(line: str) -> list[psutil.Process]:
    """The processes named on the runner's line, their guardians, and all below."""
    guardians = [parent for pid in line.split() if (parent := psutil.Process(int(pid)).parent()) is not None]
    return [*guardians, *(child for guardian in guardians for child in guardian.children(recursive=True))]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["SIGTERM", "SIGHUP", "SIGKILL"],
)
def test_nothing_outlives_a_signalled_supervisor(runner: list[str], number: signal.Signals, code: int) -> None:
    with child(runner) as process:
        assert process.stdout is not None
        processes = guarded_family(process.stdout.readline())
        assert len(processes) >= 4
        process.send_signal(number)
        assert process.wait(30) == code
    wait_until(lambda: all_gone(processes), "the end of all processes")


def test_a_ctrl_c_on_the_terminal_reaches_the_supervisor_alone_and_stops_all_in_order(
    runner: list[str], logs: Path, procfile: Path
) -> None:
    procfile.write_text(
        'web: sh -c \'trap "echo interrupted" INT; trap "echo asked; exit" TERM; echo ready; sleep 1000 & wait\'\n'
    )
    makefile = procfile.with_name("Makefile")
    quoted = " ".join(f"'{part}'" for part in [*runner[:1], str(procfile.with_name("runner.py")), *runner[3:]])
    procfile.with_name("runner.py").write_text(RUNNER)
    makefile.write_text(f"run:\n\t@{quoted}\n")
    leader, follower = pty.openpty()
    with child(
        ["make", "-f", str(makefile), "run"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},  # not MAKEFLAGS of an outer make
    ) as process:
        os.close(follower)
        processes = guarded_family(os.read(leader, 4096).decode())
        wait_until(lambda: (logs / "web.log").read_text() == "ready\n", "the traps to be set")
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    os.close(leader)
    assert all_gone(processes)
    assert (logs / "web.log").read_text() == "ready\nasked\n"


def test_a_second_signal_does_not_wait_for_the_stubborn(runner: list[str], procfile: Path, logs: Path) -> None:
    procfile.write_text(STUBBORN)
    with child(runner) as process:
        assert process.stdout is not None
        processes = guarded_family(process.stdout.readline())
        worker = processes[-1]
        wait_until(lambda: (logs / "web.log").read_text() == "ready\n", "the trap to be set")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not worker.is_running(), "the worker to be stopped, so that the web's turn has come")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 128 + signal.SIGTERM
    wait_until(lambda: all_gone(processes), "the end of all processes")
