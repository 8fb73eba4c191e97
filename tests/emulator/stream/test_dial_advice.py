"""What to do about a stream that came not to be: the HTTP status, and a word that helps."""

from __future__ import annotations

import pytest

from switchhook.emulator.net.go_errors import Failure, FailureKind
from switchhook.emulator.stream.dial_advice import dial_advice

AT, URL = "127.0.0.1:8765", "ws://127.0.0.1:8765/media"


@pytest.mark.parametrize(
    "status, words",
    [
        (200, "no WebSocket endpoint"),
        (302, "no redirects: give it the address it leads to /media/"),
        (400, "Upgrade"),
        (401, "HTTP 401 Unauthorized: it wants credentials"),
        (403, "HTTP 403 Forbidden: it lets nobody in"),
        (404, "HTTP 404 Not Found: there is nothing at this path"),
        (405, "no WebSocket endpoint"),
        (426, "version of WebSocket"),
        (500, "HTTP 500 Internal Server Error: it failed"),
        (503, "is the bot itself running?"),
        (418, "no WebSocket endpoint"),
        (599, "answered the handshake with HTTP 599: it failed"),
    ],
)
def test_a_refused_handshake_says_its_status_and_what_to_do(status, words):
    failure = Failure(FailureKind.BAD_HANDSHAKE, AT, "x", status, "/media/" * (status == 302))
    advice = dial_advice(failure, URL)
    assert advice.startswith(f"the bot at {AT} answered the handshake with HTTP {status}")
    assert words in advice


@pytest.mark.parametrize(
    "failure, words",
    [
        (Failure(FailureKind.REFUSED, AT), f"the bot at {AT} refused the connection"),
        (Failure(FailureKind.DNS, "bot.exmaple"), "could not be looked up"),
        (Failure(FailureKind.TIMEOUT, AT), "did not answer in time"),
        (Failure(FailureKind.TIMEOUT, None), "within Exotel's 10 seconds"),
        (Failure(FailureKind.TLS, AT, "self-signed certificate"), "who signed the certificate"),
        (Failure(FailureKind.TLS, AT, "wrong version number"), "spoke TLS (wss://)"),
        (Failure(FailureKind.EOF, AT), "closed the connection while it was being set up"),
        (Failure(FailureKind.BAD_HANDSHAKE, AT, "no Upgrade"), "WebSocket server: no Upgrade"),
    ],
)
def test_other_failures_say_what_to_do(failure, words):
    assert words in dial_advice(failure, URL)


def test_without_an_address_the_url_says_where():
    assert "127.0.0.1:8765" in dial_advice(Failure(FailureKind.TIMEOUT), URL)
