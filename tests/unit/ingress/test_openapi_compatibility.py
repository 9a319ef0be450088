"""Breaking changes are found, and compatible ones are not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ingress.openapi import document
from ingress.openapi_compatibility import breaking_changes

OLD = document()
POST = "/v1/payment-intents"


def asked(new: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = new["components"]["schemas"]["PaymentIntent"]
    return schema


def shown(new: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = new["components"]["schemas"]["Payment"]
    return schema


def post(new: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = new["paths"][POST]["post"]
    return operation


BREAKING: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d["paths"].pop(POST), f"POST {POST} is gone"),
    (lambda d: d["paths"][POST].pop("post"), f"POST {POST} is gone"),
    (lambda d: asked(d)["required"].append("description"), "description is now required"),
    (lambda d: asked(d)["properties"].pop("metadata"), "metadata is gone"),
    (lambda d: asked(d)["properties"]["amount"].update(type="string"), "amount changed its type"),
    (lambda d: asked(d)["properties"]["amount"].update(maximum=5), "narrower maximum"),
    (lambda d: asked(d)["properties"]["amount"].update(minimum=5), "narrower minimum"),
    (lambda d: asked(d)["properties"]["currency"]["enum"].remove("eur"), "no longer takes eur"),
    (lambda d: asked(d)["properties"]["description"].update(type="string"), "description changed its type"),
    (lambda d: asked(d)["properties"]["booking_reference"].update(pattern="^a$"), "another pattern"),
    (lambda d: asked(d)["properties"]["metadata"]["additionalProperties"].update(maxLength=5), "narrower maxLength"),
    (lambda d: d["components"]["schemas"]["Customer"]["required"].append("phone"), "customer.phone is now required"),
    (lambda d: shown(d)["properties"].pop("client_secret"), "client_secret is gone"),
    (lambda d: shown(d)["required"].remove("status"), "status is no longer always there"),
    (lambda d: shown(d)["properties"]["amount"].update(type=["integer", "null"]), "amount changed its type"),
    (lambda d: d["components"]["schemas"]["Decline"]["properties"].pop("code"), "decline.code is gone"),
    (lambda d: d["components"]["schemas"]["FieldError"]["properties"].pop("field"), "errors[].field is gone"),
    (lambda d: post(d)["responses"].pop("202"), "no longer answers 202"),
    (lambda d: post(d)["responses"]["202"]["headers"].pop("Location"), "no header Location"),
    (lambda d: post(d)["responses"]["202"].update(content={"text/plain": {}}), "is not application/json any more"),
    (lambda d: post(d)["parameters"][1].update(required=True), "now requires the header parameter Prefer"),
    (lambda d: post(d)["parameters"].pop(1), "no header parameter Prefer"),
    (lambda d: post(d)["requestBody"].update(content={}), "takes no JSON body"),
]


@pytest.mark.parametrize(("change", "words"), BREAKING, ids=[words for _, words in BREAKING])
def test_a_breaking_change_is_named(change: Callable[[dict[str, Any]], object], words: str) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    assert any(words in found for found in breaking_changes(OLD, new)), breaking_changes(OLD, new)


COMPATIBLE: list[Callable[[dict[str, Any]], object]] = [
    lambda _d: None,
    lambda d: d["paths"].update({"/v1/refunds": {"post": {"responses": {}}}}),
    lambda d: asked(d)["properties"].update(note={"type": "string"}),
    lambda d: asked(d)["required"].remove("amount"),
    lambda d: asked(d)["properties"]["currency"]["enum"].append("chf"),
    lambda d: asked(d)["properties"]["amount"].update(maximum=10**9),
    lambda d: asked(d)["properties"]["amount"].update(type=["integer", "null"]),
    lambda d: shown(d)["properties"].update(note={"type": "string"}),
    lambda d: post(d)["responses"].update({"418": {"description": "teapot"}}),
    lambda d: post(d)["parameters"].append({"in": "header", "name": "X-New", "required": False, "schema": {}}),
]


@pytest.mark.parametrize("change", COMPATIBLE)
def test_a_compatible_change_passes(change: Callable[[dict[str, Any]], object]) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    assert breaking_changes(OLD, new) == []
