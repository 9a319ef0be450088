"""Digits that are known to be something else than a card number: addresses of machines, UUIDs, dates and times.

Without them, one in ten of the longer ones would be taken for a card number, for so many pass the Luhn check.
"""

import ipaddress
import re

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_MONTH, _DAY, _YEAR = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])", r"(?:19|20)\d\d"
_KNOWN = re.compile(
    rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?::\d{{1,5}})?(?!\.?\d)"  # IPv4, with or without a port
    # RFC 9562: its version and variant tell a UUID from digits that are merely grouped like one.
    r"|(?<!\w)[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?!\w)"
    rf"|(?<!\d){_YEAR}(?P<ymd>[-/.]){_MONTH}(?P=ymd){_DAY}(?!\d)"
    rf"|(?<!\d){_DAY}(?P<dmy>[-/.]){_MONTH}(?P=dmy){_YEAR}(?!\d)"
    r"|(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d{1,9})?(?![.,:]?\d)",
    re.IGNORECASE | re.ASCII,
)
_IPV6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?![\w:])", re.IGNORECASE | re.ASCII)
# Of global, private, link-local and multicast addresses (RFC 4291), and of those that begin with zeros.
_IPV6_BEGINNINGS = ("2", "3", "f", ":", "0")


def without_known_numbers(text: str) -> str:
    """Return the text, equally long, with letters in the place of what is surely no card number."""
    return _IPV6.sub(_without_ipv6, _KNOWN.sub(_letters, text))


def _letters(match: re.Match[str]) -> str:
    return "x" * len(match[0])


def _without_ipv6(match: re.Match[str]) -> str:
    if not match[0].lower().startswith(_IPV6_BEGINNINGS):
        return match[0]
    try:
        ipaddress.IPv6Address(match[0])
    except ValueError:
        return match[0]
    return _letters(match)
