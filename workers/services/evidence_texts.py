"""The texts of evidence: how what was posted and what Tollgate knows itself become one set within Stripe's limits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.evidence import APPENDED, MOST_TEXT, MOST_TOGETHER

TIMELINE: Final = "timeline"  # Tollgate's own part of `REST`, where a cut names it
REST: Final = "uncategorized_text"
OLDER_LEFT_OUT: Final = "[Older lines are left out here.]\n"
END_LEFT_OUT: Final = "\n[The rest is left out here.]"
# Which field gives way first when all together are too long: what is long by nature and tells least by each line. What
# is not named never has to: the others together can't reach the limit.
GIVE_WAY: Final = (
    REST,
    "access_activity_log",
    "duplicate_charge_explanation",
    "cancellation_rebuttal",
    "refund_refusal_explanation",
    "billing_address",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One text that was posted for one of Stripe's fields."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left out of a field.

    Args:
        field: Stripe's, or `timeline` for Tollgate's own lines.
        characters: how many are left out.
        limit: the limit that asked for it, in characters.
    """

    field: str
    characters: int
    limit: int


@dataclass(frozen=True, slots=True)
class Assembly:
    """What would be submitted, by Stripe's field, and what had to be left out of it."""

    texts: Mapping[str, str]
    cuts: Sequence[Cut]


def merge(posted: Iterable[Piece], known: Mapping[str, str], timeline: str) -> Assembly:
    """Merge evidence.

    What was posted wins over what is known. Pieces of `config.evidence.APPENDED` follow each other, of the other fields
    the last piece counts. Of a field that is too long the oldest lines go if it is appended, else its end. If all
    together are too long, fields give way in the order of `GIVE_WAY`. A text that was shortened says so itself. The
    timeline follows the posted `uncategorized_text` if all of it fits then, and is left out if not.

    Args:
        posted: in the order of acceptance.
        known: what Tollgate knows itself, by field.
        timeline: what Tollgate has recorded, a line each; may be empty.
    """
    whole = {**known, **_joined(posted)}
    rooms = _rooms(whole)
    texts = {field: _within(field, text, rooms[field]) for field, text in whole.items()}
    cuts = [
        Cut(field, len(text) - _kept(texts[field]), MOST_TOGETHER if rooms[field] < MOST_TEXT else MOST_TEXT)
        for field, text in whole.items()
        if len(text) > rooms[field]
    ]
    _add_timeline(texts, cuts, timeline)
    return Assembly(dict(sorted((field, text) for field, text in texts.items() if text)), tuple(cuts))


def _rooms(texts: Mapping[str, str]) -> Mapping[str, int]:
    """Return how many characters each field may have."""
    rooms = {field: min(len(text), MOST_TEXT) for field, text in texts.items()}
    for field in GIVE_WAY:
        excess = max(0, sum(rooms.values()) - MOST_TOGETHER)
        rooms[field] = max(0, rooms.get(field, 0) - excess)
    return rooms


def _joined(posted: Iterable[Piece]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for piece in posted:
        earlier = texts.get(piece.field) if piece.field in APPENDED else None
        texts[piece.field] = piece.text if earlier is None else earlier.removesuffix("\n") + "\n" + piece.text
    return texts


def _within(field: str, text: str, room: int) -> str:
    """Return a text, or what of it fits, with a remark; nothing if not even that fits."""
    if len(text) <= room:
        return text
    if field in APPENDED:
        return _newest(text, room - len(OLDER_LEFT_OUT))
    space = room - len(END_LEFT_OUT)
    return text[:space] + END_LEFT_OUT if space > 0 else ""


def _newest(text: str, space: int) -> str:
    """Return the last whole lines that fit behind the remark; of a last line that is too long, its end."""
    if space <= 0:
        return ""
    end = text[-space:]
    lines = end if text[-space - 1] == "\n" else end.partition("\n")[2]
    return OLDER_LEFT_OUT + (lines or end)


def _kept(text: str) -> int:
    """Return how many characters of what was posted are left in a text that was shortened."""
    return len(text.removeprefix(OLDER_LEFT_OUT).removesuffix(END_LEFT_OUT))


def _add_timeline(texts: dict[str, str], cuts: list[Cut], timeline: str) -> None:
    rest = "\n\n".join(part for part in (texts.get(REST, ""), timeline) if part)
    others = sum(len(text) for field, text in texts.items() if field != REST)
    if len(rest) > MOST_TEXT:
        cuts.append(Cut(TIMELINE, len(timeline), MOST_TEXT))
    elif others + len(rest) > MOST_TOGETHER:
        cuts.append(Cut(TIMELINE, len(timeline), MOST_TOGETHER))
    else:
        texts[REST] = rest
