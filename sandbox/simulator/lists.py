"""Lists: cursors, limits and creation times (https://docs.stripe.com/api/pagination)."""

from collections.abc import Callable, Iterator, Sequence
from itertools import dropwhile, islice
from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import invalid, missing_resource
from sandbox.simulator.params import Param, Raw, Spec, identifier, integer, listing, mapping
from sandbox.simulator.state import State

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 100

BOUNDS: Final[Spec] = {name: Param(integer()) for name in ("gt", "gte", "lt", "lte")}


def created(name: str, raw: Raw) -> dict[str, int]:
    """Read a creation time, exact or as bounds, in seconds since 1970."""
    if isinstance(raw, str):
        exact = integer()(name, raw)
        return {"gte": exact, "lte": exact}
    bounds: dict[str, int] = mapping(BOUNDS)(name, raw)
    return bounds


LIST_PARAMS: Final[Spec] = {
    "limit": Param(integer(1, MAX_LIMIT)),
    "starting_after": Param(identifier),
    "ending_before": Param(identifier),
    "created": Param(created),
    "expand": Param(listing(identifier)),
}


def page(
    state: State,
    collection: str,
    values: dict[str, Any],
    matches: Callable[[JsonObject], bool],
    *,
    url: str,
    noun: str,
) -> JsonObject:
    """Return one page of a collection, the newest object first.

    Raises:
        ApiError: a cursor names no object, or both cursors were given.
    """
    cursor, backwards = _cursor(values, lambda name: state.get(collection, name) is not None, noun)
    walk = state.oldest(collection) if backwards else state.newest(collection)
    found = _matching(_beyond(walk, cursor), values.get("created") or {}, matches)
    return _cut(found, values, backwards=backwards, url=url)


def page_of(rows: Sequence[JsonObject], values: dict[str, Any], *, url: str, noun: str) -> JsonObject:
    """Return one page of what an object holds, in its own order.

    Raises:
        ApiError: a cursor names none of them, or both cursors were given.
    """
    cursor, backwards = _cursor(values, lambda name: any(each["id"] == name for each in rows), noun)
    walk = reversed(rows) if backwards else iter(rows)
    return _cut(_beyond(walk, cursor), values, backwards=backwards, url=url)


def _cursor(values: dict[str, Any], is_known: Callable[[str], bool], noun: str) -> tuple[str | None, bool]:
    after, before = values.get("starting_after"), values.get("ending_before")
    if after and before:
        raise invalid("You can only specify one of starting_after or ending_before.", param="starting_after")
    cursor = after or before
    if cursor and not is_known(cursor):
        raise missing_resource(noun, cursor, param="starting_after" if after else "ending_before")
    return cursor, bool(before)


def _cut(walk: Iterator[JsonObject], values: dict[str, Any], *, backwards: bool, url: str) -> JsonObject:
    limit = values.get("limit", DEFAULT_LIMIT)
    found = list(islice(walk, limit + 1))
    data = found[:limit]
    if backwards:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def _beyond(walk: Iterator[JsonObject], cursor: str | None) -> Iterator[JsonObject]:
    if cursor is None:
        return walk
    rest = dropwhile(lambda each: each["id"] != cursor, walk)
    next(rest, None)
    return rest


def _matching(
    walk: Iterator[JsonObject], bounds: dict[str, int], matches: Callable[[JsonObject], bool]
) -> Iterator[JsonObject]:
    for each in walk:
        if bounds and not within(each["created"], bounds):
            continue
        if matches(each):
            yield each


def within(moment: int, bounds: dict[str, int]) -> bool:
    """Tell whether a moment lies within bounds, both in seconds since 1970."""
    return (
        moment > bounds.get("gt", -1)
        and moment >= bounds.get("gte", 0)
        and moment < bounds.get("lt", moment + 1)
        and moment <= bounds.get("lte", moment)
    )
