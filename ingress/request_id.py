"""Request ids: one for each request, taken over from the caller if it is sane, in every answer and every log line.

They stand in clear in the journal and the database, so none may hold a card number; a random one of ours might, too.
"""

import re
import secrets
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from config.card_numbers import contains_card_number
from config.logs import bind

HEADER = "X-Request-Id"
ENVIRON = "tollgate.request_id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RANDOM_BYTES = 16


def with_request_id(app: WSGIApplication) -> WSGIApplication:
    """Wrap a WSGI application so that each request has an id, whatever becomes of it."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = asked if _SANE.fullmatch(asked) and not contains_card_number(asked) else _new()
        environ[ENVIRON] = request_id

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, [*headers, (HEADER, request_id)], *exc_info)

        with bind(request_id=request_id):
            return app(environ, start)

    return wrapped


def _new() -> str:
    while contains_card_number(fresh := f"req_{secrets.token_hex(_RANDOM_BYTES)}"):
        pass
    return fresh
