"""What the page of the API sends, in Chromium: as whoever looks at it, or by a token."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from .conftest import Visit
from .tour import sign_in
from .whole import ASHA, RAVI


@pytest.fixture
def look(chromium, console):
    """Opens the page as somebody: `look(ASHA)`."""
    visits = []

    def opened(name, **options):
        visits.append(Visit(chromium, console.address, **options))
        page = visits[-1].page
        sign_in(page, console.address, name)
        page.wait_for_url(f"{console.address}/")
        page.goto(f"{console.address}/settings")
        page.get_by_role("link", name="The API").click()
        expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
        return page

    yield opened
    for each in visits:
        assert each.troubles == [] or all("status of 4" in said for said in each.troubles)
        each.close()


def ask(page, name: str, button: str = "Ask", **fields: str):
    """Fill a form in and send it; gives what stands there then: how it went, and the answer."""
    call = page.locator(f"details#ask-{name}")
    if not call.evaluate("each => each.open"):
        call.locator("summary").click()
    for field, text in fields.items():
        box = call.locator(f"[name={field}]")
        box.select_option(text) if box.evaluate("e => e.matches('select')") else box.fill(text)
    call.get_by_role("button", name=button).click()
    said = call.locator("[data-said]")
    expect(said).to_contain_text(" ms")
    return said.inner_text(), call.locator("[data-answer]").inner_text()


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_asked_is_answered(look, width):
    page = look(ASHA, width=width)
    said, answer = ask(page, "streams", cause="connect_failed", limit="2")
    assert said.startswith("200 OK, ")
    streams = json.loads(answer)["streams"]
    assert 1 <= len(streams) <= 2
    assert {each["cause"] for each in streams} == {"connect_failed"}
    curl = page.locator("details#ask-streams [data-curl]").inner_text()
    assert curl.endswith("/api/v1/streams?cause=connect_failed&limit=2'")
    said, answer = ask(page, "stream", stream_sid=streams[0]["id"])
    assert json.loads(answer)["id"] == streams[0]["id"]
    assert page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    said, answer = ask(page, "streams", since="yesterday-ish")
    assert said.startswith("400 ")
    assert json.loads(answer)["error"]["parameter"] == "since"
    said, answer = ask(page, "export", q="cause:connect_failed", format="csv")
    assert ", text/csv" in said.replace("of ", ", ")
    assert answer.count("\n") > 1


def test_a_change_goes_with_the_session_and_its_proof(look):
    page = look(ASHA)
    call = page.locator("details#ask-silence")
    call.locator("summary").click()
    call.locator("[data-body]").fill(
        '{"matcher": {"bot": "nobody.example"}, "for_s": 60, "reason": "to try it"}'
    )
    said, answer = ask(page, "silence", "Send it")
    assert said.startswith("201 ")
    made = json.loads(answer)
    said, _ = ask(page, "end_silence", "Send it", id=str(made["id"]))
    assert said.startswith("204 ")
    # Without what the page knows, as another site would send it, nothing is changed.
    page.locator("[data-api]").evaluate("each => { each.dataset.csrf = 'no'; }")
    said, answer = ask(page, "silence", "Send it")
    assert said.startswith("403 ")
    assert "not from this session" in answer


def test_a_role_or_a_token_that_is_too_low_is_told_so(look):
    page = look(RAVI)
    said, answer = ask(page, "audit")
    assert said.startswith("403 ")
    assert "administrator" in answer
    page.get_by_label("Ask with a token").fill("shk_nobody")
    said, answer = ask(page, "now")
    assert said.startswith("401 ")
    assert "unknown, expired or revoked" in answer


def test_a_token_asks_without_the_session(look, console):
    page = look(ASHA)
    page.goto(f"{console.address}/settings")
    page.locator("#token-name").fill("to try the API")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator(".said-once").inner_text()
    page.goto(f"{console.address}/api#ask-audit")
    page.get_by_label("Ask with a token").fill(token)
    said, answer = ask(page, "audit")
    assert said.startswith("403 ")  # a token reads and operates; it does not administer
    said, answer = ask(page, "verdict")
    assert said.startswith("200 ")
    assert "level" in json.loads(answer)
