"""Declines in words fit for the customer.

Stripe asks not to tell a customer that a card was reported lost or stolen, or that fraud is suspected: those read as a
general decline (https://docs.stripe.com/declines/codes).
"""

GENERAL = "Your card was declined. Please try another card or contact your bank."

_WORDS = {
    "insufficient_funds": "Your card has insufficient funds. Please try another card.",
    "expired_card": "Your card has expired. Please try another card.",
    "incorrect_cvc": "The security code of your card is incorrect. Please check it and try again.",
    "invalid_cvc": "The security code of your card is incorrect. Please check it and try again.",
    "incorrect_number": "The card number is incorrect. Please check it and try again.",
    "invalid_number": "The card number is incorrect. Please check it and try again.",
    "incorrect_zip": "The postcode does not match your card. Please check it and try again.",
    "invalid_expiry_month": "The expiry date is incorrect. Please check it and try again.",
    "invalid_expiry_year": "The expiry date is incorrect. Please check it and try again.",
    "card_not_supported": "Your card does not support this purchase. Please try another card.",
    "currency_not_supported": "Your card does not support this currency. Please try another card.",
    "card_velocity_exceeded": "Your card has reached its limit. Please try another card or contact your bank.",
    "withdrawal_count_limit_exceeded": "Your card has reached its limit. Please try another card.",
    "processing_error": "An error occurred while processing your card. Please try again in a moment.",
    "try_again_later": "Your bank could not be reached. Please try again in a moment.",
    "issuer_not_available": "Your bank could not be reached. Please try again in a moment.",
    "authentication_required": "Your bank asks you to confirm this payment. Please try again.",
    "payment_intent_authentication_failure": "The payment could not be confirmed with your bank. Please try again.",
}
# What must not be told: the code is shown as a general decline, too.
_HIDDEN = frozenset(
    {"lost_card", "stolen_card", "fraudulent", "pickup_card", "merchant_blacklist", "security_violation"}
)


def customer_words(code: str | None) -> dict[str, str]:
    """Return `{code, message}` for a decline code of Stripe's; unknown and delicate codes read as a general decline."""
    if code is None or code in _HIDDEN:
        return {"code": "generic_decline", "message": GENERAL}
    return {"code": code, "message": _WORDS.get(code, GENERAL)}
