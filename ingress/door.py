"""What every route works with, handed in from outside."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from config.keyspace import Keyspace
from config.settings import IngressSettings
from ingress.authentication import ApiKeys
from ingress.outlook import Outlook
from ingress.redis_gate import RedisGate
from ingress.view_counts import ViewCounts
from ingress.waiting import WaitingRoom


@dataclass(frozen=True, slots=True)
class Door:
    """Settings, Redis, the time (`clock` in seconds since 1970, UTC), and how many reads found their views."""

    settings: IngressSettings
    gate: RedisGate
    api_keys: ApiKeys
    waiting: WaitingRoom
    outlook: Outlook
    clock: Callable[[], float]
    counts: ViewCounts = field(default_factory=ViewCounts)

    @property
    def keyspace(self) -> Keyspace:
        """The names of the keys in Redis."""
        return self.settings.redis.keyspace

    def timestamp(self) -> str:
        """Return the time as RFC 3339, UTC, with milliseconds."""
        return datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
