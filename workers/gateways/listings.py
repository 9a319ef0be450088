"""What Stripe lists of a whole account: its events. A part of the gateway, page by page; whoever asks goes on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from stripe import V1Services
from stripe.params import EventListParams

from tasks.contracts.steps import Step
from workers.gateways.calls import Answered, Caller, Request, WholePage, whole_page
from workers.gateways.fields import instant, require, text, text_or_none
from workers.gateways.snapshots import Answer

PAGE_SIZE: Final = 100  # the most that Stripe lists at once
EVENTS_KEPT_DAYS: Final = 30  # for so long Stripe lists an event (https://docs.stripe.com/api/events)


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """One event of Stripe's list (https://docs.stripe.com/api/events/object).

    Args:
        created: when it happened; whole seconds.
        api_version: in which its object is written. It was fixed when the event was made, by the account's default: a
            webhook endpoint with a version of its own gets another body (docs/events.md).
        body: as a webhook would bring it, but for layout and `pending_webhooks`.
    """

    id: str
    type: str
    created: datetime
    api_version: str | None
    body: bytes = field(repr=False)


def listed_event(fields: Mapping[str, Any]) -> ListedEvent:
    """Read an event; raises ContractError if the fields are not those of one."""
    require(fields, "event")
    return ListedEvent(
        id=text(fields, "id"),
        type=text(fields, "type"),
        created=instant(fields, "created"),
        api_version=text_or_none(fields, "api_version"),
        body=json.dumps(fields).encode(),
    )


class Listings:
    """Lists of an account's objects; raises as the rest of the gateway does."""

    _caller: Caller
    _stripe: V1Services

    def list_events(
        self, *, since: datetime, until: datetime | None, after: str | None
    ) -> Answer[WholePage[ListedEvent]]:
        """Return a page of the account's events, the newest in front.

        Args:
            since: only events that happened then or later.
            until: only events that happened earlier; None for up to now.
            after: only those behind the event of that id, on pages before; None for the first page.
        """
        params: EventListParams = {"limit": PAGE_SIZE, "created": {"gte": int(since.timestamp())}}
        if until is not None:
            params["created"] = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        if after is not None:
            params["starting_after"] = after

        def send() -> Answered:
            return self._stripe.events.list(params)

        reading = partial(whole_page, read=listed_event)
        return self._caller.answer(Request(Step.LOOK_UP, "GET", "events.list", None, send, reading))
