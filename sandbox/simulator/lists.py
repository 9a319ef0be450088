"""Lists: cursors, limits and creation times (https://docs.stripe.com/api/pagination)."""

from collections.abc import Callable, Iterator
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
    after, before = values.get("starting_after"), values.get("ending_before")
    if after and before:
        raise invalid("You can only specify one of starting_after or ending_before.", param="starting_after")
    cursor = after or before
    if cursor and state.get(collection, cursor) is None:
        raise missing_resource(noun, cursor, param="starting_after" if after else "ending_before")
    limit = values.get("limit", DEFAULT_LIMIT)
    walk = state.oldest(collection) if before else state.newest(collection)
    found = list(islice(_matching(_beyond(walk, cursor), values.get("created") or {}, matches), limit + 1))
    data = found[:limit]
    if before:
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
        if bounds and not _within(each["created"], bounds):
            continue
        if matches(each):
            yield each


def _within(moment: int, bounds: dict[str, int]) -> bool:
    return (
        moment > bounds.get("gt", -1)
        and moment >= bounds.get("gte", 0)
        and moment < bounds.get("lt", moment + 1)
        and moment <= bounds.get("lte", moment)
    )
