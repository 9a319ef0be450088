"""What Redis must promise before live money depends on it."""

from redis import Redis
from redis.exceptions import ResponseError

from config.errors import SettingsError
from config.keyspace import Keyspace
from config.settings import Environment
from tasks.contracts.durability import MARK
from tasks.contracts.steps import Step

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


def vouch(redis: Redis, environment: Environment, keyspace: Keyspace) -> None:
    """Tell the web process whether it may accept live money into this run of Redis; elsewhere nobody asks.

    Raises:
        SettingsError: it can forget what it has acknowledged; an earlier word is taken back.
        RedisError: if Redis is away.
    """
    if environment != "live":
        return
    # Over one connection, which ends with the run of the server: what was checked is what is vouched for.
    with redis.client() as same_run:  # type: ignore[no-untyped-call]  # redis-py left it untyped
        try:
            check_redis(same_run, environment)
        except SettingsError:
            with Step.VOUCH:
                same_run.delete(keyspace.durable)
            raise
        with Step.VOUCH:
            same_run.script_load(MARK)
            same_run.set(keyspace.durable, 1)
