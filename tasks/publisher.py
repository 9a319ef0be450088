"""The publisher: sends hints through Celery, and never waits long for a broker."""

import logging
from collections.abc import Iterable, Sequence
from itertools import groupby

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.queues import QUARANTINE
from tasks.contracts.kinds import kind_of
from tasks.contracts.steps import Step
from workers.jobs.publish import Hint

LOG = logging.getLogger("tollgate.publisher")
BROKER_ERRORS = (OperationalError, RedisError, OSError)
PRODUCER_SECONDS = 1.0  # to wait for a producer: there is one per dispatcher thread, so this is never long


def send(app: Celery, hints: Iterable[Hint]) -> list[Hint]:
    """Send one message per job, or per batch of jobs of a batch kind; return the hints that could not be sent.

    A hint carries ids alone, so that nothing of a payment can be read in the broker or in Flower.
    """
    by_kind = sorted(hints, key=lambda hint: (hint.kind, hint.queue))
    messages = [
        batch
        for (kind, queue), group in groupby(by_kind, key=lambda hint: (hint.kind, hint.queue))
        # Alone means alone: not even others of its kind share the process with what may kill it.
        for batch in _batches(list(group), 1 if queue == QUARANTINE else kind_of(kind).batch)
    ]
    unsent: list[Hint] = []
    for position, batch in enumerate(messages):
        try:
            _send(app, batch)
        except BROKER_ERRORS as error:
            LOG.warning("the broker is away, hints follow later: %s", type(error).__name__)
            unsent = [hint for rest in messages[position:] for hint in rest]
            break
    return unsent


def _batches(hints: Sequence[Hint], size: int) -> list[Sequence[Hint]]:
    return [hints[start : start + size] for start in range(0, len(hints), size)]


def _send(app: Celery, batch: Sequence[Hint]) -> None:
    with app.producer_pool.acquire(block=True, timeout=PRODUCER_SECONDS) as producer, Step.HINT:
        app.send_task(
            batch[0].kind,
            args=[[hint.job_id for hint in batch]],
            task_id=batch[0].job_id,
            queue=batch[0].queue,
            producer=producer,
            retry=False,
            ignore_result=True,
        )


def empty_queues(app: Celery, queues: Iterable[str]) -> list[str]:
    """Return those of the queues that hold no message; a broker that is away shows none as empty."""
    try:
        with app.connection_for_write() as connection, Step.DECLARE:
            return [queue for queue in queues if _depth(connection.default_channel, queue) == 0]
    except BROKER_ERRORS as error:
        LOG.warning("the broker is away, queues can't be measured: %s", type(error).__name__)
        return []


def _depth(channel: object, queue: str) -> int:
    # Declared as workers declare it, and not passively: kombu looks for a passive one without the key prefix, and so
    # never finds it on Redis.
    declared = channel.queue_declare(queue=queue, durable=True, auto_delete=False)  # type: ignore[attr-defined]  # kombu's channels are untyped
    return int(declared.message_count)
