"""Scenarios of a pool and of admission: a good server passes them, each lazy one fails."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from switchhook import judge, parse_passthru
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.runs.route_setup import Beside, PlayedElsewhere
from switchhook.emulator.runs.route_steps import NOBODY_ASKS
from switchhook.emulator.runs.scenario import perform
from switchhook.emulator.runs.scenarios import SCENARIOS
from switchhook.emulator.runs.scenarios.definition import OPTIONS
from switchhook.exotel.cause import Cause
from switchhook.exotel.wire.active_streams import parse as parse_streams

POOL = ["vendor-dies", "vendor-hangs", "vendor-slow-handshake", "pool-drains"]
RELEASE = ["release-harms", "release-is-well"]
ADMISSION = ["burst-with-admission", "foreign-streams", "lost-passthru"]
HOST = "server.example"
MEMBERS = ("wss://u:p@a.example/media", "wss://b.example/media?lang=hi")
COOL_DOWN_S = 8.0


class Server:
    """A server of a pool of two and an admission; `lazy` names what it does not do."""

    def __init__(self, lazy="", selects="", *, releases=False):
        self.lazy, self.selects, self.releases = lazy, selects, releases
        self.failures, self.out_since = Counter(), {}
        self.drawn = 0
        self.admitted, self.active, self.allowed, self.foreign = {}, 0, 0, 0
        self.ends: list[str] = []

    async def __call__(self, scope, receive, send):
        path, query = scope["path"], scope["query_string"]
        if path == "/voicebot":
            status, body = self.address()
        elif path == "/admit":
            status, body = (200 if self.admits(parse_passthru(query).call_sid) else 302), {}
        else:
            status, body = self.told(parse_passthru(query)), {}
            if self.selects and status == 302:
                status, body = 200, {"select": self.selects}
        data = json.dumps(body).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": data})

    def address(self):
        now = asyncio.get_running_loop().time()
        if self.lazy == "crashes" and self.failures:
            return 500, {}
        if self.releases:
            return 200, {"url": self.released()}
        well = [
            url
            for url in MEMBERS
            if host(url) not in self.out_since or now - self.out_since[host(url)] > COOL_DOWN_S
        ]
        if self.lazy == "one bot":
            well = [MEMBERS[0]]
        elif self.lazy == "never back":
            well = [url for url in MEMBERS if host(url) not in self.out_since]
        elif self.lazy == "no breaker":
            well = list(MEMBERS)
        self.drawn += 1
        return 200, {"url": (well or MEMBERS)[self.drawn % len(well or MEMBERS)]}

    def released(self):
        """One of ten callers gets the second bot; all of them later, or none once it failed."""
        self.drawn += 1
        share = 10 if self.drawn > 150 and self.lazy != "never goes on" else 1
        if self.failures[host(MEMBERS[1])] >= 3 and self.lazy != "takes nothing back":
            share = 0
        return MEMBERS[self.drawn % 10 < share and self.lazy != "one bot"]

    def told(self, passthru):
        cause = judge(passthru).cause
        url = (passthru.stream and passthru.stream.url) or ""
        if cause in (Cause.CONNECT_FAILED, Cause.BOT_DROPPED) and url:
            self.failures[host(url)] += 1
            if self.failures[host(url)] >= 3:
                self.out_since[host(url)] = asyncio.get_running_loop().time()
        elif url:
            self.failures.pop(host(url), None)
            self.out_since.pop(host(url), None)
        self.admitted.pop(passthru.call_sid, None)
        if self.lazy == "always 200":
            return 200
        return 302 if OPTIONS[cause] == "B" else 200

    def admits(self, call_sid):
        if self.lazy == "admits all":
            return True
        if self.lazy == "admits none":
            return False
        now = asyncio.get_running_loop().time()
        foreign = self.foreign
        ours = len(self.admitted)
        if self.lazy == "knows no others":
            foreign = 0
        if self.lazy != "forgets no call" and self.active == 0:
            # The line is empty: whoever is older than the figure has left.
            self.admitted = {sid: at for sid, at in self.admitted.items() if now - at < 5}
            ours = len(self.admitted)
        if ours + foreign >= self.allowed:
            return False
        self.admitted[call_sid] = now
        return True

    @asynccontextmanager
    async def polling(self, beside):
        """Ask ActiveStreams once a second."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        web = Web(AddressAllowList(()), outside=loop.outside)
        at, port = beside.listen
        url = f"http://{at}:{port}/v1/Accounts/{beside.account}/ActiveStreams"
        word = base64.b64encode(f"{beside.key}:{beside.token}".encode()).decode()

        async def poll():
            while True:
                await asyncio.sleep(1)
                ours = len(self.admitted)
                try:
                    headers = [("Authorization", f"Basic {word}")]
                    reply = await web.send("GET", url, headers=headers, limit_s=5)
                except Exception:  # noqa: BLE001  not there yet, or no longer
                    continue
                read = parse_streams(reply.body)
                self.active, self.allowed = read.active, read.allowed
                self.foreign = max(0, read.active - ours)

        task = asyncio.create_task(poll())
        try:
            yield
        finally:
            task.cancel()
            await web.close()


def host(url):
    return url.rpartition("@")[2].removeprefix("wss://").partition("/")[0]


def play(name, lazy="", *, polls=True, selects="", select=None):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    beside = Beside(
        voicebot=f"https://{HOST}/voicebot" if name in [*POOL, *RELEASE] else "",
        admit=f"https://{HOST}/admit",
        listen=("127.0.0.1", port) if name in ADMISSION else None,
        account="acme",
        key="k",
        token="t",
    )
    server = Server(lazy, selects, releases=name in RELEASE)

    async def main():
        perform_it = perform(
            SCENARIOS[name],
            f"https://{HOST}/passthru",
            peers={HOST: server},
            beside=beside,
            seed=3,
            keep_media=False,
            select=select,
        )
        if name not in ADMISSION or not polls:
            return await perform_it
        async with server.polling(beside):
            return await perform_it

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("name", [*POOL, *ADMISSION])
def test_a_good_server_passes(name):
    assert play(name).failures == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lazy", "says"),
    [
        ("vendor-dies", "no breaker", "calls went to "),
        ("vendor-dies", "never back", "is back, and got no call"),
        ("vendor-dies", "one bot", "fewer than two bots (a.example:443/media)"),
        ("vendor-dies", "always 200", "B was due"),
        ("vendor-hangs", "no breaker", "calls went to "),
        ("vendor-slow-handshake", "no breaker", "calls went to "),
        ("pool-drains", "always 200", "callers met no bot and no person"),
        ("pool-drains", "crashes", "a dynamic URL was answered 500"),
        ("burst-with-admission", "admits all", "were let in, and met a full line"),
        ("burst-with-admission", "admits none", "got a stream where 7 could have"),
        ("foreign-streams", "knows no others", "were let in, and met a full line"),
        ("lost-passthru", "forgets no call", "the places of lost passthrus are still held"),
    ],
)
def test_a_lazy_one_fails_and_is_told_why(name, lazy, says):
    failures = play(name, lazy).failures
    assert any(says in text for text in failures), failures


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lazy", "says"),
    [
        ("release-harms", "", ""),
        ("release-harms", "takes nothing back", "the release was not taken back"),
        ("release-harms", "one bot", "put a release under way"),
        ("release-is-well", "", ""),
        ("release-is-well", "never goes on", "get it where 4 did: the release does not go on"),
    ],
)
def test_a_release_is_taken_back_where_it_harms_and_goes_on_where_not(
    name, lazy, says, monkeypatch
):
    for what, calls in (("MEETING", 30), ("MOST", 200), ("WINDOW", 40)):
        monkeypatch.setattr(f"switchhook.emulator.runs.release_steps.{what}", calls)
    failures = play(name, lazy).failures
    assert any(says in text for text in failures) if says else not failures, failures


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vendor-dies", "pool-drains"])
@pytest.mark.parametrize("selects, select", [("people", None), ("agents", "agents")])
def test_a_keyword_leads_to_people_as_option_b_does(name, selects, select):
    assert play(name, selects=selects, select=select).failures == []


@pytest.mark.slow
def test_another_keyword_leads_nobody_to_people():
    failures = play("pool-drains", selects="goodbye").failures
    assert failures[0] == "20 of 20 callers met no bot and no person"
    assert any("with the keyword 'goodbye' after connect_failed" in text for text in failures)


def test_a_server_that_asks_no_figure_is_told_so():
    assert play("burst-with-admission", polls=False).failures == [NOBODY_ASKS]


class _NoNames(VirtualLoop):
    """A machine whose name server knows nobody, and says so at once."""

    async def getaddrinfo(self, host, port, **more):
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is nobody's name")


def test_a_server_elsewhere_is_asked_itself_where_it_is_allowed():
    """Only bots are played in the place of others, and no server under test."""
    url = "https://server.elsewhere.example"
    beside = Beside(voicebot=f"{url}/voicebot")

    async def main():
        return await perform(SCENARIOS["vendor-dies"], f"{url}/passthru", beside=beside)

    with asyncio.Runner(loop_factory=_NoNames) as runner:
        (problem,) = runner.run(main()).failures
    assert "gave no answer" in problem
    assert "server.elsewhere.example" in problem


def test_no_bot_elsewhere_is_dialled_and_those_of_this_machine_are():
    peers = PlayedElsewhere({"known.example": Server()})
    assert isinstance(peers.get("known.example"), Server)
    assert peers.get("anybodys.example") is not None
    assert peers.get("127.0.0.1:9101") is None
    assert peers.get("localhost:9101") is None
