"""The page Flags: what it shows to whom, and its forms."""

from __future__ import annotations

import re
from html import unescape

import pytest

from asgi_client import Client
from flags.test_worker import World
from switchhook.access.roles import Role, Viewer
from switchhook.exotel.times import DAY_MS
from switchhook.flags.page import SPANS_S, FlagsPage
from switchhook.web.app import create_app
from switchhook.web.render import Renderer

HOSTILE = "<script>alert(1)</script>"
ASHA = Viewer("asha", Role.OPERATOR, releases=True)


class Here(World):
    def __init__(self, folder):
        super().__init__(folder)
        self.viewer = ASHA
        self.worker.look()

    @property
    def client(self):
        page = FlagsPage(Renderer(), self.worker, lambda: "http://127.0.0.1:8082")
        inner = create_app([page])

        async def app(scope, receive, send):
            scope["viewer"] = self.viewer
            await inner(scope, receive, send)

        return Client(app, base_url="http://127.0.0.1", follow_redirects=False)

    def text(self):
        """What the page says, without markup."""
        said = self.client.get("/flags")
        assert said.status_code == 200
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", said.text)).split())

    def press(self, act, **form):
        return self.client.post(f"/flags/{act}", data=form)


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    yield found
    found.worker.stop()
    found.ledger.close()


def test_each_flag_is_shown_as_it_stands(here):
    here.set("share", 25, for_s=60)
    said = here.text()
    assert "bots read them at http://127.0.0.1:8082" in said
    assert "25 % of callers set declared as 10 % of callers" in said
    assert "rules of sales-in" in said
    assert "set to 25 % of callers" in said


def test_a_flag_is_set_reset_and_undone_by_its_forms(here):
    for span in SPANS_S:
        answer = here.press("set", flag="off", value="true", reason="x", **{"for": span})
        assert (answer.status_code, answer.headers["location"]) == (303, "/flags")
        assert here.told == {"off": True}
        here.press("undo", flag="off")
        assert here.told == {}
    here.press("set", flag="share", value="12.5", reason="x")
    here.press("reset", flag="share", reason="over")
    assert here.told == {}
    assert "reset to its default" in here.text()


@pytest.mark.parametrize(
    ("act", "form", "told"),
    [
        ("set", {"flag": "of", "value": "true", "reason": "x"}, "there is no flag 'of'"),
        ("set", {"flag": "share", "value": "101", "reason": "x"}, "no such percentage"),
        ("set", {"flag": "most", "value": "9" * 23, "reason": "x"}, "no such number is possible"),
        ("set", {"flag": "off", "value": "true", "reason": ""}, "it has no reason"),
        ("set", {"flag": "off", "value": "true", "reason": "x", "for": "9y"}, "no such end"),
        ("set", {"flag": HOSTILE, "value": "x", "reason": "x"}, "there is no flag"),
        ("reset", {"flag": "off", "reason": "x"}, "already"),
        ("undo", {"flag": "off"}, "nothing to undo"),
    ],
)
def test_what_is_refused_is_said_on_the_page(here, act, form, told):
    answer = here.press(act, **form)
    assert answer.status_code == 303
    page = here.client.get(answer.headers["location"]).text
    assert told in unescape(page)
    assert HOSTILE not in page
    assert here.told == {}


def test_without_the_right_to_release_it_is_for_reading(here):
    here.viewer = Viewer("vik", Role.OPERATOR)
    page = here.client.get("/flags").text
    assert "/flags/set" not in page
    for act in ("set", "reset", "undo"):
        assert here.press(act, flag="off", value="true", reason="x").status_code == 403
    assert here.told == {}


def test_numbers_are_masked_and_no_form_begins_with_one(here):
    here.set("lines", ["+919876543210"])
    page = here.client.get("/flags").text
    assert "9876543210" not in page
    assert "write it whole" in page
    here.viewer = Viewer("this machine", Role.ADMINISTRATOR, open=True)
    assert 'value="+919876543210"' in unescape(here.client.get("/flags").text)


def test_a_flag_that_could_go_says_so(here):
    here.now += 91 * DAY_MS
    said = here.text()
    assert "could go it has been the same for 91 days" in said
    assert "could go neither rules nor bots have read it for 91 days" in said


def test_without_flags_it_says_how_to_declare_one(here):
    here.worker.use((), {})
    assert "No flag is declared" in here.text()


def test_what_is_new_is_told_to_pages_that_are_open(here):
    before = here.worker.news()
    here.set("vendor", "b")
    assert here.worker.news() != before
