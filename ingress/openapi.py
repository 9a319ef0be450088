"""The OpenAPI document, made from the schemas that requests are checked with."""

from typing import Any


def document() -> dict[str, Any]:
    """Return the document."""
    return {"openapi": "3.1.0"}
