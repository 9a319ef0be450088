"""Where notifications may go: the open internet, in whatever disguise anything else comes."""

from __future__ import annotations

import ipaddress

import pytest

from config.errors import WebsiteAddressError
from workers.gateways.website_address import LONGEST_URL, check_address, target_of

OPEN = (
    "8.8.8.8",
    "1.1.1.1",
    "203.1.2.3",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::8.8.8.8",  # NAT64 of an open one
    "::ffff:8.8.8.8",
)
CLOSED = {
    "this host": ("0.0.0.0", "0.1.2.3", "::"),  # noqa: S104 - that nothing is sent there is the point
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd00:ec2::254"),
    "link-local": ("169.254.169.254", "169.254.0.1", "fe80::1"),
    "site-local": ("fec0::1",),
    "carriers' (CGNAT)": ("100.64.0.1", "100.100.100.200", "100.127.255.255"),
    "multicast": ("224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"),
    "broadcast and reserved": ("255.255.255.255", "240.0.0.1", "5f00::1"),
    "documentation and tests": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1"),
    "protocols": ("192.0.0.1", "2001::1"),
    "a cloud's own": ("168.63.129.16",),
    "IPv4-mapped": ("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:7f00:1"),
    "IPv4-compatible": ("::127.0.0.1", "::8.8.8.8"),
    "6to4": ("2002:7f00:1::", "2002:a9fe:a9fe::", "2002:a00:1::1", "2002:808:808::1"),
    "NAT64": ("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8"),
    "IANA's own": ("192.0.0.8", "192.0.0.10", "192.88.99.1", "3fff::1", "3fff:fff:ffff::1", "5f00::1"),
    "Teredo": ("2001:0:4136:e378:8000:63bf:3fff:fdd2",),
}


def refused(url: str, *, on_loopback: bool = False) -> str:
    with pytest.raises(WebsiteAddressError) as caught:
        target_of(url, on_loopback=on_loopback)
    return str(caught.value)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_of_the_open_internet_is_taken(address: str) -> None:
    check_address(ipaddress.ip_address(address), on_loopback=False)


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, address) for kind, addresses in CLOSED.items() for address in addresses]
)
def test_any_other_address_is_refused(kind: str, address: str) -> None:
    with pytest.raises(WebsiteAddressError, match="private or reserved"):
        check_address(ipaddress.ip_address(address), on_loopback=False)
    host = f"[{address}]" if ":" in address else address
    assert "private or reserved" in refused(f"https://{host}/hooks"), kind


def test_in_a_sandbox_this_machine_is_taken_and_nothing_else_that_is_private() -> None:
    check_address(ipaddress.ip_address("127.0.0.1"), on_loopback=True)
    for address in ("10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "224.0.0.1"):
        with pytest.raises(WebsiteAddressError):
            check_address(ipaddress.ip_address(address), on_loopback=True)


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://shop.example.com/hooks", "shop.example.com", 443, "/hooks", "shop.example.com"),
        ("https://Shop.Example.COM", "shop.example.com", 443, "/", "shop.example.com"),
        ("https://shop.example.com.:8443/a?b=c", "shop.example.com", 8443, "/a?b=c", "shop.example.com:8443"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2606:4700::1]:444/", "2606:4700::1", 444, "/", "[2606:4700::1]:444"),
        ("https://xn--bcher-kva.example.com/", "xn--bcher-kva.example.com", 443, "/", "xn--bcher-kva.example.com"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, path: str, authority: str) -> None:
    target = target_of(url, on_loopback=False)
    assert (target.tls, target.host, target.port, target.path) == (True, host, port, path)
    assert target.authority == authority


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",  # 127.0.0.1 in decimal
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "010.0.0.1",
        "169.254.43518",
        "1.2.3.4.5",
        "256.1.1.1",
        "a.b.0x",
        "8.8.8.08",
    ],
)
def test_an_address_in_an_unusual_notation_is_refused(host: str) -> None:
    assert "usual form" in refused(f"https://{host}/")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST.", "app.localhost", "localhost.localdomain", "printer.local", "db", "web.internal"),
        *("metadata.google.internal", "x.corp", "nas.lan", "router.home", "a.home.arpa", "a.intranet", "a.onion"),
    ],
)
def test_a_private_name_is_refused(host: str) -> None:
    assert "private network" in refused(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://shop.example.com/", "https"),
        ("ftp://shop.example.com/", "https"),
        ("shop.example.com", "https"),
        ("https:shop.example.com", "no host"),
        ("https://", "no host"),
        ("https://user@shop.example.com/", "no user"),
        ("https://user:pass@shop.example.com/", "no user"),
        ("https://@shop.example.com/", "no user"),
        ("https://shop.example.com/#part", "fragment"),
        ("https://shop.example.com/#", "fragment"),
        ("https://shop.example.com:0/", "port"),
        ("https://shop.example.com:65536/", "no URL"),
        ("https://shop.example.com:x/", "no URL"),
        ("https://[::1/", "no URL"),
        ("https://[fe80::1%25eth0]/", "private or reserved"),
        ("https://shop.example.com\\@127.0.0.1/", "ASCII"),
        ("https://shop.exa\tmple.com/", "ASCII"),
        ("https://shop.example.com/a b", "ASCII"),
        ("https://bücher.example.com/", "ASCII"),
        ("https://shop.example.com/" + "a" * LONGEST_URL, "up to"),
        ("", "ASCII"),
    ],
)
def test_a_url_with_anything_else_in_it_is_refused_in_words(url: str, words: str) -> None:
    assert words in refused(url)


def test_http_is_for_this_machine_in_a_sandbox_alone() -> None:
    target = target_of("http://127.0.0.1:8081/hooks", on_loopback=True)
    assert (target.tls, target.host, target.port, target.authority) == (False, "127.0.0.1", 8081, "127.0.0.1:8081")
    for url in ("http://localhost:8081/", "http://[::1]/", "http://127.0.0.2/", "http://shop.example.com/"):
        refused(url, on_loopback=True)
    refused("http://127.0.0.1:8081/hooks", on_loopback=False)
