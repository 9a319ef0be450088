"""Recognising card numbers: they must never enter, nor stand in a log.

A run of 13 to 19 digits (ISO/IEC 7812) that passes the Luhn check counts, with spaces or dashes between its groups.
Runs that begin with 0 or 1 do not: no card scheme issues them, and times in milliseconds begin with 1.
"""

import re
from collections.abc import Iterator

SHORTEST = 13  # digits, of old Visa cards
LONGEST = 19  # digits, the most that ISO/IEC 7812 allows
_SEPARATOR = r"[\s\-\u2010-\u2015]{1,3}"  # spaces and dashes of every kind, as people type and paste them
_RUN = re.compile(rf"(?<!\d)\d+(?:{_SEPARATOR}\d+)*")
_LIKELY = re.compile(rf"\d(?:(?:{_SEPARATOR})?\d){{{SHORTEST - 1}}}")
_GROUP = re.compile(r"\d+")


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand in the text, from the left and not overlapping."""
    if not _LIKELY.search(text):  # nearly always, and cheap to tell
        return
    for run in _RUN.finditer(text):
        groups = [(m.start() + run.start(), m.end() + run.start()) for m in _GROUP.finditer(run[0])]
        first = 0
        while first < len(groups):
            last = _last_group(text, groups, first)
            if last is not None:
                yield groups[first][0], groups[last][1]
            first = first + 1 if last is None else last + 1


def contains_card_number(text: str) -> bool:
    """Tell whether a card number stands anywhere in the text."""
    return next(spans(text), None) is not None


def _last_group(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Return the last group of a card number that begins with the group `first`, if one does."""
    digits = ""
    for index in range(first, len(groups)):
        start, end = groups[index]
        digits += text[start:end]
        if len(digits) > LONGEST:
            return None
        if len(digits) >= SHORTEST and _is_card_number(digits):
            return index
    return None


def _is_card_number(digits: str) -> bool:
    numbers = [int(digit) for digit in digits]  # int() reads the digits of every script
    return numbers[0] > 1 and _luhn(numbers)


def _luhn(numbers: list[int]) -> bool:
    """Check the last digit as ISO/IEC 7812-1 annex B computes it."""
    doubled = (sum(divmod(2 * number, 10)) for number in numbers[-2::-2])
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0
