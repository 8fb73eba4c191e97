"""Chromium, as Debian ships it, and a console with a day of traffic to look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from patience import PATIENCE_S

from .whole import whole
from .world import World, serving

# As long as anything may take on a machine that is busy with other tests.
expect.set_options(timeout=1000 * PATIENCE_S)
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or Path(__file__).parent / "screenshots")
SHOOT = "SCREENSHOTS" in os.environ
"""Whether to keep pictures of pages to look at; each takes as long as a page's check."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium():
    if not Path(CHROMIUM).exists():
        pytest.fail(f"there is no {CHROMIUM}: run scripts/browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    world.fill()
    yield world
    world.close()


@pytest.fixture(scope="session")
def address(world):
    with serving(world.app(), world.pages.close) as address:
        yield address


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    """The real program with something on every page."""
    with whole(tmp_path_factory.mktemp("whole")) as console:
        yield console


def shoot(page: Page, name: str) -> None:
    """Keep a screenshot of the whole page, if they are wanted."""
    if SHOOT:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        # Hiding the caret would leave styles in the page, which its audit then finds.
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, caret="initial")


class Visit:
    """One browser window; what goes wrong in it is in `troubles`."""

    def __init__(self, browser: Browser, address: str, width: int = 1280, **options) -> None:
        self.address = address
        self._context = browser.new_context(
            viewport={"width": width, "height": 900 if width > 500 else 740}, **options
        )
        self._context.set_default_timeout(15_000)
        self.page: Page = self._context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", self._asked)

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _asked(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.troubles.append(f"it asked for {request.url[:100]}")

    def go(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def keep(self, name: str) -> None:
        """Keep a screenshot of the whole page, if they are wanted."""
        shoot(self.page, name)

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def visit(chromium, address):
    """Opens windows: `visit(width=360, color_scheme="dark")`."""
    visits: list[Visit] = []

    def open_window(**options) -> Visit:
        visits.append(Visit(chromium, address, **options))
        return visits[-1]

    yield open_window
    for each in visits:
        each.close()
