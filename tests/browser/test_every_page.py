"""Every page there is, with and without anything on it: axe-core finds nothing to mend."""

from __future__ import annotations

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

from .conftest import Visit
from .tour import Tour, empty
from .whole import whole
from .world import serving

AUDIT = (Path(__file__).parent / "audit.js").read_text()
LOOKS: list[tuple[int, int, Literal["light", "dark"]]] = [
    (1280, 900, "light"),
    (1280, 900, "dark"),
    (360, 740, "dark"),
]
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
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")


@pytest.fixture(scope="module")
def findings(chromium, tmp_path_factory):
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
    with whole(tmp_path_factory.mktemp("whole")) as console:
        tour = Tour(chromium, console)
        for name, page in tour.pages():
            found.look(name, page)
    return found


def test_axe_finds_nothing(findings):
    """All of its default rules, in both themes."""
    assert findings.of["axe"] == []
    assert len(findings.pages) > 40


def test_every_page_is_sanely_made(findings):
    assert findings.of["audit"] == []
