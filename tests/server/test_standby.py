"""A node that does not lead answers with what the leader answers, and says where there is none."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from patience import PATIENCE_S
from switchhook.cluster.forwarding import HEADER, Asked, Forwarded
from switchhook.cluster.lease import Leader
from switchhook.errors import ClusterError
from switchhook.server.forwarded import ForwardedApp
from switchhook.server.release import release
from switchhook.server.served_app import ServedApp
from switchhook.server.standby import StandbyApp
from switchhook.web.sign_in.request_origin import FORWARDED_BY

KEY, NOW = bytes(range(32)), 1_800_000_000_000


class Echo:
    """Tells what it was asked, and what never ends on /feed."""

    def __init__(self):
        self.seen = []
        self.left = asyncio.Event()

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append((scope, body))
        if scope["path"] == "/feed":
            await self._feed(receive, send)
            return
        headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b")]
        await send({"type": "http.response.start", "status": 207, "headers": headers})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})

    async def _feed(self, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


class OwnSays:
    """In the place of the node's own page: which error it was asked for, and where."""

    async def answer(self, error, scope, receive, send):
        said = f"{error.problem} at {scope['path']}"
        await PlainTextResponse(said, 503)(scope, receive, send)


GONE = ClusterError("of all", "it is gone", "wait")


class Two:
    """A leader and a node that stands by, each on a port of its own."""

    def __init__(self, sockets):
        leads, stands = sockets
        self.echo = Echo()
        self.address = f"http://127.0.0.1:{leads.getsockname()[1]}"
        self.leader = Leader(1, "one", self.address, 4, 0, 0.0)
        self.away: ClusterError | None = None
        self.complaints: tuple[str, ...] = ()
        self.standby = StandbyApp(
            key=KEY,
            node=2,
            name="two",
            leader=lambda: self.leader,
            now_ms=lambda: NOW,
            away=lambda: self.away,
            own_page=cast("Any", OwnSays()),
            complaints=lambda: self.complaints,
        )
        self.standby.turned()
        self.forwarded = ForwardedApp(self.echo, KEY, lambda: NOW)
        self.served = [ServedApp(sock) for sock in sockets]
        self.served[0].show(self.forwarded)
        self.served[1].show(self.standby, self.standby.close)
        self.url = f"http://127.0.0.1:{stands.getsockname()[1]}"


@asynccontextmanager
async def two_nodes():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as b:
        two = Two((one, b))
        async with (
            asyncio.timeout(PATIENCE_S),
            httpx2.AsyncClient(trust_env=False, base_url=two.url) as client,
        ):
            yield two, client
            for each in reversed(two.served):
                each.leave()
                await each.end()
            await two.standby.end()


def play(scene):
    """Run a scene with two nodes and a client of the one that stands by."""

    async def main():
        async with two_nodes() as (two, client):
            return await scene(two, client)

    return asyncio.run(main())


def test_a_request_and_its_answer_pass_as_they_are():
    async def scene(two, client):
        headers = {"Cookie": "s=1", "Origin": "http://console", "Host": "console:8081"}
        path = "/streams/a%2Fb?q=%20x&q=y"
        answer = await client.post(path, headers=headers, content=b"form=1")
        return answer, two.echo.seen[0]

    answer, (scope, body) = play(scene)
    assert (answer.status_code, answer.text) == (207, "one two")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b"]
    got = dict(scope["headers"])
    assert (scope["method"], scope["raw_path"], scope["query_string"]) == (
        "POST",
        b"/streams/a%2Fb",
        b"q=%20x&q=y",
    )
    assert (got[b"cookie"], got[b"origin"], got[b"host"]) == (
        b"s=1",
        b"http://console",
        b"console:8081",
    )
    assert body == b"form=1"


def test_the_leader_knows_the_real_client_and_that_it_is_on_no_machine_of_its_own():
    async def scene(two, client):
        await client.get("/", headers={"X-Forwarded-For": "192.0.2.1"})
        return two.echo.seen[0][0]

    scope = play(scene)
    assert scope["client"] == ("127.0.0.1", 0)
    assert scope[FORWARDED_BY] == 2
    names = {name for name, _ in scope["headers"]}
    assert b"x-forwarded-for" in names
    assert HEADER not in names


def test_a_body_without_a_length_is_passed_on_as_it_comes():
    async def pieces():
        yield b"a" * 70_000
        yield b"b"

    async def scene(two, client):
        await client.post("/", content=pieces())
        return two.echo.seen[0][1]

    assert play(scene) == b"a" * 70_000 + b"b"


def test_a_feed_is_live_and_ends_with_who_listens():
    async def scene(two, client):
        async with client.stream("GET", "/feed") as feed:
            first = await anext(feed.aiter_raw())
        await two.echo.left.wait()
        return first

    assert play(scene) == b"data: 1\n\n"


def test_a_feed_ends_when_another_leads_so_that_browsers_ask_anew():
    async def scene(two, client):
        async with client.stream("GET", "/feed") as feed:
            pieces = feed.aiter_raw()
            await anext(pieces)
            two.leader = Leader(3, "three", two.address, 5, 0, 0.0)
            two.standby.turned()
            return [piece async for piece in pieces]

    assert play(scene) == []


def test_who_waits_for_a_leader_that_leads_no_more_is_told_so():
    async def scene(two, client):
        asked = asyncio.Event()

        async def hangs(scope, receive, send):
            asked.set()
            await asyncio.Event().wait()

        two.served[0].show(hangs)
        answer = asyncio.create_task(client.get("/api/v1/now"))
        await asked.wait()
        two.leader = None
        two.standby.turned()
        return await answer

    answer = play(scene)
    assert answer.status_code == 503
    assert "another node leads now" in answer.json()["error"]["problem"]


@pytest.mark.parametrize("path", ["/", "/api/v1/now"])
def test_where_nobody_leads_that_is_said_and_that_callers_are_answered(path):
    async def scene(two, client):
        two.leader = None
        return await client.get(path)

    answer = play(scene)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    if path == "/":
        assert "Callers are answered all the same" in answer.text
    else:
        assert "no node of the cluster leads" in json.loads(answer.text)["error"]["problem"]


def test_a_leader_that_can_not_be_reached_is_named():
    async def scene(two, client):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        two.leader = Leader(1, "one", f"http://127.0.0.1:{port}", 4, 0, 0.0)
        gone = await client.get("/api/v1/now")
        two.leader = Leader(1, "one", "", 4, 0, 0.0)
        nowhere = await client.get("/api/v1/now")
        return [each.json()["error"] for each in (gone, nowhere)]

    gone, nowhere = play(scene)
    assert "one leads, and its console does not answer" in gone["problem"]
    assert "cluster.address" in nowhere["hint"]


def test_no_request_is_passed_on_twice():
    async def scene(two, client):
        host = two.url.removeprefix("http://").encode()
        said = Forwarded("10.0.0.1", 3, NOW).header(KEY, Asked("GET", b"/", host))
        answer = await client.get("/", headers={HEADER.decode(): said.decode()})
        return answer.status_code, two.echo.seen

    assert play(scene) == (503, [])


def test_the_leader_refuses_what_no_node_forwarded():
    async def scene(two, _client):
        async with httpx2.AsyncClient(trust_env=False) as stranger:
            forged = f"1 {NOW} 2 10.0.0.1 {'0' * 64}"
            answer = await stranger.get(two.address, headers={HEADER.decode(): forged})
            straight = await stranger.get(two.address)
            return answer, straight, two.echo.seen[0][0]

    answer, straight, scope = play(scene)
    assert answer.status_code == 403
    assert "proof" in answer.text
    assert straight.status_code == 207
    assert FORWARDED_BY not in scope


def test_its_own_health_is_told_here_in_short_to_those_who_are_not_known():
    async def scene(two, client):
        well = (await client.get("/healthz")).json()
        two.complaints = ("a rules file is refused",)
        return well, (await client.get("/healthz")).json()

    assert play(scene) == ({"status": "ok"}, {"status": "degraded"})


def test_its_health_says_what_is_wrong_here_and_with_who_leads():
    async def scene(two, client):
        well = await two.standby.health()
        two.complaints = ("a rules file is refused",)
        unwell = await two.standby.health()
        two.leader = None
        return well, unwell, await two.standby.health(), two.echo.seen

    well, unwell, alone, asked = play(scene)
    assert well == {
        "status": "ok",
        "problems": [],
        "fold_lag": None,
        "version": release(),
        "node": {"name": "two", "leads": False},
    }
    assert unwell["status"] == "degraded"
    assert unwell["problems"] == ["a rules file is refused"]
    assert "a rules file is refused" in alone["problems"]
    assert "no node of the cluster leads just now" in alone["problems"][1]
    assert asked == []  # who leads says that it does, and no more


def test_its_health_names_a_leader_that_does_not_answer_or_does_not_lead():
    """Nor do two that take each other for the leader ask one another for ever."""

    async def scene(two, client):
        two.served[0].show(two.standby)  # it stands by
        stands = await two.standby.health()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        two.leader = Leader(1, "one", f"http://127.0.0.1:{port}", 4, 0, 0.0)
        return stands, await two.standby.health()

    stands, gone = play(scene)
    assert stands["problems"] == [
        "one leads, and its console does not answer this node (status 503)"
    ]
    assert gone["problems"] == [
        "one leads, and its console does not answer this node (ConnectError)"
    ]


@pytest.mark.parametrize("path", ["/", "/nodes", "/api/v1/nodes", "/healthz", "/static/a.css"])
def test_while_the_database_fails_and_nobody_is_known_to_lead_the_node_answers_by_itself(path):
    async def scene(two, client):
        two.leader, two.away = None, GONE
        answer = await client.get(path)
        return answer.status_code, answer.text, two.echo.seen

    assert play(scene) == (503, f"it is gone at {path}", [])


def test_while_the_database_fails_here_alone_who_leads_still_answers():
    async def scene(two, client):
        two.away = GONE
        return (await client.get("/")).text, (await client.get("/healthz")).text

    assert play(scene) == ("one two", "it is gone at /healthz")


def test_who_was_passed_on_hears_nothing_of_another_node_by_itself():
    async def scene(two, client):
        two.leader, two.away = None, GONE
        said = Forwarded("10.0.0.1", 3, NOW).header(KEY, Asked("GET", b"/", b"x"))
        headers = {HEADER.decode(): said.decode()}
        return [(await client.get(path, headers=headers)).text for path in ("/", "/healthz")]

    for text in play(scene):
        assert "no node of the cluster leads just now" in text
        assert "gone" not in text


def test_what_is_being_answered_is_waited_for_but_not_for_ever():
    async def scene(two, client):
        await two.forwarded.drained(PATIENCE_S)
        async with client.stream("GET", "/feed") as feed:
            pieces = feed.aiter_raw()
            await anext(pieces)
            await two.forwarded.drained(0.01)
            open_then = two.echo.left.is_set()
        await two.forwarded.drained(PATIENCE_S)
        return open_then, two.echo.left.is_set()

    assert play(scene) == (False, True)
