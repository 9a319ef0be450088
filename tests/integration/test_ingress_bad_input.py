"""Bad input: a 4xx problem, never a 5xx, and nothing enqueued."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tasks.contracts.api_keys import ApiKeyRecord
from tests.builders.ingress import PEPPER, Site, body

pytestmark = pytest.mark.servers


@pytest.fixture
def site(redis_url: str, redis_prefix: str) -> Iterator[Site]:
    site = Site(redis_url, redis_prefix)
    yield site
    assert site.journal() == []
    site.close()


def post(site: Site, data: bytes, content_type: str = "application/json", **headers: str) -> TestResponse:
    return site.client().post(
        "/v1/payment-intents", data=data, content_type=content_type, headers=site.headers("k") | headers
    )


GOOD = json.dumps(body()).encode()


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"", "application/json", 400, "malformed_body"),
        (b"[" * 65536, "application/json", 400, "malformed_body"),
        (b'{"amount":1,"amount":2}', "application/json", 400, "malformed_body"),
        (GOOD.replace(b"4950", b"NaN"), "application/json", 400, "malformed_body"),
        (GOOD.replace(b"4950", b"1e999"), "application/json", 400, "malformed_body"),
        (GOOD.replace(b"4950", b"9223372036854775808"), "application/json", 400, "malformed_body"),
        (GOOD.replace(b"Ada Lovelace", b"a\\u0000b"), "application/json", 400, "malformed_body"),
        (GOOD.replace(b"Ada Lovelace", b"a\\ud800b"), "application/json", 400, "malformed_body"),
        (GOOD.replace(b"Ada Lovelace", b"4242 4242 4242 4242"), "application/json", 422, "card_number_refused"),
        (GOOD.replace(b"4950", b"true"), "application/json", 422, "validation_failed"),
        (GOOD.replace(b"4950", b"0"), "application/json", 422, "validation_failed"),
        (GOOD.replace(b"gbp", b"zzz"), "application/json", 422, "validation_failed"),
        (GOOD[:-1] + b',"x":1}', "application/json", 422, "validation_failed"),
        (GOOD, "text/plain", 415, "unsupported_media_type"),
        (GOOD, "", 415, "unsupported_media_type"),
        (GOOD, "application/json; charset=latin-1", 415, "unsupported_media_type"),
        (b" " * 65537, "application/json", 413, "body_too_large"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_body_is_a_problem(site: Site, data: bytes, content_type: str, status: int, code: str) -> None:
    answer = post(site, data, content_type)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"
    if status in {400, 422}:
        assert all({"field", "code", "message"} == set(error) for error in answer.json["errors"])


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_by_name(site: Site, encoding: str) -> None:
    answer = post(site, GOOD, **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert post(site, b"{}", **{"Content-Encoding": "Identity"}).status_code == 422


def test_a_chunked_body_is_not_read_beyond_the_limit(site: Site) -> None:
    class Endless:
        read_bytes = 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0, "the whole of an endless body was asked for"
            self.read_bytes += size
            return b" " * size

    endless = Endless()
    answer = site.client().post(
        "/v1/payment-intents",
        headers=site.headers("k") | {"Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        environ_overrides={"wsgi.input_terminated": True, "wsgi.input": endless},
    )
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert 0 < endless.read_bytes <= 2 * 65536


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic dTpw",
        "Bearer tg_test_aaaaaaaa_" + "a" * 38,
        "Bearer " + "x" * 5000,
        "Bearer ünïcode",
    ],
)
def test_a_wrong_key_is_refused_in_the_same_words(site: Site, authorization: str) -> None:
    unknown = site.new_key()
    site.redis.delete(site.keyspace.api_key(unknown.key_id))
    wanted = post(site, b"rubbish", Authorization=f"Bearer {unknown.text}")
    answer = post(site, b"rubbish", Authorization=authorization)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert {**answer.json, "instance": 0, "request_id": 0} == {**wanted.json, "instance": 0, "request_id": 0}


def test_a_key_with_a_wrong_secret_is_refused(site: Site) -> None:
    other = site.new_key()
    record = ApiKeyRecord(site.token.hashed(PEPPER), "site", 1000.0, 1000).signed(PEPPER, other.key_id)
    site.redis.hset(site.keyspace.api_key(other.key_id), mapping=record.to_fields())
    assert post(site, b"{}", Authorization=f"Bearer {other.text}").status_code == 401


@pytest.mark.parametrize(
    ("field", "value"), [("client", "other"), ("rate", "9e9"), ("burst", "9"), ("m", "ab"), ("m", "")]
)
def test_a_key_whose_record_was_changed_in_redis_is_refused_and_reported(
    site: Site, caplog: pytest.LogCaptureFixture, field: str, value: str
) -> None:
    wanted = post(site, b"{}", Authorization="")
    site.redis.hset(site.keyspace.api_key(site.token.key_id), field, value)
    answer = post(site, b"{}")
    assert (answer.status_code, answer.json["detail"]) == (401, wanted.json["detail"])
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert line.__dict__["key_id"] == site.token.key_id
    assert site.token.hashed(PEPPER) not in str(line.__dict__)


def test_a_revoked_key_stops_working_when_its_record_grows_old(redis_url: str, redis_prefix: str) -> None:
    site = Site(redis_url, redis_prefix, api_key_cache_seconds=0.000_001)
    assert site.get("/v1/jobs/x").status_code == 404
    site.redis.delete(site.keyspace.api_key(site.token.key_id))
    assert site.get("/v1/jobs/x").status_code == 401
    site.close()


@pytest.mark.parametrize("job_id", ["x", "job_" + "A" * 26, "job_" + "a" * 27, "pay_" + "a" * 26, "%00", "..%2f"])
def test_a_malformed_id_is_not_found(site: Site, job_id: str) -> None:
    site.say_absent("pay_" + "a" * 26)
    assert site.get(f"/v1/jobs/{job_id}").status_code == 404
    assert site.get(f"/v1/payments/{job_id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/health//live", 404, "not_found"),
        ("POST", "/v1//payment-intents", 404, "not_found"),
        ("DELETE", "/v1/payment-intents", 405, "method_not_allowed"),
        ("GET", "/v1/payment-intents", 405, "method_not_allowed"),
        ("POST", "/health/live", 405, "method_not_allowed"),
    ],
)
def test_other_addresses_and_methods_are_problems(site: Site, method: str, path: str, status: int, code: str) -> None:
    answer = site.client().open(path, method=method)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"


def test_every_answer_carries_the_security_headers_and_an_id(site: Site) -> None:
    answers = [
        site.client().open(path, method=method)
        for path in ("/", "/nowhere", "/v1/jobs/x", "/health/ready", "/v1/openapi.json", "/problems/not_found")
        for method in ("GET", "HEAD", "OPTIONS")
    ]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Tollgate-Version"] == "2026-11-01"
        assert answer.headers["X-Request-Id"]
        assert not any(name.startswith("Access-Control") for name in answer.headers.keys())  # noqa: SIM118 - pairs else


def test_a_sane_request_id_is_kept_and_another_replaced(site: Site) -> None:
    assert site.client().get("/", headers={"X-Request-Id": "a.b-C_1"}).headers["X-Request-Id"] == "a.b-C_1"
    for odd in ("x" * 65, "a b", "é"):
        assert site.client().get("/", headers={"X-Request-Id": odd}).headers["X-Request-Id"].startswith("req_")


def test_an_unknown_version_is_refused(site: Site) -> None:
    assert site.client().get("/", headers={"Tollgate-Version": "2026-11-01"}).status_code == 200
    answer = site.client().get("/", headers={"Tollgate-Version": "1999-01-01"})
    assert (answer.status_code, answer.json["code"]) == (400, "version_unknown")


def test_each_problem_leads_to_a_page(site: Site) -> None:
    answer = post(site, b"{}", Authorization="")
    page = site.client().get(answer.json["type"])
    assert (page.status_code, page.mimetype) == (200, "text/plain")
    assert "Authorization" in page.text


def test_an_unforeseen_error_says_nothing_of_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object) -> None:
        raise ValueError("ada@example.org")

    monkeypatch.setattr("ingress.commands.load", fail)
    answer = post(site, GOOD)
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "ada@" not in answer.text + caplog.text
    (record,) = [record for record in caplog.records if record.message == "an unforeseen error"]
    assert record.__dict__["error"] == "ValueError"
    assert "create_payment_intent" in record.__dict__["trace"]
