"""Webhook deliveries: events go out in the background, again and again until they are acknowledged."""

import heapq
import json
import time
from dataclasses import dataclass
from itertools import count
from random import Random
from threading import Condition, Thread
from typing import Final

from sandbox.simulator import events
from sandbox.simulator.account import JsonObject
from sandbox.simulator.engine import Engine
from sandbox.simulator.posting import Courier
from sandbox.simulator.signatures import header
from sandbox.simulator.state import Change

THREADS: Final = 4  # deliveries under way at once
FIRST_RETRY_SECONDS: Final = 1.0  # Stripe waits far longer; retry_scale stretches or shortens this
LONGEST_RETRY_SECONDS: Final = 3600.0
GIVE_UP_SECONDS: Final = 3 * 24 * 60 * 60  # Stripe tries for three days, here by the simulator's clock
SHUFFLE_SECONDS: Final = 0.3  # how far apart neighbours may end up when shuffled
MILLISECONDS: Final = 1000


@dataclass(frozen=True)
class Settings:
    """What the control API makes of deliveries: extra copies, delay, order, pace of retries, standstill."""

    duplicates: int = 0
    delay_seconds: float = 0.0
    shuffle: int | None = None
    retry_scale: float = 1.0
    pause: bool = False


class Deliveries:
    """A pool of threads that takes what is due from a queue ordered by time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._condition = Condition()
        self._queue: list[tuple[float, int, str, bool]] = []
        self._sequence = count()
        self._settings = Settings()
        self._shuffle: Random | None = None
        self._closing = False
        self._under_way = 0
        self._counts = {"delivered": 0, "failed": 0}
        self._threads = [Thread(target=self._work, name=f"delivery-{n}", daemon=True) for n in range(THREADS)]

    def start(self) -> int:
        """Start the threads and take up what the ledger left undelivered; return how many that is."""
        left = [each for each in self._engine.state.all("deliveries") if not each["given_up"]]
        self._push([(each["id"], 0.0, False) for each in left])
        for thread in self._threads:
            thread.start()
        return len(left)

    def stop(self) -> None:
        """Let the threads end after the delivery in hand."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()

    def configure(self, settings: Settings) -> None:
        """Replace the settings; they apply to events from now on, ``pause`` and ``retry_scale`` to waiting ones too."""
        with self._condition:
            self._settings = settings
            self._shuffle = Random(settings.shuffle) if settings.shuffle is not None else None  # noqa: S311  # not secret
            self._condition.notify_all()

    def report(self) -> JsonObject:
        """Return the settings, how many deliveries went well and wrong, and how many wait or are under way."""
        with self._condition:
            settings = {
                "duplicates": self._settings.duplicates,
                "delay_ms": self._settings.delay_seconds * MILLISECONDS,
                "shuffle": self._settings.shuffle,
                "retry_scale": self._settings.retry_scale,
                "pause": self._settings.pause,
            }
            return settings | self._counts | {"waiting": len(self._queue) + self._under_way}

    def add(self, change: Change | None) -> None:
        """Queue the deliveries that a committed change has written."""
        if change is None:
            return
        fresh = [each["id"] for each in change.written("deliveries")]
        if not fresh:
            return
        copies = range(1 + self._settings.duplicates)
        delay = self._settings.delay_seconds
        self._push([(each, delay, copy > 0) for each in fresh for copy in copies])

    def resend(self, event: str) -> int:
        """Queue another copy of an event for every endpoint that wants it; return for how many."""
        with self._engine.lock:
            known = self._engine.state.get("events", event)
            endpoints = self._engine.state.all("webhook_endpoints")
        wanted = [each for each in endpoints if known is not None and events.wants(each, known["type"])]
        self._push([(f"{event}/{each['id']}", 0.0, True) for each in wanted])
        return len(wanted)

    def hurry(self, seconds: float) -> None:
        """Bring everything that waits closer, because the simulator's clock has moved on."""
        with self._condition:
            self._queue = [(due - seconds, *rest) for due, *rest in self._queue]  # type: ignore[misc]  # mypy loses the tuple's tail
            heapq.heapify(self._queue)
            self._condition.notify_all()

    def _push(self, entries: list[tuple[str, float, bool]]) -> None:
        now = time.monotonic()
        with self._condition:
            for identifier, delay, is_copy in entries:
                scatter = self._shuffle.uniform(0, SHUFFLE_SECONDS) if self._shuffle else 0.0
                entry = (now + delay + scatter, next(self._sequence), identifier, is_copy)
                heapq.heappush(self._queue, entry)
            self._condition.notify(len(entries))

    def _next(self) -> tuple[str, bool] | None:
        with self._condition:
            while not self._closing:
                due = self._queue[0][0] - time.monotonic() if self._queue else None
                if due is not None and due <= 0 and not self._settings.pause:
                    _, _, identifier, is_copy = heapq.heappop(self._queue)
                    self._under_way += 1
                    return identifier, is_copy
                self._condition.wait(None if due is None or self._settings.pause else due)
        return None

    def _work(self) -> None:
        courier = Courier()
        while (taken := self._next()) is not None:
            try:
                self._deliver(courier, *taken)
            finally:
                with self._condition:
                    self._under_way -= 1

    def _deliver(self, courier: Courier, identifier: str, is_copy: bool) -> None:  # noqa: FBT001  # an entry's own flag
        parcel = self._parcel(identifier, is_copy=is_copy)
        if parcel is None:
            return
        url, body, headers = parcel
        problem = courier.post(url, body, headers)
        with self._condition:
            self._counts["failed" if problem else "delivered"] += 1
        if is_copy:
            return
        delay = self._settle(identifier, acknowledged=problem is None)
        if delay is not None:
            self._push([(identifier, delay, False)])

    def _parcel(self, identifier: str, *, is_copy: bool) -> tuple[str, bytes, dict[str, str]] | None:
        event_id, _, endpoint_id = identifier.partition("/")
        engine = self._engine
        with engine.lock:
            waiting = engine.state.get("deliveries", identifier)
            event = engine.state.get("events", event_id)
            endpoint = engine.state.get("webhook_endpoints", endpoint_id)
            secrets = (engine.state.get("webhook_secrets", endpoint_id) or {}).get("secrets", [])
            if event is None or endpoint is None or (waiting is None and not is_copy):
                return None
            shown = events.shown(engine.state, event)
        body = json.dumps(shown, indent=2, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": header(body, secrets, engine.clock.wall()),
        }
        return endpoint["url"], body, headers

    def _settle(self, identifier: str, *, acknowledged: bool) -> float | None:
        """Note how a delivery went and return after how many seconds it is tried again, or None."""
        engine = self._engine
        with engine.lock:
            waiting = engine.state.get("deliveries", identifier)
            event = engine.state.get("events", identifier.partition("/")[0])
            if waiting is None or event is None:
                return None
            change = engine.change()
            gives_up = engine.clock.now() - event["created"] > GIVE_UP_SECONDS
            attempts = waiting["attempts"] + 1
            if acknowledged:
                change.remove("deliveries", identifier)
            else:
                change.put("deliveries", waiting | {"attempts": attempts, "given_up": gives_up})
            # Losing this note in a crash means one more delivery, which every receiver has to bear anyway.
            engine.commit(change, promised=False)
        if acknowledged or gives_up:
            return None
        return retry_seconds(attempts) * self._settings.retry_scale


def retry_seconds(attempts: int) -> float:
    """Return how long to wait after that many failed attempts, before scaling: doubling from one second to an hour."""
    return float(min(FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, 32), LONGEST_RETRY_SECONDS))
