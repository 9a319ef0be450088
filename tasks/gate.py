"""The gate: while PostgreSQL is away a worker takes no hints from its queues, and they stay there.

A step of Celery's consumer, which looks from within the event loop: a consumer may be used by no other thread.
"""

import logging
from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks

from tasks.process import current_admission

LOG = logging.getLogger("tollgate.worker")
LOOK_SECONDS = 0.25  # with the watch's own pauses, work is taken again well within two seconds of PostgreSQL's return


class Gate(bootsteps.StartStopStep):
    """Cancels the consumer of the queues while PostgreSQL is away, and resumes it."""

    requires = (Tasks,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        self._shut = False
        self._entry: Any = None
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """Begin to look; Celery makes the queues' consumer anew with each connection to the broker."""
        self._shut = False
        self._entry = consumer.timer.call_repeatedly(LOOK_SECONDS, self.look, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Look no longer."""
        del consumer
        if self._entry is not None:
            self._entry.cancel()

    def look(self, consumer: Any) -> None:
        """Shut or open the queues, as PostgreSQL is away or there."""
        there = current_admission().watch.is_there
        if there is not self._shut or consumer.task_consumer is None:
            return
        if there:
            consumer.task_consumer.consume()
        else:
            consumer.task_consumer.cancel()
        self._shut = not there
        LOG.debug("the queues are %s", "shut" if self._shut else "open")
