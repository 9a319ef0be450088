"""Recognising card numbers: they must never enter, nor stand in a log.

A run of 13 to 19 digits (ISO/IEC 7812) that passes the Luhn check counts, whatever stands between its groups: up to
three characters that are neither letters nor digits, seen or unseen. Runs that begin with 0 or 1 do not: no card
scheme issues them, and times in milliseconds begin with 1.
"""

import re
from collections.abc import Iterator

from config.known_numbers import without_known_numbers

SHORTEST = 13  # digits, of old Visa cards
LONGEST = 19  # digits, the most that ISO/IEC 7812 allows
LONGEST_PHONE = 14  # digits behind a '+': E.164 allows 15, which nobody has; Amex's cards have them
LONGEST_GROUP = 8  # digits beside unusual separators: half a card; longer ones are numbers of their own in a list
_SEPARATOR = r"[\W_]{1,3}"
# Spaces and dashes of every kind, and what cannot be seen, as people type and paste them.
_USUAL = re.compile(r"[\s\-\u2010-\u2015\u00ad\u200b-\u200f\u2060\ufeff]+")
_RUN = re.compile(rf"(?<!\d)\d+(?:{_SEPARATOR}\d+)*")
_LIKELY = re.compile(rf"\d(?:(?:{_SEPARATOR})?\d){{{SHORTEST - 1}}}")
_GROUP = re.compile(r"\d+")
_PLUS = re.compile(r"(?<!\d)\+")


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand in the text, from the left and not overlapping."""
    if not _LIKELY.search(text):  # nearly always, and cheap to tell
        return
    text = without_known_numbers(text)
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
    start = groups[first][0]
    if int(text[start]) <= 1:  # int() reads the digits of every script
        return None
    shortest = LONGEST_PHONE + 1 if _PLUS.match(text, max(0, start - 1)) else SHORTEST
    digits, longest, all_usual = "", 0, True
    for index in range(first, len(groups)):
        start, end = groups[index]
        digits += text[start:end]
        longest = max(longest, end - start)
        if index > first:
            all_usual = all_usual and _USUAL.fullmatch(text, groups[index - 1][1], start) is not None
        if len(digits) > LONGEST or not (all_usual or longest <= LONGEST_GROUP):
            return None
        if len(digits) >= shortest and _luhn(digits):
            return index
    return None


def _luhn(digits: str) -> bool:
    """Check the last digit as ISO/IEC 7812-1 annex B computes it."""
    numbers = [int(digit) for digit in digits]
    doubled = (sum(divmod(2 * number, 10)) for number in numbers[-2::-2])
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0
