"""The drain: the step of Celery's worker that comes between its consumer, which stops first, and its pool."""

import os
from typing import Any

from celery import bootsteps
from celery.worker.components import Pool
from kombu.common import ignore_errors

from tasks.process import current_stopping


class Drain(bootsteps.StartStopStep):
    """Lets a worker stop as `tasks.stopping` has it."""

    requires = (Pool,)

    def start(self, worker: Any) -> None:
        """Take the signals over; Celery has just set its own."""
        del worker
        current_stopping().take_signals()

    def stop(self, worker: Any) -> None:
        """Give back the hints that no thread has begun, then wait for the jobs that run."""
        worker.pool.executor.shutdown(wait=False, cancel_futures=True)
        # The broker puts back what its channel leaves unacknowledged. Celery closes the channel too, but only when the
        # last job has ended, and other workers should not wait for that. On Redis this also reads the answer to the
        # request for a message that is still under way: what it brings would be lost otherwise.
        if worker.consumer.task_consumer is not None:
            ignore_errors(worker.consumer, worker.consumer.task_consumer.channel.close)
        if current_stopping().drain():
            current_stopping().finish(os.EX_OK)  # Celery would wait for the rest without any limit
