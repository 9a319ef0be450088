"""Results: what a reconciliation has found, of one piece of time or of many, and what of Stripe's balance remains."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from workers.services.reconciliation.breaks import Break
from workers.services.reconciliation.compare import Matched

Key = tuple[str, str]  # day (ISO 8601, UTC) and currency


@dataclass(slots=True)
class Total:
    """What a day comes to in one currency, all in minor units.

    Args:
        stripe: by how much Stripe's balance moved.
        ledger: by how much the account `stripe` of the ledger did.
        timing: what the ledger says of the same movements at other times, less what it says here of others.
        breaks: what breaks and notices explain.
    """

    stripe: int = 0
    ledger: int = 0
    timing: int = 0
    breaks: int = 0

    @property
    def remainder(self) -> int:
        """Return what nothing explains."""
        return self.stripe - self.ledger - self.timing - self.breaks

    def add(self, other: "Total") -> None:
        """Add another piece of the same day."""
        self.stripe += other.stripe
        self.ledger += other.ledger
        self.timing += other.timing
        self.breaks += other.breaks


@dataclass(slots=True)
class Result:
    """What was compared, and what is not the same."""

    movements: int = 0
    breaks: list[Break] = field(default_factory=list)
    matched: list[Matched] = field(default_factory=list)
    totals: dict[Key, Total] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Break]:
        """Return the breaks without the notices."""
        return [each for each in self.breaks if not each.kind.is_notice]

    @property
    def remainder(self) -> dict[str, int]:
        """Return by currency what nothing explains; a currency in which every day comes out is left out.

        A day above what is explained and one below it do not make up for each other.
        """
        left = Counter[str]()
        for (_, currency), total in self.totals.items():
            left[currency] += abs(total.remainder)
        return dict(+left)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong and nothing remains."""
        return not self.wrong and not self.remainder

    def add(self, other: "Result") -> None:
        """Add the result of another piece."""
        self.movements += other.movements
        self.breaks += other.breaks
        self.matched += other.matched
        for key, total in other.totals.items():
            self.totals.setdefault(key, Total()).add(total)

    def to_json(self) -> dict[str, Any]:
        """Write it as JSON's types; of what matched only the number of movements is kept."""
        totals = [
            {"day": day, "currency": currency, **asdict(total), "remainder": total.remainder}
            for (day, currency), total in sorted(self.totals.items())
        ]
        return {
            "movements": self.movements,
            "breaks": [{**each.to_json(), "suggestion": each.suggestion} for each in self.breaks],
            "totals": totals,
            "remainder": self.remainder,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Result":
        """Read it back."""
        breaks = [{name: value for name, value in each.items() if name != "suggestion"} for each in fields["breaks"]]
        names = ("stripe", "ledger", "timing", "breaks")
        return cls(
            movements=fields["movements"],
            breaks=[Break.from_json(each) for each in breaks],
            totals={
                (each["day"], each["currency"]): Total(*(each[name] for name in names)) for each in fields["totals"]
            },
        )


def counts(result: Result) -> dict[str, int]:
    """Return how many breaks of each kind there are, notices left out."""
    return dict(sorted(Counter(each.kind.value for each in result.wrong).items()))


def day_of(moment: dt.datetime) -> str:
    """Return a moment's day as totals name it."""
    return moment.date().isoformat()
