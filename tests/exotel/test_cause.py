"""The verdicts of exotel-platform G.1, and what they rest on."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchhook import Cause, Passthru, Stream, judge, parse_passthru
from switchhook.exotel.cause import Verdict, classify
from switchhook.exotel.stream_error import ErrorKind

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
            "wrong version number",
            "Client sent an HTTP request to an HTTPS server",
            "websocket: close 1011",
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


UNKNOWN_WORD = "Streaming_gateway_moved_to_another_region"


@pytest.mark.parametrize(
    "said, cause",
    [
        ("Status=failed", Cause.UNKNOWN),
        ("Status=failed&Duration=12&DisconnectedBy=NA", Cause.UNKNOWN),
        ("StreamSID=s1", Cause.UNKNOWN),
        ("Status=failed&Error=3012 something new", Cause.UNKNOWN),
        # What is known besides decides.
        (f"Status=failed&Error={REFUSED}", Cause.CONNECT_FAILED),
        (f"Status=failed&Error={BROKE}", Cause.BOT_DROPPED),
        ("Status=failed&Duration=12&DisconnectedBy=bot", Cause.BOT_DROPPED),
        ("Status=completed&DisconnectedBy=bot", Cause.BOT_DONE),
        ("Status=cancelled&DisconnectedBy=user", Cause.CALLER_LEFT_EARLY),
        ("Status=in-progress", Cause.RUNNING),
    ],
)
@pytest.mark.parametrize("form", ["flat", "json"])
def test_a_reason_that_nobody_knows_is_shown_whole_and_blames_no_bot(said, cause, form):
    verdict = judge(request({**fields(said), "DetailedStatus": UNKNOWN_WORD}, form))
    assert verdict.cause is cause
    if cause is Cause.UNKNOWN:
        assert UNKNOWN_WORD in verdict.advice
        assert ("stream.detailed_status", UNKNOWN_WORD) in verdict.evidence


def test_a_detailed_status_that_says_the_status_again_is_no_reason():
    said = Stream(status="failed", detailed_status="Failed")
    assert judge(Passthru(stream=said)).cause is Cause.CONNECT_FAILED


@pytest.mark.parametrize(
    "said, cause",
    [
        ("Status=failed&{}=websocket: close 1011 (internal error)", Cause.BOT_DROPPED),
        ("Status=failed&Duration=0&{}=websocket: close 1009 (message too big)", Cause.BOT_DROPPED),
        ("Status=failed&Duration=0&{}=close code 4401", Cause.BOT_DROPPED),
        ("Status=failed&Duration=0&{}=websocket: close 1005 (no status)", Cause.BOT_DROPPED),
        ("Status=failed&{}=ws_closed_1013", Cause.BOT_DROPPED),
        ("Status=failed&{}=1006", Cause.BOT_DROPPED),
        ("Status=failed&{}=1015 TLS handshake", Cause.CONNECT_FAILED),
        ("StreamSID=s1&{}=websocket: close 1012", Cause.BOT_DROPPED),
        # In order by its code: the status says how it ended, and who ended it.
        ("Status=completed&DisconnectedBy=bot&{}=websocket: close 1000", Cause.BOT_DONE),
        ("Status=completed&DisconnectedBy=user&{}=websocket: close 1001", Cause.CALLER_LEFT),
        ("Status=completed&DisconnectedBy=NA&{}=websocket: close 1000", Cause.ENDED_BY_SYSTEM),
        ("Status=completed&{}=websocket: close 4000: bye", Cause.BOT_DONE),
        ("Status=cancelled&DisconnectedBy=user&{}=close 1005", Cause.CALLER_LEFT_EARLY),
        ("Status=failed&{}=websocket: close 1000 (normal)", Cause.BOT_DONE),
        ("Status=failed&DisconnectedBy=user&{}=close 1000", Cause.CALLER_LEFT),
        ("Status=failed&DisconnectedBy=user&{}=close 1001", Cause.BOT_DROPPED),
    ],
)
@pytest.mark.parametrize("field", ["Error", "DetailedStatus", "Disposition"])
@pytest.mark.parametrize("form", ["flat", "json"])
def test_a_close_code_tells_wherever_it_stands(said, cause, field, form):
    assert judge(request(fields(said.format(field)), form)).cause is cause


@pytest.mark.parametrize(
    "detail, cause",
    [
        ("dial tcp 192.0.2.7:443: connect: connection refused", Cause.CONNECT_FAILED),
        ("dial tcp 192.0.2.7:443: i/o timeout", Cause.CONNECT_FAILED),
        ("tls: failed to verify certificate: x509: certificate has expired", Cause.CONNECT_FAILED),
        # One word, or a time-out of whatever: not of the bot beyond doubt.
        ("Streaming_connection_refused", Cause.UNKNOWN),
        ("Streaming_call_timeout", Cause.UNKNOWN),
        ("the call timed out", Cause.UNKNOWN),
    ],
)
def test_a_detailed_status_in_the_words_of_an_error_is_one(detail, cause):
    assert judge(Passthru(stream=Stream(status="failed", detailed_status=detail))).cause is cause


@pytest.mark.parametrize(
    "code, words",
    [
        (1005, "(no code in the close frame): a side closed in order, without saying why"),
        (1006, "(no close frame): neither side closed it"),
        (1009, "(message too big): the side that was sent it closed; send audio in smaller"),
        (
            1011,
            "(internal error): the bot's side closed, by an error of its own; look in the",
        ),
        (4401, "(a code of the bot's own): the bot's program closed on purpose; look the code up"),
    ],
)
def test_the_advice_says_what_a_close_code_means_and_who_closed(code, words):
    stream = Stream(status="failed", error=f"websocket: close {code}", url="wss://bot.example/m")
    advice = judge(Passthru(stream=stream)).advice
    assert advice.startswith("the connection to the bot at bot.example stood, and ended with close")
    assert f"{code} {words}" in advice


def fields(said):
    return dict(pair.split("=", 1) for pair in said.split("&"))


def request(stream, form):
    """A passthru that says this of its stream, flat or as JSON."""
    flat = {f"Stream[{key}]": text for key, text in stream.items()}
    said = flat if form == "flat" else {"Stream": json.dumps(stream)}
    return parse_passthru(urlencode({"CallSid": "c1", **said}))


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
