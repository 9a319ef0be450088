"""Reading one thing by its id, asking a worker for it if Redis has it not."""

import re
from typing import TypeVar

from ingress.door import Door
from ingress.misses import found
from ingress.problems import ProblemError
from ingress.views import read_view
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.shows import ShowViews
from tasks.contracts.views import BatchView, InvoiceView, JobView, PaymentView, RefundView

V = TypeVar("V", JobView, PaymentView, RefundView, InvoiceView, BatchView)
# The prefix of its ids, and its name in words.
_NOUNS = {
    JobView: ("job", "job"),
    PaymentView: ("pay", "payment"),
    RefundView: ("ref", "refund"),
    InvoiceView: ("inv", "invoice"),
    BatchView: ("bat", "batch"),
}


def is_id(kind: type[V], name: str) -> bool:
    """Tell whether a text is the id of such a thing, there or not."""
    return re.fullmatch(rf"{_NOUNS[kind][0]}_[a-z2-7]{{26}}", name) is not None


def no_such(kind: type[V]) -> ProblemError:
    """Return what is answered where there is none, or another's."""
    return ProblemError("not_found", f"There is no such {_NOUNS[kind][1]}.")


def find(door: Door, client: ApiKeyRecord, kind: type[V], name: str) -> tuple[V, str]:
    """Return a thing of the client with its entity tag.

    Raises:
        ProblemError: `not_found`; or as `found` does.
    """
    if not is_id(kind, name):
        raise no_such(kind)
    view = found(door, client, ShowViews(name), lambda: read_view(door, kind, name, client.client_id))
    if view is None:
        raise no_such(kind)
    return view
