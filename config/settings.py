"""Settings: read once from the environment, checked, frozen. Nothing else reads the environment.

Each kind of process loads only what it may know: the ingress never reads a Stripe key or a database address.
"""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from config.environment import Reader
from config.errors import SettingsError
from config.failpoints import NONE, Failpoint, parse_failpoints
from config.keyring import Keyring
from config.keyspace import Keyspace
from config.sealing import OpeningKeys, SealingKey

Environment = Literal["sandbox", "test", "live"]
STRIPE_API_BASE = "https://api.stripe.com"
MINIMUM_PASSWORD = 12  # NIST SP 800-63B asks for 8; pages that show all queues get a margin
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How a process writes its log."""

    level: str
    form: Literal["auto", "json", "text"]


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where Redis is and how long to wait for it (seconds). It is never asked twice: the caller decides."""

    url: str = field(repr=False)
    keyspace: Keyspace
    connect_timeout: float
    socket_timeout: float
    pool_size: int


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is, how many connections a process may hold, and how long anything may take (seconds)."""

    url: str = field(repr=False)
    pool_size: int
    pool_timeout: float
    connect_timeout: int
    statement_timeout: float
    lock_timeout: float


@dataclass(frozen=True, slots=True)
class StripeSettings:
    """How to reach Stripe: key, address, timeouts (seconds), and when the circuit breaker opens and probes."""

    api_key: str = field(repr=False)
    api_base: str
    connect_timeout: float
    read_timeout: float
    breaker_failures: int
    breaker_reset: float


@dataclass(frozen=True, slots=True)
class IngressSettings:
    """All that the web process knows."""

    environment: Environment
    log: LogSettings
    redis: RedisSettings
    host: str
    port: int
    threads: int
    max_waiters: int
    api_key_pepper: bytes = field(repr=False)
    identity_key: bytes = field(repr=False)
    journal_mac_keys: Keyring
    journal_public_key: SealingKey
    view_keys: Keyring
    webhook_secrets: tuple[str, ...] = field(repr=False)
    webhook_tolerance: int
    api_key_cache_seconds: float
    idempotency_seconds: int
    view_seconds: int
    failpoints: tuple[Failpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class JobSettings:
    """The pace of jobs, all in seconds unless named otherwise."""

    lease: float
    longest_attempt: float
    stop_grace: float
    intake_batch: int
    publish_batch: int
    poll_interval: float
    republish_grace: float
    claim_idle: float
    repair_interval: float
    journal_keep: float
    backoff_base: float
    backoff_cap: float
    max_rescues: int
    generation_wait: float
    resend_limit: float


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """All that the dispatcher and the workers know."""

    environment: Environment
    log: LogSettings
    redis: RedisSettings
    broker_url: str = field(repr=False)
    concurrency: int
    database: DatabaseSettings
    stripe: StripeSettings
    jobs: JobSettings
    journal_mac_keys: Keyring
    journal_private_keys: OpeningKeys
    view_keys: Keyring
    encryption_keys: Keyring
    derivation_key: bytes = field(repr=False)
    view_seconds: int
    failpoints: tuple[Failpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """All that the command line knows when it handles API keys and the database."""

    environment: Environment
    redis: RedisSettings
    database: DatabaseSettings
    api_key_pepper: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FlowerSettings:
    """All that Flower knows."""

    log: LogSettings
    keyspace: Keyspace
    broker_url: str = field(repr=False)
    user: str
    password: str = field(repr=False)
    host: str
    port: int


def load_ingress() -> IngressSettings:
    """Read the web process's settings.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        environment = _environment(read)
        return IngressSettings(
            environment=environment,
            log=_log(read),
            redis=_redis(read),
            host=read.text("TOLLGATE_HOST", "127.0.0.1"),
            port=read.whole("PORT", 8000, low=1, high=65535),
            threads=read.whole("TOLLGATE_INGRESS_THREADS", 64, low=2),
            max_waiters=read.whole("TOLLGATE_INGRESS_MAX_WAITERS", 32, low=0),
            api_key_pepper=read.key("TOLLGATE_API_KEY_PEPPER"),
            identity_key=read.key("TOLLGATE_IDENTITY_KEY"),
            journal_mac_keys=read.ring("TOLLGATE_JOURNAL_MAC_KEYS"),
            journal_public_key=read.sealing_key("TOLLGATE_JOURNAL_PUBLIC_KEY"),
            view_keys=read.ring("TOLLGATE_VIEW_KEYS"),
            webhook_secrets=read.webhook_secrets("TOLLGATE_STRIPE_WEBHOOK_SECRETS"),
            # Stripe's libraries default to five minutes.
            webhook_tolerance=read.whole("TOLLGATE_WEBHOOK_TOLERANCE_SECONDS", 300, low=1),
            api_key_cache_seconds=read.seconds("TOLLGATE_API_KEY_CACHE_SECONDS", 5.0),
            # PostgreSQL remembers for ever; Redis only saves the round trip for as long as clients retry.
            idempotency_seconds=read.whole("TOLLGATE_IDEMPOTENCY_SECONDS", 25 * 3600, low=60),
            view_seconds=read.whole("TOLLGATE_VIEW_SECONDS", 30 * 24 * 3600, low=3600),
            failpoints=_failpoints(read, environment),
        )


def load_worker() -> WorkerSettings:
    """Read the settings of the dispatcher and the workers.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        environment = _environment(read)
        redis = _redis(read)
        stripe, jobs = _stripe(read, environment), _jobs(read)
        _check_durations(stripe, jobs)
        return WorkerSettings(
            environment=environment,
            log=_log(read),
            redis=redis,
            broker_url=_broker(read, redis.url),
            concurrency=read.whole("TOLLGATE_WORKER_THREADS", 32, low=1),
            database=_database(read),
            stripe=stripe,
            jobs=jobs,
            journal_mac_keys=read.ring("TOLLGATE_JOURNAL_MAC_KEYS"),
            journal_private_keys=OpeningKeys(read.ring("TOLLGATE_JOURNAL_PRIVATE_KEYS")),
            view_keys=read.ring("TOLLGATE_VIEW_KEYS"),
            encryption_keys=read.ring("TOLLGATE_ENCRYPTION_KEYS"),
            derivation_key=read.key("TOLLGATE_DERIVATION_KEY"),
            view_seconds=read.whole("TOLLGATE_VIEW_SECONDS", 30 * 24 * 3600, low=3600),
            failpoints=_failpoints(read, environment),
        )


def _check_durations(stripe: StripeSettings, jobs: JobSettings) -> None:
    """Refuse durations that must exceed a whole call to Stripe and do not.

    A second worker would take the job over while the first still waits for Stripe; a stop would cut every call off that
    is under way; no attempt could make a second call.
    """
    durations = {
        "TOLLGATE_JOB_LEASE_SECONDS": jobs.lease,
        "TOLLGATE_STOP_GRACE_SECONDS": jobs.stop_grace,
        "TOLLGATE_JOB_SECONDS": jobs.longest_attempt,
    }
    for name, seconds in durations.items():
        if seconds <= stripe.connect_timeout + stripe.read_timeout:
            raise SettingsError(
                f"{name} must be more than TOLLGATE_STRIPE_CONNECT_TIMEOUT and TOLLGATE_STRIPE_READ_TIMEOUT together"
            )


def load_operator() -> OperatorSettings:
    """Read the settings of the command line.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return OperatorSettings(
            environment=_environment(read),
            redis=_redis(read),
            database=_database(read),
            api_key_pepper=read.key("TOLLGATE_API_KEY_PEPPER"),
        )


def load_database() -> DatabaseSettings:
    """Read only where PostgreSQL is, for migrations.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return _database(read)


def load_redis() -> RedisSettings:
    """Read only where Redis is.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return _redis(read)


def load_environment() -> Environment:
    """Read only which environment this is.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return _environment(read)


def load_keyspace() -> Keyspace:
    """Read only under which prefix Redis's keys lie.

    Raises:
        SettingsError: one line that names the variable that is wrong.
    """
    with Reader() as read:
        return _keyspace(read)


def load_flower() -> FlowerSettings:
    """Read Flower's settings; credentials are required, since its pages show every queue.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        credentials = read.text("TOLLGATE_FLOWER_BASIC_AUTH")
        user, separator, password = credentials.partition(":")
        # Browsers disagree on how to send other characters: RFC 7617, section 2.1.
        printable = credentials.isascii() and credentials.isprintable()
        if not (user and separator and printable) or len(password) < MINIMUM_PASSWORD:
            raise SettingsError(
                "TOLLGATE_FLOWER_BASIC_AUTH must be 'user:password' in ASCII, with a password of "
                f"{MINIMUM_PASSWORD} characters or more"
            )
        return FlowerSettings(
            log=_log(read),
            keyspace=_keyspace(read),
            broker_url=_broker(read, _redis_url(read)),
            user=user,
            password=password,
            # Not TOLLGATE_HOST: opening the door to the world must not open this window with it.
            host=read.text("TOLLGATE_FLOWER_HOST", "127.0.0.1"),
            port=read.whole("TOLLGATE_FLOWER_PORT", 5555, low=1, high=65535),
        )


def _environment(read: Reader) -> Environment:
    value = read.choice("TOLLGATE_ENV", ("sandbox", "test", "live"))
    return "live" if value == "live" else "test" if value == "test" else "sandbox"


def _failpoints(read: Reader, environment: Environment) -> tuple[Failpoint, ...]:
    name = "TOLLGATE_FAILPOINTS"
    failpoints = parse_failpoints(name, read.text(name, NONE))
    if failpoints and environment != "sandbox":
        raise SettingsError(f"{name} must be unset when TOLLGATE_ENV={environment}: only a sandbox dies on purpose")
    return failpoints


def _log(read: Reader) -> LogSettings:
    form = read.choice("TOLLGATE_LOG_FORMAT", ("auto", "json", "text"), "auto")
    return LogSettings(
        level=read.choice("TOLLGATE_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
        form="json" if form == "json" else "text" if form == "text" else "auto",
    )


def _keyspace(read: Reader) -> Keyspace:
    return Keyspace(read.text("TOLLGATE_REDIS_PREFIX", "tg:"))


def _redis_url(read: Reader) -> str:
    return read.address("TOLLGATE_REDIS_URL", ("redis", "rediss", "unix"))


def _broker(read: Reader, redis_url: str) -> str:
    # Celery writes a socket's address in a way of its own, so that one must be written out.
    return read.address("TOLLGATE_BROKER_URL", ("redis", "rediss", "redis+socket", "amqp", "amqps"), redis_url)


def _redis(read: Reader) -> RedisSettings:
    return RedisSettings(
        url=_redis_url(read),
        keyspace=_keyspace(read),
        # The door must answer 503 within two seconds, so one connect and one read must fit well inside.
        connect_timeout=read.seconds("TOLLGATE_REDIS_CONNECT_TIMEOUT", 0.5),
        socket_timeout=read.seconds("TOLLGATE_REDIS_SOCKET_TIMEOUT", 1.0),
        pool_size=read.whole("TOLLGATE_REDIS_POOL_SIZE", 64, low=2),
    )


def _database(read: Reader) -> DatabaseSettings:
    return DatabaseSettings(
        url=read.database_address("TOLLGATE_DATABASE_URL"),
        pool_size=read.whole("TOLLGATE_DATABASE_POOL_SIZE", 10, low=1),
        pool_timeout=read.seconds("TOLLGATE_DATABASE_POOL_TIMEOUT", 5.0),
        connect_timeout=read.whole("TOLLGATE_DATABASE_CONNECT_TIMEOUT", 3, low=1),
        statement_timeout=read.seconds("TOLLGATE_DATABASE_STATEMENT_TIMEOUT", 5.0),
        lock_timeout=read.seconds("TOLLGATE_DATABASE_LOCK_TIMEOUT", 2.0),
    )


def _stripe(read: Reader, environment: Environment) -> StripeSettings:
    key = read.text("TOLLGATE_STRIPE_API_KEY")
    wanted = ("sk_live_", "rk_live_") if environment == "live" else ("sk_test_", "rk_test_")
    if not key.startswith(wanted):
        raise SettingsError(
            f"TOLLGATE_STRIPE_API_KEY must start with {' or '.join(wanted)} when TOLLGATE_ENV={environment}"
        )
    return StripeSettings(
        api_key=key,
        api_base=_stripe_base(read, environment),
        connect_timeout=read.seconds("TOLLGATE_STRIPE_CONNECT_TIMEOUT", 2.0),
        read_timeout=read.seconds("TOLLGATE_STRIPE_READ_TIMEOUT", 8.0),
        breaker_failures=read.whole("TOLLGATE_STRIPE_BREAKER_FAILURES", 10, low=1),
        breaker_reset=read.seconds("TOLLGATE_STRIPE_BREAKER_RESET", 15.0),
    )


def _stripe_base(read: Reader, environment: Environment) -> str:
    if environment != "sandbox":
        base = read.text("TOLLGATE_STRIPE_API_BASE", STRIPE_API_BASE)
        if base != STRIPE_API_BASE:
            raise SettingsError(
                f"TOLLGATE_STRIPE_API_BASE must be unset when TOLLGATE_ENV={environment}: only Stripe is asked"
            )
        return base
    base = read.address("TOLLGATE_STRIPE_API_BASE", ("http", "https"))
    if urlsplit(base).hostname not in LOOPBACK_HOSTS:
        raise SettingsError("TOLLGATE_STRIPE_API_BASE must be the simulator on this machine when TOLLGATE_ENV=sandbox")
    return base


def _jobs(read: Reader) -> JobSettings:
    return JobSettings(
        lease=read.seconds("TOLLGATE_JOB_LEASE_SECONDS", 15.0),
        # Six of the longest calls to Stripe: no kind of job needs as many, unless Stripe or the database is in trouble.
        longest_attempt=read.seconds("TOLLGATE_JOB_SECONDS", 60.0),
        # Above the longest call to Stripe, so that an attempt that is asking one thing may hear the answer.
        stop_grace=read.seconds("TOLLGATE_STOP_GRACE_SECONDS", 12.0),
        intake_batch=read.whole("TOLLGATE_INTAKE_BATCH", 500, low=1),
        publish_batch=read.whole("TOLLGATE_PUBLISH_BATCH", 500, low=1),
        poll_interval=read.seconds("TOLLGATE_POLL_SECONDS", 0.5),
        republish_grace=read.seconds("TOLLGATE_REPUBLISH_SECONDS", 5.0),
        claim_idle=read.seconds("TOLLGATE_JOURNAL_CLAIM_SECONDS", 5.0),
        repair_interval=read.seconds("TOLLGATE_REPAIR_SECONDS", 2.0),
        # A database restored or failed over within a day takes the journal in again.
        journal_keep=read.seconds("TOLLGATE_JOURNAL_KEEP_SECONDS", 24 * 3600.0),
        backoff_base=read.seconds("TOLLGATE_BACKOFF_BASE_SECONDS", 1.0),
        backoff_cap=read.seconds("TOLLGATE_BACKOFF_CAP_SECONDS", 300.0),
        max_rescues=read.whole("TOLLGATE_MAX_RESCUES", 3, low=1),
        # Stripe's lists are consistent within seconds; two minutes leave room before a new generation is made.
        generation_wait=read.seconds("TOLLGATE_GENERATION_WAIT_SECONDS", 120.0),
        # Stripe may forget an idempotency key after 24 hours; an hour is left for clocks and slow calls.
        resend_limit=read.seconds("TOLLGATE_RESEND_LIMIT_SECONDS", 23 * 3600.0),
    )
