"""Asking Exotel's API: the emulator's real one, and servers that mean no good."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.testing import Exotel
from switchhook.exotel.answers import MOST_RETRY_AFTER_S, Outcome, Polled
from switchhook.exotel.http_client import LARGEST
from switchhook.exotel.wire.active_streams import ActiveStreams, build_json, build_xml
from switchhook.exotel.wire.calls import CallRecord, build_call
from switchhook.exotel.wire.rest_error import RestError, build_error

from .peers import KEY, TOKEN, SteppedClock, client, peer, reply

GOOD = build_json(ActiveStreams(7, 100, "acme"))


def ask(*answers, what=lambda c: c.active_streams(), ssl_context=None, **options):
    """What the client makes of a server's answers to one question, and what it sent."""

    async def main():
        async with peer(*answers, ssl_context=ssl_context) as (port, heads):
            scheme = "https" if ssl_context else "http"
            asking = client(f"{scheme}://127.0.0.1:{port}", **options)
            try:
                return await what(asking), heads
            finally:
                await asking.close()

    found, heads = asyncio.run(main())
    for each in found if isinstance(found, list) else [found]:
        assert KEY not in repr(each)
        assert TOKEN not in repr(each)
        assert each.problem.isprintable()
    return found, heads


@pytest.fixture(scope="module")
def exotel():
    with Exotel() as made:
        yield made


def ask_emulator(exotel, what, **options):
    async def main():
        account = exotel.account
        options.setdefault("token", account.token)
        asking = client(exotel.url, sid=account.sid, key=account.key, **options)
        try:
            return await what(asking)
        finally:
            await asking.close()

    return asyncio.run(main())


# The emulator's.


class Hooks:
    """A passthru that answers 200."""

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def test_the_emulator_tells_its_streams(exotel):
    for xml in (False, True):
        exotel.behave(xml_streams=xml)
        found = ask_emulator(exotel, lambda c: c.active_streams())
        assert found == Polled(Outcome.READ, 0, exotel.account.streams)


def test_the_emulator_tells_a_calls_details(exotel):
    exotel.passthru(Hooks())
    call = exotel.call(from_="+919811100001").wait()
    exotel.clock.advance(600)
    found = ask_emulator(exotel, lambda c: c.call_details(call.sid))
    assert found.outcome is Outcome.READ
    assert found.record.sid == call.sid
    assert found.record.status == "completed"
    assert found.record.ended is not None
    missing = ask_emulator(exotel, lambda c: c.call_details("0" * 32))
    assert missing.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "code, outcome",
    [
        (429, Outcome.LIMITED),
        (503, Outcome.FAILING),
        (500, Outcome.FAILING),
        (403, Outcome.REFUSED),
        (404, Outcome.REFUSED),
    ],
)
def test_the_emulator_refuses(exotel, code, outcome):
    fault = exotel.fault("rest", code=code)
    found = ask_emulator(exotel, lambda c: c.active_streams())
    exotel.mend(fault)
    assert (found.outcome, found.active) == (outcome, None)
    assert str(code) in found.problem


def test_the_emulator_knows_another_token(exotel):
    found = ask_emulator(exotel, lambda c: c.active_streams(), token="wrong")
    assert found.outcome is Outcome.REFUSED
    assert "check the API key, the token and the region" in found.problem


# What is sent.


def test_the_question_is_the_documented_one():
    found, (head,) = ask(reply(GOOD))
    assert found == Polled(Outcome.READ, 7, 100)
    assert head.startswith("GET /v1/Accounts/acme/ActiveStreams HTTP/1.1\r\n")
    credentials = base64.b64encode(f"{KEY}:{TOKEN}".encode()).decode()
    assert f"Authorization: Basic {credentials}\r\n" in head
    details = build_call(RECORD, xml=False, details=True)
    _, (head,) = ask(reply(details), what=lambda c: c.call_details("c1"))
    assert head.startswith("GET /v1/Accounts/acme/Calls/c1.json?details=true HTTP/1.1\r\n")


def test_the_environment_changes_nothing(monkeypatch, tmp_path):
    """A proxy would learn the credentials, a .netrc would replace them."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    found, (head,) = ask(reply(GOOD))
    assert found.active == 7
    assert base64.b64encode(f"{KEY}:{TOKEN}".encode()).decode() in head


def test_nothing_of_it_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    ask(reply(GOOD))
    ask(reply(b"", "500 Oops"))
    assert "acme" not in caplog.text
    assert TOKEN not in caplog.text


def test_cookies_are_not_sent_back():
    async def twice(asking):
        return [await asking.active_streams(), await asking.active_streams()]

    _, heads = ask(reply(GOOD, Set_Cookie="a=b; Path=/"), what=twice)
    assert len(heads) == 2
    assert "cookie" not in heads[1].lower()


@pytest.mark.parametrize("sid", ["", "../../other", "a/b", "a?b", "a b", "x" * 65, "a\n"])
def test_only_a_call_sid_is_asked_for(sid):
    found, heads = ask(reply(GOOD), what=lambda c: c.call_details(sid))
    assert (found.outcome, heads) == (Outcome.REFUSED, [])


# What comes back.


async def endless(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        await writer.drain()


async def endless_head(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def silent(writer):
    await asyncio.Event().wait()


async def trickling(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def breaking_off(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + GOOD)
    await writer.drain()


async def saying_nothing(writer):
    pass


HOSTILE = [
    (endless, Outcome.UNREADABLE, "more than 65,536 bytes"),
    (endless_head, Outcome.UNREACHABLE, "its answer is no HTTP, or was cut short"),
    (silent, Outcome.UNREACHABLE, "no whole answer"),
    (trickling, Outcome.UNREACHABLE, "no whole answer"),
    (breaking_off, Outcome.UNREACHABLE, "its answer is no HTTP, or was cut short"),
    (saying_nothing, Outcome.UNREACHABLE, "it closed the connection without an answer"),
    (b"\x16\x03\x01\x02\x00garbage\r\n\r\n", Outcome.UNREACHABLE, "its answer is no HTTP"),
    (b"HTTP/1.1 abc\r\n\r\n", Outcome.UNREACHABLE, "its answer is no HTTP"),
    (reply(b"<html><body>Sign in</body></html>"), Outcome.UNREADABLE, "no number of active"),
    (reply(b""), Outcome.UNREADABLE, "neither JSON nor XML"),
    (reply(b'{"active_streams": "\\u001b[2J"}'), Outcome.UNREADABLE, "no number of active"),
    (reply(build_json(ActiveStreams(1, 2, "other"))), Outcome.UNREADABLE, "for another account"),
    (
        reply(build_error(RestError(200, f"bad\x1b[0m {KEY}:{TOKEN}"), xml=False)),
        Outcome.UNREADABLE,
        "a refusal: bad [0m …:…",
    ),
    (reply(build_error(RestError(401, "x"), xml=True)), Outcome.UNREADABLE, "a refusal: x"),
    (reply(gzip.compress(GOOD), Content_Encoding="gzip"), Outcome.UNREADABLE, "compressed"),
    (reply(b"", "204 No Content"), Outcome.REFUSED, "answered 204"),
    (reply(GOOD, "302 Found", Location="http://127.0.0.1:1/"), Outcome.REFUSED, "not followed"),
    (reply(GOOD, "500 Oops"), Outcome.FAILING, "answered 500"),
    (reply(GOOD, "999 What"), Outcome.FAILING, "answered 999"),
]


@pytest.mark.parametrize("answer, outcome, said", HOSTILE)
def test_a_hostile_answer_ends_in_a_sentence(answer, outcome, said):
    found, heads = ask(answer, timeout_s=0.3)
    assert found.outcome is outcome
    assert said in found.problem
    assert (found.active, found.allowed) == (None, None)
    assert len(heads) == 1


@pytest.mark.parametrize("answer, outcome, said", HOSTILE)
def test_so_it_does_for_details(answer, outcome, said):
    found, _ = ask(answer, what=lambda c: c.call_details("c1"), timeout_s=0.3)
    assert found.outcome is outcome
    assert found.record is None
    assert len(found.body) <= LARGEST


def test_nobody_there_is_said_as_such():
    async def main():
        async with peer(b"") as (port, _):
            pass
        asking = client(f"http://127.0.0.1:{port}")
        found = await asking.active_streams()
        await asking.close()
        return found

    found = asyncio.run(main())
    assert found.outcome is Outcome.UNREACHABLE
    assert found.problem == "127.0.0.1: the connection was refused"


def test_a_certificate_that_is_not_trusted_ends_it():
    now = datetime.now(UTC)
    made = self_signed(["127.0.0.1"], not_before=now, not_after=now + timedelta(days=1))
    found, heads = ask(reply(GOOD), ssl_context=server_context(*made))
    assert found.outcome is Outcome.UNREACHABLE
    assert "certificate is not trusted" in found.problem
    assert heads == []


def test_the_xml_form_is_read_too():
    found, _ = ask(reply(build_xml(ActiveStreams(7, 100))))
    assert found == Polled(Outcome.READ, 7, 100)


RECORD = CallRecord(
    sid="c1",
    account_sid="acme",
    from_="09811100001",
    to=None,
    phone_number_sid="08047112233",
    status="completed",
    direction="inbound",
    created=datetime(2026, 1, 5, 10),
    updated=datetime(2026, 1, 5, 10, 5),
)


def test_details_of_another_call_are_not_taken():
    body = build_call(RECORD, xml=False, details=True)
    found, _ = ask(reply(body), what=lambda c: c.call_details("c1"))
    assert (found.record, found.body) == (RECORD, body)
    found, _ = ask(reply(body), what=lambda c: c.call_details("c2"))
    assert (found.outcome, found.record) == (Outcome.UNREADABLE, None)


# The budget.


def test_a_minute_sees_no_more_than_the_budget():
    clock = SteppedClock()

    async def many(asking):
        times = []
        for _ in range(40):
            await asking.active_streams()
            times.append(clock.now_ms)
        assert max(sum(at <= each < at + 60_000 for each in times) for at in times) <= 12
        assert times[-1] - times[0] < 60_000 * 40 / 9
        return await asking.active_streams()

    ask(reply(GOOD), what=many, clock=clock, per_minute=12)


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", ["429 Too Many", "503 Busy"])
def test_retry_after_silences_every_question(form, status):
    clock = SteppedClock()
    at = datetime.fromtimestamp(clock.now_ms / 1000, UTC) + timedelta(seconds=42)
    says = "42" if form == "seconds" else format_datetime(at, usegmt=True)

    async def polled_and_detailed(asking):
        first = await asking.active_streams()
        assert first.retry_after_s == 42
        start = clock.now_ms
        second = await asking.call_details("c1")
        assert clock.now_ms - start >= 42_000
        return [first, second]

    answers = reply(b"", status, Retry_After=says), reply(GOOD)
    ask(*answers, what=polled_and_detailed, clock=clock)


def test_no_answer_can_silence_us_for_long():
    clock = SteppedClock()

    async def twice(asking):
        found = [await asking.active_streams()]
        start = clock.now_ms
        found.append(await asking.active_streams())
        assert clock.now_ms - start == MOST_RETRY_AFTER_S * 1000
        return found

    found, _ = ask(
        reply(b"", "429 Too Many", Retry_After="999999999"), reply(GOOD), what=twice, clock=clock
    )
    assert found[1].active == 7
