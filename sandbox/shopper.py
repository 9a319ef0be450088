"""The shopper at the simulator: pays with a card, goes through 3-D Secure, as a browser with Stripe's library would."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

TIMEOUT_SECONDS: Final = 30.0
PAYMENT_REQUIRED: Final = 402
SUCCESS: Final = 200
SEE_OTHER: Final = 303  # the 3-D Secure page sends the browser back to the shop
CARD_CVC: Final = "123"
CARD_EXPIRY: Final = ("12", "2034")  # month and year, any that is not past

Outcome = Literal["complete", "fail"]


class ShopperError(Exception):
    """The simulator refused what the shopper did, for a reason other than the card."""


@dataclass(frozen=True)
class ShopperResult:
    """Where the payment stands after the shopper's move.

    ``status`` is the PaymentIntent's. After a decline, ``code``, ``decline_code`` and ``message`` say why. With
    ``requires_action``, ``authentication_url`` is the page of the bank's question.
    """

    payment_intent: str
    status: str
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    authentication_url: str | None = None


def pay(
    base_url: str, publishable_key: str, client_secret: str, card_number: str, *, return_url: str | None = None
) -> ShopperResult:
    """Confirm a PaymentIntent with a card, as a shopper who was handed its client secret.

    Raises:
        ShopperError: the simulator refuses for a reason other than the card.
        OSError: the connection failed; what became of the payment is not known.
    """
    form = {
        "client_secret": client_secret,
        "payment_method_data[type]": "card",
        "payment_method_data[card][number]": card_number,
        "payment_method_data[card][exp_month]": CARD_EXPIRY[0],
        "payment_method_data[card][exp_year]": CARD_EXPIRY[1],
        "payment_method_data[card][cvc]": CARD_CVC,
    }
    if return_url is not None:
        form["return_url"] = return_url
    path = f"/v1/payment_intents/{quote(_intent_of(client_secret))}/confirm"
    status, body = _send(base_url, "POST", path, publishable_key, form)
    if status == SUCCESS:
        return _result(body)
    error = body["error"]
    if status != PAYMENT_REQUIRED:
        raise ShopperError(f"confirming {_intent_of(client_secret)} was refused with {status}: {error['message']}")
    intent = error.get("payment_intent")
    return ShopperResult(
        payment_intent=_intent_of(client_secret),
        status=intent["status"] if intent else "requires_payment_method",
        code=error.get("code"),
        decline_code=error.get("decline_code"),
        message=error["message"],
    )


def look(base_url: str, publishable_key: str, client_secret: str) -> ShopperResult:
    """Return where a payment stands, as a shopper's browser sees it.

    Raises:
        ShopperError: the simulator refuses.
        OSError: the connection failed.
    """
    path = f"/v1/payment_intents/{quote(_intent_of(client_secret))}?{urlencode({'client_secret': client_secret})}"
    status, body = _send(base_url, "GET", path, publishable_key)
    if status != SUCCESS:
        raise ShopperError(
            f"looking at {_intent_of(client_secret)} was refused with {status}: {body['error']['message']}"
        )
    return _result(body)


def complete_three_d_secure(
    base_url: str,
    publishable_key: str,
    client_secret: str,
    authentication_url: str,
    *,
    outcome: Outcome = "complete",
) -> ShopperResult:
    """Answer the bank's question, then return where the payment stands.

    Raises:
        ShopperError: the simulator no longer waits for this answer.
        OSError: the connection failed; the answer may have been taken.
    """
    status, body = _send(base_url, "POST", urlsplit(authentication_url).path, None, {"outcome": outcome})
    if status not in {SUCCESS, SEE_OTHER}:
        raise ShopperError(f"the 3-D Secure step was refused with {status}: {body['error']['message']}")
    return look(base_url, publishable_key, client_secret)


def _intent_of(client_secret: str) -> str:
    intent, separator, _ = client_secret.partition("_secret_")
    if not separator:
        raise ShopperError("a client secret has the form pi_…_secret_…, and this one has not")
    return intent


def _result(intent: dict[str, Any]) -> ShopperResult:
    error = intent.get("last_payment_error") or {}
    action = intent.get("next_action") or {}
    url = action.get("redirect_to_url", {}).get("url") or action.get("use_stripe_sdk", {}).get("stripe_js")
    return ShopperResult(
        payment_intent=intent["id"],
        status=intent["status"],
        code=error.get("code"),
        decline_code=error.get("decline_code"),
        message=error.get("message"),
        authentication_url=url,
    )


def _send(
    base_url: str, method: str, path: str, key: str | None, form: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    try:
        connection.request(method, path, urlencode(form) if form is not None else None, headers)
        response = connection.getresponse()
        body: dict[str, Any] = json.loads(response.read())
    except http.client.HTTPException as error:
        raise ConnectionError(f"the simulator closed the connection without an answer: {error!r}") from error
    finally:
        connection.close()
    return response.status, body
