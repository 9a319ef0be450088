"""Faults on demand: a script of rules, each of which spoils the requests it matches."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import unquote_plus

from sandbox.simulator.account import JsonObject
from sandbox.simulator.wire import Request

Kind = Literal["latency", "status", "rate_limit", "lock_timeout", "invalid", "refuse", "drop", "reset", "hang"]
KINDS: Final = get_args(Kind)
RULE_FIELDS: Final = {"match", "do", "ms", "seconds", "status", "effect", "stored", "retry_after"}
MATCH_FIELDS: Final = {"method", "path", "body", "after", "nth", "times"}

DEFAULT_EFFECT: Final = {"drop": True, "hang": True}  # what the request does although its answer is spoilt
DEFAULT_STATUS: Final = {"status": 500, "lock_timeout": 409}
MILLISECONDS: Final = 1000
HANG_SECONDS: Final = 3600.0  # longer than anyone waits


@dataclass
class Rule:
    """Spoil the requests that match: after the first ``after`` of them, ``times`` times (None: for ever).

    - ``latency``: answer ``seconds`` later; the idempotency key is in use meanwhile.
    - ``status``: answer with a 5xx; with ``effect`` after doing the request. The result is ``stored`` under the
      idempotency key (always with an effect), so that it is replayed.
    - ``rate_limit``: 429, ``lock_timeout``: 409 or another status; neither has an effect or is stored.
    - ``invalid``: 400, as for a parameter that Stripe refuses; no effect, not stored.
    - ``refuse``: close the connection without an effect.
    - ``drop``: do the request, then close the connection instead of answering.
    - ``reset``: reset the connection, by default before any effect.
    - ``hang``: do the request unless ``effect`` is false, then stay silent for ``seconds`` and close.
    """

    kind: Kind
    method: str | None = None
    path: re.Pattern[str] | None = None
    body: re.Pattern[str] | None = None
    after: int = 0
    times: int | None = 1
    seconds: float = 0.0
    status: int = 500
    effect: bool = False
    stored: bool = True
    retry_after: str | None = None
    given: JsonObject = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def matches(self, request: Request) -> bool:
        """Tell whether a request is one that the rule is about."""
        if self.method is not None and self.method != request.method:
            return False
        if self.path is not None and not self.path.search(request.path):
            return False
        return self.body is None or bool(self.body.search(unquote_plus(request.encoded_params)))

    def fires(self) -> bool:
        """Count a matching request and tell whether it is one to spoil."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


@dataclass(frozen=True)
class Fired:
    """What befalls one request: a latency in seconds, and at most one rule that changes the answer."""

    latency_seconds: float = 0.0
    rule: Rule | None = None

    def kind_is(self, *kinds: Kind) -> bool:
        """Tell whether the rule is of one of these kinds."""
        return self.rule is not None and self.rule.kind in kinds


class Faults:
    """The current script. Rules are tried in order: every latency that fires adds up, the first other rule wins."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: list[Rule] = []

    def add(self, rules: list[Rule]) -> None:
        """Append rules to the script."""
        with self._lock:
            self._rules = [*self._rules, *rules]

    def clear(self) -> None:
        """Forget the script."""
        with self._lock:
            self._rules = []

    def report(self) -> list[JsonObject]:
        """Return the rules as they were given, with how many requests matched each and how many it spoilt."""
        with self._lock:
            return [{**rule.given, "matched": rule.seen, "fired": rule.fired} for rule in self._rules]

    def fire(self, request: Request) -> Fired:
        """Return what befalls a request, and count it."""
        if not self._rules:
            return Fired()
        latency, chosen = 0.0, None
        with self._lock:
            for rule in self._rules:
                if (chosen is not None and rule.kind != "latency") or not rule.matches(request):
                    continue
                if not rule.fires():
                    continue
                if rule.kind == "latency":
                    latency += rule.seconds
                else:
                    chosen = rule
        return Fired(latency, chosen)


def parse(given: Any) -> list[Rule]:
    """Read a script, one rule or a list of them, as the control API takes it.

    Raises:
        ValueError: a rule has an unknown field or a value that makes no sense.
    """
    rules = given if isinstance(given, list) else [given]
    return [_rule(each) for each in rules]


def _rule(given: Any) -> Rule:
    if not isinstance(given, dict) or given.get("do") not in KINDS:
        raise ValueError(f'a rule is an object with "do", one of {", ".join(KINDS)}; got {given!r}')
    match = given.get("match", {})
    _check_fields(given, RULE_FIELDS, "a rule")
    _check_fields(match, MATCH_FIELDS, "match")
    kind = cast("Kind", given["do"])
    after, times = _window(match)
    seconds = given.get("ms", 0) / MILLISECONDS + given.get("seconds", HANG_SECONDS if kind == "hang" else 0)
    return Rule(
        kind=kind,
        method=match.get("method"),
        path=_pattern(match.get("path")),
        body=_pattern(match.get("body")),
        after=after,
        times=times,
        seconds=seconds,
        status=given.get("status", DEFAULT_STATUS.get(kind, 0)),
        effect=given.get("effect", DEFAULT_EFFECT.get(kind, False)),
        stored=given.get("stored", True),
        retry_after=str(given["retry_after"]) if "retry_after" in given else None,
        given=given,
    )


def _window(match: Mapping[str, Any]) -> tuple[int, int | None]:
    if "nth" in match:
        return match["nth"] - 1, 1
    times = match.get("times", 1)
    return match.get("after", 0), times or None


def _check_fields(given: Mapping[str, Any], allowed: set[str], what: str) -> None:
    unknown = given.keys() - allowed
    if unknown:
        raise ValueError(f"{what} has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(allowed))}")


def _pattern(given: str | None) -> re.Pattern[str] | None:
    try:
        return None if given is None else re.compile(given)
    except re.error as error:
        raise ValueError(f"{given!r} is no regular expression: {error}") from error
