"""The jobs of notifications."""

from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import SEND_NOTIFICATION_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class SendNotification(JsonContract):
    """Tell one endpoint of one event. Its job's id is the `webhook-id`, by which the website knows a repeat.

    Args:
        endpoint_id: where to.
        type: what happened, such as `payment.paid`.
        body: the JSON that is sent, the same at every attempt: what was true when it happened.
    """

    KIND: ClassVar[Kind] = Kind(
        "notifications.send",
        queues.NOTIFICATIONS,
        max_age=SEND_NOTIFICATION_AGE,
        shown=False,
        asks=False,
        posted=False,
    )

    endpoint_id: str
    type: str
    body: str
