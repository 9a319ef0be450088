"""What Redis must promise before live money depends on it."""

from redis import Redis
from redis.exceptions import ResponseError

from config.errors import SettingsError
from config.settings import Environment

# Without these, kill -9 of Redis loses requests that were answered 202, or a full memory drops them silently.
REQUIRED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def check_redis(redis: Redis, environment: Environment) -> None:
    """Refuse to run live on a Redis that can forget what it has acknowledged.

    Raises:
        SettingsError: one line that names the setting of Redis and the value it must have.
        RedisError: if Redis is away.
    """
    if environment != "live":
        return
    for name, wanted in REQUIRED.items():
        try:
            found = redis.config_get(name).get(name)
        except ResponseError:
            raise SettingsError(
                f"the Redis at TOLLGATE_REDIS_URL does not let this user read its setting '{name}': allow +config|get"
            ) from None
        if found != wanted:
            raise SettingsError(f"the Redis at TOLLGATE_REDIS_URL has {name} '{found}', but live needs '{wanted}'")
