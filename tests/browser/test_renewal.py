"""Pages that renew themselves: new rows are offered, figures change in place, age is told."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from program import until

from .conftest import Visit
from .tour import sign_in
from .whole import ASHA, RAVI

LIVE = "body[data-live='on']"
TOP_OF_FIRST_SEEN = """() => {
  const seen = [...document.querySelectorAll("[data-rows] > *")]
    .find((row) => row.getBoundingClientRect().bottom > 0);
  return [seen.dataset.id, seen.getBoundingClientRect().top];
}"""


def is_there(page, where):
    """Whether the same row is first in the window, at its place but for parts of a pixel."""
    row, top = page.evaluate(TOP_OF_FIRST_SEEN)
    return row == where[0] and abs(top - where[1]) < 2


def renew_at_once(page):
    """Have the page look anew, as it does by itself within half a minute."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def tell(world, count, **more):
    for _ in range(count):
        world.tell("bot", at=time.time(), **more)


def test_a_list_says_what_is_new_and_shows_it_when_pressed(visit, world):
    window = visit()
    page = window.go("/streams?cols=time,call,cause")
    page.wait_for_selector(LIVE)
    rows = page.locator("[data-rows] > tr")
    first = rows.first.get_attribute("data-id")
    count = rows.count()
    page.evaluate("scrollTo(0, 600)")
    where = page.evaluate(TOP_OF_FIRST_SEEN)
    tell(world, 12)
    offer = page.get_by_role("status").get_by_role("button")
    expect(offer).to_have_text("12 new")
    assert is_there(page, where)
    assert rows.first.get_attribute("data-id") == first
    offer.click()
    expect(rows).to_have_count(count + 12)
    assert is_there(page, where)
    assert rows.nth(12).get_attribute("data-id") == first
    expect(offer).to_have_count(0)
    assert rows.first.locator("a").first.evaluate("link => link === document.activeElement")
    assert window.troubles == []


def test_a_list_counts_only_what_it_looks_for(visit, world):
    window = visit()
    page = window.go("/streams?q=host:asha.bots.example")
    page.wait_for_selector(LIVE)
    tell(world, 3, host="tamil.bots.example")
    tell(world, 2, host="asha.bots.example")
    expect(page.locator("[data-offer] button")).to_have_text("2 new")


def test_an_empty_list_offers_what_comes(visit, world):
    window = visit()
    page = window.go("/streams?q=host:nobody.bots.example")
    page.wait_for_selector(LIVE)
    tell(world, 1, host="nobody.bots.example")
    page.get_by_role("button", name="1 new").click()
    expect(page.locator("[data-rows] > tr")).to_have_count(1)


def test_a_row_that_is_shown_changes_in_place(visit, world):
    window = visit()
    stream = world.sid()
    call = world.tell("running", at=time.time(), stream=stream)
    page, row = window.page, window.page.locator("[data-rows] > tr")

    def is_told() -> bool:
        window.go(f"/streams?q=call:{call}")
        return bool(row.count() == 1)

    until(is_told, "the fold")
    page.wait_for_selector(LIVE)
    expect(row).to_contain_text("running")
    world.tell("bot", at=time.time(), call=call, stream=stream)
    expect(row).to_contain_text("bot done")
    expect(row).to_have_count(1)
    assert page.locator("[data-offer] button").count() == 0


def test_figures_change_in_place_and_not_under_the_hands(visit, world):
    window = visit()
    page = window.go("/endpoints")
    page.wait_for_selector(LIVE)
    figure = page.locator("#endpoints .figure").first
    before = figure.inner_text()
    figure.focus()
    with page.expect_response("**/endpoints"):
        tell(world, 1)
    assert figure.inner_text() == before
    page.locator("h1").evaluate("() => document.activeElement.blur()")
    renew_at_once(page)
    expect(figure).not_to_have_text(before)


def test_a_page_says_when_it_was_made_also_without_javascript(visit):
    window = visit(java_script_enabled=False)
    for path in ("/", "/streams", "/causes", "/capacity", "/endpoints"):
        assert window.go(path).locator("[data-as-of]").inner_text().startswith("As of ")


def test_a_page_that_was_renewed_says_when(visit, world):
    window = visit()
    page = window.go("/causes")
    page.wait_for_selector(LIVE)
    page.evaluate("document.querySelector('[data-as-of]').textContent = 'As of long ago'")
    tell(world, 1)
    expect(page.locator("[data-as-of]")).not_to_have_text("As of long ago")


def test_a_feed_that_is_cut_says_how_old_the_page_is_and_offers_the_new(visit, world):
    window = visit()
    page = window.go("/streams")
    page.wait_for_selector(LIVE)
    page.clock.install()
    page.route("**/feed*", lambda route: route.abort())
    world.pages.feed.close()
    page.wait_for_selector("body[data-live='off']")
    page.clock.run_for(10_000)
    not_live = page.locator("[data-not-live]")
    expect(not_live).to_contain_text("Not live: the console has not")
    page.clock.run_for(125_000)
    expect(not_live).to_contain_text("2 min old")
    page.unroute("**/feed*")
    not_live.get_by_role("link", name="Load again").click()
    page.wait_for_selector(LIVE)


def test_the_audit_log_and_alerts_offer_what_is_new(chromium, console):
    desk = Visit(chromium, console.address)
    sign_in(desk.page, console.address, ASHA)
    page = desk.go("/audit")
    page.wait_for_selector(LIVE)
    other = Visit(chromium, console.address)
    for _ in range(3):
        sign_in(other.page, console.address, RAVI, "not it")
    expect(page.locator("[data-offer] button")).to_have_text("3 new")
    page.locator("[data-offer] button").click()
    expect(page.locator("[data-rows] > tr").first).to_contain_text(RAVI)
    page = desk.go("/alerts")
    page.wait_for_selector(LIVE)
    row = page.locator("tr", has=page.get_by_role("rowheader", name="ops"))
    other.page.context.clear_cookies()
    sign_in(other.page, console.address, ASHA)
    other.go("/alerts").locator(
        "tr", has=other.page.get_by_role("rowheader", name="ops")
    ).get_by_role("button", name="Send a test").click()
    expect(page.locator("#sent [data-offer] button")).to_be_visible()
    assert row.count() == 1
    for each in (desk, other):
        each.close()


def sentences(said):
    """Each value of `/healthz`, as the page has it."""
    yield said["status"]
    yield from said["problems"]
    if "version" in said:
        yield said["version"]
    if said.get("fold_lag") is not None:
        yield "still to fold"


def test_health_says_all_that_both_programs_say(chromium, console):
    desk = Visit(chromium, console.address)
    sign_in(desk.page, console.address, ASHA)
    page = desk.go("/health")
    page.wait_for_selector(LIVE)
    answer = console.program.health("answer")
    ours = page.request.get(f"{console.address}/healthz").json()
    assert {*answer} == {"status", "problems"}, "the page has a line for each value: give it one"
    assert {*ours} == {"status", "problems", "fold_lag", "version", "node"}, "likewise"
    assert ours["node"] is None, "nobody has to be told which machine it is where there is one"
    assert len(answer["problems"]) >= 2
    assert len(ours["problems"]) >= 2
    for name, said in (("answer", answer), ("console", ours)):
        card = page.locator(f"section[aria-labelledby={name}]")
        for each in sentences(said):
            expect(card).to_contain_text(each)
        for row in card.locator("tbody tr", has_text="not well").all():
            expect(row).to_contain_text("→")
            expect(row.locator("time")).not_to_have_count(0)
    refused = page.locator(".outcome", has_text="A file of yours is refused")
    expect(refused.locator("pre")).to_contain_text('sales.toml:4: rule "it went wrong", column 1')
    expect(refused.locator("pre")).to_contain_text("did you mean stream.status?")
    (console.folder / "sales.toml").write_text(console.rules)
    expect(refused).to_have_count(0)
    desk.close()
