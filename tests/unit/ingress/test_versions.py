"""Versions and what is on its way out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingress.app import create_app
from ingress.problems import ProblemError
from ingress.versions import VERSIONS, Deprecation, Versions
from tests.builders.ingress import ingress_settings

OLD = Deprecation(datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC), "/docs/api-versions.md")
TWO = Versions("2026-12-01", {"2026-11-01": OLD, "2026-12-01": None}, {"health.live": Deprecation(OLD.since)})


def test_a_deprecated_version_says_since_when_and_until_when() -> None:
    client = create_app(ingress_settings(), versions=TWO).test_client()
    answer = client.get("/", headers={"Tollgate-Version": "2026-11-01"})
    assert answer.headers["Tollgate-Version"] == "2026-11-01"
    assert answer.headers["Deprecation"] == "@1796083200"
    assert answer.headers["Sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert answer.headers["Link"].startswith('</docs/api-versions.md>; rel="deprecation"')


def test_a_deprecated_route_says_so_in_every_version() -> None:
    answer = create_app(ingress_settings(), versions=TWO).test_client().get("/health/live")
    assert answer.headers["Deprecation"] == "@1796083200"
    assert "Sunset" not in answer.headers


def test_what_is_not_deprecated_says_nothing() -> None:
    answer = create_app(ingress_settings(), versions=TWO).test_client().get("/")
    assert answer.headers["Tollgate-Version"] == "2026-12-01"
    assert not {"Deprecation", "Sunset", "Link"} & set(answer.headers.keys())


def test_an_unknown_version_is_refused_by_those_there_are() -> None:
    with pytest.raises(ProblemError, match="2026-11-01, 2026-12-01"):
        TWO.chosen("2020-01-01")
    assert TWO.chosen(None) == "2026-12-01"
    assert TWO.chosen(" 2026-11-01 ") == "2026-11-01"


def test_the_current_version_is_known_and_routes_exist() -> None:
    assert VERSIONS.current in VERSIONS.known
    endpoints = {rule.endpoint for rule in create_app(ingress_settings()).url_map.iter_rules()}
    assert set(VERSIONS.routes) <= endpoints
