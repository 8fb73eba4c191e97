"""Every page in a real browser: wide and narrow, light and dark, by keyboard, and unhurt."""

from __future__ import annotations

import re
import time

import msgspec
import pytest
from playwright.sync_api import expect

from .traffic import HOSTILE
from .world import OPERATOR, VIEWER

PAGES = ("/", "/streams", "/calls", "/causes", "/capacity", "/endpoints", "/endpoints/refused")
KEPT = [(360, 740, "dark"), (1280, 900, "light")]
LOOKS = [(1280, 900, "light"), (1280, 900, "dark"), (360, 740, "dark"), (360, 740, "light")]


@pytest.fixture(autouse=True)
def nobody_signed_in(world):
    yield
    world.viewer = None


def paths(page, address):
    """All pages, a call and an issue among them."""
    page.goto(address + "/streams?q=kind:refused")
    call = page.locator("tbody a[href^='/calls/']").first.get_attribute("href")
    page.goto(address + "/causes")
    issue = page.locator("tbody a[href^='/causes/']").first.get_attribute("href")
    return [*PAGES, call, issue]


def name_of(path):
    return path.strip("/").partition("/")[0] + ("-one" if path.count("/") > 1 else "") or "now"


def test_every_page_is_whole(visit, address):
    """No message in the console, nothing asked elsewhere, no sideways scrolling."""
    window = visit()
    for path in paths(window.page, address):
        page = window.go(path)
        page.wait_for_selector("body[data-live='on']")
        for width, height, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        for width, height, scheme in KEPT:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            window.keep(f"{name_of(path)}-{width}-{scheme}")
    assert window.troubles == []


def test_pages_can_be_read_without_javascript(visit, address):
    window = visit(java_script_enabled=False)
    for path in PAGES:
        page = window.go(path)
        assert page.locator("h1").count() == 1
        assert "refuses connections" in page.locator("#verdict").inner_text()
    page = window.go("/")
    assert page.locator(".tail li").count() > 10
    page.locator("summary", has_text="As a table").click()
    assert page.locator(".now-chart tbody tr").count() > 30


def test_nothing_hostile_acts(visit, world, address):
    """Markup is text, controls are codes, the whole of a long text is there."""
    window = visit()
    page = window.go("/streams?q=endpoint:sales&cols=time,from,bot,error,host")
    calls = page.locator("tbody a[href^='/calls/']").evaluate_all("all => all.map(a => a.href)")
    assert len(calls) >= len(HOSTILE)
    for call in [
        page.url,
        *calls,
        address + "/",
        address + "/causes",
        address + "/endpoints",
        address + "/endpoints/refused",
    ]:
        page.goto(call)
        for details in page.locator("details.request summary").all():
            details.click()
        assert "hit" not in page.title()
        assert page.locator("main script, main img, main iframe, main [onerror]").count() == 0
        assert page.locator("main a[href^='javascript:'], main a[href^='http']").count() == 0
        text = page.locator("main").inner_text()
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", text)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert window.troubles == []


def test_a_receipt_comes_live_and_leaves_the_reader_alone(visit, world):
    window = visit()
    page = window.go("/")
    page.wait_for_selector("body[data-live='on']")
    call = world.tell("throttled")
    page.wait_for_selector(f".tail a[href='/calls/{call}']")
    before = page.locator(".tail").bounding_box()
    page.locator(".tail").evaluate("tail => { tail.scrollTop = 120; }")
    top = page.locator(".tail li").first.get_attribute("data-seq")
    for _ in range(3):
        world.tell("bot")
    expect(page.locator("[data-fresh]")).to_have_text("3 new")
    assert page.locator(".tail li").first.get_attribute("data-seq") == top
    page.locator(".tail").evaluate("tail => { tail.scrollTop = 0; }")
    expect(page.locator(".tail li").first).not_to_have_attribute("data-seq", top)
    assert page.locator(".tail").bounding_box() == before
    assert window.troubles == []


def test_the_verdict_changes_live_on_every_page(visit, world):
    window = visit()
    page = window.go("/endpoints")
    page.wait_for_selector("body[data-live='on']")
    was = world.state
    world.state = type(was)(level="good", what="All well: 12 streams in 15 minutes.")
    try:
        page.wait_for_selector(".verdict-good")
        assert "All well" in page.locator("#verdict").inner_text()
    finally:
        world.state = was
    page.wait_for_selector(".verdict-bad")


def test_the_verdict_leads_to_the_streams_and_is_read_out_when_it_says_else(visit, world):
    window = visit()
    was = world.state
    world.state = msgspec.structs.replace(was, streams="cause:connect_failed kind:refused")
    try:
        page = window.go("/causes")
        page.wait_for_selector("body[data-live='on']")
        page.locator("[data-way=streams]").focus()
        world.state = msgspec.structs.replace(world.state, callers="184 callers since then.")
        expect(page.locator("#verdict")).to_contain_text("184 callers")
        assert page.locator("[data-way=streams]").evaluate("way => way === document.activeElement")
        assert page.locator("[data-announce]").text_content() == ""
        world.state = msgspec.structs.replace(world.state, what="Bot Asha fails: 1 of 2 streams.")
        expect(page.locator("[data-announce]")).to_contain_text("Trouble: Bot Asha fails")
        page.keyboard.press("Enter")
        page.wait_for_url("**/streams?q=cause*")
        assert page.locator("[data-rows] tr").count() > 10
    finally:
        world.state = was


def test_a_page_that_is_not_live_any_more_says_so(visit, world):
    window = visit()
    page = window.go("/causes")
    page.wait_for_selector("body[data-live='on']")
    page.clock.install()
    page.evaluate("document.body.dataset.live")
    page.route("**/feed*", lambda route: route.abort())
    world.pages.feed.close()
    page.wait_for_selector("body[data-live='off']")
    page.clock.fast_forward(10_000)
    expect(page.locator("[data-not-live]")).to_contain_text("Not live: the console has not")


def test_the_keyboard_leads_everywhere(visit):
    window = visit()
    page = window.go("/")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/streams")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("[data-rows] tr").nth(1)
    assert second.evaluate("row => row.contains(document.activeElement)")
    page.keyboard.press("k")
    page.keyboard.press("/")
    assert page.locator("#search").evaluate("box => box === document.activeElement")
    page.keyboard.type("cause:throttled")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/calls/**")


def test_a_search_is_clicked_together_and_kept(visit, world):
    window = visit()
    page = window.go("/streams?tz=utc")
    page.locator("[data-rows] .col-cause a", has_text="connect failed").first.click()
    page.wait_for_url("**q=cause*")
    page.locator("[data-rows] .col-kind a", has_text="refused").first.click()
    assert page.locator("#search").input_value() == "cause:connect_failed kind:refused"
    assert "tz=utc" in page.url
    assert set(page.locator("[data-rows] .col-kind").all_inner_texts()) == {"refused"}
    page.locator("summary", has_text="Columns").click()
    page.locator(".columns a", has_text="Flow").click()
    assert page.locator(".streams th", has_text="Flow").count() == 1
    page.locator("summary", has_text="Save this view").click()
    page.locator("#view-name").fill("Refused, வாணி")
    page.locator("form[action^='/views'] button >> nth=0").click()
    page.wait_for_url("**q=cause*")
    assert page.locator(".pill[aria-current]", has_text="வாணி").count() == 1
    page.goto(page.url.replace("kind%3Arefused", "kind%3Arefsed"))
    assert "did you mean refused" in page.locator(".problems").inner_text()


def test_pages_of_a_search_follow_each_other(visit):
    window = visit()
    page = window.go("/streams")
    first = page.locator("[data-rows] a").first.get_attribute("href")
    page.locator("a[rel=next]").click()
    page.wait_for_url("**before=*")
    assert page.locator("[data-rows] a").first.get_attribute("href") != first
    page.locator("a", has_text="Newest").click()
    assert "before" not in page.url


def test_a_viewer_sees_no_number_and_no_button(visit, world):
    number = "09812340077"
    call = world.tell("refused", number=number, CustomField=f"call {number} back")
    world.viewer = VIEWER
    window = visit()
    for path in (f"/calls/{call}", f"/streams?q=call:{call}", "/", "/causes"):
        html = window.go(path).content()
        assert "9812340077" not in html, path
        assert "reveal" not in html
    page = window.go("/causes")
    page.locator("tbody a[href^='/causes/']").first.click()
    assert page.locator("button", has_text="Acknowledge").count() == 0
    world.viewer = OPERATOR
    assert window.go(f"/calls/{call}").locator("button", has_text="Show numbers").count() == 1


def test_an_issue_is_acknowledged_resolved_and_comes_back(visit, world):
    world.viewer = OPERATOR
    world.tell("refused", host="returns.example", endpoint="sales")
    window = visit()
    page = window.go("/causes")
    page.locator("tbody a", has_text="returns.example").click()
    page.locator("#note").fill("ticket 42 <b>")
    page.locator("button", has_text="Acknowledge").click()
    assert page.locator(".page-header .chip").inner_text() == "acknowledged"
    assert "ticket 42 <b>" in page.locator("main").inner_text()
    page.locator("button", has_text="Resolve").click()
    assert page.locator(".page-header .chip").inner_text() == "resolved"
    world.tell("refused", at=time.time() + 1, host="returns.example", endpoint="sales")
    page.reload()
    assert page.locator(".page-header .chip").inner_text() == "back"


def test_times_are_shown_in_the_zone_of_the_address(visit):
    window = visit(timezone_id="Asia/Singapore")
    page = window.go("/streams")
    ist = page.locator("tbody time").first
    stamp, shown = ist.get_attribute("datetime"), ist.inner_text()
    page.locator(".zones a", has_text="Local").click()
    page.wait_for_url("**tz=Asia*Singapore")
    local = page.locator(f"tbody time[datetime='{stamp}']").first.inner_text()
    assert local != shown
    page.locator("nav a", has_text="Causes").click()
    assert "tz=Asia" in page.url


def test_the_switch_between_light_and_dark_is_remembered(visit):
    window = visit(color_scheme="light")
    page = window.go("/")
    page.locator("[data-theme-switch]").click()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page = window.go("/causes")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_support_gets_its_text_by_one_click(visit, world):
    call = world.tell("refused")
    window = visit(permissions=["clipboard-read", "clipboard-write"])
    page = window.go(f"/calls/{call}")
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert f"CallSid: {call}" in text
    assert "IST" in text
    assert "connection refused" in text
