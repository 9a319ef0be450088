"""What is heard from Stripe itself: an answer to what was asked, or to a look at what has become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from workers.gateways.snapshots import Answer
from workers.jobs.attempt import Attempt
from workers.services.moves import Source

T = TypeVar("T")


class Dated(Protocol):
    """An object of Stripe's."""

    @property
    def created(self) -> datetime:
        """When it was made, UTC."""


D_co = TypeVar("D_co", bound=Dated, covariant=True)


@dataclass(frozen=True, slots=True)
class Heard(Generic[D_co]):
    """An object, and by which call it became known: `response` or `fetch`."""

    answer: Answer[D_co]
    source: str


def source_of(answer: Answer[D_co], by: str) -> Source:
    """Return how new an answer is.

    A replayed one shows the object as it was when it was first given: never before it was made.
    """
    return Source(by, answer.value.created if answer.replayed else answer.as_of, answer.request_id)


def looked_up(attempt: Attempt, ask: Callable[[], T]) -> T:
    """Ask Stripe what it knows, after an attempt that may have had an effect.

    Raises:
        StripeOutcomeUnknownError: Stripe refuses to tell, which proves nothing.
        StripeError: as the gateway does.
        FenceLostError: if another attempt owns the job now.
    """
    attempt.before_call()
    try:
        return ask()
    except StripeInvalidError as error:
        message = f"the look-up was refused: {error}"
        raise StripeOutcomeUnknownError(message, code=error.code, request_id=error.request_id) from error
