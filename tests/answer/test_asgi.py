"""`answer_app` in applications that are there already: Starlette's, FastAPI's, or alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from switchhook import answer_app
from switchhook.answer import answerer, asgi
from switchhook.answer.http.messages import BODY_BROKEN_OFF, BODY_LATE, BODY_TOO_LONG
from switchhook.config import AuthMode, Bodies, Config, EndpointConfig, Mode, Secret
from switchhook.errors import DataFolderError
from switchhook.exotel.wire.request import LONGEST_BODY
from switchhook.journal import JournalReader
from switchhook.journal.receipt import Auth, Receipt, RecordKind, decode_receipt
from switchhook.loopback import ADDED_BY_PROXIES
from switchhook.system.data_folder import DataFolder, read_identity
from switchhook.system.request_mark import HEADER, make_mark

from .bots import gate, member, pool, pooled, voicebot
from .desk import SECRET, TAKES_A, TAKES_B

FORM = "application/x-www-form-urlencoded"
ENDPOINTS = (
    EndpointConfig("open", auth=AuthMode.OPEN, bodies=Bodies(A='{"select": "bot"}')),
    EndpointConfig("later", auth=AuthMode.OPEN, mode=Mode.ASYNC),
    EndpointConfig("sales", secrets=(Secret(SECRET),)),
)


class Place:
    """One app on one data folder, and the application around it."""

    def __init__(self, data: Path, host: str = "alone", at: str = "") -> None:
        self.data, self.host, self.at = data, host, at
        self.hooks = answer_app(Config(data=str(data), endpoints=ENDPOINTS))

    def wrapped(self) -> Any:
        if self.host == "alone":
            return self.hooks
        if self.host == "Starlette":
            return Starlette(routes=[Mount(self.at, self.hooks)])
        app = FastAPI()
        app.mount(self.at, self.hooks)
        return app

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Ask without a lifespan, as mounted apps live."""
        transport = httpx2.ASGITransport(self.wrapped(), client=("127.0.0.1", 1234))
        url = f"http://localhost{self.at}/passthru/"
        try:
            async with httpx2.AsyncClient(transport=transport, base_url=url) as client:
                yield client
        finally:
            await self.hooks.aclose()

    def ask(self, target: str, method: str = "GET", **more: Any) -> httpx2.Response:
        """One request, after which the app is closed."""

        async def ask() -> httpx2.Response:
            async with self.client() as client:
                return await client.request(method, target, **more)

        return asyncio.run(ask())

    def records(self, kind: RecordKind) -> list[Any]:
        found = JournalReader(self.data / "journal").read(0, 10_000)
        return [each for each in found if each.kind == kind]

    def receipts(self) -> list[Receipt]:
        return [decode_receipt(each.body) for each in self.records(RecordKind.PASSTHRU)]


@pytest.fixture
def alone(tmp_path):
    return Place(tmp_path / "data")


@pytest.fixture(
    params=[("alone", ""), ("Starlette", "/exotel"), ("FastAPI", "/exotel/hooks"), ("FastAPI", "")],
    ids=lambda param: "".join(param),
)
def place(request, tmp_path):
    return Place(tmp_path / "data", *request.param)


@pytest.mark.parametrize(
    "target, status, body",
    [
        (f"open?{TAKES_A}", 200, '{"select": "bot"}'),
        (f"open?{TAKES_B}", 302, ""),
        (f"later?{TAKES_B}", 200, ""),
        (f"sales/{SECRET}?{TAKES_A}", 200, ""),
        (f"%73ales/%61{SECRET[1:]}?{TAKES_B}", 302, ""),
        (f"sales?{TAKES_B}&secret={SECRET}", 302, ""),
        (f"sales?{TAKES_A}", 403, "the secret is missing\n"),
        (f"sales/wrong?{TAKES_A}", 403, "the secret is wrong\n"),
        (f"other?{TAKES_A}", 404, "no such endpoint\n"),
    ],
)
def test_it_answers_the_same_wherever_it_is_mounted(place, target, status, body):
    answer = place.ask(target)
    assert (answer.status_code, answer.text) == (status, body)
    assert answer.headers["cache-control"] == "no-store"
    assert "location" not in answer.headers
    kept = [(each.raw.partition(b"&secret")[0], each.http_status) for each in place.receipts()]
    query = target.partition("?")[2].partition("&secret")[0].encode()
    assert kept == ([(query, status)] if status in (200, 302) else [])


@pytest.mark.parametrize(
    "body, kind",
    [
        (TAKES_B, FORM),
        (json.dumps({"CallSid": "c1", "Stream": {"Status": "failed"}}), "application/json"),
    ],
)
def test_it_reads_bodies(place, body, kind):
    answer = place.ask("open?x=1", "POST", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 302
    (receipt,) = place.receipts()
    assert (receipt.method, receipt.raw, receipt.body) == ("POST", b"x=1", body.encode())
    assert (receipt.content_type, receipt.body_problem) == (kind, None)


def test_it_answers_before_the_stream_too(tmp_path):
    """An address, an admission that nothing is known for, and a bot's report."""
    place = Place(tmp_path / "data")
    config = msgspec.structs.replace(
        pooled(pool("sales", member("vendor-a"))),
        data=str(place.data),
        endpoints=(
            msgspec.structs.replace(voicebot(), auth=AuthMode.OPEN),
            msgspec.structs.replace(gate(), auth=AuthMode.OPEN),
        ),
    )
    place.hooks = answer_app(config)

    async def ask():
        async with place.client() as client:
            given = await client.get("http://localhost/voicebot/sales-in?CallSid=c1")
            gated = await client.get("http://localhost/passthru/gate?CallSid=c1")
            report = {"call_sid": "c1", "event": "started"}
            told = await client.post("http://localhost/report/gate", json=report)
        return given.json()["url"], gated.status_code, told.status_code

    url, gated, told = asyncio.run(ask())
    assert url.startswith("wss://vendor:")
    assert (gated, told) == (302, 200)
    kinds = {each.kind for each in JournalReader(place.data / "journal").read(0, 100)}
    assert kinds >= {RecordKind.VOICEBOT, RecordKind.ADMISSION, RecordKind.BOT_REPORT}


def test_a_marked_test_is_kept_apart(place):
    place.ask("nobody")  # which opens the data folder
    key = read_identity(place.data).key
    headers = {HEADER: make_mark(key, "0" * 16, int(time.time()))}
    answer = place.ask(f"sales/{SECRET}?{TAKES_B}", headers=headers)
    assert answer.status_code == 302
    assert place.receipts() == []
    (record,) = place.records(RecordKind.TEST)
    assert decode_receipt(record.body).test == "0" * 16


def test_basic_and_the_peer_are_seen(alone):
    assert alone.ask(f"sales?{TAKES_A}", auth=("exotel", SECRET)).status_code == 200
    (receipt,) = alone.receipts()
    assert (receipt.auth, receipt.peer) == (Auth("ok", "basic"), "127.0.0.1")


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 200),
        ({"Host": "bot.example.com"}, 403),
        ({"X-Forwarded-For": "192.0.2.1"}, 403),
        ({"X-Forwarded-Proto": "https"}, 403),
        ({"Forwarded": "for=192.0.2.1"}, 403),
        ({"Via": "1.1 proxy"}, 403),
    ],
)
def test_without_a_secret_only_this_machine_is_answered(alone, headers, status):
    assert alone.ask(f"open?{TAKES_A}", headers=headers).status_code == status


def test_all_headers_that_proxies_add_are_known_here_too(alone):
    async def ask() -> list[str]:
        async with alone.client() as client:
            return [
                name
                for name in map(bytes.decode, sorted(ADDED_BY_PROXIES))
                if (await client.get("open", headers={name: "192.0.2.1"})).status_code != 403
            ]

    assert asyncio.run(ask()) == []


def test_many_first_requests_at_once_open_one_journal(place):
    async def ask() -> list[int]:
        async with place.client() as client:
            queries = [f"open?CallSid=c{n}" for n in range(50)]
            return [each.status_code for each in await asyncio.gather(*map(client.get, queries))]

    assert asyncio.run(ask()) == [200] * 50
    assert {each.raw for each in place.receipts()} == {f"CallSid=c{n}".encode() for n in range(50)}


def test_closed_it_opens_again_with_the_next_request_and_remembers(place):
    for second in range(2):
        assert place.ask(f"open?{TAKES_B}&CurrentTime={second}").status_code == 302
    assert [each.repeat_of is None for each in place.receipts()] == [True, False]


def test_its_data_folder_is_its_own(alone, tmp_path, caplog):
    other = Place(tmp_path / "data")

    async def ask() -> None:
        async with alone.client() as client:
            await client.get(f"open?{TAKES_A}")
            async with other.client() as second:
                assert (await second.get(f"open?{TAKES_A}")).status_code == 302
        async with other.client() as second:  # it is free now
            assert (await second.get(f"open?{TAKES_A}")).status_code == 200

    with caplog.at_level("ERROR", "switchhook.answer"):
        asyncio.run(ask())
    assert "held by" in caplog.text
    assert "answered 302" in caplog.text
    DataFolder.open(tmp_path / "data", "answer").close()


def test_a_journal_that_was_mended_is_opened_by_the_next_request(alone, caplog):
    """Until then every caller takes Option B, and the log says why."""
    assert alone.ask(f"open?{TAKES_A}").status_code == 200
    (segment,) = (alone.data / "journal").glob("*.sqlite")
    whole = segment.read_bytes()

    async def ask() -> list[int]:
        async with alone.client() as client:
            segment.write_bytes(b"damaged" * 1000)
            said = [(await client.get(f"open?{TAKES_A}")).status_code for _ in range(2)]
            segment.write_bytes(whole)
            return [*said, (await client.get(f"open?{TAKES_A}")).status_code]

    assert asyncio.run(ask()) == [302, 302, 200]
    assert segment.name in caplog.text


# Message by message, as servers speak to it.


class Talk:
    """The two ends that a server holds out to an app; after its first word it may `hold`."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = iter(messages)
        self.sent: list[MutableMapping[str, Any]] = []
        self.heard, self.hold = asyncio.Event(), asyncio.Event()
        self.hold.set()

    async def receive(self) -> dict[str, Any]:
        if self.sent:
            await self.hold.wait()
        for message in self._messages:
            return message
        await asyncio.Event().wait()  # nothing more is said
        raise AssertionError

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)
        self.heard.set()

    @property
    def said(self) -> list[Any]:
        return [each.get("status", each["type"]) for each in self.sent]


def http_scope(method: str = "POST", query: bytes = b"x=1") -> dict[str, Any]:
    """The least that ASGI asks of a server: no raw path, no root path, no client."""
    headers = [(b"host", b"localhost"), (b"content-type", FORM.encode())]
    return {
        "type": "http",
        "method": method,
        "path": "/passthru/open",
        "query_string": query,
        "headers": headers,
    }


def parts(*bodies: bytes, more_body: bool = False) -> list[dict[str, Any]]:
    said = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    said[-1]["more_body"] = more_body
    return said


GONE = {"type": "http.disconnect"}


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_head_is_answered_without_a_body(alone, kind):
    """Whatever kind of bytes the server has."""
    talk = Talk()

    async def ask() -> None:
        await alone.hooks(http_scope("HEAD", kind(TAKES_A.encode())), talk.receive, talk.send)
        await alone.hooks.aclose()

    asyncio.run(ask())
    start, body = talk.sent
    assert (start["status"], body.get("body", b"")) == (200, b"")
    assert (b"content-length", b"17") in start["headers"]


@pytest.mark.parametrize(
    "messages, body, problem",
    [
        (parts(b"CallSid=c1", b"&Stream[Status]", b"=failed"), TAKES_B.encode(), None),
        ([{"type": "http.request"}], b"", None),
        (parts(TAKES_B.encode(), more_body=True), TAKES_B.encode(), BODY_LATE),
        (parts(b"x" * LONGEST_BODY, b"y", more_body=True), b"x" * LONGEST_BODY, BODY_TOO_LONG),
        (parts(b"x" * LONGEST_BODY, b"y"), b"x" * LONGEST_BODY, BODY_TOO_LONG),
        (parts(b"x" * LONGEST_BODY), b"x" * LONGEST_BODY, None),
        (
            [*parts(TAKES_B.encode(), more_body=True), GONE],
            TAKES_B.encode(),
            BODY_BROKEN_OFF,
        ),
    ],
    ids=["in parts", "none", "late", "too long", "just too long", "just not", "broken off"],
)
def test_a_body_is_taken_as_far_as_it_comes(alone, monkeypatch, messages, body, problem):
    """It is decided on, and the receipt says what is amiss with it."""
    monkeypatch.setattr(asgi, "BODY_TIME_S", 0.05)
    talk = Talk(*messages)

    async def ask() -> None:
        await alone.hooks(http_scope(), talk.receive, talk.send)
        await alone.hooks.aclose()

    asyncio.run(ask())
    (receipt,) = alone.receipts()
    assert (receipt.body, receipt.body_problem) == (body, problem)
    assert talk.said == [receipt.http_status, "http.response.body"]
    assert receipt.http_status == (302 if body == TAKES_B.encode() else 200)


def test_whatever_fails_inside_is_no_status_of_the_servers_own(alone, monkeypatch):
    """Sync endpoints say 200 or 302 to every request with the secret, whatever happens."""
    talk = Talk()

    def fail(_receipt: object) -> bytes:
        raise ValueError

    async def ask() -> None:
        monkeypatch.setattr(answerer, "encode", fail)
        try:
            await alone.hooks(http_scope("GET"), talk.receive, talk.send)
        finally:
            monkeypatch.undo()
            await alone.hooks.aclose()

    asyncio.run(ask())
    assert talk.said == [302, "http.response.body"]


def test_it_lives_and_ends_with_its_server(alone):
    """Started it holds its folder and answers; at the end all is written and the folder free."""
    talk = Talk({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    talk.hold.clear()

    async def serve() -> None:
        life = asyncio.create_task(alone.hooks({"type": "lifespan"}, talk.receive, talk.send))
        await talk.heard.wait()
        assert not life.done()
        with pytest.raises(DataFolderError, match="held by"):
            DataFolder.open(alone.data, "answer")
        asked = Talk()
        await alone.hooks(http_scope("GET", TAKES_A.encode()), asked.receive, asked.send)
        assert asked.said == [200, "http.response.body"]
        talk.hold.set()
        await life

    asyncio.run(serve())
    assert talk.said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert len(alone.records(RecordKind.PASSTHRU)) == 1
    assert alone.records(RecordKind.COUNTERS)
    DataFolder.open(alone.data, "answer").close()


def test_a_server_is_told_that_it_cannot_start(tmp_path):
    """An exception would tell servers that the app knows of no lifespan, and they would go on."""
    (tmp_path / "data").write_text("a file")
    app = answer_app(Config(data=str(tmp_path / "data"), endpoints=ENDPOINTS))
    talk = Talk({"type": "lifespan.startup"})
    asyncio.run(app({"type": "lifespan"}, talk.receive, talk.send))
    assert talk.said == ["lifespan.startup.failed"]
    assert "data" in talk.sent[0]["message"]


def test_a_web_socket_is_closed(alone):
    talk = Talk({"type": "websocket.connect"})
    asyncio.run(alone.hooks({"type": "websocket", "path": "/x"}, talk.receive, talk.send))
    assert talk.said == ["websocket.close"]


@pytest.mark.parametrize(
    "mount, at",
    [
        ("/voice bots", "/voice bots"),
        ("/ü", "/ü"),
        ("/{tenant}", "/a%2Db"),
        ("/100%", "/100%25"),
    ],
)
def test_it_may_be_mounted_below_a_path_that_has_to_be_encoded(tmp_path, mount, at):
    place = Place(tmp_path / "data", "Starlette", at)
    wrapped = Starlette(routes=[Mount(mount, place.hooks)])
    place.wrapped = lambda: wrapped
    assert place.ask(f"open?{TAKES_A}").status_code == 200
