"""What the website heard, against what became of its payments."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def unheard(heard: Sequence[Mapping[str, Any]], payments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return, in words, each payment whose website was not told of its last status, and each message told twice."""
    told = {(each["data"].get("id"), each["type"]) for each in heard}
    missing = [
        f"{payment['id']} is {payment['status']}, and the website was not told"
        for payment in payments
        if (payment["id"], f"payment.{payment['status']}") not in told
    ]
    twice = [
        f"the website took {name} {count} times"
        for name, count in Counter(each["webhook_id"] for each in heard).items()
        if count > 1
    ]
    return missing + twice


def in_words(heard: Sequence[Mapping[str, Any]]) -> str:
    """Return how many notifications of each type were heard, the most frequent first."""
    counts = Counter(each["type"] for each in heard)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "nothing"
