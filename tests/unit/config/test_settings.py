"""Settings stop a process with one line that names the variable, or load it whole."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, fields

import pytest

from config import settings
from config.errors import SettingsError
from tests.builders.settings import complete_settings, put

LOADERS: dict[str, Callable[[], object]] = {
    "ingress": settings.load_ingress,
    "worker": settings.load_worker,
    "operator": settings.load_operator,
    "database": settings.load_database,
    "flower": settings.load_flower,
    "environment": settings.load_environment,
}
REQUIRED = {
    "ingress": {
        "TOLLGATE_ENV",
        "TOLLGATE_REDIS_URL",
        "TOLLGATE_API_KEY_PEPPER",
        "TOLLGATE_IDENTITY_KEY",
        "TOLLGATE_JOURNAL_MAC_KEYS",
        "TOLLGATE_JOURNAL_PUBLIC_KEY",
        "TOLLGATE_VIEW_KEYS",
        "TOLLGATE_STRIPE_WEBHOOK_SECRETS",
    },
    "worker": {
        "TOLLGATE_ENV",
        "TOLLGATE_REDIS_URL",
        "TOLLGATE_DATABASE_URL",
        "TOLLGATE_STRIPE_API_KEY",
        "TOLLGATE_STRIPE_API_BASE",
        "TOLLGATE_JOURNAL_MAC_KEYS",
        "TOLLGATE_JOURNAL_PRIVATE_KEYS",
        "TOLLGATE_VIEW_KEYS",
        "TOLLGATE_ENCRYPTION_KEYS",
        "TOLLGATE_DERIVATION_KEY",
        "TOLLGATE_IDENTITY_KEY",
    },
    "operator": {"TOLLGATE_ENV", "TOLLGATE_REDIS_URL", "TOLLGATE_DATABASE_URL", "TOLLGATE_API_KEY_PEPPER"},
    "database": {"TOLLGATE_DATABASE_URL"},
    "flower": {"TOLLGATE_REDIS_URL", "TOLLGATE_FLOWER_BASIC_AUTH"},
    "environment": {"TOLLGATE_ENV"},
}
ROLE_AND_VARIABLE = [(role, name) for role, names in REQUIRED.items() for name in sorted(names)]


def complaint(load: Callable[[], object]) -> str:
    with pytest.raises(SettingsError) as caught:
        load()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("role", LOADERS)
def test_a_role_loads_from_exactly_what_it_requires(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = complete_settings()
    put(monkeypatch, {name: everything[name] for name in REQUIRED[role]})
    LOADERS[role]()


@pytest.mark.parametrize(("role", "name"), ROLE_AND_VARIABLE)
def test_a_missing_variable_is_named(role: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, {key: value for key, value in complete_settings().items() if key != name})
    assert name in complaint(LOADERS[role])


@pytest.mark.parametrize(("role", "name"), ROLE_AND_VARIABLE)
@pytest.mark.parametrize("value", ["", "  ", "nonsense"])
def test_a_blank_or_senseless_variable_is_named_and_never_shown(
    role: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, complete_settings(**{name: value}))
    message = complaint(LOADERS[role])
    assert message.startswith(name)
    if name != "TOLLGATE_ENV":
        assert "nonsense" not in message


WRONG = [
    ("ingress", "PORT", "0"),
    ("ingress", "PORT", "65536"),
    ("ingress", "PORT", "http"),
    ("ingress", "TOLLGATE_INGRESS_THREADS", "1"),
    ("ingress", "TOLLGATE_INGRESS_MAX_WAITERS", "-1"),
    ("ingress", "TOLLGATE_WEBHOOK_TOLERANCE_SECONDS", "0"),
    ("ingress", "TOLLGATE_API_KEY_CACHE_SECONDS", "nan"),
    ("ingress", "TOLLGATE_API_KEY_CACHE_SECONDS", "inf"),
    ("ingress", "TOLLGATE_REDIS_SOCKET_TIMEOUT", "0"),
    ("ingress", "TOLLGATE_REDIS_SOCKET_TIMEOUT", "-1"),
    ("ingress", "TOLLGATE_LOG_FORMAT", "xml"),
    ("ingress", "TOLLGATE_LOG_LEVEL", "debug"),
    ("ingress", "TOLLGATE_ENV", "production"),
    ("ingress", "TOLLGATE_STRIPE_WEBHOOK_SECRETS", ","),
    ("ingress", "TOLLGATE_STRIPE_WEBHOOK_SECRETS", "whsec_made_up_secret,sk_test_x"),
    ("ingress", "TOLLGATE_API_KEY_PEPPER", base64.b64encode(b"short").decode()),
    ("ingress", "TOLLGATE_API_KEY_PEPPER", ",".join([base64.b64encode(bytes(32)).decode()] * 2)),
    ("ingress", "TOLLGATE_VIEW_KEYS", f"k1:{base64.b64encode(bytes(31)).decode()}"),
    ("ingress", "TOLLGATE_REDIS_URL", "http://127.0.0.1"),
    ("ingress", "TOLLGATE_REDIS_URL", "redis://"),
    ("ingress", "TOLLGATE_REDIS_URL", "redis://h:port"),
    ("ingress", "TOLLGATE_REDIS_URL", "redis://h:0"),
    ("ingress", "TOLLGATE_REDIS_URL", "redis://[::1"),
    ("ingress", "TOLLGATE_REDIS_URL", "unix://"),
    ("worker", "TOLLGATE_BROKER_URL", "http://h"),
    ("worker", "TOLLGATE_WORKER_THREADS", "0"),
    ("worker", "TOLLGATE_DATABASE_POOL_SIZE", "many"),
    ("worker", "TOLLGATE_DATABASE_URL", "mysql://h/x"),
    ("database", "TOLLGATE_DATABASE_URL", "postgres://"),
    ("database", "TOLLGATE_DATABASE_URL", "postgresql:///tollgate"),
    ("database", "TOLLGATE_DATABASE_URL", "postgresql://user@/tollgate"),
    ("database", "TOLLGATE_DATABASE_URL", "postgresql://h:5432"),
    ("database", "TOLLGATE_DATABASE_URL", "postgresql://h:x/tollgate"),
    ("flower", "TOLLGATE_FLOWER_BASIC_AUTH", "operator:elevenchars"[:-1]),
    ("flower", "TOLLGATE_FLOWER_BASIC_AUTH", ":a long enough password"),
    ("flower", "TOLLGATE_FLOWER_BASIC_AUTH", "a long enough password"),
    ("flower", "TOLLGATE_FLOWER_BASIC_AUTH", "operator:ein langes Paßwort"),
    ("flower", "TOLLGATE_FLOWER_PORT", "70000"),
]


@pytest.mark.parametrize(("role", "name", "value"), WRONG)
def test_a_wrong_value_is_refused_in_one_line_that_names_it(
    role: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, complete_settings(**{name: value}))
    assert name in complaint(LOADERS[role])


@pytest.mark.parametrize(
    ("environment", "key", "accepted"),
    [
        ("live", "sk_live_x", True),
        ("live", "rk_live_x", True),
        ("live", "sk_test_x", False),
        ("live", "rk_test_x", False),
        ("test", "sk_test_x", True),
        ("test", "sk_live_x", False),
        ("sandbox", "sk_test_x", True),
        ("sandbox", "sk_live_x", False),
        ("sandbox", "pk_test_x", False),
    ],
)
def test_a_stripe_key_belongs_to_its_environment(
    environment: str, key: str, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = complete_settings(TOLLGATE_ENV=environment, TOLLGATE_STRIPE_API_KEY=key)
    if environment != "sandbox":
        del variables["TOLLGATE_STRIPE_API_BASE"]
    put(monkeypatch, variables)
    if accepted:
        assert settings.load_worker().stripe.api_key == key
    else:
        message = complaint(settings.load_worker)
        assert message.startswith("TOLLGATE_STRIPE_API_KEY must start with")
        assert key not in message


@pytest.mark.parametrize("environment", ["test", "live"])
@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "https://api.stripe.com.example.com", "https://stripe.com"])
def test_outside_the_sandbox_only_stripe_is_asked(environment: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk_live_x" if environment == "live" else "sk_test_x"
    variables = complete_settings(TOLLGATE_ENV=environment, TOLLGATE_STRIPE_API_KEY=key, TOLLGATE_STRIPE_API_BASE=base)
    put(monkeypatch, variables)
    assert complaint(settings.load_worker).startswith("TOLLGATE_STRIPE_API_BASE must be unset")
    del variables["TOLLGATE_STRIPE_API_BASE"]
    put(monkeypatch, variables)
    assert settings.load_worker().stripe.api_base == "https://api.stripe.com"


@pytest.mark.parametrize(
    "base",
    [
        "https://api.stripe.com",
        "http://10.0.0.1:12111",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1.example.com",
        "127.0.0.1:12111",
        "ftp://127.0.0.1",
        "http://[::1",
    ],
)
def test_the_sandbox_asks_only_a_simulator_on_this_machine(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_STRIPE_API_BASE=base))
    assert complaint(settings.load_worker).startswith("TOLLGATE_STRIPE_API_BASE")


@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "http://localhost:1", "http://[::1]:12111"])
def test_the_sandbox_takes_a_loopback_simulator(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_STRIPE_API_BASE=base))
    assert settings.load_worker().stripe.api_base == base


def test_the_web_process_never_reads_what_it_must_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden = {
        name: "nonsense"
        for name in complete_settings()
        if re.search(r"DATABASE|STRIPE_API|PRIVATE|ENCRYPTION|DERIVATION|FLOWER", name)
    }
    assert len(forbidden) == 7
    put(monkeypatch, complete_settings(**forbidden))
    settings.load_ingress()


@pytest.mark.parametrize("role", ["ingress", "worker", "operator", "flower", "database"])
def test_no_repr_shows_a_secret(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = complete_settings(
        TOLLGATE_REDIS_URL="redis://:redispassword@127.0.0.1:1/0", TOLLGATE_BROKER_URL="redis://:brokerpassword@h"
    )
    put(monkeypatch, variables)
    shown = repr(LOADERS[role]())
    secrets = ["redispassword", "brokerpassword", "secret", "sk_test_made_up", "whsec_"]
    secrets += [part for name, value in variables.items() if name.endswith("KEYS") for part in [value.split(":")[1]]]
    secrets += [variables["TOLLGATE_FLOWER_BASIC_AUTH"].split(":")[1]]
    keys = [base64.b64decode(v.split(":")[-1]) for n, v in variables.items() if re.search("KEY|PEPPER", n) and "=" in v]
    public = base64.b64decode(variables["TOLLGATE_JOURNAL_PUBLIC_KEY"].split(":")[1])
    assert [secret for secret in secrets if secret in shown] == []
    assert [key for key in keys if key != public and repr(key) in shown] == []


def test_settings_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    loaded = settings.load_ingress()
    with pytest.raises(FrozenInstanceError):
        loaded.port = 1
    with pytest.raises(FrozenInstanceError):
        loaded.redis.url = ""


def test_the_broker_is_redis_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    assert settings.load_worker().broker_url == settings.load_worker().redis.url == settings.load_flower().broker_url
    put(monkeypatch, complete_settings(TOLLGATE_BROKER_URL="amqp://guest:guest@h//"))
    assert settings.load_worker().broker_url == settings.load_flower().broker_url == "amqp://guest:guest@h//"


def test_a_redis_socket_wants_the_broker_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_REDIS_URL="unix:///run/redis.sock"))
    assert settings.load_ingress().redis.url == "unix:///run/redis.sock"
    assert complaint(settings.load_worker).startswith("TOLLGATE_BROKER_URL")


def test_flower_stays_on_this_machine_when_the_web_process_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_HOST="0.0.0.0"))  # noqa: S104 - what the test is about
    assert settings.load_ingress().host == "0.0.0.0"  # noqa: S104 - as above
    assert settings.load_flower().host == "127.0.0.1"


def test_the_redis_timeouts_leave_room_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    redis = settings.load_ingress().redis
    assert redis.connect_timeout + redis.socket_timeout < 2.0


@pytest.mark.parametrize("name", ["TOLLGATE_JOB_LEASE_SECONDS", "TOLLGATE_GENERATION_WAIT_SECONDS"])
def test_what_must_outlast_a_call_to_stripe_does(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    put(monkeypatch, complete_settings(**{name: "10"}))
    assert complaint(settings.load_worker).startswith(f"{name} must be more than")


def test_every_duration_of_a_job_is_above_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    jobs = settings.load_worker().jobs
    assert len(fields(jobs)) == len([value for value in asdict(jobs).values() if value > 0])
    assert settings.load_worker().stripe.read_timeout < jobs.lease
    assert jobs.resend_limit < 24 * 3600


def test_the_currencies_are_set_and_each_must_be_one_of_stripes(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    assert settings.load_ingress().currencies == ("gbp", "eur", "usd")
    put(monkeypatch, complete_settings(TOLLGATE_CURRENCIES="gbp, jpy"))
    assert settings.load_ingress().currencies == ("gbp", "jpy")
    for wrong in ("gbp,xxx", "GBP", "gbp,"):
        put(monkeypatch, complete_settings(TOLLGATE_CURRENCIES=wrong))
        with pytest.raises(SettingsError, match="TOLLGATE_CURRENCIES"):
            settings.load_ingress()


def test_several_webhook_secrets_are_taken_while_one_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_STRIPE_WEBHOOK_SECRETS="whsec_newsecret, whsec_oldsecret"))
    assert settings.load_ingress().webhook_secrets == ("whsec_newsecret", "whsec_oldsecret")


def test_only_a_sandbox_sends_notifications_to_its_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    assert not settings.load_worker().websites.on_loopback
    allowed = complete_settings(TOLLGATE_WEBSITES_ON_LOOPBACK="yes")
    put(monkeypatch, allowed)
    assert settings.load_worker().websites.on_loopback
    for environment, key in (("test", "sk_test_x"), ("live", "sk_live_x")):
        put(monkeypatch, {**allowed, "TOLLGATE_ENV": environment, "TOLLGATE_STRIPE_API_KEY": key})
        monkeypatch.delenv("TOLLGATE_STRIPE_API_BASE")
        for load in (settings.load_worker, settings.load_endpoints):
            assert complaint(load).startswith("TOLLGATE_WEBSITES_ON_LOOPBACK must be unset")


def test_a_lease_outlasts_a_call_to_a_website(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    worker = settings.load_worker()
    assert worker.websites.longest_call < worker.jobs.lease
    put(monkeypatch, complete_settings(TOLLGATE_WEBSITE_READ_TIMEOUT="11"))
    assert "TOLLGATE_WEBSITE_READ_TIMEOUT" in complaint(settings.load_worker)
