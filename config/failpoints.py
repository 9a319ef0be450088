"""Failpoints: places where a process of the sandbox can be made to die, fail or freeze on purpose.

A point is named `<step>.before` or `<step>.after`; the steps are in `tasks.contracts.steps`. Nothing is armed unless
`TOLLGATE_FAILPOINTS` says so, and then a point costs one look at an empty dictionary.
"""

import logging
import os
import re
import signal
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

from config.errors import SettingsError

Action = Literal["raise", "exit", "kill", "hang"]
NONE: Final = "none"  # what the setting says when nothing is armed
EXIT_CODE: Final = 70  # EX_SOFTWARE of sysexits.h
_WRITTEN: Final = re.compile(
    r"(?P<point>[a-z_.]+\.(?:before|after))=(?P<action>raise|exit|kill|hang)(?::(?P<nth>[1-9]\d*))?"
)
# Nothing in Tollgate sets it. A test does, to see what a process does that wakes long after others took its work over.
WOKEN: Final = threading.Event()

LOG = logging.getLogger("tollgate.failpoints")


@dataclass(frozen=True, slots=True)
class Failpoint:
    """What happens at a point.

    Args:
        point: its name, `<step>.before` or `<step>.after`.
        action: `raise` an error that nobody expects, `exit` at once without any cleaning up, `kill` this process as
            kill -9 does, or `hang`: block the thread for ever, with all that it holds.
        nth: the how many-th time that the point is reached, from 1.
    """

    point: str
    action: Action
    nth: int = 1


ARMED: Final[dict[str, Failpoint]] = {}
_reached: Final[dict[str, int]] = {}
_lock: Final = threading.Lock()


def parse_failpoints(name: str, value: str) -> tuple[Failpoint, ...]:
    """Read `point=action` or `point=action:N`, several with commas; `none` is none.

    Raises:
        SettingsError: one line that names the variable and what can't be read.
    """
    if value == NONE:
        return ()
    found = []
    for part in value.split(","):
        match = _WRITTEN.fullmatch(part.strip())
        if match is None:
            raise SettingsError(
                f"{name} has '{part.strip()}', but must be like worker.claim.after=kill or worker.claim.after=kill:2, "
                "with raise, exit, kill or hang"
            )
        found.append(Failpoint(match["point"], cast("Action", match["action"]), int(match["nth"] or 1)))
    return tuple(found)


def arm(failpoints: Iterable[Failpoint], known: Collection[str]) -> None:
    """Arm these and no others.

    Args:
        failpoints: one for each point at most; of two, the later holds.
        known: the names of all points there are.

    Raises:
        SettingsError: if a point is not known, and so would never be reached.
    """
    ARMED.clear()
    _reached.clear()
    for failpoint in failpoints:
        if failpoint.point not in known:
            raise SettingsError(f"TOLLGATE_FAILPOINTS names '{failpoint.point}', which is no point of any step")
        ARMED[failpoint.point] = failpoint
        LOG.warning("failpoint armed: %s at %s", failpoint.action, failpoint.point)


def reach(point: str) -> None:
    """Do what is armed at this point, if it is its turn.

    Raises:
        RuntimeError: the armed error. It is none of Tollgate's own: those are all expected somewhere.
    """
    failpoint = ARMED.get(point)
    if failpoint is None:
        return
    with _lock:
        _reached[point] = _reached.get(point, 0) + 1
        if _reached[point] != failpoint.nth:
            return
    LOG.warning("failpoint reached: %s at %s", failpoint.action, point, extra={"failpoint": point})
    match failpoint.action:
        case "raise":
            raise RuntimeError(f"the failpoint {point} is armed")
        case "exit":
            os._exit(EXIT_CODE)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            WOKEN.wait()
