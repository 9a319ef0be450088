"""Availability: which share of the API's requests was answered, and which share while it could be."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, from its start to its answer or its end without one; seconds of a monotonic clock."""

    started: float
    ended: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Availability:
    """Shares between 0 and 1, None if nothing was asked.

    Args:
        raw: of all requests.
        undisturbed: of those that did not overlap an outage of what answers them.
        counted: how many those are.
        excluded: how many overlapped one.
    """

    raw: float | None
    undisturbed: float | None
    counted: int
    excluded: int


@dataclass(slots=True)
class Outages:
    """When what answers the API was killed, frozen or cut off by us; kept from any thread."""

    ended: list[Interval] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, started: float, ended: float) -> None:
        """Keep one outage."""
        with self.lock:
            self.ended.append((started, ended))


def measure(requests: Sequence[Asked], outages: Iterable[Interval]) -> Availability:
    """Return the shares of requests that were answered."""
    merged = merge(outages)
    starts = [started for started, _ in merged]
    counted = [each for each in requests if not _overlaps(each, merged, starts)]
    return Availability(
        raw=_share(requests),
        undisturbed=_share(counted),
        counted=len(counted),
        excluded=len(requests) - len(counted),
    )


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same times as intervals that are in order and apart."""
    merged: list[Interval] = []
    for started, ended in sorted(intervals):
        if merged and started <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((started, ended))
    return merged


def _overlaps(request: Asked, merged: Sequence[Interval], starts: Sequence[float]) -> bool:
    # The last interval that begins before the request ends is the only one that can reach into it.
    position = bisect_left(starts, request.ended)
    return position > 0 and merged[position - 1][1] > request.started


def _share(requests: Sequence[Asked]) -> float | None:
    return sum(each.answered for each in requests) / len(requests) if requests else None
