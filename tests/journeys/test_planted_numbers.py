"""What a viewer reads of 242 planted numbers, over every address that the console answers."""

from __future__ import annotations

import html
import json
import re
import socket
from functools import partial
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

import pytest

from journeys.test_users import PASSWORD, Browser, command
from patience import PATIENCE_S
from planted_numbers import (
    CALL_SID,
    SPELLINGS,
    STATUS,
    leaks,
    number_of,
    paths_of,
    plant,
    routes_of,
    write_config,
)
from program import http, request, running, until

SEARCHES = ["", "is:failed", "cause:connect_failed,throttled,unknown"]
ALL_COLUMNS = (
    "time,cause,kind,from,to,bot,option,duration,endpoint,host,flow,status,error,stream,call"
)


@pytest.fixture
def program(tmp_path):
    """For the one who counts what is there."""
    config = write_config(tmp_path)
    with running(tmp_path / "data", "--config", str(config)) as program:
        yield program


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For all others, who have calls and names of their own."""
    folder = tmp_path_factory.mktemp("shared")
    with running(folder / "data", "--config", str(write_config(folder))) as program:
        yield program


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_look_for_numbers_finds_each_spelling(name):
    """Else nothing seen would mean nothing."""
    assert leaks(["9869869123"], f"a {SPELLINGS[name]('9869869123')} b") == ["9869869123"]


def sign_in(program, folder, name, role):
    command(folder, "users", "add", name, "--role", role, typed=f"{PASSWORD}\n")
    browser = Browser(program)
    assert browser.post("/login", "/login", name=name, password=PASSWORD).status == 303
    return browser


def ids_of(api, planted):
    """A value or some for each place in an address."""
    receipts = [each["id"] for each in api("/api/v1/receipts?limit=1000")["receipts"]]
    streams = {each["sid"] for each in api("/api/v1/streams?limit=1000")["streams"]}
    issues = [each["id"] for each in api("/api/v1/issues")["issues"]]
    calls = planted.calls
    return {
        "/static/{name} name": ["console.css"],
        "/calls/{call_sid} call_sid": calls,
        "/calls/{call_sid}/recordings/{number} call_sid": calls[:40],
        "/calls/{call_sid}/recordings/{number} number": ["1"],
        "/calls/{call_sid}/recordings/{number}/sound call_sid": calls[:40],
        "/calls/{call_sid}/recordings/{number}/sound number": ["1"],
        "/causes/{issue} issue": issues,
        "/open/{token} token": ["none"],
        "/welcome/{link} link": ["none"],
        "/on-it/{link} link": ["none"],
        "/api/v1/issues/{id} id": issues,
        "/api/v1/receipts/{id} id": receipts,
        "/api/v1/calls/{call_sid} call_sid": calls,
        "/api/v1/calls/{call_sid}/sources call_sid": calls,
        "/api/v1/streams/{stream_sid} stream_sid": [each for each in streams if each],
        "/api/v1/capacity/{account} account": ["main"],
        "/api/v1/erasures/{id} id": ["1"],
        "/api/v1/flags/{name} name": ["none"],
        "/promises/{id} id": ["1"],
        "/api/v1/promises/{id} id": ["1"],
        "/releases/{number} number": ["1"],
        "/api/v1/releases/{number} number": ["1"],
        "/api/v1/releases/{number}/differences number": ["1"],
        "/api/v1/releases/{number}/backtest number": ["1"],
        "/api/v1/releases/{number}/evidence number": ["1"],
    }


def test_a_viewer_sees_none_of_them(program, tmp_path):
    """On every page, in every answer of the API, in every export and feed; an operator could."""
    planted = plant(program)
    admin = sign_in(program, tmp_path, "asha", "administrator")
    viewer = sign_in(program, tmp_path, "vik", "viewer")

    def api(path):
        reply = viewer.get(path, Accept="application/json")
        assert reply.status == 200, (path, reply.body)
        return json.loads(reply.body)

    until(lambda: len(api("/api/v1/receipts?limit=1000")["receipts"]) >= 200, "the fold")
    issue = api("/api/v1/issues")["issues"][0]["id"]
    note = SPELLINGS["brackets"](next(iter(planted.numbers)))
    assert (
        admin.post(f"/causes/{issue}", f"/causes/{issue}", act="acknowledge", note=note).status
        == 303
    )
    admin.post(
        "/alerts", "/alerts/silence", rule="", label="", value="x", **{"for": "1h"}, reason=note
    )
    admin.post("/streams", "/views", name=note, state="q=is%3Afailed", shared="1")

    promise_some(admin, planted)
    paths = paths_of(routes_of(tmp_path), ids_of(api, planted))
    paths |= {f"/streams?cols={ALL_COLUMNS}&q={quote(each)}" for each in SEARCHES}
    paths |= {"/api/v1/receipts?limit=1000", "/api/v1/streams?limit=1000", "/api/v1/forms?since=1d"}
    feeds = {each for each in paths if each.startswith(("/feed", "/api/v1/feed"))}
    seen: dict[str, list[str]] = {}
    answered = 0
    for path in sorted(paths - feeds):
        reply = viewer.get(path)
        assert reply.status < 500, (path, reply)
        answered += reply.status == 200
        dead = [each for each in links_of(reply.body) if "\N{BULLET}" in unquote(each)]
        assert not dead, path
        said = reply.body.decode(errors="replace") + str(reply.headers)
        if found := leaks(planted.numbers, said):
            seen[path] = [f"{each} ({planted.numbers[each]})" for each in found]
    assert not seen
    assert answered > 500
    for path in ("/feed", "/feed?page=now", "/api/v1/feed"):
        assert leaks(planted.numbers, feed(viewer, path, program)) == [], path
    assert leaks(planted.numbers, program.said) == []
    # They are there to be seen.
    assert admin.post("/settings", "/reveal", next="/").status == 303
    whole = admin.get("/api/v1/receipts?limit=1000", Accept="application/json").body.decode()
    assert len(leaks(planted.numbers, whole)) > 150
    for form in ("csv", "ndjson", "parquet"):
        assert viewer.get(f"/api/v1/streams/export?format={form}&columns=all").status == 403


def promise_some(admin, planted):
    """Callbacks by hand, in reasons too, and numbers that are not called."""
    spelt_so = [SPELLINGS[name] for name in ("plain", "plus", "sip", "blank", "dot", "brackets")]
    for at, (number, spelt) in enumerate(zip(planted.numbers, spelt_so, strict=False), 1):
        said = {"account": "calling", "number": number, "reason": spelt(number)[:100]}
        reply = admin.post("/promises", "/promises/make", **said)
        assert f"number+{at}" in reply.headers["location"], reply.headers
    asked = {"number": number, "reason": f"asked by {number}"}
    reply = admin.post("/promises", "/promises/do-not-call", **asked)
    assert "not+called" in reply.headers["location"]


ODD_SIDS = {
    "plain": "9869869003",
    "inside": "call-98698-69003",
    "chance": "809569241354afe7603373513791acf5",  # as one in thousands
}


def links_of(page):
    return {
        html.unescape(each) for each in re.findall(r'(?:href|action)="(/[^"]*)"', page.decode())
    }


def is_there(browser: Browser, path: str) -> bool:
    return browser.get(path).status == 200


def test_every_link_that_a_viewer_is_given_leads_somewhere(shared):
    """To a call's page too whose SID is masked, by the id of a receipt."""
    for name, sid in ODD_SIDS.items():
        host = quote(f"wss://{sid}.bot.example/ws")
        shared.ask(
            f"CallSid={quote(sid)}&CustomField=odd-{name}&Stream[StreamSID]=s{sid}"
            f"&Stream[Status]=failed&Stream[Error]=3009+refused&Stream[StreamUrl]={host}"
        )
    viewer = sign_in(shared, shared.data.parent, "vela", "viewer")
    operator = sign_in(shared, shared.data.parent, "oona", "operator")
    for sid in ODD_SIDS.values():
        until(partial(is_there, operator, f"/calls/{sid}"), "the fold")
    todo = {"/", f"/streams?cols={ALL_COLUMNS}", "/causes", "/endpoints", "/capacity", "/alerts"}
    read = {}
    while todo - read.keys():
        path = min(todo - read.keys())
        read[path] = reply = viewer.get(path)
        assert reply.status == 200, path
        found = links_of(reply.body)
        assert not [each for each in found if "\N{BULLET}" in unquote(each)], path
        # Each page links to itself in other zones and columns: once is enough.
        odd = ["/reveal", "/logout", "/static/", "/settings", "/views", "tz=", "cols=", "before="]
        # A search leads to others without end: those that other pages lead to are looked at.
        odd += ["q="] if "q=" in path else []
        todo |= {each for each in found if not any(word in each for word in odd)}
    calls = {path: each.body.decode() for path, each in read.items() if "/calls/" in path}
    for name, sid in ODD_SIDS.items():
        (path,) = [path for path, text in calls.items() if f"odd-{name}" in text]
        assert leaks(["9869869003"], calls[path]) == []
        receipt = path.removeprefix("/calls/")
        for address in (f"calls/{receipt}", f"calls/{receipt}/sources", f"streams/{receipt}"):
            reply = viewer.get(f"/api/v1/{address}", Accept="application/json")
            assert reply.status == 200, address
            assert leaks(["9869869003"], reply.body.decode()) == []
        page = operator.get(path).body.decode()
        (reveal,) = re.findall(r'action="(/calls/[^"]*/reveal)"', page)
        shown = operator.post(path, reveal)
        assert shown.status == 303
        assert sid in operator.get(shown.headers["location"]).body.decode()
    rows = feed(viewer, "/api/v1/feed", shared)
    assert re.search('"seq":[0-9]+,"id":"01[0-9a-z]{24}"', rows)


FIGURES = (
    "Stream[Duration]", "DialCallDuration", "Legs[0][OnCallDuration]", "Created", "StartTime",
    "EndTime", "CurrentTime", "Stream[Error]", "flow_id",
)  # fmt: skip
"""Parameters that are read as a number or a time."""


def test_no_number_becomes_a_figure(program, tmp_path):
    """Figures are shown as they are: what may be a telephone number is none, and masked as text."""
    numbers, calls = {}, []
    for at, name in enumerate((*FIGURES, "Legs[NUMBER][Number]", "ConversationDuration")):
        number, call = number_of(at), CALL_SID.format(number=at)
        pair = (
            f"{quote(name)}={number}" if "NUMBER" not in name else f"Legs[{number[:9]}][Number]=x"
        )
        sid = f"Stream[StreamSID]={call[::-1]}&Stream[Status]=failed"
        program.ask(f"CallSid={call}&{sid}&{pair}")
        if name == "ConversationDuration":
            body = f"CallSid={call}&Status=completed&{pair}".encode()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            target = f"/status/main/{STATUS}".encode()
            address = program.address("answer")
            assert http(address, target, method="POST", headers=kind, body=body).status == 200
        numbers[number] = name
        calls.append(call)
    viewer = sign_in(program, tmp_path, "vik", "viewer")
    operator = sign_in(program, tmp_path, "oli", "operator")
    until(lambda: viewer.get(f"/api/v1/calls/{calls[-1]}").status == 200, "the fold")
    paths = [f"/streams?cols={ALL_COLUMNS}", "/api/v1/receipts?limit=100", "/api/v1/streams"]
    for call in calls:
        paths += [f"/calls/{call}", f"/api/v1/calls/{call}", f"/api/v1/calls/{call}/sources"]
        paths.append(f"/api/v1/streams/{call[::-1]}")
    seen = {path: leaks(numbers, viewer.get(path).body.decode()) for path in paths}
    for form in ("csv", "ndjson"):
        path = f"/api/v1/streams/export?format={form}&columns=all"
        asked = Request(program.urls["console"] + path, headers={"Cookie": operator.cookie})
        with urlopen(asked, timeout=PATIENCE_S) as exported:
            whole = exported.read().decode()
        assert calls[0] in whole
        seen[path] = leaks(numbers, whole)
    assert {path: [numbers[each] for each in found] for path, found in seen.items() if found} == {}


def feed(browser, path, program):
    """What a feed says until a receipt that comes now is in it, or the figures are."""
    with socket.create_connection(browser.address, timeout=PATIENCE_S) as sock:
        host = f"{browser.address[0]}:{browser.address[1]}"
        sock.sendall(request(path.encode(), host, headers={"Cookie": browser.cookie}))
        said = b""
        while b"event: " not in said:
            said += sock.recv(65536)
        program.ask("CallSid=last&CallFrom=09869869001&Stream[Status]=failed")
        wanted = b"receipts\n" if "api" in path else b"tail" if "now" in path else b"verdict"
        while wanted not in said:
            said += sock.recv(65536)
        return said.decode(errors="replace")


QUESTIONS = [
    "/api/v1/streams?q=from:98698",
    "/api/v1/streams?q=error:cust98",
    "/api/v1/streams?q=flow:98",
    "/api/v1/streams?q=host:*98698*",
    "/api/v1/streams?q=name:t98",
    "/api/v1/streams?q=status:cust9869869003",
    "/api/v1/streams?status=cust9869869003",
    "/api/v1/receipts?call_sid=9869869003",
    "/api/v1/receipts?endpoint=9869869003",
    "/api/v1/calls/9869869003",
    "/api/v1/streams/9869869003",
    "/calls/9869869003",
    "/causes?bot=9869869003",
]


def test_a_viewer_asks_for_none_of_them(shared):
    """An answer of yes or no would tell digit by digit; who may reveal may ask, and it is noted."""
    shared.ask("CallSid=9869869003&CallFrom=09869869003&Stream[Status]=cust9869869003")
    viewer = sign_in(shared, shared.data.parent, "vera", "viewer")
    operator = sign_in(shared, shared.data.parent, "olga", "operator")
    for question in QUESTIONS:
        reply = viewer.get(question, Accept="application/json")
        assert reply.status in (400, 403), question
        assert b"your role may not look for numbers" in reply.body, question
        assert operator.get(question, Accept="application/json").status in (200, 404), question
    page = viewer.get("/streams?q=error:cust98+from:98698").body
    assert b"your role may not look for numbers" in page
    assert b"/export" not in page


def test_a_search_that_would_backtrack_takes_no_time(shared):
    """The console answers others meanwhile, as matching goes through a text once."""
    error = quote("a" * 4_000)
    for at in range(40):
        shared.ask(f"CallSid=hard{at}&Stream[Status]=failed&Stream[Error]={error}")
    operator = sign_in(shared, shared.data.parent, "otto", "operator")
    hard = "error:" + "a*" * 120 + "zz"
    reply = operator.get(f"/api/v1/streams?q={quote(hard)}", Accept="application/json")
    assert (reply.status, json.loads(reply.body)["streams"]) == (200, [])


def test_a_demoted_operator_keeps_nothing(shared):
    """What was revealed is masked at once, and the live feed ends."""
    shared.ask("CallSid=demoted&CallFrom=09869869003")
    operator = sign_in(shared, shared.data.parent, "odin", "operator")
    assert operator.post("/settings", "/reveal", next="/").status == 303
    assert b"9869869003" in operator.get("/api/v1/calls/demoted").body
    with socket.create_connection(operator.address, timeout=PATIENCE_S) as sock:
        host = f"{operator.address[0]}:{operator.address[1]}"
        sock.sendall(request(b"/feed", host, headers={"Cookie": operator.cookie}))
        assert b"200 OK" in sock.recv(65536)
        command(shared.data.parent, "users", "role", "odin", "viewer")
        assert b"9869869003" not in operator.get("/api/v1/calls/demoted").body
        heard = b""
        while not heard.endswith(b"0\r\n\r\n"):
            heard += sock.recv(65536)
    command(shared.data.parent, "users", "role", "odin", "operator")
    assert b"9869869003" not in operator.get("/api/v1/calls/demoted").body


def test_one_user_does_not_take_every_live_feed(shared):
    """Twenty are enough for one; the next is told so, and others find room."""
    viewer = sign_in(shared, shared.data.parent, "vito", "viewer")
    other = sign_in(shared, shared.data.parent, "vala", "viewer")
    open_ = []
    try:
        statuses = []
        for _ in range(22):
            sock = socket.create_connection(viewer.address, timeout=PATIENCE_S)
            open_.append(sock)
            host = f"{viewer.address[0]}:{viewer.address[1]}"
            sock.sendall(request(b"/feed", host, headers={"Cookie": viewer.cookie}))
            statuses.append(int(sock.recv(4096).split()[1]))
        assert statuses == [200] * 20 + [429] * 2
        with socket.create_connection(other.address, timeout=PATIENCE_S) as sock:
            sock.sendall(request(b"/feed", host, headers={"Cookie": other.cookie}))
            assert sock.recv(4096).split()[1] == b"200"
    finally:
        for sock in open_:
            sock.close()


def test_a_reveal_says_what_it_revealed(shared):
    """Which call, and its numbers, masked: no erasure reaches the audit log."""
    shared.ask("CallSid=told&CallFrom=09869869003&CallTo=08047112233")
    admin = sign_in(shared, shared.data.parent, "anna", "administrator")
    until(lambda: admin.get("/api/v1/calls/told").status == 200, "the call")
    assert admin.post("/settings", "/calls/told/reveal", next="/").status == 303
    said = admin.get("/api/v1/audit?limit=1000").body.decode()
    (entry,) = [each for each in json.loads(said)["entries"] if each["subject"] == "told"]
    assert entry["what"] == "revealed a call's numbers"
    numbers = {"from": "+91••••••••03", "to": "+91••••••••33", "minutes": "15"}
    assert json.loads(entry["details"]) == numbers
    assert leaks(["9869869003", "8047112233"], said) == []


def test_tokens_end_with_a_new_password(shared):
    """Who knew the old one may have made them."""
    admin = sign_in(shared, shared.data.parent, "arun", "administrator")
    page = admin.post("/settings", "/settings/own/tokens", name="t", scope="read", days="9").body
    token = re.search(rb'said-once mono">([^<]+)<', page)[1].decode()

    def ask():
        headers = {"Authorization": f"Bearer {token}"}
        return http(shared.address("console"), b"/api/v1/status", headers=headers).status

    assert ask() == 200
    command(shared.data.parent, "users", "password", "arun", typed=f"{PASSWORD} again\n")
    assert ask() == 401
