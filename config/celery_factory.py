"""The Celery application: the pool, the transport and the window that Flower looks through; never the record."""

from celery import Celery
from kombu import Queue

from config.keyspace import Keyspace
from config.queues import QUEUES

# A hint that can't be sent within this time is sent again by the dispatcher, so nothing waits for a frozen broker.
BROKER_CONNECT_SECONDS = 0.5
BROKER_SOCKET_SECONDS = 1.0
# Celery's own consumer blocks in BRPOP for a second at a time: its reads must outlast that.
CONSUMER_SOCKET_SECONDS = 5.0
# Hints are acknowledged on arrival, so redelivery after this time never happens; it only bounds kombu's books.
VISIBILITY_SECONDS = 3600
HEARTBEAT_SECONDS = 10
HEALTH_CHECK_SECONDS = 5


def create_celery(
    *, broker_url: str, keyspace: Keyspace, include: tuple[str, ...] = (), publishes_only: bool = False
) -> Celery:
    """Return the application; a worker and the dispatcher make it alike, from their own settings.

    Args:
        broker_url: Redis, Valkey or RabbitMQ.
        keyspace: its prefix keeps the broker's keys apart from those of another system on the same server.
        include: the modules that hold the tasks; the dispatcher and Flower need none.
        publishes_only: nothing of this process blocks on the broker, so its sockets may give up sooner.
    """
    app = Celery("tollgate", broker=broker_url, include=include, set_as_current=False)
    app.conf.update(
        # Flower reads the transport's own name, and consumes no queue.
        broker_transport="config.broker:Transport" if include and _is_redis(broker_url) else None,
        task_queues=[Queue(name, durable=True) for name in QUEUES],
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        task_send_sent_event=False,
        task_protocol=2,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(broker_url, keyspace, publishes_only=publishes_only),
        broker_heartbeat=HEARTBEAT_SECONDS,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _transport_options(broker_url: str, keyspace: Keyspace, *, publishes_only: bool) -> dict[str, object]:
    if not _is_redis(broker_url):
        return {}
    options: dict[str, object] = {
        "global_keyprefix": f"{keyspace.prefix}celery:",
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_connect_timeout": BROKER_CONNECT_SECONDS,
        "socket_timeout": BROKER_SOCKET_SECONDS if publishes_only else CONSUMER_SOCKET_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "retry_on_timeout": False,
    }
    # kombu sleeps for seconds between tries to connect; whoever only publishes has better things to do.
    return options | {"max_retries": 0} if publishes_only else options


def _is_redis(broker_url: str) -> bool:
    return broker_url.startswith(("redis", "unix"))
