"""Where notifications may go: websites of the open internet, and nothing that only our own network can reach.

Whoever may name an endpoint could otherwise have Tollgate talk to the cloud's metadata service, a database or a router
(server-side request forgery). So the URL is checked when it is given, and every address of its name before each call.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from config.errors import WebsiteAddressError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL: Final = 2000  # what servers and proxies take without fail
LOOPBACK: Final = "127.0.0.1"
HTTPS_PORT: Final = 443
_PLAIN = re.compile(r"[!-\[\]-~]+")  # ASCII that can be seen, but for the backslash, which some read as a slash
# Names that never lead to the open internet: RFC 6761, 6762 and 8375, ICANN's `.internal`, and what offices use.
_PRIVATE_NAMES = re.compile(
    r"(.*\.)?(localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|onion|test|invalid)"
)
# The last label of an address in whatever notation `inet_aton` takes: decimal, octal (0177) or hexadecimal (0x7f).
_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")
# Reached from inside of Azure alone, though it looks like any other
# (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
_CLOUDS_OWN = frozenset({ipaddress.ip_address("168.63.129.16")})
# Not of the open internet by IANA's registries (https://www.iana.org/assignments/iana-ipv6-special-registry), though
# the `ipaddress` of one or another Python that we run on takes them for it: IETF protocols and 6to4's relays (RFC 6890,
# 7526), NAT64 of a network's own (RFC 8215), documentation (RFC 9637) and segment routing (RFC 9602).
_CLOSED = tuple(
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: how a network without IPv4 reaches an IPv4 address
_LAST_32_BITS: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL, taken apart.

    Args:
        host: the name, or the address without brackets, in lower case.
        path: with its query, as the request line has it.
    """

    tls: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.tls and self.port == HTTPS_PORT else f"{host}:{self.port}"


def target_of(url: str, *, on_loopback: bool) -> Target:
    """Check a URL by the look of it, and take it apart; its name's addresses are checked by `check_address`.

    Args:
        url: `https://name[:port]/path`.
        on_loopback: whether `http://127.0.0.1` will do as well.

    Raises:
        WebsiteAddressError: if nothing may be sent there; the message says what is wrong.
    """
    if len(url) > LONGEST_URL or not _PLAIN.fullmatch(url):
        raise WebsiteAddressError(f"a URL is up to {LONGEST_URL} letters of ASCII, without spaces and backslashes")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise WebsiteAddressError(f"this is no URL: {error}") from None
    tls = parts.scheme == "https"
    here = on_loopback and parts.scheme == "http" and host == LOOPBACK
    if not (tls or here):
        raise WebsiteAddressError("the URL must begin with https://: notifications are not sent in the clear")
    if "@" in parts.netloc:
        raise WebsiteAddressError("the URL must hold no user and no password: notifications are signed instead")
    if "#" in url:
        raise WebsiteAddressError("the URL must have no fragment ('#'): it would never reach the website")
    if port == 0:
        raise WebsiteAddressError("the URL's port must be from 1 to 65535")
    _check_host(host, on_loopback=on_loopback)
    path = parts.path or "/"
    return Target(tls, host, port or (HTTPS_PORT if tls else 80), f"{path}?{parts.query}" if parts.query else path)


def check_address(address: IpAddress, *, on_loopback: bool) -> None:
    """Pass if an address is one of the open internet.

    Raises:
        WebsiteAddressError: if it is not.
    """
    if not (_is_open(address) or (on_loopback and address.is_loopback)):
        raise WebsiteAddressError("the host leads to a private or reserved address: nothing is sent there")


def _check_host(host: str, *, on_loopback: bool) -> None:
    if not host:
        raise WebsiteAddressError("the URL names no host")
    if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise WebsiteAddressError("the host looks like an address, but is none in its usual form") from None
        check_address(address, on_loopback=on_loopback)
    elif _PRIVATE_NAMES.fullmatch(host) or "." not in host:
        raise WebsiteAddressError(f"'{host}' is a name of a private network: nothing is sent there")


def _is_open(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        mapped = ipaddress.IPv4Address(int(address) & _LAST_32_BITS) if address in _NAT64 else address.ipv4_mapped
        if mapped is not None:
            return _is_open(mapped)
        # Nobody is reached by 6to4 any more (RFC 7526); of the addresses of open hosts Python 3.13 alone says so.
        if address.is_site_local or address.sixtofour is not None:
            return False
    closed = address in _CLOUDS_OWN or any(address in network for network in _CLOSED)
    return address.is_global and not (closed or address.is_multicast or address.is_reserved)
