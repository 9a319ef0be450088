"""What Tollgate logs as an error while the model runs: it meets nothing that it should not take in its stride."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Complaints(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        self.heard.append(record.getMessage() + cause)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the workers' and dispatchers' errors, and nobody else; the ingress's are answers, looked at as such."""
        logger, ingress = logging.getLogger("tollgate"), logging.getLogger("ingress")
        before = logger.propagate, logger.level, ingress.level
        logger.addHandler(self)
        logger.propagate = False
        logger.setLevel(logging.ERROR)
        ingress.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.propagate = before[0]
            logger.setLevel(before[1])
            ingress.setLevel(before[2])
