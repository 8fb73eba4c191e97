"""Asking Exotel to call: a request leaves once, and what nobody can know of it is never guessed."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import struct
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.plan.plan import Caller
from switchhook.emulator.testing import Exotel
from switchhook.exotel.answers import Outcome
from switchhook.exotel.connect_answer import ConnectOutcome
from switchhook.exotel.times import IST
from switchhook.exotel.wire.active_streams import ActiveStreams, build_json
from switchhook.exotel.wire.call_filter import CallFilter
from switchhook.exotel.wire.calls import CallRecord, build_call, build_page
from switchhook.exotel.wire.connect import ConnectRequest, build_connect
from switchhook.exotel.wire.number_metadata import Dnd
from switchhook.exotel.wire.rest_error import RestError, build_error
from switchhook.exotel.wire.whitelist import WhitelistStatus

from .peers import KEY, TOKEN, SteppedClock, client, peer, reply

NUMBER = "+919811100001"
REQUEST = ConnectRequest(
    mode="flow",
    from_=NUMBER,
    caller_id="08047112233",
    app_id="77001",
    custom_field="switchhook:a1:1",
    status_events=("terminal",),
)
ROW = CallRecord(
    sid="c1",
    account_sid="acme",
    from_="09811100001",
    to=None,
    phone_number_sid="08047112233",
    status="in-progress",
    direction="outbound-api",
    created=None,
    updated=None,
)
CALL = build_call(ROW, xml=False)
STREAMS = build_json(ActiveStreams(7, 100, "acme"))


def answer(body, status="200 OK", *, more="Connection: keep-alive"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n\r\n".encode() + body


class Server:
    """Counts what arrives on which connection; `posted` is what is done with a POST.

    After a GET it keeps the connection open, or closes it without a word unless it `keeps` it.
    """

    def __init__(self, posted, *, keeps):
        self.posted, self.keeps = posted, keeps
        self.port = 0
        self.heads: list[tuple[int, str]] = []
        self.bodies: list[bytes] = []
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()
        self._connections = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def connected(self, reader, writer):
        self._connections += 1
        name = self._connections
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            while await self._one(name, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._serving.discard(task)

    async def _one(self, name, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append((name, head))
        if not head.startswith("POST "):
            writer.write(answer(STREAMS))
            await writer.drain()
            return self.keeps
        self.arrived.set()
        return await self.posted(self, head, reader, writer)

    async def read_body(self, head, reader):
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        self.bodies.append(await reader.readexactly(length))

    @property
    def posts(self):
        return [(name, head) for name, head in self.heads if head.startswith("POST ")]

    async def ended(self):
        """Wait until nobody is connected any more."""
        await asyncio.gather(*self._serving, return_exceptions=True)


@asynccontextmanager
async def serving(posted, ssl_context=None, *, keeps=True):
    server = Server(posted, keeps=keeps)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=ssl_context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def run(posted, what, *, ssl_context=None, keeps=True, **options):
    """What the client makes of it; and the server, once all that was sent has arrived."""

    async def main():
        async with serving(posted, ssl_context, keeps=keeps) as server:
            scheme = "https" if ssl_context else "http"
            asking = client(f"{scheme}://127.0.0.1:{server.port}", **options)
            try:
                found = await what(asking, server)
            finally:
                await asking.close()
            await server.ended()
            return found, server

    return asyncio.run(main())


async def ask(asking, server):
    return await asking.connect(REQUEST)


def doing(*steps):
    """What a server does with a POST, one step after the other."""

    async def posted(server, head, reader, writer):
        for step in steps:
            await step(server, head, reader, writer)
        return False

    return posted


async def body_read(server, head, reader, writer):
    await server.read_body(head, reader)


def said(data):
    async def step(server, head, reader, writer):
        writer.write(data)
        await writer.drain()

    return step


async def reset(server, head, reader, writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def held(server, head, reader, writer):
    await server.go_on.wait()


async def until_gone(server, head, reader, writer):
    await reader.read()


# What is sent.


def test_the_request_is_the_documented_one():
    found, server = run(doing(body_read, said(answer(CALL))), ask)
    assert (found.outcome, found.call_sid) == (ConnectOutcome.PLACED, "c1")
    ((_, head),) = server.posts
    assert head.startswith("POST /v1/Accounts/acme/Calls/connect.json HTTP/1.1\r\n")
    credentials = base64.b64encode(f"{KEY}:{TOKEN}".encode()).decode()
    assert f"Authorization: Basic {credentials}\r\n" in head
    assert "Content-Type: application/x-www-form-urlencoded\r\n" in head
    assert server.bodies == [build_connect(REQUEST, "acme")]


def test_it_has_a_connection_of_its_own():
    """One that is kept alive could be closed by Exotel just as the request is on its way."""

    async def polled_and_called(asking, server):
        await asking.active_streams()
        first = await asking.connect(REQUEST)
        await asking.active_streams()
        return [first, await asking.connect(REQUEST)]

    found, server = run(doing(body_read, said(answer(CALL))), polled_and_called)
    assert [each.outcome for each in found] == [ConnectOutcome.PLACED] * 2
    names = [name for name, _ in server.heads]
    assert names == [1, 2, 1, 3]
    assert all("Connection: close\r\n" in head for _, head in server.posts)


# Broken connections.

BROKEN = {
    "closed after the head": doing(),
    "reset after the head": doing(reset),
    "closed after the request": doing(body_read),
    "reset after the request": doing(body_read, reset),
    "closed in the answer's head": doing(body_read, said(b"HTTP/1.1 200 OK\r\nContent-")),
    "closed in the answer's body": doing(body_read, said(answer(CALL)[:-5])),
    "reset in the answer's body": doing(body_read, said(answer(CALL)[:-5]), reset),
    "garbage": doing(body_read, said(b"\x16\x03\x01\x02\x00garbage\r\n\r\n")),
    "asked for a body that was sent": doing(said(b"HTTP/1.1 100 Continue\r\n\r\n"), body_read),
    "asked to try again": doing(body_read, said(answer(b"", "503 Busy", more="Retry-After: 0"))),
    "asked to use another connection": doing(body_read, said(answer(b"", "408 Timeout"))),
    "a redirect that keeps the method elsewhere": doing(
        body_read, said(answer(b"", "303 See Other", more="Location: /v1/Accounts/acme/Calls"))
    ),
}


@pytest.mark.parametrize("posted", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("before", [0, 2])
def test_a_broken_connection_never_sends_it_again(posted, before):
    """Also where the client has a connection that was kept alive."""

    async def called(asking, server):
        for _ in range(before):
            await asking.active_streams()
        return await asking.connect(REQUEST)

    found, server = run(posted, called)
    assert found.outcome is ConnectOutcome.AMBIGUOUS
    assert found.problem
    assert len(server.posts) == 1
    assert len([head for _, head in server.heads if head.startswith("GET ")]) == before


def test_a_connection_that_is_closed_is_told_as_such():
    found, _ = run(doing(body_read), ask)
    assert found.problem == "127.0.0.1: it closed the connection without an answer"
    found, _ = run(doing(body_read, reset), ask)
    assert found.problem in {
        "127.0.0.1: connection reset by peer",
        "127.0.0.1: the connection broke",
    }
    found, _ = run(BROKEN["garbage"], ask)
    assert found.problem == "127.0.0.1: its answer is no HTTP, or was cut short"


def test_of_many_at_once_each_is_sent_once():
    """While polls keep a connection alive, and most answers go wrong in one way or another."""
    ways = [*BROKEN.values(), doing(body_read, said(answer(CALL)))]
    arrived = iter(range(10_000))

    async def posted(server, head, reader, writer):
        way = ways[next(arrived) % len(ways)]
        return await way(server, head, reader, writer)

    async def many(asking, server):
        asked = []
        for at in range(60):
            request = msgspec.structs.replace(REQUEST, custom_field=f"switchhook:a{at}:1")
            asked.append(asyncio.create_task(asking.connect(request)))
            if at % 7 == 0:
                await asking.active_streams()
        return await asyncio.gather(*asked)

    found, server = run(posted, many)
    outcomes = [each.outcome for each in found]
    assert set(outcomes) == {ConnectOutcome.PLACED, ConnectOutcome.AMBIGUOUS}
    assert len(server.posts) == 60
    assert len({name for name, _ in server.posts}) == 60
    assert len(set(server.bodies)) == len(server.bodies) > 40


def test_a_kept_connection_that_exotel_closes_is_no_trouble():
    """It closes it as the request is about to leave: on that one, nobody would know of the call."""

    async def called(asking, server):
        await asking.active_streams()
        return await asking.connect(REQUEST)

    found, server = run(doing(body_read, said(answer(CALL))), called, keeps=False)
    assert found.outcome is ConnectOutcome.PLACED
    assert len(server.posts) == 1


def test_no_answer_in_time_leaves_a_doubt():
    found, server = run(doing(body_read, until_gone), ask, connect_timeout_s=0.2)
    assert found.outcome is ConnectOutcome.AMBIGUOUS
    assert found.problem == "no whole answer from 127.0.0.1 within 0.2 s"
    assert len(server.posts) == 1


def test_a_trickling_answer_ends_in_time():
    async def trickling(server, head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0)

    found, server = run(doing(body_read, trickling), ask, connect_timeout_s=0.3)
    assert found.outcome is ConnectOutcome.AMBIGUOUS
    assert len(server.posts) == 1


def test_a_refusal_counts_though_its_body_never_ends():
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n"
    found, _ = run(doing(body_read, said(head), until_gone), ask, connect_timeout_s=0.2)
    assert found.outcome is ConnectOutcome.STOP_ACCOUNT


def test_who_is_cancelled_has_sent_it_once():
    async def cancelled(asking, server):
        task = asyncio.create_task(asking.connect(REQUEST))
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    _, server = run(doing(body_read, until_gone), cancelled)
    assert len(server.posts) == 1


def test_closing_the_client_breaks_no_call_off():
    """An account whose configuration changes gets a new client."""

    async def closed(asking, server):
        task = asyncio.create_task(asking.connect(REQUEST))
        await server.arrived.wait()
        await asking.close()
        server.go_on.set()
        return await task

    found, server = run(doing(body_read, held, said(answer(CALL))), closed)
    assert found.outcome is ConnectOutcome.PLACED
    assert len(server.posts) == 1


# Nothing was sent.


def unsent(url, **options):
    async def main():
        asking = client(url, **options)
        try:
            return await asking.connect(REQUEST)
        finally:
            await asking.close()

    return asyncio.run(main())


def test_a_refused_connection_has_sent_nothing():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens on it
        found = unsent(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert found.outcome is ConnectOutcome.POSTPONED
    assert found.problem == "127.0.0.1: the connection was refused"


def test_a_name_that_is_not_found_has_sent_nothing(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = unsent("https://api.exotel.example")
    assert found.outcome is ConnectOutcome.POSTPONED
    assert found.problem == "api.exotel.example: name or service not known"


def test_a_certificate_that_is_not_trusted_has_sent_nothing():
    now = datetime.now(UTC)
    made = self_signed(["127.0.0.1"], not_before=now, not_after=now + timedelta(days=1))
    found, server = run(doing(body_read), ask, ssl_context=server_context(*made))
    assert found.outcome is ConnectOutcome.POSTPONED
    assert "certificate is not trusted" in found.problem
    assert server.posts == []


def test_a_handshake_that_never_ends_has_sent_nothing():
    async def main():
        done = asyncio.Event()

        async def silent(reader, writer):
            await done.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        asking = client(f"https://127.0.0.1:{port}", connect_timeout_s=0.2)
        found = await asking.connect(REQUEST)
        done.set()
        await asking.close()
        server.close()
        return found

    found = asyncio.run(main())
    assert found.outcome is ConnectOutcome.POSTPONED
    assert found.problem == "no connection to 127.0.0.1 in time"


def test_a_handshake_that_breaks_has_sent_nothing():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate
    found, server = run(doing(body_read), ask, ssl_context=context)
    assert found.outcome is ConnectOutcome.POSTPONED
    assert server.posts == []


# The budget.


def test_dialling_leaves_turns_to_all_others():
    clock = SteppedClock()

    async def main():
        asking = client("http://127.0.0.1:9", clock=clock, per_minute=60)
        for _ in range(6):
            await asking.turn()
        assert clock.slept == []  # of ten at once, four stay
        for _ in range(4):
            await asking.turn(reserve=0)
        assert clock.slept == []
        asking.give_back_turn()
        await asking.turn(reserve=0)
        assert clock.slept == []
        await asking.turn()
        assert sum(clock.slept) == pytest.approx(6.0, abs=0.1)  # until there are five again
        await asking.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "status, code", [("429 Too Many", None), ("503 Busy", 35008), ("504 Late", None)]
)
def test_retry_after_silences_every_question(status, code):
    clock = SteppedClock()
    body = build_error(RestError(int(status[:3]), "x", code), xml=False)

    async def called(asking, server):
        found = await asking.connect(REQUEST)
        await asking.turn()
        assert sum(clock.slept) >= 42
        return found

    steps = doing(body_read, said(answer(body, status, more="Retry-After: 42")))
    found, _ = run(steps, called, clock=clock)
    assert found.retry_after_s == 42
    assert found.outcome is not ConnectOutcome.PLACED


# The emulator's.

BOT = ConnectRequest(
    mode="voice_ai",
    from_=NUMBER,
    caller_id="08047112233",
    stream_url="wss://bot.example/media",
    custom_field="switchhook:a1:1",
    status_events=("terminal",),
)


class Hooks:
    """A passthru that answers 200."""

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def exotel():
    with Exotel() as made:
        made.passthru(Hooks())
        yield made


def on_emulator(exotel, what, **options):
    async def main():
        account = exotel.account
        given = {"sid": account.sid, "key": account.key, "token": account.token} | options
        asking = client(exotel.url, **given)
        try:
            return await what(asking)
        finally:
            await asking.close()

    return asyncio.run(main())


def listed(exotel):
    """What the emulator lists of the last minutes."""
    now = exotel.exchange.clock.date().astimezone(IST).replace(tzinfo=None, microsecond=0)
    wanted = CallFilter(
        direction="outbound-api",
        from_=NUMBER,
        phone_number="+918047112233",
        created_from=now - timedelta(minutes=5),
        created_to=now + timedelta(minutes=5),
        page_size=100,
    )
    return on_emulator(exotel, lambda c: c.list_calls(wanted))


@pytest.mark.parametrize("request_", [BOT, REQUEST], ids=["bot", "flow"])
def test_the_emulator_places_the_call(exotel, request_):
    request_ = msgspec.structs.replace(request_, app_id=request_.app_id and "flow")

    async def called(asking):
        found = await asking.connect(request_)
        return found, await asking.call_details(found.call_sid)

    found, told = on_emulator(exotel, called)
    assert (found.outcome, found.problem) == (ConnectOutcome.PLACED, "")
    assert told.record.sid == found.call_sid
    assert told.record.custom_field == "switchhook:a1:1"


def test_the_emulator_lists_what_it_placed(exotel):
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    told = listed(exotel)
    assert told.outcome is Outcome.READ
    assert found.call_sid in [each.sid for each in told.records]
    assert not told.more


def test_an_answer_that_is_lost_leaves_a_doubt_and_one_call(exotel):
    fault = exotel.fault("rest-drop")
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    exotel.mend(fault)
    assert found.outcome is ConnectOutcome.AMBIGUOUS
    told = listed(exotel)
    assert len(told.records) == 1


@pytest.mark.parametrize(
    "code, outcome",
    [
        (400, ConnectOutcome.REFUSED_NUMBER),
        (401, ConnectOutcome.STOP_ACCOUNT),
        (402, ConnectOutcome.STOP_ACCOUNT),
        (403, ConnectOutcome.STOP_ACCOUNT),
        (429, ConnectOutcome.POSTPONED),
        (500, ConnectOutcome.AMBIGUOUS),
        (503, ConnectOutcome.POSTPONED),
        (504, ConnectOutcome.AMBIGUOUS),
    ],
)
def test_the_emulator_refuses(exotel, code, outcome):
    fault = exotel.fault("rest", code=code)
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    exotel.mend(fault)
    assert found.outcome is outcome
    assert not listed(exotel).records


@pytest.mark.parametrize(
    "wrong, outcome, said",
    [
        ({"from_": "12"}, ConnectOutcome.REFUSED_NUMBER, "Invalid parameter From"),
        ({"caller_id": "08047119999"}, ConnectOutcome.STOP_ACCOUNT, "not a valid ExoPhone"),
        ({"mode": "flow", "app_id": "1"}, ConnectOutcome.STOP_ACCOUNT, "Url names no app"),
        ({"stream_url": "ftp://x"}, ConnectOutcome.STOP_ACCOUNT, "Invalid parameter StreamUrl"),
        ({"custom_field": "x" * 129}, ConnectOutcome.STOP_ACCOUNT, "CustomField"),
    ],
)
def test_what_is_wrong_with_a_request_stops_what_it_is_about(exotel, wrong, outcome, said):
    request = msgspec.structs.replace(BOT, **wrong)
    found = on_emulator(exotel, lambda c: c.connect(request))
    assert found.outcome is outcome
    assert said in found.problem


def test_a_call_that_is_missing_is_told_from_an_account_that_is(exotel):
    gone = on_emulator(exotel, lambda c: c.call_details("0" * 32))
    assert (gone.outcome, gone.missing) == (Outcome.REFUSED, True)
    other = on_emulator(exotel, lambda c: c.call_details("0" * 32), token="wrong")
    assert (other.outcome, other.missing) == (Outcome.REFUSED, False)


@pytest.mark.parametrize(
    "fault, outcome, placed",
    [
        ({"what": "connect-before"}, ConnectOutcome.AMBIGUOUS, 0),
        ({"what": "connect-after"}, ConnectOutcome.AMBIGUOUS, 1),
        ({"what": "connect-5xx-after", "code": 504}, ConnectOutcome.AMBIGUOUS, 1),
        ({"what": "connect-5xx-after", "code": 500}, ConnectOutcome.AMBIGUOUS, 1),
        ({"what": "connect-refused", "code": 500}, ConnectOutcome.AMBIGUOUS, 0),
        ({"what": "connect-refused", "code": 503, "seconds": 7}, ConnectOutcome.POSTPONED, 0),
        ({"what": "connect-refused", "code": 429, "seconds": 7}, ConnectOutcome.POSTPONED, 0),
        ({"what": "connect-late", "seconds": 5}, ConnectOutcome.PLACED, 1),
        ({"what": "connect-twice"}, ConnectOutcome.PLACED, 1),
    ],
)
def test_what_the_emulator_does_with_a_request_is_never_taken_for_the_other(
    exotel, fault, outcome, placed
):
    number = exotel.fault(**fault)
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    exotel.mend(number)
    assert found.outcome is outcome
    assert found.retry_after_s == (7 if "seconds" in fault and "code" in fault else None)
    told = listed(exotel)
    assert len(told.records) == placed
    if found.call_sid:
        assert [each.sid for each in told.records] == [found.call_sid]


@pytest.mark.parametrize(
    "standing, outcome, unknown",
    [
        ("no-kyc", ConnectOutcome.STOP_ACCOUNT, False),
        ("suspended", ConnectOutcome.STOP_ACCOUNT, False),
        ("no-balance", ConnectOutcome.STOP_ACCOUNT, False),
        ("trial", ConnectOutcome.REFUSED_NUMBER, True),
    ],
)
def test_how_an_account_stands_is_told_from_the_number(exotel, standing, outcome, unknown):
    """Three numbers in a row that a trial account may not call stop it, as unknown refusals do."""

    def stand():
        line = exotel.exchange.lines[exotel.account.sid]
        line.account = msgspec.structs.replace(line.account, standing=standing)

    exotel.do(stand)
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    assert (found.outcome, found.unknown) == (outcome, unknown)


def is_on_the_dnd_list(exotel):
    exotel.do(exotel.exchange.people.called_in, NUMBER, Caller(number=NUMBER, dnd=True))


def test_a_number_on_the_dnd_list_is_refused_and_exotel_says_so_before(exotel):
    is_on_the_dnd_list(exotel)
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    assert (found.outcome, found.unknown) == (ConnectOutcome.REFUSED_NUMBER, False)
    told = on_emulator(exotel, lambda c: c.number_metadata(NUMBER))
    assert (told.outcome, told.metadata.dnd) == (Outcome.READ, Dnd.YES)
    entry = on_emulator(exotel, lambda c: c.whitelist(NUMBER))
    assert (entry.outcome, entry.entry.status) == (Outcome.READ, WhitelistStatus.NEUTRAL)
    exotel.call(from_=NUMBER).wait()
    is_on_the_dnd_list(exotel)
    entry = on_emulator(exotel, lambda c: c.whitelist(NUMBER))
    assert entry.entry.status is WhitelistStatus.WHITELIST
    assert entry.entry.expires_s > 0
    found = on_emulator(exotel, lambda c: c.connect(BOT))
    assert found.outcome is ConnectOutcome.PLACED


# What comes back to other questions.


@pytest.mark.parametrize(
    "what",
    [
        lambda c: c.list_calls(CallFilter(page_size=2)),
        lambda c: c.whitelist(NUMBER),
        lambda c: c.number_metadata(NUMBER),
    ],
    ids=["list", "whitelist", "metadata"],
)
@pytest.mark.parametrize(
    "body, status, outcome",
    [
        (b"<html>Sign in</html>", "200 OK", Outcome.UNREADABLE),
        (b"", "200 OK", Outcome.UNREADABLE),
        (b" " * 600_000, "200 OK", Outcome.UNREADABLE),
        (b"", "429 Too Many", Outcome.LIMITED),
        (b"", "503 Busy", Outcome.FAILING),
        (b"", "403 Forbidden", Outcome.REFUSED),
        (b"", "404 Not Found", Outcome.REFUSED),
    ],
)
def test_no_answer_to_a_question_is_made_up(what, body, status, outcome):
    found, _ = ask_peer(reply(body, status), what=what)
    assert found.outcome is outcome
    assert found.problem
    told = [getattr(found, name, None) for name in ("records", "entry", "metadata")]
    assert not any(told)


def test_a_full_page_may_have_others_behind_it():
    rows = [msgspec.structs.replace(ROW, sid=f"c{at}") for at in range(2)]
    body = build_page(
        rows, total=9, page_size=2, first="/v1", previous=None, following=None, xml=False
    )
    found, (head,) = ask_peer(reply(body), what=lambda c: c.list_calls(CallFilter(page_size=2)))
    assert (found.outcome, len(found.records), found.more) == (Outcome.READ, 2, True)
    assert head.startswith("GET /v1/Accounts/acme/Calls.json?PageSize=2 HTTP/1.1\r\n")
    found, _ = ask_peer(reply(body), what=lambda c: c.list_calls(CallFilter(page_size=3)))
    assert not found.more


def test_a_list_of_another_account_is_none():
    row = msgspec.structs.replace(ROW, account_sid="other")
    body = build_page(
        [row], total=1, page_size=2, first="/v1", previous=None, following=None, xml=True
    )
    found, _ = ask_peer(reply(body), what=lambda c: c.list_calls(CallFilter()))
    assert (found.outcome, found.records) == (Outcome.UNREADABLE, ())


def test_numbers_are_asked_for_as_exotel_writes_them():
    for number, path in (("+919811100001", "09811100001"), ("+6591234567", "%2B6591234567")):
        _, (head,) = ask_peer(reply(b""), what=lambda c, n=number: c.whitelist(n))
        assert head.startswith(f"GET /v1/Accounts/acme/CustomerWhitelist/{path} HTTP/1.1")
        _, (head,) = ask_peer(reply(b""), what=lambda c, n=number: c.number_metadata(n))
        assert head.startswith(f"GET /v1/Accounts/acme/Numbers/{path}.json HTTP/1.1")


def ask_peer(answer_, *, what):
    async def main():
        async with peer(answer_) as (port, heads):
            asking = client(f"http://127.0.0.1:{port}")
            try:
                return await what(asking), heads
            finally:
                await asking.close()

    return asyncio.run(main())
