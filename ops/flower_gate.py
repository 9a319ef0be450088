"""Flower behind a gate: nothing without credentials, nothing that changes anything.

Flower checks credentials page by page, and leaves `/metrics`, `/healthcheck` and its static files open. Here the check
comes before the routing, so that no page, present or future, can be forgotten.
"""

import base64
import binascii
import hmac
from typing import Any

from flower.app import Flower  # type: ignore[import-untyped]  # flower has no types
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform, RequestHandler

READING = frozenset({"GET", "HEAD"})
TABLE = "/tasks/datatable"  # the page of tasks asks for its rows by POST, and changes nothing
UNAUTHORIZED = 401
FORBIDDEN = 403
# Flower's pages hold one inline script and inline styles; everything else comes from Flower itself.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders(OutputTransform):
    """Puts the security headers on every answer, and takes off what names the server's version."""

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: FBT001 - tornado's signature
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Change the headers."""
        headers.pop("Server", None)
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


class Refusal(RequestHandler):
    """Answers every method in the same few words."""

    def initialize(self, status: int, words: str) -> None:
        """Take the status and the words."""
        self._status, self._words = status, words

    def prepare(self) -> None:
        """Answer, whatever was asked."""
        self.set_status(self._status)
        if self._status == UNAUTHORIZED:
            self.set_header("WWW-Authenticate", 'Basic realm="tollgate", charset="UTF-8"')
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._words}\n")

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here that a forged request could misuse."""


class GatedFlower(Flower):  # type: ignore[misc]  # flower has no types
    """Flower that asks every request for the credentials, and lets it read only."""

    def __init__(self, *, user: str, password: str, **arguments: Any) -> None:
        self._credentials = f"{user}:{password}".encode()
        super().__init__(transforms=[SecurityHeaders], **arguments)

    def find_handler(self, request: HTTPServerRequest, **arguments: Any) -> Any:
        """Return what answers a request: a refusal, or Flower's own handler."""
        if not self._is_known(request.headers.get("Authorization", "")):
            return self._refusal(request, UNAUTHORIZED, "Credentials are required.")
        if request.method not in READING and (request.method, request.path) != ("POST", TABLE):
            words = "These pages only show: act through the tollgate command line."
            return self._refusal(request, FORBIDDEN, words)
        return super().find_handler(request, **arguments)

    def _refusal(self, request: HTTPServerRequest, status: int, words: str) -> Any:
        return self.get_handler_delegate(request, Refusal, {"status": status, "words": words})

    def _is_known(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        try:
            given = base64.b64decode(encoded.strip().encode(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self._credentials)
