"""Failpoints: named in one setting, only in a sandbox, and free while nothing is armed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from config import failpoints
from config.errors import SettingsError, TollgateError
from config.failpoints import EXIT_CODE, Failpoint, arm, parse_failpoints, reach
from config.settings import load_ingress, load_worker
from tests.builders.settings import complete_settings, put

NAME = "TOLLGATE_FAILPOINTS"
POINT = "worker.claim.after"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm([], [])
    failpoints.WOKEN.clear()


def test_the_setting_names_points_actions_and_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_FAILPOINTS="worker.claim.after=kill, views.write.before=hang:3"))
    wanted = (Failpoint(POINT, "kill", 1), Failpoint("views.write.before", "hang", 3))
    assert load_worker().failpoints == wanted
    assert load_ingress().failpoints == wanted


@pytest.mark.parametrize(
    "value", ["worker.claim=kill", "worker.claim.after", "worker.claim.after=burn", "worker.claim.after=kill:0", "a,b"]
)
def test_what_cannot_be_read_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(SettingsError, match=NAME) as caught:
        parse_failpoints(NAME, value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("environment", ["test", "live"])
def test_only_a_sandbox_dies_on_purpose(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    variables = complete_settings(TOLLGATE_ENV=environment, TOLLGATE_FAILPOINTS=f"{POINT}=raise")
    del variables["TOLLGATE_STRIPE_API_BASE"]
    if environment == "live":
        variables["TOLLGATE_STRIPE_API_KEY"] = "sk_live_made_up"
    put(monkeypatch, variables)
    for load in (load_worker, load_ingress):
        with pytest.raises(SettingsError, match="only a sandbox"):
            load()


def test_a_point_of_no_step_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"worker\.clame\.after"):
        arm([Failpoint("worker.clame.after", "kill")], {POINT})


def test_it_fires_at_its_turn_and_only_then() -> None:
    arm([Failpoint(POINT, "raise", 2)], {POINT})
    reach(POINT)
    reach("worker.claim.before")
    with pytest.raises(RuntimeError) as caught:
        reach(POINT)
    assert not isinstance(caught.value, TollgateError)  # those are all expected somewhere
    reach(POINT)


@pytest.mark.parametrize(("action", "code"), [("exit", EXIT_CODE), ("kill", -signal.SIGKILL)])
def test_exit_and_kill_end_the_process_at_once(action: str, code: int) -> None:
    program = (
        "import atexit; from config.failpoints import *\n"
        "atexit.register(print, 'cleaned up')\n"
        f"arm([Failpoint('{POINT}', '{action}')], ['{POINT}']); reach('{POINT}')"
    )
    ended = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=20)
    assert (ended.returncode, ended.stdout) == (code, b"")


def test_hang_lasts_until_it_is_woken() -> None:
    arm([Failpoint(POINT, "hang")], {POINT})
    thread = threading.Thread(target=reach, args=(POINT,), daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    failpoints.WOKEN.set()
    thread.join(5.0)
    assert not thread.is_alive()
