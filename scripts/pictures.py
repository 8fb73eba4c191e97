"""Take the pictures of the documentation anew, from the demo: `make pictures`, ten minutes.

They are of what anybody sees who runs `make demo`: a bot dies, the console says so, and then that
it is over; a change is shipped, and one that harms callers is taken back. They go to docs/images,
each as the page is at 1280 or 390 px.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs/images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CALLS = 900
"""More than are needed: the demo is ended when the last picture is taken."""
FAILED = 12
"""How many callers are to be hit before the pictures of the trouble are taken."""
_PATIENCE_S = 300.0
MASK = r"""() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    node.data = node.data.replace(/\+91\d{8}(\d\d)\b/g, "+91•••••••$1");
  }
}"""
"""Numbers as those who sign in see them: those of the demo are made up, but may be somebody's."""
_WIDE, _PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Demo:
    """The demo as it runs: its folder, the console's address, and what its API says."""

    def __init__(self, link: str, folder: Path) -> None:
        self.link, self._folder = link, folder
        self.address, self._token = link.split("/open/")

    def ask(self, path: str) -> Any:
        """What the API answers."""
        asked = Request(  # noqa: S310 - our own http address
            self.address + path, headers={"Authorization": f"Bearer {self._token}"}
        )
        with urlopen(asked, timeout=30) as reply:  # noqa: S310
            return json.load(reply)

    def wait(self, for_what: str, done: Callable[[], bool]) -> None:
        """Ask until it is so. Raises TimeoutError."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if done():
                    return
            time.sleep(0.5)
        raise TimeoutError(f"the demo never came to this: {for_what}")

    def release(self, *words: str) -> int:
        """Do something with a release, as docs/ship-a-change.md does; the newest one's number."""
        asked = [sys.executable, "-m", "switchhook", "release", *words]
        subprocess.run(asked, cwd=self._folder, check=True)  # noqa: S603
        return max(each["number"] for each in self.ask("/api/v1/releases")["releases"])

    def level(self) -> str:
        """How the first line says that things are."""
        return str(self.ask("/api/v1/verdict")["level"])

    def failed(self) -> int:
        """How many callers met a bot that refused."""
        found = self.ask("/api/v1/receipts?cause=connect_failed&limit=1000")
        return len(found["receipts"])


@contextlib.contextmanager
def demo() -> Iterator[Demo]:
    """Run it in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "demo")
        words = [sys.executable, "-m", "demo", "--data", str(folder), "--calls", str(CALLS)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) as running:  # noqa: S603
            try:
                yield Demo(_link(folder / "data", running), folder)
            finally:
                running.terminate()


def _link(data: Path, running: subprocess.Popen[bytes]) -> str:
    """What opens the console, once there is one. Raises RuntimeError where the demo has ended."""
    words = [sys.executable, "-m", "switchhook", "link", "--json", "--data", str(data)]
    until = time.monotonic() + _PATIENCE_S
    while running.poll() is None and time.monotonic() < until:
        said = subprocess.run(words, capture_output=True, check=False)  # noqa: S603
        if not said.returncode:
            return str(json.loads(said.stdout)["console"])
        time.sleep(0.5)
    raise RuntimeError("the demo did not start")


def shoot(page: Page, name: str) -> None:
    """Keep what the window shows, once it is live and still."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.evaluate(MASK)
    page.screenshot(path=OUT / f"{name}.png", animations="disabled")
    sys.stdout.write(f"docs/images/{name}.png\n")


def main() -> None:
    """Take them all."""
    OUT.mkdir(exist_ok=True)
    with demo() as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(viewport=_WIDE, color_scheme="light")  # type: ignore[arg-type]
        page = context.new_page()
        running.wait("a bot fails", lambda: running.level() == "bad")
        running.wait("callers are hit", lambda: running.failed() >= FAILED)
        page.goto(running.link)
        page.wait_for_selector("body[data-live='on']")
        shoot(page, "now")
        page.set_viewport_size(_PHONE)  # type: ignore[arg-type]
        shoot(page, "now-phone")
        page.set_viewport_size(_WIDE)  # type: ignore[arg-type]
        _trouble(page, running)
        running.wait("it is over", lambda: running.level() != "bad")
        page.goto(f"{running.address}/")
        page.wait_for_selector("body[data-live='on']")
        shoot(page, "now-over")
        _releases(page, running)
        browser.close()


def _releases(page: Page, running: Demo) -> None:
    """A change beside live traffic, then for a share of the callers, and one that harms them."""
    of = ("--of", "survey-in", "--reason")
    number = running.release("shadow", "better.toml", *of, "the new bot is cheaper")
    page.goto(f"{running.address}/releases/{number}")
    _said(page, r"would have decided [1-9]\d+ of")
    shoot(page, "release-shadow")
    running.release("canary", "25%", "--reason", "as foretold in shadow")
    _said(page, f"No harm by release {number} is seen")
    shoot(page, "release-canary")
    running.release("stop", "--reason", "another one first")
    number = running.release("canary", "broken.toml", "25%", *of, "another vendor")
    page.goto(f"{running.address}/releases/{number}")
    _said(page, "It harmed callers")
    shoot(page, "release-frozen")


def _said(page: Page, words: str) -> None:
    """Wait until a page that renews itself says it."""
    page.locator(f"text=/{words}/").first.wait_for(timeout=1000 * _PATIENCE_S)


def _trouble(page: Page, running: Demo) -> None:
    """From the first line to one caller, and what a program is told of it."""
    page.goto(f"{running.address}/streams?q=cause:connect_failed")
    shoot(page, "streams")
    page.locator("tbody a[href^='/calls/']").first.click()
    shoot(page, "call")
    page.goto(f"{running.address}/causes")
    page.locator("tbody a[href^='/causes/']").first.click()
    shoot(page, "issue")
    page.goto(f"{running.address}/endpoints")
    shoot(page, "endpoints")
    page.goto(f"{running.address}/api#ask-verdict")
    page.locator("details#ask-verdict button").click()
    page.locator("details#ask-verdict [data-said]", has_text=" ms").wait_for()
    page.locator("details#ask-verdict").evaluate("each => each.scrollIntoView({ block: 'start' })")
    shoot(page, "api")


if __name__ == "__main__":
    main()
