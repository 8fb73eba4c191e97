"""What is believed of a request's headers."""

from __future__ import annotations

import ipaddress

import pytest

from switchhook.access.roles import AccessSettings
from switchhook.web.sign_in.request_origin import arrive, crossed, safe_path

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
PUBLIC = "https://switchhook.example"


def seen(*headers, peer="192.0.2.1", url="", scheme="http"):
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"headers": raw, "client": (peer, 5), "scheme": scheme}
    return arrive(scope, AccessSettings(url=url, trusted_proxies=PROXIES))


@pytest.mark.parametrize(
    ("host", "url", "fine"),
    [
        ("127.0.0.1:8081", "", True),
        ("localhost", "", True),
        ("LOCALHOST:8081", "", True),
        ("[::1]:8081", "", True),
        ("10.2.3.4", "", True),
        ("switchhook.example", "", False),
        ("switchhook.example", PUBLIC, True),
        ("switchhook.example:443", PUBLIC, True),
        ("Switchhook.Example", PUBLIC, True),
        ("switchhook.example:8443", PUBLIC, False),
        ("switchhook.example.", PUBLIC, False),
        ("evil.example", PUBLIC, False),
        ("127.0.0.1.evil.example", "", False),
        ("localhost.evil.example", "", False),
        ("evil.example#127.0.0.1", "", False),
        ("user@127.0.0.1", "", False),
        ("", "", False),
        ("2130706433", "", False),
        ("0x7f.1", "", False),
    ],
)
def test_hosts(host, url, fine):
    """The configured name, addresses and localhost: no other name is led here by accident."""
    assert (seen(("host", host), url=url).problem is None) is fine


def test_two_hosts_or_none():
    """A proxy and we could take different ones."""
    assert seen().problem is not None
    assert seen(("host", "localhost"), ("Host", "evil.example")).problem is not None


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, junk", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",,,", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "203.0.113.9:1234", "203.0.113.9"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 5_000), "10.0.0.2"),
        ("", "203.0.113.9", ""),
    ],
)
def test_addresses(peer, said, address):
    """The nearest that no trusted proxy vouches for; what is before it anybody may have sent."""
    assert seen(("host", "localhost"), ("x-forwarded-for", said), peer=peer).address == address


def test_a_trusted_proxy_says_how_the_browser_asked():
    headers = (
        ("host", "127.0.0.1:8081"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "switchhook.example"),
    )
    found = seen(*headers, peer="10.0.0.1", url=PUBLIC)
    assert (found.origin, found.secure) == (PUBLIC, True)
    found = seen(*headers, peer="192.0.2.1", url=PUBLIC)
    assert (found.origin, found.secure) == ("http://127.0.0.1:8081", False)
    odd = seen(("host", "localhost"), ("x-forwarded-proto", "javascript"), peer="10.0.0.1")
    assert odd.problem is not None


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({}, None),
        ({"origin": "http://localhost:8081"}, False),
        ({"origin": "HTTP://LOCALHOST:8081"}, False),
        ({"origin": "http://localhost"}, True),
        ({"origin": "https://localhost:8081"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:8081"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, False),
    ],
)
def test_crossed(headers, verdict):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert crossed(raw, seen(("host", "localhost:8081"))) is verdict


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("/streams?q=cause:throttled", "/streams?q=cause:throttled"),
        (None, "/"),
        ("", "/"),
        ("streams", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("/\t/evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("https://evil.example", "/"),
        ("/" + "x" * 2_000, "/"),
    ],
)
def test_safe_path(said, path):
    assert safe_path(said) == path
