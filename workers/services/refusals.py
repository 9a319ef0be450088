"""Refusals: why nothing is done of what a client asked for, in words that are fit for them."""

from collections.abc import Mapping
from dataclasses import dataclass

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


def refused(refusal: Refusal) -> Outcome:
    """Return the outcome of a job that is refused and has changed nothing."""
    return Outcome("refused", problem=refusal.problem)
