"""Every page there is, with and without anything on it: read by all, laid out for every window."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from program import running
from switchhook.errors import LedgerError
from switchhook.server.unavailable import unavailable_app
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import link_token

from .conftest import Visit, shoot
from .tour import UNFOLDED, Tour, empty
from .world import serving

FOLDER = Path(__file__).parent
AUDIT, AXE, LAYOUT = ((FOLDER / f"{name}.js").read_text() for name in ("audit", "axe", "layout"))
WIDE, DESK, PHONE = (1920, 1080), (1280, 900), (360, 740)
VERDICT = """() => {
  const said = document.querySelector(".verdict-said");
  const line = parseFloat(getComputedStyle(said.querySelector(".verdict-what")).lineHeight);
  const all = [...document.querySelectorAll(".verdict-said > *, .verdict-ways")];
  const hidden = all.filter((each) => !each.checkVisibility()).length;
  return { lines: said.clientHeight / line, hidden };
}"""
COVERED = ".verdict-press[open], dialog[open]"


class Findings:
    """What is wrong, by check: the page, its look, and what."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.of: dict[str, list[str]] = defaultdict(list)

    def look(self, name: str, page: Page) -> None:
        """Look at a page in every way: each width and theme once, without loading it anew."""
        self.pages.append(name)
        unfolds = name in UNFOLDED.values()  # then axe sees it unfolded, which is more
        if not unfolds:
            page.evaluate(f"if (!window.axe) {{ {AXE_SCRIPT} }}")
            self._ask_axe("light", f"{name} at 1280 in light", page)
            page.emulate_media(color_scheme="dark")
            self._ask_axe("dark", f"{name} at 1280 in dark", page)
        self._lay_out(name, page, DESK)
        self._lay_out(name, page, WIDE)
        self._lay_out(name, page, PHONE)
        if not unfolds:
            self._ask_axe("narrow", f"{name} at 360 in dark", page)
        if page.locator(".verdict").count() and not page.locator(COVERED).count():
            self._press_verdict(name, page)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")

    def _ask_axe(self, look: str, where: str, page: Page) -> None:
        self.of["axe"] += [f"{where}: {each}" for each in page.evaluate(AXE, look)]

    def _lay_out(self, name: str, page: Page, size: tuple[int, int]) -> None:
        width, height = size
        page.set_viewport_size({"width": width, "height": height})
        shoot(page, f"{name}-{width}")
        for check, script in (("layout", LAYOUT), ("audit", AUDIT)):
            self.of[check] += [f"{name} at {width}: {each}" for each in page.evaluate(script)]

    def _press_verdict(self, name: str, page: Page) -> None:
        """On a phone: closed, then pressed; then as it was, on a wide screen."""
        closed = page.evaluate(VERDICT)
        if closed["lines"] > 2.05:
            self.of["verdict"].append(f"{name}: {closed['lines']:.1f} lines until pressed")
        press = page.locator(".verdict-press > summary")
        if closed["hidden"]:
            press.click()
            opened = page.evaluate(VERDICT)
            press.click()
            if opened["hidden"]:
                self.of["verdict"].append(f"{name}: {opened['hidden']} parts are hidden, pressed")
        page.set_viewport_size({"width": 1280, "height": 900})
        if page.evaluate(VERDICT)["hidden"] or press.is_visible():
            self.of["verdict"].append(f"{name}: it is not whole on a wide screen")


@pytest.fixture(scope="module")
def findings(chromium, console, tmp_path_factory):
    """The walk through all pages, once for all that is asked of them."""
    found = Findings()
    data = tmp_path_factory.mktemp("empty")
    with running(data) as program:
        link = f"/open/{link_token(read_identity(data).key)}"
        for name, page in empty(chromium, program.urls["console"], link):
            found.look(name, page)
    error = LedgerError("ledger.sqlite", "it is damaged", "restore it from a backup")
    with serving(unavailable_app(error), lambda: None) as address:
        found.look("unavailable", Visit(chromium, address).go("/"))
    for name, page in Tour(chromium, console).pages():
        found.look(name, page)
    return found


def test_axe_finds_nothing(findings):
    """All of its default rules, in both themes."""
    assert findings.of["axe"] == []
    assert len(findings.pages) > 40


def test_every_page_is_sanely_made(findings):
    assert findings.of["audit"] == []


def test_every_page_fits_its_window(findings):
    """Nothing sideways, nothing run together, no box that is empty or far too wide."""
    assert findings.of["layout"] == []


def test_the_verdict_takes_two_lines_of_a_phone_until_it_is_pressed(findings):
    assert findings.of["verdict"] == []
