"""A refusal is a page for people and JSON for programs, in words of its own."""

from __future__ import annotations

from asgi_client import Client
from switchhook.web.render import Renderer
from switchhook.web.sign_in.refusals import Refusals, RefusedRequest


def refused(accept: str):
    refusals = Refusals(Renderer())

    async def app(scope, receive, send):
        await refusals.answer(RefusedRequest(410, "it is gone", "ask anew"), scope, receive, send)

    return Client(app).get("/", headers={"Accept": accept})


def test_people_get_a_page_whose_title_is_a_word():
    """Of a status that has no title of its own, too."""
    page = refused("text/html")
    assert page.status_code == 410
    assert "<title>Refused" in page.text
    assert "It is gone." in page.text


def test_programs_get_json():
    answer = refused("*/*")
    assert answer.status_code == 410
    said = {"parameter": None, "problem": "it is gone", "hint": "ask anew"}
    assert answer.json() == {"error": said}
