"""Rounds: the pieces that a dispatcher's work consists of. It outlives whatever one of them meets."""

import logging
import threading
from collections.abc import Callable

from redis.exceptions import RedisError

from config.errors import DatabaseAwayError, SettingsError
from workers.database_watch import DatabaseWatch

LOG = logging.getLogger("tollgate.dispatcher")


class Rounds:
    """Tries rounds, and says once that Redis is away and once that it is back; of PostgreSQL the watch tells.

    Args:
        watch: whether PostgreSQL is there.
    """

    def __init__(self, watch: DatabaseWatch) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._without_redis: set[str] = set()

    def attempt(self, name: str, do: Callable[[], object]) -> bool:
        """Do it, and tell whether that went well.

        Raises:
            SettingsError: this process must not run with its settings.
        """
        try:
            do()
        except DatabaseAwayError as error:
            LOG.debug("%s waits: %s", name, error)
            self._watch.look()
            return False
        except RedisError as error:
            self._note_redis_away(name, error)
            return False
        except SettingsError:
            raise
        except Exception:
            LOG.exception("%s failed unexpectedly", name)
            return False
        self._note_redis_there(name)
        return True

    def _note_redis_away(self, name: str, error: RedisError) -> None:
        with self._lock:
            if not self._without_redis:
                LOG.warning("Redis is away, %s waits: %s: %s", name, type(error).__name__, error)
            self._without_redis.add(name)

    def _note_redis_there(self, name: str) -> None:
        with self._lock:
            if name in self._without_redis:
                self._without_redis.discard(name)
                if not self._without_redis:
                    LOG.info("Redis is back")
