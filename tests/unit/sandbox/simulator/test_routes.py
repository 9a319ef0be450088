from __future__ import annotations

import pytest

from sandbox.simulator.errors import ApiError
from sandbox.simulator.routes import ROUTES, match


@pytest.mark.parametrize(
    ("method", "path", "shape", "name"),
    [
        ("POST", "/v1/customers", "customers", ""),
        ("GET", "/v1/customers/cus_1", "customers/:id", "cus_1"),
        ("POST", "/v1/payment_intents/pi_1/confirm", "payment_intents/:id/confirm", "pi_1"),
        ("GET", "/v1/charges/", "charges", ""),
    ],
)
def test_a_request_finds_its_operation_and_id(method: str, path: str, shape: str, name: str) -> None:
    assert match(method, path) == (ROUTES[(method, shape)], name)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/customers"),
        ("GET", "/v2/customers"),
        ("GET", "/"),
        ("GET", "/v1/"),
        ("GET", "/v1/payment_intents/pi_1/confirm"),
        ("POST", "/v1/payment_intents//confirm"),
        ("POST", "/v1/payment_intents/pi_1/confirm/more"),
    ],
)
def test_anything_else_is_an_unrecognised_url(method: str, path: str) -> None:
    with pytest.raises(ApiError, match="Unrecognized request URL") as caught:
        match(method, path)
    assert caught.value.status == 404
