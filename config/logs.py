"""Logs: one JSON object a line on stderr, or one readable line each in a terminal. Used by every process.

Request and job ids come from the context, so that whoever logs need not know them. Everything passes the redaction.
"""

import contextlib
import contextvars
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from config.redaction import redact
from config.settings import LogSettings

_CONTEXT: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("tollgate_log_context", default={})  # noqa: B039 - the default is never written to: bind() copies
_COLOURS = {"DEBUG": "36", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}  # ANSI SGR codes
_OWN_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


@contextlib.contextmanager
def bind(**ids: str) -> Iterator[None]:
    """Add ids such as `request_id` and `job_id` to every line that this thread or task logs inside the block."""
    token = _CONTEXT.set(_CONTEXT.get() | ids)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def bound() -> dict[str, str]:
    """Return the ids of this context."""
    return dict(_CONTEXT.get())


def configure_logs(settings: LogSettings, process: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged or warned, by us and by libraries, to one stream (stderr) in one form.

    Args:
        settings: level and form; `auto` is text in a terminal, else JSON.
        process: the name of this process in every line, such as `web`.
        stream: where to, if not stderr.
    """
    stream = stream or sys.stderr
    text = settings.form == "text" or (settings.form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextLines(process, colour=stream.isatty()) if text else JsonLines(process))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level)
    logging.captureWarnings(capture=True)


class JsonLines(JsonFormatter):
    """One JSON object a line: timestamp (RFC 3339, UTC), level, logger, message, process, ids, and the `extra`."""

    def __init__(self, process: str) -> None:
        super().__init__(json_ensure_ascii=False)
        self._process = process

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Blot out secrets in every value, however deep."""
        return {name: _redacted(value) for name, value in log_data.items()}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put the fixed fields in front of the extra ones."""
        log_data.update(
            timestamp=_timestamp(record),
            level=record.levelname,
            logger=record.name,
            message=record.getMessage(),
            process=self._process,
            **_CONTEXT.get(),
        )
        super().add_fields(log_data, record, message_dict)


class TextLines(logging.Formatter):
    """One line for people: time, level, process, logger, message, ids and extras."""

    def __init__(self, process: str, *, colour: bool) -> None:
        super().__init__()
        self._process = process
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        details = _CONTEXT.get() | {k: v for k, v in vars(record).items() if k not in _OWN_ATTRIBUTES}
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        line = f"{_timestamp(record)[11:23]} {level} {self._process} {record.name}: {record.getMessage()}"
        line += "".join(f" {name}={value}" for name, value in details.items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


def _timestamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {_redacted(name): _redacted(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redact(str(value))
