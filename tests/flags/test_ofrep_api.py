"""The listener for bots: who may ask, both addresses, and the stream that says to ask again."""

from __future__ import annotations

import asyncio
import json

import pytest

from asgi_client import Client
from flags.some_flags import NOW, deed, want
from flags.test_worker import World
from patience import PATIENCE_S
from switchhook.errors import LedgerError
from switchhook.flags import ofrep_api as module
from switchhook.flags.ofrep_api import Admitted, OfrepApi

AT = "/ofrep/v1/evaluate/flags"
TOKEN = {"authorization": "Bearer shk_good"}


class Bots(World):
    """A console's flags, and bots that ask."""

    def __init__(self, folder):
        super().__init__(folder)
        self.worker.look()
        self.tokens = {"shk_good": Admitted.YES, "shk_admin": Admitted.OTHER_SCOPE}
        self.api = OfrepApi(self.worker, self.admit, key=b"k", now_s=lambda: self.now / 1000)
        self.client = Client(self.api.app)

    def admit(self, proof):
        if not self.tokens:
            raise LedgerError("the ledger", "it is gone", "put it back")
        return self.tokens.get(proof, Admitted.UNKNOWN)

    def one(self, name, context=None, headers=TOKEN):
        body = {} if context is None else {"context": context}
        return self.client.post(f"{AT}/{name}", json=body, headers=headers)

    def all(self, context, **headers):
        named = {name.replace("_", "-"): said for name, said in headers.items()}
        return self.client.post(AT, json={"context": context}, headers=TOKEN | named)


@pytest.fixture
def bots(tmp_path):
    made = Bots(tmp_path)
    yield made
    made.worker.stop()
    made.ledger.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer shk_bad"}, 401),
        ({"authorization": "Basic c2hrOmdvb2Q="}, 401),
        ({"authorization": "Bearer shk_admin"}, 403),
        ({"x-api-key": "shk_good"}, 200),
        ({"authorization": "bearer  shk_good"}, 200),
    ],
)
def test_only_a_token_for_flags_opens_it(bots, headers, status):
    for address in (f"{AT}/off", AT):
        answer = bots.client.post(address, json={"context": {}}, headers=headers)
        assert answer.status_code == status
        assert bool(answer.content) is (status == 200)
        assert ("www-authenticate" in answer.headers) is (status == 401)


def test_while_tokens_cannot_be_looked_up_it_says_so(bots):
    bots.tokens = {}
    answer = bots.one("off")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["errorDetails"]


def test_a_flag_is_answered_as_it_is_set(bots):
    assert bots.one("off").json()["value"] is False
    bots.set("off", True)
    answer = bots.one("off", {"targetingKey": "+919876543210"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "key": "off",
        "value": True,
        "reason": "STATIC",
        "variant": "on",
        "metadata": {"kind": "boolean", "set": True},
    }


@pytest.mark.parametrize(
    ("name", "context", "status", "code"),
    [
        ("of", None, 404, "FLAG_NOT_FOUND"),
        ("a/b", None, 404, "FLAG_NOT_FOUND"),
        ("share", None, 400, "TARGETING_KEY_MISSING"),
        ("share", {"targetingKey": 3}, 400, "INVALID_CONTEXT"),
    ],
)
def test_a_failure_has_its_code_and_its_details(bots, name, context, status, code):
    answer = bots.one(name, context)
    said = answer.json()
    assert (answer.status_code, said["errorCode"], said["key"]) == (status, code, name)
    assert said["errorDetails"]


def test_all_flags_are_answered_at_once_and_not_again_while_they_are_the_same(bots):
    first = bots.all({"targetingKey": "a"})
    assert [each["key"] for each in first.json()["flags"]] == [
        flag.name for flag in bots.worker.flags
    ]
    tag = first.headers["etag"]
    again = bots.all({"targetingKey": "a"}, if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert bots.all({"targetingKey": "b"}, if_none_match=tag).status_code == 200
    bots.set("off", True)
    assert bots.all({"targetingKey": "a"}, if_none_match=tag).status_code == 200
    bad = bots.client.post(AT, content=b"[", headers=TOKEN)
    assert (bad.status_code, bad.json()["errorCode"]) == (400, "PARSE_ERROR")


def test_a_body_too_large_is_refused(bots):
    answer = bots.client.post(AT, content=b" " * 70_000, headers=TOKEN)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "PARSE_ERROR")


def test_whoever_reads_a_flag_is_noted(bots):
    bots.now = NOW + 5
    bots.one("off")
    assert {each.name for each in bots.worker.view().flags if each.bots_ms} == {"off"}
    bots.all({"targetingKey": "a"})
    assert all(each.bots_ms == NOW + 5 for each in bots.worker.view().flags)


def test_whatever_stands_before_it_may_ask_whether_it_lives(bots):
    assert bots.client.get("/healthz").json() == {"status": "ok"}
    assert bots.client.get("/").status_code == 404


class Stream:
    """A bot that listens for changes."""

    def __init__(self, app, address, headers=()):
        path, _, query = address.partition("?")
        self.app = app
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": list(headers),
            "asgi": {"spec_version": "2.4"},
        }
        self.status, self.parts = 0, asyncio.Queue()
        self.left = asyncio.Event()

    async def __aenter__(self):
        self.task = asyncio.create_task(self.app(self.scope, self.receive, self.send))
        return self

    async def __aexit__(self, *_):
        self.left.set()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            await self.parts.put(message["body"])

    async def event(self):
        """The next event, whatever stands between."""
        while True:
            part = await asyncio.wait_for(self.parts.get(), PATIENCE_S)
            if b"data: " in part:
                return json.loads(part.partition(b"data: ")[2])


def stream_of(bots):
    """The address of the stream that a bot is given with all flags."""
    (stream,) = bots.all({"targetingKey": "a"}).json()["eventStreams"]
    assert (stream["type"], stream["inactivityDelaySec"]) == ("sse", 120)
    return stream["endpoint"]["requestUri"]


def test_the_stream_says_when_to_ask_again(bots):
    address = stream_of(bots)

    async def listens():
        end = bots.api.begin()
        async with Stream(bots.api.app, address) as stream:
            assert b"retry: " in await asyncio.wait_for(stream.parts.get(), PATIENCE_S)
            await asyncio.to_thread(bots.set, "off", True)
            event = await stream.event()
            assert (event["type"], event["lastModified"]) == ("refetchEvaluation", NOW // 1000)
            kind = stream.headers[b"content-type"].split(b";")[0]
            assert (stream.status, kind) == (200, b"text/event-stream")
        # What changed between the answer and the stream is told as it begins.
        async with Stream(bots.api.app, address) as late:
            assert (await late.event())["etag"] == event["etag"]
            bots.api.close()
            await asyncio.wait_for(late.task, PATIENCE_S)
        end()

    asyncio.run(listens())


def test_a_stream_needs_a_ticket_that_is_not_old_or_a_token(bots):
    address = stream_of(bots)

    async def status(address, headers=()):
        async with Stream(bots.api.app, address, headers) as stream:
            await asyncio.wait_for(stream.parts.get(), PATIENCE_S)
            return stream.status

    async def tries():
        bare = module.EVENTS
        token = [(b"authorization", b"Bearer shk_good")]
        found = [await status(bare), await status(bare, token), await status(address)]
        found.append(await status(address[:-1] + ("0" if address[-1] != "0" else "1")))
        found.append(await status(f"{bare}?ticket=x.y"))
        bots.now += module.TICKET_S * 1000
        return [*found, await status(address)]

    assert asyncio.run(tries()) == [401, 200, 200, 401, 401, 401]


def test_streams_have_a_bound_and_are_kept_alive(bots, monkeypatch):
    monkeypatch.setattr(module, "MOST_STREAMS", 1)
    monkeypatch.setattr(module, "KEEP_ALIVE_S", 0.01)
    token = [(b"authorization", b"Bearer shk_good")]

    async def tries():
        async with Stream(bots.api.app, module.EVENTS, token) as first:
            while b"still here" not in await asyncio.wait_for(first.parts.get(), PATIENCE_S):
                pass
            async with Stream(bots.api.app, module.EVENTS, token) as second:
                await asyncio.wait_for(second.parts.get(), PATIENCE_S)
                assert second.status == 429
                assert second.headers[b"retry-after"] == b"60"

    asyncio.run(tries())


def test_a_change_by_a_person_reaches_no_stream_that_has_ended(bots):
    async def tries():
        end = bots.api.begin()
        end()
        await asyncio.to_thread(bots.worker.set, want("off", True), "asha", deed)

    asyncio.run(tries())
