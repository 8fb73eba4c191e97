"""Plots in the browser: what is under the pointer, zoom, the way to the streams, marks, shares."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from patience import PATIENCE_S
from program import until
from switchhook.journal.receipt import ConfigApplied, RecordKind, encode

MINUTES = 60


def over(page: Page, plot: Locator) -> dict[str, float]:
    """Where the plot's area is, and that it stands still."""
    box = until(plot.locator(".u-over").bounding_box, "a plot that stands still")
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


def point(page: Page, plot: Locator, at: float, of: int, height: float = 0.02) -> None:
    """Point at a stretch, counted from the left; `height` is a share of the plot from its top."""
    box = over(page, plot)
    x = box["x"] + box["width"] * (at + 0.5) / of
    page.mouse.move(x, box["y"] + box["height"] * height)


def values(plot: Locator) -> dict[str, int]:
    return {
        each.get_attribute("data-name") or "": int(float(each.get_attribute("data-value") or "0"))
        for each in plot.locator(".plot-tip dd").all()
    }


def asked(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query)["q"][0]


def minute_of(page: Page, plot: Locator) -> int:
    """The index of a minute, not one of the newest, in which most was told."""
    chart = json.loads(plot.get_attribute("data-chart") or "{}")
    sums = [sum(row[at] for row in chart["points"][1:]) for at in range(MINUTES)]
    return max(range(5, 50), key=lambda at: sums[at])


@pytest.fixture
def now(visit):
    """A window on the page Now, and its plot."""
    window = visit()
    page = window.go("/")
    plot = page.locator("[data-plot]")
    expect(plot.locator("canvas")).to_be_visible()
    yield window, page, plot
    assert window.troubles == []


def test_what_is_under_the_pointer_is_what_the_api_says(now):
    _, page, plot = now
    at = minute_of(page, plot)
    point(page, plot, at, MINUTES)
    tip = plot.locator(".plot-tip")
    expect(tip).to_be_visible()
    started = json.loads(plot.get_attribute("data-chart") or "")["points"][0][at]
    said = page.request.get(f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}/api/v1/now")
    found = said.json()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(started))
    minute = next(each for each in found["minutes"] if each["at"].startswith(moment))
    named = [cause.replace("_", " ") for cause in found["causes"]]
    expected = {n: k for n, k in zip(named, minute["streams"], strict=True) if k}
    assert values(plot) == expected
    expect(tip.locator("[data-sum]")).to_have_text(f"{sum(minute['streams'])} streams")
    expect(tip.locator("p").first).to_have_text(re.compile(r"\d\d:\d\d–\d\d:\d\d IST$"))


def test_the_same_by_keys_and_read_out(now):
    _, page, plot = now
    at = minute_of(page, plot)
    point(page, plot, at, MINUTES)
    pointed, said = values(plot), plot.locator(".plot-tip p").first.inner_text()
    page.mouse.move(0, 0)
    plot.focus()
    page.keyboard.press("End")
    for _ in range(MINUTES - 1 - at):
        page.keyboard.press("ArrowLeft")
    expect(plot.locator(".plot-tip p").first).to_have_text(said)
    assert values(plot) == pointed
    expect(plot.get_by_role("status")).to_contain_text(said)


def test_a_click_leads_to_the_streams_of_that_minute(now):
    _, page, plot = now
    at = minute_of(page, plot)
    point(page, plot, at, MINUTES)
    count = sum(values(plot).values())
    box = over(page, plot)
    page.mouse.click(box["x"] + box["width"] * (at + 0.5) / MINUTES, box["y"] + 3)
    page.wait_for_url("**/streams?q=*")
    assert re.fullmatch(r"since:\S+Z until:\S+Z", asked(page))
    assert page.locator("[data-rows] > tr").count() == count


def test_a_click_on_a_cause_leads_to_those_alone(now):
    _, page, plot = now
    at = minute_of(page, plot)
    point(page, plot, at, MINUTES, 0.99)  # the lowest block
    link = plot.locator(".plot-tip a")
    cause = link.inner_text().removeprefix("These: ")
    count = values(plot)[cause]
    box = over(page, plot)
    page.mouse.click(
        box["x"] + box["width"] * (at + 0.5) / MINUTES, box["y"] + box["height"] * 0.99
    )
    page.wait_for_url("**/streams?q=*")
    assert f"cause:{cause.replace(' ', '_')}" in asked(page)
    assert page.locator("[data-rows] > tr").count() == count


def test_keys_choose_a_cause_and_go_to_it(now):
    _, page, plot = now
    plot.focus()
    page.keyboard.press("End")
    for _ in range(MINUTES - 1 - minute_of(page, plot)):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    cause = plot.locator(".plot-tip dd.strong").get_attribute("data-name") or ""
    count = values(plot)[cause]
    page.keyboard.press("Enter")
    page.wait_for_url("**/streams?q=*")
    assert f"cause:{cause.replace(' ', '_')}" in asked(page)
    assert page.locator("[data-rows] > tr").count() == count


def drag(page: Page, plot: Locator, begin: float, end: float) -> None:
    box = over(page, plot)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * begin, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, y, steps=6)
    page.mouse.up()


def shown_minutes(plot: Locator) -> float:
    """How many minutes the streams shown are of."""
    href = plot.locator(".plot-tools a").get_attribute("href") or ""
    times = re.findall(r"(?:since|until):([0-9TZ:-]+)", parse_qs(urlsplit(href).query)["q"][0])
    begin, end = (time.mktime(time.strptime(each, "%Y-%m-%dT%H:%M:%SZ")) for each in times)
    return (end - begin) / 60


def test_a_drag_zooms_a_new_stream_leaves_it_and_two_presses_end_it(now, world):
    _, page, plot = now
    drag(page, plot, 0.25, 0.75)
    expect(plot).to_have_attribute("data-zoomed", "yes")
    assert 28 <= shown_minutes(plot) <= 32
    before = plot.get_attribute("data-chart")
    world.tell("throttled", time.time() - 1200)  # told of late: it belongs to now
    world.tell("throttled")
    assert world.writer.flush(PATIENCE_S)
    page.wait_for_function(
        "before => document.querySelector('[data-plot]').dataset.chart !== before", arg=before
    )
    expect(plot).to_have_attribute("data-zoomed", "yes")
    assert 28 <= shown_minutes(plot) <= 32
    box = over(page, plot)
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + 3)
    expect(plot).to_have_attribute("data-zoomed", "")
    assert page.url.endswith("/")


def test_the_button_and_the_keys_zoom_too(now):
    _, page, plot = now
    plot.focus()
    page.keyboard.press("+")
    expect(plot).to_have_attribute("data-zoomed", "yes")
    assert 29 <= shown_minutes(plot) <= 31
    page.keyboard.press("+")
    assert 14 <= shown_minutes(plot) <= 16
    plot.get_by_role("button", name="Reset zoom").click()
    expect(plot).to_have_attribute("data-zoomed", "")


def test_fingers_read_and_zoom(visit):
    window = visit(width=360, has_touch=True, is_mobile=True)
    page = window.go("/")
    plot = page.locator("[data-plot]")
    plot.scroll_into_view_if_needed()
    expect(plot.locator("canvas")).to_be_visible()
    at = minute_of(page, plot)
    box = over(page, plot)
    page.touchscreen.tap(
        box["x"] + box["width"] * (at + 0.5) / MINUTES, box["y"] + box["height"] / 3
    )
    expect(plot.locator(".plot-tip a")).to_be_visible()
    assert page.url == f"{window.address}/"
    plot.locator(".u-over").evaluate(
        """over => {
          const box = over.getBoundingClientRect();
          const say = (name, share) => over.dispatchEvent(new PointerEvent(name, {
            pointerType: "touch", bubbles: true, clientX: box.left + box.width * share, clientY: box.top + 20 }));
          say("pointerdown", 0.2); say("pointermove", 0.4); say("pointermove", 0.6); say("pointerup", 0.6);
        }"""  # noqa: E501
    )
    expect(plot).to_have_attribute("data-zoomed", "yes")
    assert 22 <= shown_minutes(plot) <= 27
    assert window.troubles == []


def test_a_change_of_rules_is_marked_with_a_word_and_a_link(visit, world):
    late = time.time() // 60 * 60 + 54  # in the last seconds of a minute, as its bar has them
    for ago, text in ((2400, "one"), (1200, "two")):
        body = encode(ConfigApplied("rules/reception", text * 20, text, "asha"))
        world.writer.append(RecordKind.TAKEOVER, int((late - ago) * 1000), body)
    assert world.writer.flush(PATIENCE_S)
    assert world.folder.reach(world.reader.last_seq(), 10)
    world.marks_anew()
    window = visit()
    page = window.go("/")
    mark = page.locator(".plot-mark", has_text="rules of reception changed")
    expect(mark).to_be_visible()
    expect(mark).to_have_attribute("href", "/endpoints")
    expect(page.locator("#now-marks")).to_contain_text("rules of reception changed")
    box = until(mark.bounding_box, "the mark, which live news draw anew, to stand somewhere")
    over_bars = over(page, page.locator("[data-plot]").first)
    page.mouse.move(box["x"] + box["width"] / 2, over_bars["y"] + over_bars["height"] / 2)
    expect(page.locator(".plot-tip")).to_contain_text("◆ rules of reception changed")
    page = window.go("/endpoints?range=3h")
    expect(page.locator(".plot-mark")).to_have_count(1)  # at reception, and not at sales
    assert window.troubles == []


def test_the_share_of_a_and_b_is_plotted_as_it_is_counted(visit, world):
    window = visit()
    page = window.go("/endpoints?range=3h")
    plot = page.locator("[data-plot]").first
    expect(plot.locator("canvas")).to_be_visible()
    chart = json.loads(plot.get_attribute("data-chart") or "")
    times = chart["points"][0]
    at = len(times) - 2
    begin = times[at] * 1000
    told = [
        each
        for each in world.store.tallies(begin, begin + 300_000)
        if each.facet.endpoint == "reception"
    ]
    counts = {
        f"Option {option}": sum(each.streams for each in told if each.facet.option == option)
        for option in "AB"
    }
    point(page, plot, at, len(times))
    assert values(plot) == {name: count for name, count in counts.items() if count}
    text = plot.locator(".plot-tip dd").first.inner_text()
    assert re.fullmatch(r"[0-9.]+ % \(\d+\)", text)
    page.locator(".pill", has_text="7 days").click()
    chart = json.loads(page.locator("[data-plot]").first.get_attribute("data-chart") or "")
    assert len(chart["points"][0]) == 168
    assert window.troubles == []
