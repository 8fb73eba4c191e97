"""What is this machine's own, and what came by others."""

from __future__ import annotations

import pytest

from switchhook.loopback import is_loopback, why_not_straight, without_port

PROXY = "it came through a proxy or tunnel, as its header via says"


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_what_this_machine_is_called(host, own):
    assert is_loopback(host) is own


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:80", "a"), ("a", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("::1", "::1")],
)
def test_a_host_loses_its_port(host, name):
    assert without_port(host) == name


@pytest.mark.parametrize(
    ("headers", "version", "why"),
    [
        ([(b"Host", b"localhost:8081")], "1.1", None),
        ([(b"host", b"[::1]:8081")], "2", None),
        ([(b"host", b"localhost")], "1.0", "it came in HTTP/1.0, as proxies send it"),
        ([(b"host", b"localhost"), (b"Via", b"1.1 x")], "1.1", PROXY),
        ([(b"host", b"evil.example")], "1.1", "its Host is not an address of this machine"),
        ([], "1.1", "its Host is not an address of this machine"),
        ([(b"host", b"localhost")] * 2, "1.1", "its Host is not an address of this machine"),
    ],
)
def test_how_a_request_shows_that_it_came_by_others(headers, version, why):
    assert why_not_straight(headers, version) == why
