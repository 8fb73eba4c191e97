"""One press on the link in a message, by whoever has it, and nobody else is called."""

from __future__ import annotations

import msgspec
import pytest

from alerts.test_page import As, Here
from asgi_client import Client
from switchhook.access.roles import Role, Viewer
from switchhook.alerts.on_it_link import PATH, OnIt, make_link
from switchhook.alerts.on_it_page import OnItPage
from switchhook.web.app import create_app
from switchhook.web.render import Renderer
from switchhook.web.sign_in.request_origin import RequestOrigin

KEY = b"k" * 32


class Outside(As):
    async def __call__(self, scope, receive, send):
        scope["request_origin"] = RequestOrigin("https", "console.example", "203.0.113.7")
        await super().__call__(scope, receive, send)


class Pressed(Here):
    """A console from outside, by whoever has the message."""

    @property
    def outside(self):
        page = OnItPage(Renderer(), self.engine, KEY, self.noted.append)
        app = Outside(create_app([page]), Viewer("not signed in", Role.VIEWER))
        return Client(app, base_url="http://127.0.0.1")


@pytest.fixture
def here(tmp_path):
    here = Pressed(tmp_path)
    here.fails()
    yield here
    here.ledger.close()


def link(here, **changes):
    alert = here.engine.alerts[0]
    on_it = OnIt(alert.id, alert.fired_ms, "ops")
    return PATH + make_link(KEY, msgspec.structs.replace(on_it, **changes))


def test_looking_changes_nothing_and_one_press_does(here):
    path = link(here)
    assert "I am on it</button>" in here.outside.get(path).text
    assert here.engine.alerts[0].acknowledged == ""
    done = here.outside.post(path)
    assert "You are on it" in done.text
    assert here.engine.alerts[0].acknowledged == "ops"
    (deed,) = here.noted
    assert (deed.what, deed.who) == ("acknowledged an alert", "ops (by the link in its message)")
    assert deed.origin == "203.0.113.7"


def test_it_works_once(here):
    path = link(here)
    here.engine.acknowledge(here.id, "asha")
    for page in (here.outside.get(path), here.outside.post(path)):
        assert "asha</span> is on it" in page.text or "asha</bdi> is on it" in page.text
        assert "<form" not in page.text
    assert here.engine.alerts[0].acknowledged == "asha"
    assert here.noted == []


def test_what_is_over_is_said_to_be(here):
    path = link(here)
    here.world.figures["b"] = msgspec.structs.replace(here.world.figures["b"], value=0.0)
    here.step()
    assert here.engine.alerts == []
    assert "It is over" in here.outside.post(path).text
    here.fails()
    # The next of the same bot is another.
    assert "It is over" in here.outside.post(path).text
    assert here.engine.alerts[0].acknowledged == ""


def test_a_link_that_was_not_made_here_is_none(here):
    for path in (link(here)[:-1] + "x", PATH + "x", PATH + "%00" * 30):
        page = here.outside.post(path)
        assert page.status_code == 404
        assert "No such link" in page.text
    assert here.engine.alerts[0].acknowledged == ""
