"""What a node's console says while nobody can be looked up: to anybody, and to its own machine."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_client import Client
from switchhook.access.roles import AccessSettings
from switchhook.cluster.own_state import OwnFigures, OwnState
from switchhook.errors import ClusterError, LedgerError
from switchhook.server.own_page import OwnPage
from switchhook.web.render import Renderer
from switchhook.web.sign_in.request_origin import FORWARDED_BY

T = 1_795_000_000_000
GONE = ClusterError("postgresql://asha@db1/x", "connection to db1 failed", "see that it runs")
HERE, PROXY = ("127.0.0.1", 50_000), ("10.0.0.9", 50_000)
RENDERER = Renderer(clustered=True)
OF_ITS_OWN = ("1,234", "12 MB", "the rules file is refused")


class Look:
    """In the place of the look at the disk: it notes whether that was wanted."""

    def __init__(self):
        self.whole = []

    def state(self, error, *, whole=True):
        self.whole.append(whole)
        figures = OwnFigures(answers=True)
        if whole:
            figures = OwnFigures(answers=True, journal_bytes=12_000_000, waiting=1_234, one_copy=5)
        return OwnState(
            name="mumbai-1",
            problem="this node can't reach its server",
            hint=error.hint,
            now_ms=T,
            since_ms=T - 300_000,
            figures=figures,
        )


class Page:
    """The page, asked by whom a test says."""

    def __init__(self, **changed):
        self.look = Look()
        access = AccessSettings(url="https://switchhook.example.com")
        look: Any = self.look
        self.page = OwnPage(
            look, lambda: RENDERER, lambda: access, lambda: ["the rules file is refused"]
        )
        self.changed = changed

    async def __call__(self, scope, receive, send):
        await self.page.answer(GONE, {**scope, **self.changed}, receive, send)

    def ask(self, path, base="http://127.0.0.1:8081", client=HERE, **headers):
        with Client(self, base, client=client) as asked:
            return asked.get(path, headers=headers)


def strangers():
    """Everybody but a program on the machine itself."""
    return [
        pytest.param({}, {"client": PROXY}, {}, id="from elsewhere"),
        pytest.param({}, {"base": "https://switchhook.example.com"}, {}, id="by its public name"),
        pytest.param({}, {}, {"X-Forwarded-For": "192.0.2.1"}, id="through a proxy"),
        pytest.param({FORWARDED_BY: 3}, {}, {}, id="by way of another node"),
        pytest.param({"http_version": "1.0"}, {}, {}, id="in HTTP/1.0"),
    ]


@pytest.mark.parametrize("path", ["/", "/nodes", "/login", "/streams?q=1"])
def test_its_own_machine_is_told_all_of_it(path):
    page = Page()
    answer = page.ask(path)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    for said in (
        "The database that the nodes share is away",
        "This node can&#39;t reach its server",
        "for 5 min",
        "Nothing: each node answers by itself",
        "Nothing: receipts wait on the disk",
        "See that it runs.",
        "mumbai-1",
        "1,234",
        "12.0 MB",
    ):
        assert said in answer.text
    assert "open its files" not in answer.text
    assert "db1" not in answer.text


@pytest.mark.parametrize(("scope", "how", "headers"), strangers())
def test_anybody_else_hears_what_is_wrong_and_no_figure_of_the_node(scope, how, headers):
    page = Page(**scope)
    for path in ("/nodes", "/api/v1/nodes", "/healthz"):
        answer = page.ask(path, **how, **headers)
        assert "away" in answer.text
        assert "this node can" in answer.text.lower()
        for each in (*OF_ITS_OWN, "db1", "asha"):
            assert each not in answer.text
    assert page.look.whole == [False] * 3


def test_the_api_names_cause_and_hint():
    answer = Page().ask("/api/v1/streams")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
    said = answer.json()
    assert said["error"] == {
        "parameter": None,
        "problem": "the cluster's database is away for 5 min: this node can't reach its server;"
        " callers notice nothing, and no receipt is lost",
        "hint": "See that it runs. On a node `switchhook cluster doctor` says more.",
    }
    assert (said["node"]["behind"], said["node"]["one_copy"]) == (1_234, 5)
    assert "node" not in Page().ask("/api/v1/streams", client=PROXY).json()


def test_healthz_says_it_with_what_else_is_wrong_here():
    answer = Page().ask("/healthz")
    said = answer.json()
    assert (answer.status_code, said["status"], said["fold_lag"]) == (200, "degraded", None)
    assert said["problems"][0].startswith("the cluster's database is away for 5 min")
    assert said["problems"][1:] == ["the rules file is refused"]
    assert said["node"]["answers"] is True
    stranger = Page().ask("/healthz", client=PROXY).json()
    assert stranger == {
        "status": "degraded",
        "problems": said["problems"][:1],
        "fold_lag": None,
    }


def test_a_name_that_was_led_here_learns_nothing():
    """A browser that was led to this address by another's name is refused, as ever."""
    for path in ("/nodes", "/api/v1/nodes", "/healthz"):
        answer = Page().ask(path, base="http://evil.example.com")
        assert answer.status_code == 403
        assert "away" not in answer.text


def test_its_style_needs_nobody_to_be_known():
    page = Page()
    name = RENDERER.assets.address("console.css")
    answer = page.ask(name, client=PROXY)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert page.ask("/static/none.css").status_code == 404


def test_a_ledger_that_fails_is_told_the_same_way():
    async def app(scope, receive, send):
        error = LedgerError("postgresql://asha@db1/x", "connection to db1 failed", "see it")
        await Page().page.answer(error, scope, receive, send)

    with Client(app, "http://127.0.0.1") as asked:
        assert "db1" not in asked.get("/").text
