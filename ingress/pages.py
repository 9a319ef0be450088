"""Small pages: the index, what each problem means, and the OpenAPI document."""

import json
from functools import cache

from flask import Blueprint, Response

from config.version import VERSION
from ingress.answers import json_answer
from ingress.openapi import document
from ingress.problems import PROBLEMS, ProblemError


@cache
def _openapi_text() -> str:
    return json.dumps(document(), ensure_ascii=False)


def pages() -> Blueprint:
    """Return the routes of pages; they need no key and ask nobody."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    def index() -> Response:
        return json_answer({"name": "Tollgate", "version": VERSION, "openapi": "/v1/openapi.json"})

    @routes.get("/v1/openapi.json")
    def openapi() -> Response:
        return Response(_openapi_text(), mimetype="application/json")

    @routes.get("/problems/<code>")
    def show_problem(code: str) -> Response:
        kind = PROBLEMS.get(code)
        if kind is None:
            raise ProblemError("not_found", "There is no problem of this code.")
        return Response(f"{kind.code} ({kind.status}): {kind.title}.\n\n{kind.advice}\n", mimetype="text/plain")

    return routes
