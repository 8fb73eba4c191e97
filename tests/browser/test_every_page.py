"""Every page there is, with and without anything on it: read by all, laid out for every window."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from program import running
from switchhook.errors import LedgerError
from switchhook.server.unavailable import unavailable_app
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import link_token

from .conftest import SCREENSHOTS, Visit
from .tour import Tour, empty
from .world import serving

AUDIT = (Path(__file__).parent / "audit.js").read_text()
LOOKS: list[tuple[int, int, Literal["light", "dark"]]] = [
    (1280, 900, "light"),
    (1280, 900, "dark"),
    (360, 740, "dark"),
]
SHOOT = bool(os.environ.get("SCREENSHOTS"))
WIDTHS = [(1920, 1080), (1280, 900), (360, 740)]
LAYOUT = (Path(__file__).parent / "layout.js").read_text()
VERDICT = """() => {
  const said = document.querySelector(".verdict-said");
  const line = parseFloat(getComputedStyle(said.querySelector(".verdict-what")).lineHeight);
  const all = [...document.querySelectorAll(".verdict-said > *, .verdict-ways")];
  const hidden = all.filter((each) => !each.checkVisibility()).length;
  return { lines: said.clientHeight / line, hidden };
}"""
COVERED = ".verdict-press[open], dialog[open]"
AXE = Axe()


class Findings:
    """What is wrong, by check: the page, its look, and what."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.of: dict[str, list[str]] = defaultdict(list)

    def look(self, name: str, page: Page) -> None:
        """Look at a page in every way."""
        self.pages.append(name)
        for width, height, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            where = f"{name} at {width} in {scheme}"
            for found in AXE.run(page).response["violations"]:
                node = found["nodes"][0]
                self.of["axe"].append(f"{where}: {found['id']}: {node['html'][:200]}")
            self.of["audit"] += [f"{where}: {each}" for each in page.evaluate(AUDIT)]
        for width, height in WIDTHS:
            page.set_viewport_size({"width": width, "height": height})
            if SHOOT:
                page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png", full_page=True)
            self.of["layout"] += [f"{name} at {width}: {each}" for each in page.evaluate(LAYOUT)]
        if page.locator(".verdict").count() and not page.locator(COVERED).count():
            self._press_verdict(name, page)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")

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
