"""What this worker process holds; Celery calls tasks and steps by name, so it can't be passed in."""

from dataclasses import dataclass
from typing import TypeVar

from config.errors import TollgateError
from tasks.admission import Admission
from tasks.stopping import Stopping
from workers.runtime import Runtime

T = TypeVar("T")


@dataclass(slots=True)
class _Process:
    runtime: Runtime | None = None
    admission: Admission | None = None
    stopping: Stopping | None = None


_PROCESS = _Process()


def bind_process(runtime: Runtime | None, admission: Admission | None, stopping: Stopping | None) -> None:
    """Give this process its parts, or take them back."""
    _PROCESS.runtime, _PROCESS.admission, _PROCESS.stopping = runtime, admission, stopping


def current_runtime() -> Runtime:
    """Return the process's runtime.

    Raises:
        TollgateError: if the process is no worker.
    """
    return _bound(_PROCESS.runtime)


def current_admission() -> Admission:
    """Return what admits work in this process; raises as `current_runtime` does."""
    return _bound(_PROCESS.admission)


def current_stopping() -> Stopping:
    """Return how this process ends; raises as `current_runtime` does."""
    return _bound(_PROCESS.stopping)


def _bound(part: T | None) -> T:
    if part is None:
        raise TollgateError(
            "this process has no runtime: tasks run in a worker started with 'celery -A celery_app worker'"
        )
    return part
