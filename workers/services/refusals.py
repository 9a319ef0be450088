"""Refusals: why nothing is done of what a client asked for, in words that are fit for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from config.errors import StripeInvalidError
from workers.jobs.failure import describe
from workers.jobs.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is done; fit for the client."""

    code: str
    detail: str

    @property
    def problem(self) -> Mapping[str, str]:
        """As a job's problem."""
        return {"code": self.code, "detail": self.detail}


def _write_nothing(_session: Session) -> None:
    """Leave everything as it is."""


def refused(
    refusal: Refusal,
    write: Callable[[Session], None] = _write_nothing,
    *,
    request_id: str | None = None,
    error: StripeInvalidError | None = None,
) -> Outcome:
    """Return the outcome of a job that is refused.

    Args:
        refusal: why.
        write: what was learnt of the subject meanwhile, which is written with the job's end.
        request_id: Stripe's, of the last call.
        error: with which Stripe has refused, if it has.
    """
    return Outcome(
        "refused",
        write,
        problem=refusal.problem,
        error=None if error is None else describe(error),
        request_id=request_id,
    )
