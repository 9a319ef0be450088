"""Writing answers."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request


def json_answer(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status=status, mimetype="application/json", headers=dict(headers or {}))


def tagged_answer(body: Mapping[str, Any], tag: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer with a weak entity tag, or 304 if the client has it already."""
    if request.if_none_match.contains_weak(tag):
        answer = Response(status=304, headers=dict(headers or {}))
    else:
        answer = json_answer(body, headers=headers)
    answer.set_etag(tag, weak=True)
    return answer
