"""Stripe's test cards: numbers, ``pm_card_…`` names and what becomes of a payment (https://docs.stripe.com/testing)."""

from dataclasses import dataclass
from typing import Final

GENERIC: Final = "Your card was declined."
AUTHENTICATION_MESSAGE: Final = "Your card was declined. This transaction requires authentication."


@dataclass(frozen=True)
class Decline:
    """Why an issuer, or Stripe itself, refuses a card."""

    code: str
    message: str
    decline_code: str
    blocked: bool = False


@dataclass(frozen=True)
class Card:
    """A test card. ``decline`` comes after the 3-D Secure step if the card asks for one.

    ``authenticates`` says that it asks for that step. Off-session, where nobody is there, it is declined instead,
    unless it ``is_set_up``: from the beginning, or ``once_saved`` by a payment that set it up. Its refunds are
    ``refunded_as`` first, and some time later ``refund_ends``. Once its money is taken a charge is ``disputed_as`` the
    reason says, or only ``is_only_asked_about``, and may be one that ``is_warned_of``.
    """

    name: str
    number: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: Decline | None = None
    authenticates: bool = False
    notifies_first: bool = False
    is_set_up: bool = False
    once_saved: bool = False
    refunded_as: str = "succeeded"
    refund_ends: str | None = None
    disputed_as: str | None = None
    is_only_asked_about: bool = False
    is_warned_of: bool = False

    @property
    def last4(self) -> str:
        """The last four digits, all that objects show of the number."""
        return self.number[-4:]


GENERIC_DECLINE: Final = Decline("card_declined", GENERIC, "generic_decline")
INSUFFICIENT_FUNDS: Final = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds")
LOST_CARD: Final = Decline("card_declined", GENERIC, "lost_card")
STOLEN_CARD: Final = Decline("card_declined", GENERIC, "stolen_card")
VELOCITY: Final = Decline(
    "card_declined",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    "card_velocity_exceeded",
)
EXPIRED: Final = Decline("expired_card", "Your card has expired.", "expired_card")
INCORRECT_CVC: Final = Decline("incorrect_cvc", "Your card's security code is incorrect.", "incorrect_cvc")
PROCESSING: Final = Decline(
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
    "processing_error",
)
FRAUDULENT: Final = Decline("card_declined", GENERIC, "fraudulent", blocked=True)
UNAUTHENTICATED: Final = Decline("authentication_required", AUTHENTICATION_MESSAGE, "authentication_required")

CARDS: Final = (
    Card("pm_card_visa", "4242424242424242"),
    Card("pm_card_visa_debit", "4000056655665556", funding="debit"),
    Card("pm_card_mastercard", "5555555555554444", brand="mastercard"),
    Card("pm_card_mastercard_debit", "5200828282828210", brand="mastercard", funding="debit"),
    Card("pm_card_mastercard_prepaid", "5105105105105100", brand="mastercard", funding="prepaid"),
    Card("pm_card_amex", "378282246310005", brand="amex"),
    Card("pm_card_discover", "6011111111111117", brand="discover"),
    Card("pm_card_diners", "3056930009020004", brand="diners"),
    Card("pm_card_jcb", "3566002020360505", brand="jcb", country="JP"),
    Card("pm_card_unionpay", "6200000000000005", brand="unionpay", country="CN"),
    Card("pm_card_gb", "4000008260000000", country="GB"),
    Card("pm_card_gb_debit", "4000058260000005", country="GB", funding="debit"),
    Card("pm_card_visa_chargeDeclined", "4000000000000002", decline=GENERIC_DECLINE),
    Card("pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995", decline=INSUFFICIENT_FUNDS),
    Card("pm_card_visa_chargeDeclinedLostCard", "4000000000009987", decline=LOST_CARD),
    Card("pm_card_visa_chargeDeclinedStolenCard", "4000000000009979", decline=STOLEN_CARD),
    Card("pm_card_chargeDeclinedExpiredCard", "4000000000000069", decline=EXPIRED),
    Card("pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", decline=INCORRECT_CVC),
    Card("pm_card_chargeDeclinedProcessingError", "4000000000000119", decline=PROCESSING),
    Card("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", decline=VELOCITY),
    Card("pm_card_radarBlock", "4100000000000019", decline=FRAUDULENT),
    # https://docs.stripe.com/testing#disputes
    Card("pm_card_createDispute", "4000000000000259", disputed_as="fraudulent"),
    Card("pm_card_createDisputeProductNotReceived", "4000000000002685", disputed_as="product_not_received"),
    Card("pm_card_createDisputeInquiry", "4000000000001976", disputed_as="fraudulent", is_only_asked_about=True),
    Card("pm_card_createIssuerFraudRecord", "4000000000005423", is_warned_of=True),
    # https://docs.stripe.com/testing#refunds
    Card("pm_card_pendingRefund", "4000000000007726", refunded_as="pending", refund_ends="succeeded"),
    Card("pm_card_refundFail", "4000000000005126", refund_ends="failed"),
    Card("pm_card_threeDSecure2Required", "4000000000003220", authenticates=True),
    Card(
        "pm_card_authenticationRequiredOnSetup", "4000002500003155", country="DE", authenticates=True, once_saved=True
    ),
    Card(
        "pm_card_authenticationRequiredSetupForOffSession",
        "4000003800000446",
        country="DE",
        authenticates=True,
        is_set_up=True,
    ),
    Card("pm_card_authenticationRequired", "4000002760003184", country="DE", authenticates=True),
    Card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        country="GB",
        authenticates=True,
        decline=INSUFFICIENT_FUNDS,
    ),
    Card(
        "pm_card_threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        authenticates=True,
        decline=GENERIC_DECLINE,
    ),
    # An Indian card charged off-session stays `processing` while the bank tells its holder, for 26 hours:
    # https://docs.stripe.com/india-recurring-payments
    Card("pm_card_in", "4000003560000008", country="IN", notifies_first=True),
)

# The short names that Stripe documents for the most used declines.
ALIASES: Final = {
    "pm_card_chargeDeclined": "pm_card_visa_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds": "pm_card_visa_chargeDeclinedInsufficientFunds",
}

BY_NUMBER: Final = {card.number: card for card in CARDS}
BY_NAME: Final = {card.name: card for card in CARDS}


def named(name: str) -> Card | None:
    """Return the test card of a ``pm_card_…`` name, or None."""
    return BY_NAME.get(ALIASES.get(name, name))


def numbered(number: str) -> Card | None:
    """Return the test card of a number, spaces allowed, or None for a number that is no card's.

    A well-formed number that Stripe does not list behaves as ``pm_card_visa``.
    """
    digits = number.replace(" ", "").replace("-", "")
    if digits in BY_NUMBER:
        return BY_NUMBER[digits]
    return Card("pm_card_visa", digits) if _is_card_number(digits) else None


def _is_card_number(digits: str) -> bool:
    if not (digits.isascii() and digits.isdigit() and 13 <= len(digits) <= 19):  # noqa: PLR2004  # ISO/IEC 7812 lengths
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + position % 2)
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004  # the Luhn sum: cross sum of the doubled digit
    return total % 10 == 0
