"""The workers' Redis client: short timeouts, never a retry, so that the caller decides."""

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.settings import RedisSettings


def create_redis(settings: RedisSettings, *, socket_timeout: float | None = None) -> Redis:
    """Return a client that gives up on time.

    Args:
        settings: where Redis is and how long to wait.
        socket_timeout: seconds, for a client that blocks on purpose; else the settings'.
    """
    pool = BlockingConnectionPool.from_url(
        settings.url,
        max_connections=settings.pool_size,
        timeout=settings.socket_timeout,
        socket_connect_timeout=settings.connect_timeout,
        socket_timeout=socket_timeout or settings.socket_timeout,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return Redis.from_pool(pool)
