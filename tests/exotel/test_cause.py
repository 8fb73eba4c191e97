"""The verdicts of exotel-platform G.1, and what they rest on."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchhook import Cause, ErrorKind, Passthru, Stream, judge, parse_passthru, read_error
from switchhook.exotel.cause import Verdict, classify

REFUSED = "3009 failed to establish ws conn dial tcp 10.1.76.120:50: connect: connection refused"
BROKE = "websocket: close 1006 (abnormal closure): unexpected EOF"


@pytest.mark.parametrize(
    "said, cause",
    [
        ("Status=failed&DetailedStatus=Streaming_call_throttled", Cause.THROTTLED),
        ("Status=failed&Error=account throttled", Cause.THROTTLED),
        (f"Status=failed&Duration=0&Error={REFUSED}", Cause.CONNECT_FAILED),
        ("Status=failed&Duration=0", Cause.CONNECT_FAILED),
        ("Status=failed", Cause.CONNECT_FAILED),
        ("Status=failed&Duration=12", Cause.BOT_DROPPED),
        (f"Status=failed&Duration=12&Error={BROKE}", Cause.BOT_DROPPED),
        (f"Status=failed&Duration=0&Error={BROKE}", Cause.BOT_DROPPED),
        ("Status=cancelled&DisconnectedBy=user", Cause.CALLER_LEFT_EARLY),
        ("Status=completed&DisconnectedBy=user", Cause.CALLER_LEFT),
        ("Status=completed&DisconnectedBy=bot", Cause.BOT_DONE),
        ("Status=completed&DisconnectedBy=NA", Cause.ENDED_BY_SYSTEM),
        ("Status=completed", Cause.UNKNOWN),
        ("Status=completed&DisconnectedBy=martian", Cause.UNKNOWN),
        ("Status=in-progress", Cause.RUNNING),
        ("StreamSID=s1", Cause.RUNNING),
        ("Status=paused", Cause.UNKNOWN),
        ("", Cause.NO_STREAM),
        # Error outranks Status.
        (f"Status=completed&DisconnectedBy=bot&Error={REFUSED}", Cause.CONNECT_FAILED),
        (f"Status=cancelled&Error={BROKE}", Cause.BOT_DROPPED),
        (f"Status=failed&DetailedStatus=Streaming_call_throttled&Error={REFUSED}", Cause.THROTTLED),
    ],
)
def test_the_cause(said, cause):
    stream = "&".join(
        f"Stream[{key}]={value}"
        for key, _, value in (pair.partition("=") for pair in said.split("&") if pair)
    )
    verdict = judge(parse_passthru(f"CallSid=c1&{stream}"))
    assert verdict.cause is cause
    assert ": " in verdict.advice
    # The evidence is what was said, and nothing else.
    if cause is not Cause.NO_STREAM:
        assert verdict.evidence
        assert all(value in said for _, value in verdict.evidence)


@pytest.mark.parametrize(
    "text, code, kind, host, port",
    [
        (REFUSED, 3009, ErrorKind.REFUSED, "10.1.76.120", 50),
        (
            "3009 dial tcp: lookup bot.example.com on 10.0.0.2:53: no such host",
            3009,
            ErrorKind.DNS,
            "bot.example.com",
            None,
        ),
        ("dial tcp: lookup b.example.com: i/o timeout", None, ErrorKind.DNS, "b.example.com", None),
        ("dial tcp 192.0.2.7:443: i/o timeout", None, ErrorKind.TIMEOUT, "192.0.2.7", 443),
        (
            "dial tcp [2001:db8::7]:443: connect: network is unreachable",
            None,
            ErrorKind.UNREACHABLE,
            "2001:db8::7",
            443,
        ),
        (
            "dial tcp 192.0.2.7:443: connect: no route to host",
            None,
            ErrorKind.UNREACHABLE,
            "192.0.2.7",
            443,
        ),
        ("x509: certificate signed by unknown authority", None, ErrorKind.TLS, None, None),
        ("tls: unexpected EOF", None, ErrorKind.TLS, None, None),
        ("net/http: TLS handshake timeout", None, ErrorKind.TIMEOUT, None, None),
        ("3009 websocket: bad handshake", 3009, ErrorKind.BAD_HANDSHAKE, None, None),
        ("unexpected HTTP response status 401", None, ErrorKind.BAD_HANDSHAKE, None, None),
        ("context deadline exceeded", None, ErrorKind.DEADLINE, None, None),
        (BROKE, None, ErrorKind.EOF, None, None),
        ("read tcp: connection reset by peer", None, ErrorKind.EOF, None, None),
        ("3012 something new", 3012, ErrorKind.OTHER, None, None),
        ("", None, ErrorKind.OTHER, None, None),
        # A host's name says nothing of what went wrong.
        (
            "dial tcp dns.example.com:443: connect: connection refused",
            None,
            ErrorKind.REFUSED,
            "dns.example.com",
            443,
        ),
        ("dial tcp 192.0.2.7:99999: timeout", None, ErrorKind.TIMEOUT, "192.0.2.7", None),
    ],
)
def test_the_text_of_an_error_is_taken_apart(text, code, kind, host, port):
    found = read_error(text)
    assert (found.code, found.kind, found.host, found.port) == (code, kind, host, port)


def test_the_advice_names_the_bot_that_failed():
    verdict = judge(Passthru(stream=Stream(status="failed", error=REFUSED)))
    assert verdict.advice == (
        "the bot at 10.1.76.120:50 refused the connection: is it running, and is this the right"
        " port?"
    )


def test_where_the_error_names_no_host_the_url_does_without_its_credentials():
    url = "wss://user:password@bot.example.com:8443/ws?token=t"
    verdict = judge(Passthru(stream=Stream(status="failed", error="timeout", url=url)))
    assert "bot.example.com:8443" in verdict.advice
    assert "password" not in verdict.advice


texts = st.none() | st.text(max_size=200)


@given(texts, texts, texts, texts, texts, texts)
@example("failed", None, "\ud800", "dial tcp " + "1" * 5000, "wss://" + "@" * 5000, "NA")
def test_whatever_the_texts_there_is_a_verdict(status, detail, duration, error, url, who):
    passthru = Passthru(
        stream=Stream(
            status=status,
            detailed_status=detail,
            duration_raw=duration,
            error=error,
            url=url,
            disconnected_by_raw=who,
        )
    )
    verdict = judge(passthru)
    assert verdict.cause in Cause
    assert 0 < len(verdict.advice) < 1000
    # Who only counts, or has a caller waiting, sees the same without the words.
    assert classify(passthru) == Verdict(verdict.cause, (), "", verdict.error)


@pytest.mark.parametrize(
    "text, kind, host, port",
    [
        # Go: net, crypto/tls, net/http, gorilla and coder websocket
        ("dial tcp [::1]:80: connect: connection refused", ErrorKind.REFUSED, "::1", 80),
        ("dial tcp4 192.0.2.7:80: connect: host is down", ErrorKind.UNREACHABLE, "192.0.2.7", 80),
        ("dial tcp 192.0.2.7:443: connect: permission denied", ErrorKind.OTHER, "192.0.2.7", 443),
        ("dial tcp 192.0.2.7:80: connect: operation timed out", ErrorKind.TIMEOUT, "192.0.2.7", 80),
        (
            "dial tcp: lookup bot.example on 192.0.2.2:53: read udp 192.0.2.9:55555->192.0.2.2:53:"
            " i/o timeout",
            ErrorKind.DNS,
            "bot.example",
            None,
        ),
        ("lookup bot.example: server misbehaving", ErrorKind.DNS, "bot.example", None),
        ("lookup x: Temporary failure in name resolution", ErrorKind.DNS, "x", None),
        ("proxyconnect tcp: dial tcp 192.0.2.3:3128: connect: connection refused",
         ErrorKind.REFUSED, "192.0.2.3", 3128),
        ("dial tcp 192.0.2.7:443: connectex: No connection could be made because the target machine"
         " actively refused it.", ErrorKind.REFUSED, "192.0.2.7", 443),
        ("tls: first record does not look like a TLS handshake", ErrorKind.TLS, None, None),
        ("remote error: tls: handshake failure", ErrorKind.TLS, None, None),
        ("tls: failed to verify certificate: x509: certificate is valid for a, not b",
         ErrorKind.TLS, None, None),
        ("websocket: bad handshake (504 Gateway Timeout)", ErrorKind.BAD_HANDSHAKE, None, None),
        ("failed to WebSocket dial: expected handshake response status code 101 but got 403",
         ErrorKind.BAD_HANDSHAKE, None, None),
        ("websocket: close 4401: unauthorized", ErrorKind.BAD_HANDSHAKE, None, None),
        ("unexpected EOF", ErrorKind.EOF, None, None),
        ("write tcp 192.0.2.9:41234->192.0.2.7:443: write: broken pipe", ErrorKind.EOF, None, None),
        ("context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
         ErrorKind.DEADLINE, None, None),
        ("websocket: close 1011 (internal server error)", ErrorKind.OTHER, None, None),
        ("malformed ws or wss URL", ErrorKind.OTHER, None, None),
        # Python, nginx, Node: whoever stands between
        ("ConnectionRefusedError: [Errno 111] Connection refused", ErrorKind.REFUSED, None, None),
        ("timed out during opening handshake", ErrorKind.TIMEOUT, None, None),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)",
         ErrorKind.TLS, None, None),
        ("connect() failed (111: Connection refused) while connecting to upstream",
         ErrorKind.REFUSED, None, None),
        ("upstream timed out (110: Connection timed out) while reading response header",
         ErrorKind.TIMEOUT, None, None),
        ("connect ECONNREFUSED 192.0.2.7:8765", ErrorKind.REFUSED, None, None),
    ],
)  # fmt: skip
def test_errors_in_the_words_of_many_libraries(text, kind, host, port):
    """The same with Exotel's code before it, and in capitals."""
    found = read_error(text)
    assert (found.code, found.kind, found.host, found.port) == (None, kind, host, port)
    coded = read_error(f" 3009 failed to establish ws conn {text}")
    assert (coded.code, coded.kind, coded.host, coded.port) == (3009, kind, host, port)
    assert read_error(text.upper()).kind is kind


@pytest.mark.parametrize(
    "text, kind",
    [
        ("socket.gaierror: [Errno -2] Name or service not known", ErrorKind.DNS),
        ("[Errno 8] nodename nor servname provided, or not known", ErrorKind.DNS),
        ("getaddrinfo ENOTFOUND bot.example.com", ErrorKind.DNS),
        ("[Errno 11001] getaddrinfo failed", ErrorKind.DNS),
        ("[Errno 111] Connect call failed ('192.0.2.7', 8765)", ErrorKind.REFUSED),
        ("connect ETIMEDOUT 192.0.2.7:8765", ErrorKind.TIMEOUT),
        ("connect EHOSTUNREACH 192.0.2.7:8765", ErrorKind.UNREACHABLE),
        ("read ECONNRESET", ErrorKind.EOF),
        ("upstream prematurely closed connection while reading response header", ErrorKind.EOF),
        ("server rejected WebSocket connection: HTTP 403", ErrorKind.BAD_HANDSHAKE),
        ("Unexpected server response: 401", ErrorKind.BAD_HANDSHAKE),
    ],
)
def test_errors_in_the_words_of_python_node_and_nginx(text, kind):
    assert read_error(text).kind is kind


@pytest.mark.parametrize(
    "text, kind",
    [
        (
            'failed to WebSocket dial: failed to send handshake request: Get "https://dns.example/m":'
            " dial tcp 192.0.2.7:443: connect: connection refused",
            ErrorKind.REFUSED,
        ),
        (
            "Cannot connect to host bot.example:443 ssl:default [Errno 111] Connection refused",
            ErrorKind.REFUSED,
        ),
        ("dial tcp 192.0.2.7:1006: connect: permission denied", ErrorKind.OTHER),
        ("close code:1006", ErrorKind.EOF),
    ],
    ids=["a URL's name", "a setting", "a port", "no port"],
)
def test_what_surrounds_an_error_says_nothing_of_its_kind(text, kind):
    assert read_error(text).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.7:443: connection refused",
        "2026/11/24 10:31:58 [error] 7#7: *1 connect() failed (111: Connection refused)",
    ],
)
def test_not_every_number_at_the_beginning_is_a_code(text):
    assert read_error(text).code is None


@pytest.mark.parametrize("text", ["3009", "3009: x", "3009. x", "3009, x", " 3009 x", "3009-x"])
def test_a_code_stands_at_the_beginning(text):
    assert read_error(text).code == 3009


def test_every_kind_of_error_has_advice_of_its_own():
    """It names the bot, and says what to look at."""
    said = {
        judge(Passthru(stream=Stream(error=f"3009 dial tcp 192.0.2.7:443: {words}"))).advice
        for words in (
            "connection refused",
            "i/o timeout",
            "no such host",
            "tls: expired",
            "bad handshake",
            "network is unreachable",
            "EOF",
            "context deadline exceeded",
            "something new",
        )
    }
    assert len(said) == len(ErrorKind)
    assert all("192.0.2.7:443" in advice for advice in said)


def test_an_ipv6_address_is_told_from_its_port():
    verdict = judge(Passthru(stream=Stream(error="3009 dial tcp [2001:db8::7]:443: refused")))
    assert "[2001:db8::7]:443" in verdict.advice


@pytest.mark.parametrize(
    "duration, warned", [("0", True), ("4", True), ("5", False), (None, False)]
)
def test_a_bot_that_ends_at_once_is_worth_a_look(duration, warned):
    stream = Stream(status="completed", disconnected_by_raw="bot", duration_raw=duration)
    verdict = judge(Passthru(stream=stream))
    assert verdict.cause is Cause.BOT_DONE
    assert ("only" in verdict.advice) is warned


@pytest.mark.parametrize(
    "query, cause",
    [
        ('Stream[Status]="COMPLETED"&Stream[DisconnectedBy]=+Caller+', Cause.CALLER_LEFT),
        ("Stream[Status]=canceled", Cause.CALLER_LEFT_EARLY),
        ("Stream[Status]=Completed&Stream[DisconnectedBy]=system", Cause.ENDED_BY_SYSTEM),
        ("Stream[Status]=completed&Stream[DisconnectedBy]=n/a", Cause.ENDED_BY_SYSTEM),
        ("Stream[Status]=In_Progress", Cause.RUNNING),
        ("Stream[DetailedStatus]=STREAM_THROTTLED", Cause.THROTTLED),
        ("Stream[Error]=null&Stream[Status]=null&Stream[StreamSID]=s1", Cause.RUNNING),
        # What was cut off may have been the status.
        ('Stream={"StreamSID":"s1","Stat', Cause.UNKNOWN),
        ('Stream={"StreamSID":"s1","Status":"cancelled","Disc', Cause.CALLER_LEFT_EARLY),
        # The phone call's words are not the stream's.
        ("CallStatus=failed&Status=busy&DialCallStatus=canceled", Cause.NO_STREAM),
        ("CallType=call-attempt&DialCallDuration=0", Cause.NO_STREAM),
    ],
)
def test_the_cause_of_a_request_in_other_words(query, cause):
    assert judge(parse_passthru(f"CallSid=c1&{query}")).cause is cause


def test_every_cause_has_a_case():
    """In the first table of this file."""
    [mark] = test_the_cause.pytestmark
    assert {cause for _, cause in mark.args[1]} == set(Cause)


statuses = st.sampled_from(["completed", "failed", "cancelled", "in-progress", "new", None])


@given(statuses, st.none() | st.integers(0, 100).map(str), st.text(max_size=40))
def test_an_error_outranks_every_status(status, duration, words):
    stream = Stream(sid="s1", status=status, duration_raw=duration, error=f"3009 {words}")
    throttled = "throttl" in words.lower()
    verdict = judge(Passthru(stream=stream))
    assert verdict.cause is (Cause.THROTTLED if throttled else Cause.CONNECT_FAILED)
    assert ("stream.error", stream.error) in verdict.evidence


@given(st.text() | st.text("0123456789 :.[]dialtcp lookup", max_size=80))
def test_any_error_text_is_taken_apart(text):
    """What is found stands in the text; nothing is made up."""
    found = read_error(text)
    assert found.host is None or found.host in text
    assert found.port is None or (0 <= found.port < 65536 and str(found.port) in text)
    assert found.code is None or text.lstrip().lstrip("0").startswith(str(found.code).lstrip("0"))


def test_a_long_error_text_costs_no_more_than_its_beginning():
    """Only the first 2,000 characters are looked at."""
    assert read_error("a" * 2000 + " connection refused").kind is ErrorKind.OTHER
    assert read_error(" " * 2000 + "3009").code is None
