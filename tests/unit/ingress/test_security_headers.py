"""Security headers, by environment."""

from __future__ import annotations

from ingress.security_headers import security_headers


def test_only_live_promises_tls() -> None:
    assert security_headers("live")["Strict-Transport-Security"].startswith("max-age=63072000")
    assert "Strict-Transport-Security" not in security_headers("sandbox")
    assert "Strict-Transport-Security" not in security_headers("test")


def test_what_one_answer_does_to_the_headers_stays_its_own() -> None:
    security_headers("test")["Cache-Control"] = "public"
    assert "no-store" in security_headers("test")["Cache-Control"]
