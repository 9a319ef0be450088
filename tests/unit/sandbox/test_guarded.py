"""A child that can't outlive its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from sandbox.guarded import CommandNotStartedError, Guarded
from tests.children import child
from tests.polling import wait_until

ENVIRONMENT = {"PATH": os.defpath}
FAMILY = ["/bin/sh", "-c", "sleep 1000 & setsid sleep 1000 & sleep 1000 & wait"]
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")


def family_of(guarded: Guarded) -> list[psutil.Process]:
    return wait_until(lambda: len(guarded.tree()) == 4 and guarded.tree(), "three children") or []


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


def test_the_exit_code_is_the_commands_own() -> None:
    guarded = Guarded(["/bin/sh", "-c", "exit 7"], environment=ENVIRONMENT)
    assert guarded.wait(10) == 7
    assert guarded.stop() == 7


def test_death_by_a_signal_reads_as_in_a_shell() -> None:
    guarded = Guarded(["/bin/sleep", "1000"], environment=ENVIRONMENT)
    os.kill(guarded.pid, signal.SIGKILL)
    assert guarded.wait(10) == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist_is_an_error_with_its_name() -> None:
    with pytest.raises(CommandNotStartedError, match="/no/such/program: No such file or directory"):
        Guarded(["/no/such/program"], environment=ENVIRONMENT)


def test_the_command_sees_the_given_environment_and_folder_and_nothing_else(tmp_path: Path) -> None:
    guarded = Guarded(
        ["/usr/bin/env"], environment={"ONE": "1", "LC_ALL": "C"}, folder=tmp_path, output=subprocess.PIPE
    )
    assert guarded.output is not None
    assert guarded.output.read().decode().split() == ["ONE=1", "LC_ALL=C"]
    guarded.wait(10)
    guarded.close()


@linux_only
def test_stopping_ends_the_whole_family_even_those_in_sessions_of_their_own() -> None:
    guarded = Guarded(FAMILY, environment=ENVIRONMENT)
    family = family_of(guarded)
    assert guarded.stop() == 128 + signal.SIGTERM
    assert all_gone(family)


@linux_only
def test_what_a_killed_command_leaves_behind_is_ended() -> None:
    guarded = Guarded(FAMILY, environment=ENVIRONMENT)
    family = family_of(guarded)
    os.kill(guarded.pid, signal.SIGKILL)
    assert guarded.wait(20) == 128 + signal.SIGKILL
    assert all_gone(family)
    guarded.stop()


def test_a_command_that_ignores_its_stop_signal_is_killed_after_its_grace() -> None:
    guarded = Guarded(STUBBORN, environment=ENVIRONMENT, grace_s=0.2)
    wait_until(lambda: len(guarded.tree()) == 2, "the trap to be set")
    assert guarded.stop() == 128 + signal.SIGKILL


def test_a_frozen_command_can_be_stopped() -> None:
    guarded = Guarded(["/bin/sleep", "1000"], environment=ENVIRONMENT)
    guarded.send_all(signal.SIGSTOP)
    assert guarded.stop() == 128 + signal.SIGTERM


def test_a_signal_is_passed_on_to_the_command() -> None:
    guarded = Guarded(["/bin/sleep", "1000"], environment=ENVIRONMENT)
    guarded.send(signal.SIGUSR1)
    assert guarded.wait(10) == 128 + signal.SIGUSR1
    guarded.send(signal.SIGUSR1)
    guarded.stop()


STARTER = textwrap.dedent(
    """
    import os, sys, threading
    from sandbox.guarded import Guarded

    started = []
    def start():
        started.append(Guarded(sys.argv[1:], environment={"PATH": os.defpath}))
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    print(started[0].pid, flush=True)
    threading.Event().wait()
    """
)


@linux_only
def test_the_family_lives_on_without_the_thread_that_started_it_and_dies_with_the_process() -> None:
    with child([sys.executable, "-c", STARTER, *FAMILY]) as starter:
        assert starter.stdout is not None
        first = psutil.Process(int(starter.stdout.readline()))
        wait_until(lambda: len(first.children()) == 3, "the family")
        guardian = first.parent()
        assert guardian is not None
        family = [guardian, first, *first.children()]
        starter.kill()
    wait_until(lambda: all_gone(family), "the end of the family")
