"""The page Routes: shown harmlessly to all, pressed by operators, and a line on every page."""

from __future__ import annotations

import html
import re

import pytest

from asgi_client import Client
from routes.test_worker import World, kill_all
from switchhook.access.roles import Role, Viewer
from switchhook.routes.page import RoutesPage
from switchhook.routes.view import hands_view
from switchhook.rules.bot_pool import MemberState
from switchhook.web.app import create_app
from switchhook.web.render import Renderer

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
MOVE = {"act": "move", "pool": "sales", "to": "backup", "reason": "A fails", "for": "2h"}


class Here(World):
    def __init__(self, folder):
        super().__init__(folder)
        self.viewer = Viewer("asha", Role.OPERATOR)
        self.worker.look()

    @property
    def client(self):
        renderer = Renderer(hands=lambda: hands_view(self.worker.held))
        inner = create_app([RoutesPage(renderer, self.worker)])

        async def app(scope, receive, send):
            scope["viewer"], scope["csrf"] = self.viewer, "proof"
            await inner(scope, receive, send)

        return Client(app, base_url="http://127.0.0.1", follow_redirects=False)

    @property
    def text(self):
        found = self.client.get("/routes")
        assert found.status_code == 200
        return found.text

    @property
    def words(self):
        """What one reads."""
        return words_of(self.text)

    def press(self, path, **form):
        return self.client.post(f"/routes/{path}", data=form)


def words_of(page):
    return " ".join(html.unescape(re.sub("<[^>]+>", "", page)).split())


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    yield found
    found.ledger.close()


def test_pools_members_and_health_are_shown(here):
    text = here.text
    assert "breaker on" in text
    assert "wss://a.example/stream" in text
    assert "no stream ended in 15 min" in text
    assert "67 %" in text
    assert "By hand:" not in text


def test_a_press_moves_the_calls_and_the_line_stands_with_its_undo(here):
    answer = here.press("set", **MOVE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/routes")
    assert here.facts.hands[0].to == "backup"
    assert here.facts.hands[0].until_ms == here.now + 7_200_000
    text = here.words
    assert "By hand: calls of sales go to backup since" in text
    assert "Its calls go to backup." in text
    assert here.press("undo", id="1").status_code == 303
    text = here.text
    assert "By hand:" not in text
    assert "Set before" in text


@pytest.mark.parametrize(
    ("form", "changed"),
    [
        (
            {"act": "state", "pool": "sales", "member": "vendor-a", "state": "draining"},
            lambda hand: hand.state is MemberState.DRAINING,
        ),
        (
            {"act": "weight", "pool": "sales", "member": "vendor-a", "weight": "7"},
            lambda hand: hand.weight == 7,
        ),
        ({"act": "off", "pool": "sales"}, lambda hand: hand.pool == "sales"),
        ({"act": "safe", "endpoint": "default"}, lambda hand: hand.endpoint == "default"),
    ],
)
def test_each_press_does_what_it_says(here, form, changed):
    here.press("set", **form, reason="night", **{"for": "until undone"})
    assert changed(here.facts.hands[0])
    assert here.facts.hands[0].until_ms is None


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("set", {**MOVE, "reason": " "}, "it has no reason"),
        ("set", {**MOVE, "act": "dance"}, "the form names no act"),
        ("set", {**MOVE, "for": "for ever"}, "it has no such end"),
        ("set", {**MOVE, "to": HOSTILE}, "there is no pool"),
        ("set", {"act": "weight", "member": "vendor-a", "reason": "x"}, "no such weight"),
        ("undo", {"id": "x"}, "it names no setting"),
        ("undo", {"id": "7"}, "nothing is set by hand"),
    ],
)
def test_what_is_refused_is_said_on_the_page(here, path, form, said):
    answer = here.press(path, **form)
    assert answer.status_code == 303
    shown = here.client.get(answer.headers["location"]).text
    assert f"Not done: {said}" in words_of(shown)
    assert "<script>alert" not in shown
    assert here.facts.hands == ()


def test_a_viewer_sees_it_and_has_no_press(here):
    here.press("set", **MOVE)
    here.viewer = Viewer("vik", Role.VIEWER)
    text = here.text
    assert "By hand:" in text
    assert "data-acts" not in text
    assert "/routes/set" not in text
    assert here.press("set", **MOVE).status_code == 403
    assert here.press("undo", id="1").status_code == 403


def test_hostile_reasons_are_shown_harmlessly(here):
    here.press("set", **{**MOVE, "reason": HOSTILE})
    text = here.text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text


def test_members_that_fail_and_a_degraded_pool_are_told(here):
    kill_all(here)
    text = here.text
    assert "Degraded:" in text
    assert "3 of 3 streams failed in 60 s" in text
    assert ">failing<" in text


def test_a_fragment_of_the_feed_has_the_line_without_a_proof(here):
    """It is the same for all; the page puts its own proof in."""
    from zoneinfo import ZoneInfo

    from switchhook.web.render import ViewOptions

    here.press("set", **MOVE)
    renderer = Renderer(hands=lambda: hands_view(here.worker.held))
    text = renderer.fragment("hands.html", {}, ViewOptions(True, ZoneInfo("UTC")))
    assert 'name="csrf" value=""' in text
    assert "calls of sales go to backup" in text


def test_without_pools_the_page_says_how_to_have_one(here):
    here.worker.use([], ["default"], {})
    here.worker.look()
    assert "No bot is a pool." in here.text
