"""What a probe finds, step by step: addresses that are not asked, and answers that are none."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.routes.probe import (
    DAY_MS,
    LARGEST_HEAD,
    Probed,
    ProbeTarget,
    Step,
    chosen,
    handshake_problem,
    handshake_request,
    head_is_whole,
    target_of,
)

KEY = base64.b64encode(bytes(16)).decode()
ACCEPT = base64.b64encode(
    hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
)
TARGET = ProbeTarget("bot.example", 443, True, "/stream")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("wss://bot.example/stream", TARGET),
        ("ws://bot.example", ProbeTarget("bot.example", 80, False, "/")),
        (
            "wss://u%40x:p%3As@bot.example:8443/a?sample-rate=16000",
            ProbeTarget(
                "bot.example",
                8443,
                True,
                "/a?sample-rate=16000",
                "Basic " + base64.b64encode(b"u@x:p:s").decode(),
            ),
        ),
        ("https://bot.example/", None),
        ("wss://bot.example:x/", None),
        ("wss:///path", None),
    ],
)
def test_what_is_probed_of_an_address(url, target):
    assert target_of(url, allow_private=False) == target


def test_a_target_does_not_print_its_secret():
    target = target_of("wss://user:secret@bot.example/", allow_private=True)
    assert "secret" not in repr(target)
    assert "Basic" not in repr(target)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "this machine"),
        ("::1", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("0.0.0.0", "this machine"),
        ("169.254.169.254", "a link-local network"),
        ("fe80::1%eth0", "a link-local network"),
        ("10.1.2.3", "a private network"),
        ("100.64.0.1", "a private network"),
        ("fd00::1", "a private network"),
        ("224.0.0.1", "a private network"),
        ("::ffff:10.0.0.1", "a private network"),
    ],
)
def test_addresses_of_networks_of_its_own_are_not_asked(address, network):
    why = f"its name is an address of {network}: not given to Exotel; allow_private = true if meant"
    assert chosen([address], allow_private=False) == ("", why, network)
    assert chosen([address], allow_private=True) == (address, "", "")


def test_one_private_address_of_several_is_enough_to_ask_none():
    address, _, network = chosen(["8.8.8.8", "10.0.0.1"], allow_private=False)
    assert (address, network) == ("", "a private network")
    assert chosen(["10.0.0.1", "8.8.8.8"], allow_private=True) == ("10.0.0.1", "", "")
    assert chosen(["8.8.8.8", "9.9.9.9"], allow_private=False) == ("8.8.8.8", "", "")
    assert chosen([], allow_private=True) == ("", "the name has no address", "")
    assert chosen(["bot"], allow_private=True) == ("", "bot is no address", "")


def test_the_request_is_a_handshake_with_basic_auth():
    target = target_of("wss://user:pw@bot.example:8443/a?b=c", allow_private=False)
    assert target is not None
    lines = handshake_request(target, KEY).decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert lines[1] == "Host: bot.example:8443"
    assert f"Sec-WebSocket-Key: {KEY}" in lines
    assert "Authorization: Basic dXNlcjpwdw==" in lines
    assert lines[-2:] == ["", ""]
    six = ProbeTarget("2001:db8::1", 443, True, "/")
    assert b"Host: [2001:db8::1]\r\n" in handshake_request(six, KEY)


def head(status=101, accept=ACCEPT, more=b""):
    return b"HTTP/1.1 %d X\r\nSec-WebSocket-Accept: %s\r\n%s\r\n" % (status, accept, more)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (head(), ""),
        (head(accept=b"wrong"), "its handshake is wrong: Sec-WebSocket-Accept does not fit"),
        (head(401), "it refused the Basic auth (401)"),
        (head(403), "it refused the handshake with 403"),
        (head(200), "it refused the handshake with 200"),
        (b"", "the connection was closed without an answer"),
        (b"HTTP/1.", "its answer broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what answers speaks no HTTP"),
        (b"HTTP/1.1 101 X\r\nUpgrade: web", "its answer is too long, or broke off"),
        (b"\x00" * 100, "what answers speaks no HTTP"),
    ],
)
def test_what_is_wrong_with_an_answer(answer, problem):
    assert handshake_problem(answer, KEY) == problem


def test_reading_ends_with_the_head_with_garbage_and_with_too_much():
    assert head_is_whole(head())
    assert head_is_whole(b"garbage that is no HTTP")
    assert head_is_whole(b"HTTP/1.1 101 X\r\n" + b"x" * LARGEST_HEAD)
    assert not head_is_whole(b"HTTP/1.1 101 X\r\n")
    assert not head_is_whole(b"HTT")


@given(st.binary(max_size=300))
def test_no_answer_makes_it_raise(answer):
    assert isinstance(handshake_problem(answer, KEY), str)
    assert head_is_whole(answer) in (True, False)


def test_days_are_whole_ones_until_the_certificate_ends():
    found = Probed(at_ms=0, step=Step.DONE, ends_ms=14 * DAY_MS)
    assert (found.reached, found.days_left(1), found.days_left(15 * DAY_MS)) == (True, 13, -1)
    assert Probed(at_ms=0, step=Step.TLS).days_left(0) is None
