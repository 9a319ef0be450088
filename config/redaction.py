"""Redaction: the last defence of the logs, should a secret or personal data ever reach a message."""

import re

from config import card_numbers

CARD = "[card number]"
_SECRETS = re.compile(
    r"(?P<stripe_key>\b[sr]k_(?:test|live)_\w+)"
    r"|(?P<webhook_secret>\bwhsec_[\w+/=-]+)"
    r"|(?P<api_key>\btg_(?:sandbox|test|live)_[a-z2-7]{8}_\w+)"
    r"|(?P<client_secret>\b(?:pi|seti)_\w+?_secret_\w+)"
    r"|(?P<address_login>(?<=://)[^\s/@]+(?=@))"
    r"|(?P<email>\b[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
)
_NAMES = {
    "stripe_key": "[stripe key]",
    "webhook_secret": "[webhook secret]",
    "api_key": "[api key]",
    "client_secret": "[client secret]",
    "address_login": "[login]",
    "email": "[e-mail]",
}


def redact(text: str) -> str:
    """Return the text with card numbers, keys, secrets, logins in addresses and e-mail addresses blotted out."""
    text = _SECRETS.sub(lambda match: _NAMES[str(match.lastgroup)], text)
    pieces, done = [], 0
    for start, end in card_numbers.spans(text):
        pieces += [text[done:start], CARD]
        done = end
    return "".join([*pieces, text[done:]])
