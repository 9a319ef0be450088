"""Settings: read once from the environment, checked, frozen. Nothing else reads the environment.

Each kind of process loads only what it may know: the ingress never reads a Stripe key or a database address.
"""

from dataclasses import dataclass, field
from typing import Literal

from config.currencies import CODES, DEFAULT_CODES
from config.environment import Reader
from config.errors import SettingsError
from config.failpoints import NONE, Failpoint, parse_failpoints
from config.fraud_settings import FraudSettings, read_fraud
from config.job_settings import JobSettings, read_jobs
from config.keyring import Keyring
from config.keyspace import Keyspace
from config.schedules import PLANS, Plan, read_plans
from config.sealing import OpeningKeys, SealingKey
from config.store_settings import (
    DatabaseSettings,
    RedisSettings,
    read_broker,
    read_database,
    read_keyspace,
    read_redis,
    read_redis_url,
)
from config.stripe_settings import Environment, StripeSettings, read_stripe
from config.website_settings import WebsiteSettings, read_websites

__all__ = [
    "DatabaseSettings",
    "EndpointSettings",
    "Environment",
    "FlowerSettings",
    "FraudSettings",
    "IngressSettings",
    "JobSettings",
    "LogSettings",
    "OperatorSettings",
    "RedisSettings",
    "SealedDatabaseSettings",
    "StripeSettings",
    "WebsiteSettings",
    "WorkerSettings",
    "load_database",
    "load_endpoints",
    "load_environment",
    "load_flower",
    "load_ingress",
    "load_keyspace",
    "load_operator",
    "load_plans",
    "load_redis",
    "load_sealed_database",
    "load_worker",
]

MINIMUM_PASSWORD = 12  # NIST SP 800-63B asks for 8; pages that show all queues get a margin


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How a process writes its log."""

    level: str
    form: Literal["auto", "json", "text"]


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
    currencies: tuple[str, ...] = DEFAULT_CODES


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
    websites: WebsiteSettings
    journal_mac_keys: Keyring
    journal_private_keys: OpeningKeys
    view_keys: Keyring
    encryption_keys: Keyring
    derivation_key: bytes = field(repr=False)
    identity_key: bytes = field(repr=False)
    view_seconds: int
    plans: tuple[Plan, ...] = PLANS
    fraud: FraudSettings = field(default_factory=FraudSettings)
    failpoints: tuple[Failpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """All that the command line knows when it handles API keys and the database."""

    environment: Environment
    redis: RedisSettings
    database: DatabaseSettings
    api_key_pepper: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """All that the command line knows when it handles the endpoints of clients' websites."""

    database: DatabaseSettings
    websites: WebsiteSettings
    encryption_keys: Keyring


@dataclass(frozen=True, slots=True)
class SealedDatabaseSettings:
    """All that the command line knows when it reads what is sealed in the database."""

    database: DatabaseSettings
    encryption_keys: Keyring


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
            redis=read_redis(read),
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
            currencies=read.words("TOLLGATE_CURRENCIES", CODES, DEFAULT_CODES),
        )


def load_worker() -> WorkerSettings:
    """Read the settings of the dispatcher and the workers.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        environment = _environment(read)
        redis = read_redis(read)
        stripe, jobs = read_stripe(read, environment), read_jobs(read)
        websites = read_websites(read, environment)
        _check_durations(stripe, jobs, websites)
        return WorkerSettings(
            environment=environment,
            log=_log(read),
            redis=redis,
            broker_url=read_broker(read, redis.url),
            concurrency=read.whole("TOLLGATE_WORKER_THREADS", 32, low=1),
            database=read_database(read),
            stripe=stripe,
            jobs=jobs,
            websites=websites,
            journal_mac_keys=read.ring("TOLLGATE_JOURNAL_MAC_KEYS"),
            journal_private_keys=OpeningKeys(read.ring("TOLLGATE_JOURNAL_PRIVATE_KEYS")),
            view_keys=read.ring("TOLLGATE_VIEW_KEYS"),
            encryption_keys=read.ring("TOLLGATE_ENCRYPTION_KEYS"),
            derivation_key=read.key("TOLLGATE_DERIVATION_KEY"),
            identity_key=read.key("TOLLGATE_IDENTITY_KEY"),
            view_seconds=read.whole("TOLLGATE_VIEW_SECONDS", 30 * 24 * 3600, low=3600),
            plans=read_plans(read),
            fraud=read_fraud(read),
            failpoints=_failpoints(read, environment),
        )


def _check_durations(stripe: StripeSettings, jobs: JobSettings, websites: WebsiteSettings) -> None:
    """Refuse durations that must exceed a whole call to Stripe, or to a website, and do not.

    A second worker would take the job over while the first still waits for Stripe; a stop would cut every call off that
    is under way; no attempt could make a second call; a job cancelled during a call would be told to have done nothing.
    """
    durations = {
        "TOLLGATE_JOB_LEASE_SECONDS": jobs.lease,
        "TOLLGATE_STOP_GRACE_SECONDS": jobs.stop_grace,
        "TOLLGATE_JOB_SECONDS": jobs.longest_attempt,
        "TOLLGATE_GENERATION_WAIT_SECONDS": jobs.generation_wait,
    }
    for name, seconds in durations.items():
        if seconds <= stripe.connect_timeout + stripe.read_timeout:
            raise SettingsError(
                f"{name} must be more than TOLLGATE_STRIPE_CONNECT_TIMEOUT and TOLLGATE_STRIPE_READ_TIMEOUT together"
            )
    if jobs.lease <= websites.longest_call:
        raise SettingsError(
            "TOLLGATE_JOB_LEASE_SECONDS must be more than twice TOLLGATE_WEBSITE_CONNECT_TIMEOUT and "
            "TOLLGATE_WEBSITE_READ_TIMEOUT together"
        )


def load_operator() -> OperatorSettings:
    """Read the settings of the command line.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return OperatorSettings(
            environment=_environment(read),
            redis=read_redis(read),
            database=read_database(read),
            api_key_pepper=read.key("TOLLGATE_API_KEY_PEPPER"),
        )


def load_endpoints() -> EndpointSettings:
    """Read what is needed to handle the endpoints of clients' websites.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return EndpointSettings(
            database=read_database(read),
            websites=read_websites(read, _environment(read)),
            encryption_keys=read.ring("TOLLGATE_ENCRYPTION_KEYS"),
        )


def load_database() -> DatabaseSettings:
    """Read only where PostgreSQL is, for migrations.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return read_database(read)


def load_sealed_database() -> SealedDatabaseSettings:
    """Read where PostgreSQL is, and what opens its sealed columns.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return SealedDatabaseSettings(
            database=read_database(read), encryption_keys=read.ring("TOLLGATE_ENCRYPTION_KEYS")
        )


def load_plans() -> tuple[Plan, ...]:
    """Read only what is done by the clock, and how often.

    Raises:
        SettingsError: one line that names the variable that is wrong.
    """
    with Reader() as read:
        return read_plans(read)


def load_redis() -> RedisSettings:
    """Read only where Redis is.

    Raises:
        SettingsError: one line that names the variable that is missing or wrong.
    """
    with Reader() as read:
        return read_redis(read)


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
        return read_keyspace(read)


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
            keyspace=read_keyspace(read),
            broker_url=read_broker(read, read_redis_url(read)),
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
