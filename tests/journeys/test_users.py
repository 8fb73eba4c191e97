"""The way in, on the real program: the first link, signing in, a command beside it."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import socket
from urllib.parse import urlencode

import pytest

import program as programs
from patience import PATIENCE_S
from program import Program, Reply, http, running, until

PASSWORD = "seven green parrots"
CONFIG = 'data = "data"\n[console]\nusers = true\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "switchhook.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def program(folder):
    """For who is the first."""
    config = str(folder / "switchhook.toml")
    with running(folder / "data", "--config", config) as program:
        yield program


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For all others, who have names of their own."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "switchhook.toml").write_text(CONFIG)
    with running(folder / "data", "--config", str(folder / "switchhook.toml")) as program:
        yield program


class Browser:
    """Cookies and forms, as far as these pages need them."""

    def __init__(self, program: Program) -> None:
        self.address, self.cookie = program.address("console"), ""

    def get(self, path: str, **headers: str) -> Reply:
        return self._ask("GET", path, headers)

    def post(self, page: str, path: str, **form: object) -> Reply:
        token = re.search(rb'name="csrf" value="([^"]+)"', self.get(page).body)[1].decode()
        body = urlencode({"csrf": token, **form}).encode()
        headers = {
            "Origin": f"http://{self.address[0]}:{self.address[1]}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self._ask("POST", path, headers, body)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Reply:
        sent = {"Accept": "text/html", "Cookie": self.cookie, **headers}
        reply = http(self.address, path.encode(), method=method, headers=sent, body=body)
        if said := reply.headers.get("set-cookie"):
            self.cookie = said.partition(";")[0]
        return reply


def command(folder, *words, typed=""):
    """What a command of ours says beside the running program."""
    return programs.command(*words, "--data", str(folder / "data"), typed=typed).out.strip()


def test_the_first_administrator_and_what_follows(program, folder):
    """From the link that the start prints to the last look of somebody who was disabled."""
    browser = Browser(program)
    assert browser.get("/").headers["location"] == "/login?next=/"
    until(lambda: "nobody has an account yet: `switchhook link" in program.said, "the way in")
    assert "/welcome/" not in program.said  # a service's log is read by others
    other = command(folder, "users", "link")
    assert other.startswith(f"{program.urls['console']}/welcome/")  # which the next one voids
    welcome = command(folder, "link").removeprefix(f"console {program.urls['console']}").split()[0]
    reply = browser.post(welcome, welcome, name="asha", password=PASSWORD, again=PASSWORD)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    for path in ("/", "/streams", "/settings", "/audit"):
        page = browser.get(path)
        assert page.status == 200, path
        assert b"Open." not in page.body

    command(folder, "users", "add", "ravi", "--role", "operator", typed=f"{PASSWORD}\n")
    ravi = Browser(program)
    assert ravi.post("/login", "/login", name="ravi", password=PASSWORD).status == 303
    assert ravi.get("/").status == 200
    assert ravi.get("/audit").status == 403
    command(folder, "users", "disable", "ravi")
    assert ravi.get("/").status == 303

    token = command(folder, "tokens", "make", "monitor")
    reply = http(
        program.address("console"),
        b"/api/v1/status",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert reply.status == 200
    assert json.loads(reply.body)["version"]
    assert http(program.address("console"), b"/api/v1/status").status == 401
    assert http(program.address("console"), b"/metrics").status == 401
    assert json.loads(http(program.address("console"), b"/healthz").body).keys() == {"status"}

    lines = browser.get("/api/v1/audit?limit=1000").body
    assert token.encode() not in lines
    assert PASSWORD.encode() not in lines
    assert b"chain holds" in browser.get("/audit").body


def test_numbers_are_masked_until_revealed(shared):
    """In the API too, raw requests included; an operator's reveal is of one call, and noted."""
    program, folder = shared, shared.data.parent
    for call in ("c1", "c2"):
        program.ask(f"CallSid={call}&From=%2B917799{call[1]}46318&CallTo=08047{call[1]}12298")
    tokens = {
        scope: command(folder, "tokens", "make", scope, "--scope", scope)
        for scope in ("read", "operate")
    }

    def ask(scope, path, method="GET"):
        headers = {"Authorization": f"Bearer {tokens[scope]}"}
        reply = http(program.address("console"), path.encode(), method=method, headers=headers)
        assert reply.status == 200, reply.body
        return reply.body.decode()

    def shown(scope):
        said = [ask(scope, "/api/v1/receipts")]
        said += [ask(scope, f"/api/v1/calls/{call}") for call in ("c1", "c2")]
        every = json.loads(said[0])["receipts"]
        said += [ask(scope, f"/api/v1/receipts/{each['id']}") for each in every]
        return {call for call in "12" if any(f"7799{call}46318" in text for text in said)}

    assert shown("read") == shown("operate") == set()
    ask("operate", "/api/v1/calls/c1/reveal", "POST")
    assert shown("operate") == {"1"}
    assert shown("read") == set()


def test_a_restart_keeps_sessions_and_prints_no_link(program, folder):
    """Who is in stays in; the way for the first is closed."""
    until(lambda: "nobody has an account yet" in program.said, "the way in")
    command(folder, "users", "add", "maya", "--role", "operator", typed=f"{PASSWORD}\n")
    browser = Browser(program)
    assert browser.post("/login", "/login", name="maya", password=PASSWORD).status == 303
    assert browser.get("/").status == 200
    before = program.children()["console"]
    os.kill(before, signal.SIGKILL)
    until(lambda: program.children().get("console", before) != before, "a new console")
    assert browser.get("/").status == 200, program.said  # it waits for the new one to answer
    assert program.said.count("nobody has an account yet") == 1


@pytest.mark.parametrize("words", [("role", "anil", "viewer"), ("disable", "devi")])
def test_a_live_feed_ends_with_the_right_to_see_it(shared, words):
    """Also where the change is made by a command beside the console."""
    program, folder, name = shared, shared.data.parent, words[1]
    command(folder, "users", "add", name, "--role", "operator", typed=f"{PASSWORD}\n")
    person = Browser(program)
    assert person.post("/login", "/login", name=name, password=PASSWORD).status == 303
    with socket.create_connection(program.address("console"), timeout=PATIENCE_S) as feed:
        head = f"GET /feed HTTP/1.1\r\nHost: {person.address[0]}:{person.address[1]}\r\n"
        feed.sendall(f"{head}Cookie: {person.cookie}\r\n\r\n".encode())
        heard = b""
        while b"retry: 1500" not in heard:
            heard += feed.recv(4096)
        command(folder, "users", *words)
        while not heard.endswith(b"0\r\n\r\n"):
            more = feed.recv(4096)
            assert more, heard
            heard += more


def test_no_form_of_any_page_works_without_its_token(shared):
    """Every POST that a page offers is refused without the token that the page has in it."""
    program, folder = shared, shared.data.parent
    program.ask(
        "CallSid=c1&Stream[StreamSID]=s1&Stream[Status]=failed&Stream[Error]=3009+refused"
        "&CallFrom=09876543210"
    )
    command(folder, "users", "add", "asha", "--role", "administrator", typed=f"{PASSWORD}\n")
    browser = Browser(program)
    assert browser.post("/login", "/login", name="asha", password=PASSWORD).status == 303
    issue = re.search(rb'href="(/causes/[^"?]+)', browser.get("/causes").body)[1].decode()
    pages = ("/", "/streams", "/calls/c1", "/causes", issue, "/capacity", "/endpoints", "/alerts")
    offered = set()
    for page in (*pages, "/audit", "/settings"):
        text = browser.get(page).body.decode()
        for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL):
            if 'method="post"' in form:
                assert 'name="csrf"' in form, (page, form)
                found = re.search(r'action="([^"]*)"', form)
                offered.add(html.unescape(found[1]) if found else page)
    assert len(offered) >= 5, offered
    for action in offered:
        origin = f"http://{browser.address[0]}:{browser.address[1]}"
        for body in (b"", b"csrf=", b"csrf=" + b"0" * 64):
            headers = {
                "Accept": "text/html",
                "Cookie": browser.cookie,
                "Origin": origin,
                "Content-Type": "application/x-www-form-urlencoded",
            }
            reply = http(
                browser.address, action.encode(), method="POST", headers=headers, body=body
            )
            assert reply.status == 403, action
    assert browser.get("/settings").status == 200
