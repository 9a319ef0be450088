"""Webhook endpoints: where events are delivered, and the secrets that sign for each (https://docs.stripe.com/api/webhook_endpoints)."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Raw, Spec, boolean, identifier, listing, merged_metadata, metadata, text
from sandbox.simulator.state import Change

SECRET_LENGTH: Final = 32  # letters after "whsec_"
LIST: Final[Spec] = LIST_PARAMS


def address(name: str, raw: Raw) -> str:
    """Read the URL of an endpoint."""
    url = str(identifier(name, raw))
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.", param=name, code="url_invalid"
        )
    return url


WRITE: Final[Spec] = {
    "description": Param(text()),
    "metadata": Param(metadata),
    "expand": Param(listing(identifier)),
}
CREATE: Final[Spec] = WRITE | {
    "url": Param(address, required=True),
    "enabled_events": Param(listing(identifier), required=True),
    "api_version": Param(identifier),
}
UPDATE: Final[Spec] = WRITE | {
    "url": Param(address),
    "enabled_events": Param(listing(identifier)),
    "disabled": Param(boolean),
}


def create(change: Change, values: dict[str, Any], secrets: Sequence[str] = ()) -> JsonObject:
    """Make an endpoint; only this answer shows the secret. Several secrets may be given, all of them sign."""
    chosen = list(secrets) or [f"whsec_{change.identifiers.letters(SECRET_LENGTH)}"]
    endpoint = change.create(
        "webhook_endpoints",
        {
            "id": change.identifiers.new("we"),
            "object": "webhook_endpoint",
            "api_version": values.get("api_version"),
            "application": None,
            "created": change.clock.now(),
            "description": values.get("description"),
            "enabled_events": values["enabled_events"],
            "livemode": False,
            "metadata": merged_metadata({}, values.get("metadata")),
            "status": "enabled",
            "url": values["url"],
        },
    )
    change.put("webhook_secrets", {"id": endpoint["id"], "secrets": chosen})
    return endpoint | {"secret": chosen[0]}


def register(change: Change, url: str, secrets: Sequence[str], enabled_events: Sequence[str]) -> JsonObject:
    """Make sure that an endpoint of this URL exists with these secrets and events; one that is there is changed.

    Raises:
        ApiError: the URL is none.
    """
    address("url", url)
    for known in change.state.all("webhook_endpoints"):
        if known["url"] == url:
            if secrets:
                change.put("webhook_secrets", {"id": known["id"], "secrets": list(secrets)})
            changed = known | {"enabled_events": list(enabled_events), "status": "enabled"}
            return change.put("webhook_endpoints", changed) | {"secret": secrets_of(change, known["id"])[0]}
    return create(change, {"url": url, "enabled_events": list(enabled_events)}, secrets)


def secrets_of(change: Change, endpoint: str) -> list[str]:
    """Return the secrets that sign for an endpoint."""
    return list((change.get("webhook_secrets", endpoint) or {}).get("secrets", []))


def retrieve(change: Change, endpoint: str) -> JsonObject:
    """Return one endpoint.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("webhook_endpoints", endpoint)
    if known is None:
        raise missing_resource("webhook endpoint", endpoint, param="webhook_endpoint", status=NOT_FOUND)
    return known


def update(change: Change, endpoint: str, values: dict[str, Any]) -> JsonObject:
    """Change an endpoint, or switch it off and on."""
    before = retrieve(change, endpoint)
    after = before | {name: value for name, value in values.items() if name in {"description", "url", "enabled_events"}}
    if "metadata" in values:
        after["metadata"] = merged_metadata(before["metadata"], values["metadata"])
    if "disabled" in values:
        after["status"] = "disabled" if values["disabled"] else "enabled"
    return change.put("webhook_endpoints", after)


def delete(change: Change, endpoint: str) -> JsonObject:
    """Remove an endpoint; what it has not acknowledged is no longer delivered."""
    retrieve(change, endpoint)
    change.remove("webhook_endpoints", endpoint)
    change.remove("webhook_secrets", endpoint)
    for waiting in change.state.all("deliveries"):
        if waiting["endpoint"] == endpoint:
            change.remove("deliveries", waiting["id"])
    return {"id": endpoint, "object": "webhook_endpoint", "deleted": True}


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List the endpoints, the newest first."""
    return page(
        change.state, "webhook_endpoints", values, lambda _: True, url="/v1/webhook_endpoints", noun="webhook_endpoint"
    )
