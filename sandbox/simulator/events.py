"""Events: a snapshot of an object at the moment something happened to it (https://docs.stripe.com/api/events)."""

from typing import Any, Final

from sandbox.simulator.account import API_VERSION, JsonObject
from sandbox.simulator.errors import NOT_FOUND, missing_resource
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, boolean, identifier, listing
from sandbox.simulator.state import Change, State

LIST: Final[Spec] = LIST_PARAMS | {
    "type": Param(identifier),
    "types": Param(listing(identifier)),
    "delivery_success": Param(boolean),
}


def emit(change: Change, kind: str, snapshot: JsonObject, before: JsonObject | None = None) -> JsonObject:
    """Record an event about an object, with what it looked like before if that matters, and queue its deliveries."""
    data: JsonObject = {"object": snapshot}
    if before is not None:
        data["previous_attributes"] = differences(before, snapshot)
    event = change.identifiers.new("evt")
    endpoints = [each["id"] for each in change.state.oldest("webhook_endpoints") if wants(each, kind)]
    for endpoint in endpoints:
        change.put("deliveries", delivery(event, endpoint))
    return change.put(
        "events",
        {
            "id": event,
            "object": "event",
            "api_version": API_VERSION,
            "created": change.clock.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": change.request_id, "idempotency_key": change.idempotency_key},
            "type": kind,
        },
    )


def wants(endpoint: JsonObject, kind: str) -> bool:
    """Tell whether a webhook endpoint is enabled for a type of event."""
    enabled = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in enabled or kind in enabled)


def delivery(event: str, endpoint: str) -> JsonObject:
    """Return the note that an endpoint has still to acknowledge an event."""
    return {"id": f"{event}/{endpoint}", "event": event, "endpoint": endpoint, "attempts": 0, "given_up": False}


def differences(before: JsonObject, after: JsonObject) -> JsonObject:
    """Return the former values of what changed, nested objects by their changed parts."""
    changed: JsonObject = {}
    for name, old in before.items():
        new = after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            nested = {key: old.get(key) for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
            changed[name] = nested
        else:
            changed[name] = old
    return changed


def shown(state: State, event: JsonObject) -> JsonObject:
    """Return an event as it reads now: how many endpoints have yet to acknowledge it changes with time."""
    return {**event, "pending_webhooks": pending(state, event["id"])}


def pending(state: State, event: str) -> int:
    """Return how many endpoints have not acknowledged an event."""
    endpoints = state.oldest("webhook_endpoints")
    return sum(state.get("deliveries", f"{event}/{each['id']}") is not None for each in endpoints)


def retrieve(change: Change, event: str) -> JsonObject:
    """Return one event.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("events", event)
    if known is None:
        raise missing_resource("event", event, param="id", status=NOT_FOUND)
    return shown(change.state, known)


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List events, the newest first, by type and by whether every endpoint has acknowledged them."""
    kinds = set(values.get("types") or ([values["type"]] if "type" in values else []))
    delivered = values.get("delivery_success")

    def matches(event: JsonObject) -> bool:
        if kinds and not any(_is_kind(event["type"], kind) for kind in kinds):
            return False
        return delivered is None or (pending(change.state, event["id"]) == 0) == delivered

    listed = page(change.state, "events", values, matches, url="/v1/events", noun="event")
    return {**listed, "data": [shown(change.state, event) for event in listed["data"]]}


def _is_kind(given: str, asked: str) -> bool:
    # `type` may end in a wildcard, such as charge.*
    return given == asked or (asked.endswith("*") and given.startswith(asked[:-1]))
