"""The 3-D Secure step: a page of the simulator where the shopper's bank asks and the shopper says yes or no."""

from typing import Final

from sandbox.simulator.account import ACCOUNT_ID, JsonObject
from sandbox.simulator.state import Change

PATH: Final = "/redirect/authenticate/"

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Simulated 3-D Secure</title>
<h1>Simulated 3-D Secure</h1>
<p>Your bank asks: do you pay {amount}?</p>
<form method="post">
<button name="outcome" value="complete">Complete</button>
<button name="outcome" value="fail">Fail</button>
</form>
</html>
"""


def begin(change: Change, intent: JsonObject, return_url: str | None) -> JsonObject:
    """Note that a shopper has to authenticate, and return the intent's ``next_action``.

    With a return URL the browser is sent to the page; without one, Stripe's browser library would open it.
    """
    step = change.identifiers.new("src")
    change.put("authentications", {"id": step, "payment_intent": intent["id"], "return_url": return_url})
    url = f"{change.base_url}{PATH}{step}"
    if return_url:
        return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {
            "type": "three_d_secure_redirect",
            "merchant": ACCOUNT_ID,
            "source": step,
            "stripe_js": url,
        },
    }


def is_waiting(intent: JsonObject, step: str) -> bool:
    """Tell whether an intent still waits for exactly this step; a later confirmation makes an earlier one void."""
    if intent["status"] != "requires_action":
        return False
    action = intent["next_action"]
    url = action.get("redirect_to_url", {}).get("url") or action.get("use_stripe_sdk", {}).get("stripe_js", "")
    return bool(url.endswith(f"/{step}"))
