"""Celery's events as Flower may show them: ids and words of ours, nothing that a job carries.

Messages hold ids by construction, and tasks raise errors of our tree. This is the second lock: what a bug or a
library puts into an argument, an error's text or a traceback does not get as far as a page.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from celery.events import EventReceiver
from flower.events import Events  # type: ignore[import-untyped]  # flower has no types
from kombu.exceptions import OperationalError

from config import errors
from config.redaction import redact
from models.job import JOB_MOVES

_ID = r"\b(?:(?:job|pay|ref|inv|bat|cst)_[a-z2-7]{26}|evt_\w{8,64})\b"
ID = re.compile(_ID)
MAXIMUM_CHARACTERS = 500  # of an error, on a page; the whole of it is in the job's row
UNTOLD = "(its words are in the job's row)"
FIRST_PAUSE_S = 0.5  # a restarting Redis is back within a second or two
LONGEST_PAUSE_S = 5.0  # Flower's own pause doubles without end
OWN_ERRORS = frozenset(name for name, value in vars(errors).items() if isinstance(value, type))
_ERROR = re.compile(r"(?P<name>[A-Za-z_]\w*)\(.*\)", re.DOTALL)
_RETRY = re.compile(r"Retry\(Retry\(\.\.\.\), (?P<cause>.*), [^,]*\)", re.DOTALL)
_RETRY_SAYS = "celery.exceptions.Retry: "  # how Python ends the traceback of one
_STATE = "|".join(JOB_MOVES.states)
_TALLY = re.compile(rf"'?(?:nothing to do|(?:(?:{_ID}|\d{{1,6}}):? (?:{_STATE})(?:, |(?='?$)))+)'?")
_log = logging.getLogger(__name__)


class ClosedEvents(Events):  # type: ignore[misc]  # flower has no types
    """Flower's ear at the broker: it filters what it hears, and comes back within seconds after the broker does."""

    def on_event(self, event: dict[str, Any]) -> None:
        """Pass an event on without what must not be shown."""
        super().on_event(presentable(event))

    def run(self) -> None:
        """Listen for as long as the process lives; an error that is not the broker's ends the process."""
        pause = threading.Event()
        delay = FIRST_PAUSE_S
        try:
            while True:
                heard = threading.Event()
                try:
                    self._listen(heard.set)
                except self._broker_errors() as error:
                    delay = FIRST_PAUSE_S if heard.is_set() else min(2 * delay, LONGEST_PAUSE_S)
                    _log.warning("the broker is away, listening again in %.1f s: %s", delay, error)
                    pause.wait(delay)
        except BaseException:
            _log.critical("cannot listen to the broker any more", exc_info=True)
            self.io_loop.add_callback(self.on_deaf)
            raise

    on_deaf: Callable[[], None]

    def _listen(self, connected: Callable[[], None]) -> None:
        with self.capp.connection() as connection:
            connection.ensure_connection(max_retries=1, timeout=LONGEST_PAUSE_S)
            connected()
            receiver = _Ear(connection, handlers={"*": self.on_event}, app=self.capp)
            receiver.capture(limit=None, timeout=None, wakeup=True)

    def _broker_errors(self) -> tuple[type[BaseException], ...]:
        with self.capp.connection() as connection:
            return (OSError, OperationalError, *connection.recoverable_connection_errors)


class _Ear(EventReceiver):
    """Says in one line what kombu tells with a traceback: that the broker went away just before it was listened to."""

    def on_connection_error(self, exc: BaseException, interval: float) -> None:
        """Log that the broker does not answer; it is tried again after `interval` seconds."""
        _log.warning("the broker is away, trying again in %.1f s: %s", interval, exc)


def presentable(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with ids for arguments, words of ours for results and errors, and places for tracebacks."""
    shown = dict(event)
    for name in SHOWN_AS.keys() & shown.keys():
        shown[name] = SHOWN_AS[name](str(shown[name]))
    if event.get("type") == "task-retried":
        shown["exception"] = _reason(str(event.get("exception")), str(event.get("traceback")))
    return shown


def _ids(value: str) -> str:
    return ", ".join(ID.findall(value))


def _tally(value: str) -> str:
    """Keep a result that says only which jobs are in which state, as an entry point's does."""
    return value.strip("'") if _TALLY.fullmatch(value) else _ids(value)


def _words(value: str) -> str:
    """Keep what an error of ours says; of any other error keep only its name."""
    match = _ERROR.fullmatch(value.strip())
    if match is None:
        return f"an error {UNTOLD}"
    return _said(value) if match["name"] in OWN_ERRORS else f"{match['name']} {UNTOLD}"


def _reason(exception: str, trace: str) -> str:
    """Find why an attempt will run again: Celery tells the cause if there is one, else only the traceback has it."""
    if (match := _RETRY.fullmatch(exception)) and match["cause"] != "None":
        return f"Retry: {_words(match['cause'])}"
    _, separator, words = trace.rpartition(_RETRY_SAYS)
    return f"Retry: {_said(words.strip())}" if separator else f"Retry {UNTOLD}"


def _said(words: str) -> str:
    return redact(words)[:MAXIMUM_CHARACTERS]


def _places(value: str) -> str:
    """Keep the files and lines of a traceback: source text and messages may hold anything."""
    return "\n".join(line for line in value.splitlines() if line.startswith('  File "'))


SHOWN_AS: Mapping[str, Callable[[str], str]] = {
    "args": _ids,
    "kwargs": _ids,
    "result": _tally,
    "exception": _words,
    "traceback": _places,
}
