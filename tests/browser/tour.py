"""The way to every page of the console: each step leaves the window on one."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, expect

from switchhook.access.second_factor import code_at, step_of

from .conftest import Visit
from .whole import ASHA, BY_CALLBACK, MEENA, PASSWORD, RAVI, Whole

ROOMS = (
    *(
        "/",
        "/streams",
        "/calls",
        "/causes",
        "/capacity",
        "/promises",
        "/routes",
        "/releases",
        "/flags",
        "/endpoints",
    ),
    "/endpoints/refused",
    "/report",
    *("/alerts", "/health", "/audit", "/settings", "/api"),
)
"""Those of the navigation, and what they lead to."""
UNFOLDED = {
    "/": "now",
    "/streams": "streams",
    "/capacity": "capacity",
    "/promises": "promises",
    "/routes": "routes",
    "/releases": "releases",
    "/flags": "flags",
    "/alerts": "alerts",
    "/settings": "settings",
    "/api": "api",
}
"""The rooms that are visited a second time, all that is behind a press unfolded; their names."""
Stop = tuple[str, Page]


def sign_in(page: Page, address: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{address}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _name(path: str) -> str:
    return path.strip("/").replace("/", "-") or "now"


def empty(browser: Browser, address: str, link: str) -> Iterator[Stop]:
    """A console to which nothing has come, which nobody has an account for."""
    page = Visit(browser, address).page
    page.goto(f"{address}/open")
    yield "open", page
    page.goto(f"{address}{link}x")
    yield "open-wrong", page
    page.goto(f"{address}{link}")
    for path in ROOMS:
        page.goto(address + path)
        yield f"empty-{_name(path)}", page


class Tour:
    """All pages of a console with something on them; `yield`s where it has arrived."""

    def __init__(self, browser: Browser, whole: Whole) -> None:
        self._browser, self._whole = browser, whole
        # Passkeys need a name; 127.0.0.1 has none.
        self.address = whole.address.replace("127.0.0.1", "localhost")
        self.desk = Visit(browser, self.address)

    def pages(self) -> Iterator[Stop]:
        for part in (self._door, self._rooms, self._alone, self._unfolded, self._second_factor):
            yield from part()
        yield from self._once()
        yield from self._of_others()

    def _go(self, path: str) -> Page:
        return self.desk.go(path)

    def _door(self) -> Iterator[Stop]:
        page = self.desk.page
        yield "login", self._go("/login")
        sign_in(page, self.address, ASHA, "not it")
        yield "login-wrong", page
        yield "welcome-over", self._go("/welcome/nothing")
        yield "code-over", self._go("/login/code")
        yield "on-it-unknown", self._go("/on-it/nothing")
        sign_in(page, self.address, ASHA)
        page.wait_for_url(f"{self.address}/")

    def _rooms(self) -> Iterator[Stop]:
        self._fill_alerts()
        for path in ROOMS:
            page = self._go(path)
            expect(page.locator("body"), path).to_have_attribute("data-live", "on")
            yield _name(path), page

    def _fill_alerts(self) -> None:
        """A silence, an acknowledgement and messages, those that could not be sent among them."""
        page = self._go("/alerts")
        expect(page.locator(".firing").first).to_be_visible()
        page.locator("summary", has_text="New silence").click()
        page.locator("#silence-reason").fill("ticket 42: it is known")
        page.locator("#silence-label").select_option(index=1)
        page.locator("#silence-value").fill("asha.bots.example")
        page.locator("#silence-reason").press("Enter")
        for name in ("ops", "dead"):
            row = page.locator("tr", has=page.get_by_role("rowheader", name=name))
            row.get_by_role("button", name="Send a test").click()
            page.wait_for_url("**tested=*")

    def _alone(self) -> Iterator[Stop]:
        page = self._go("/streams?q=kind:refused")
        call = page.locator("tbody a[href^='/calls/']").first.get_attribute("href")
        yield "call", self._go(str(call))
        page.locator("button", has_text="Show numbers").click()
        yield "call-shown", page
        page = self._go("/streams?q=endpoint:sales")
        call = page.locator("tbody a[href^='/calls/']").first.get_attribute("href")
        yield "call-hostile", self._go(str(call))
        page = self._go("/causes")
        page.locator("tbody a[href^='/causes/']").first.click()
        page.locator("#note").fill("ticket 42")
        page.locator("button", has_text="Acknowledge").click()
        yield "issue", page
        for of, number in self._whole.releases.items():
            yield f"release-{of}", self._go(f"/releases/{number}")
        yield "promises-all", self._go("/promises?state=all")
        for state in ("kept", "unknown"):
            page = self._go(f"/promises?state={state}")
            page.locator("tbody a[href^='/promises/']").first.click()
            expect(page.locator("h2", has_text="What happened")).to_be_visible()
            yield f"promise-{state}", page
        yield "promises-wrong", self._go("/promises?state=lost&since=soon")
        page = self._go("/report?week=this")
        page.get_by_role("button", name="Make it").click()
        expect(page.locator("h2", has_text="What went wrong")).to_be_visible()
        yield "report-made", page
        yield "report-wrong", self._go("/report?bot=nobody")
        page = self._go("/calls")
        expect(page.locator("[data-rows] > tr")).to_have_count(2)
        page.get_by_role("link", name=BY_CALLBACK).click()
        expect(page.locator("h2", has_text="No answer")).to_be_visible()
        yield "call-by-callback", page
        page = self._go("/endpoints")
        page.get_by_role("button", name="Reveal the URL").first.click()
        expect(page.locator("[data-revealed]")).to_be_visible()
        yield "endpoint-url", page
        yield "call-unknown", self._go("/calls/nothing")
        yield "not-found", self._go("/nothing")
        yield "streams-wrong", self._go("/streams?q=kind:refsed+cause:none")
        yield "streams-none", self._go("/streams?q=host:nobody.example")
        yield "audit-none", self._go("/audit?who=nobody")
        page = self._go("/settings")
        page.locator("#person-number").fill("+919812345678")
        page.get_by_role("button", name="Report").click()
        yield "person", page

    def _unfolded(self) -> Iterator[Stop]:
        """What is behind a press, all of it at once."""
        page = self._go("/")
        page.locator("[data-help]").click()
        yield "help", page
        releases = self._whole.releases.items()
        one_by_one = {f"/releases/{number}": f"release-{of}" for of, number in releases}
        for path, name in (UNFOLDED | one_by_one).items():
            page = self._go(path)
            page.evaluate(
                "for (const each of document.querySelectorAll('details')) each.open = true"
            )
            yield f"{name}-unfolded", page

    def _second_factor(self) -> Iterator[Stop]:
        page = self.desk.page
        yield "second-factor", self._go("/settings/own/second-factor")
        page.get_by_role("button", name="Add a passkey").click()
        yield "passkey", page
        self._go("/settings/own/second-factor")
        page.get_by_role("button", name="Set up an app").click()
        yield "second-factor-app", page

    def _once(self) -> Iterator[Stop]:
        """What is shown once, and what asks again."""
        page = self._go("/settings")
        page.locator("#token-name").fill("nightly export")
        page.get_by_role("button", name="Make a token").click()
        yield "settings-token", page
        self._whole.age_sessions()
        self._go("/settings")
        page.locator("#user-name").fill("devi")
        page.get_by_role("button", name="Make a link for them").click()
        yield "prove", page
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        yield "settings-link", page
        link = page.locator(".said-once").inner_text()
        guest = Visit(self._browser, self.address).page
        guest.goto(link.replace("127.0.0.1", "localhost"))
        yield "welcome", guest

    def _of_others(self) -> Iterator[Stop]:
        page = self._whole_alerts()
        yield "on-it", page
        page.get_by_role("button", name="I am on it").click()
        yield "on-it-done", page
        page = Visit(self._browser, self.address).page
        sign_in(page, self.address, RAVI)
        page.goto(f"{self.address}/audit")
        yield "refused", page
        page.goto(f"{self.address}/settings")
        yield "settings-viewer", page
        page = Visit(self._browser, self.address).page
        yield from self._enrolled(page)

    def _whole_alerts(self) -> Page:
        found = self.desk.page.request.get(f"{self.address}/api/v1/alerts").json()["alerts"]
        alert = next(each for each in found if each["fired_at"] and not each["acknowledged_by"])
        page = Visit(self._browser, self.address).page
        page.goto(self.address + self._whole.on_it(alert, "ops"))
        return page

    def _enrolled(self, page: Page) -> Iterator[Stop]:
        """Of somebody who has a second factor."""
        sign_in(page, self.address, MEENA)
        page.goto(f"{self.address}/settings/own/second-factor")
        page.get_by_role("button", name="Set up an app").click()
        secret = base64.b32decode(page.locator(".said-once").inner_text().replace(" ", ""))
        step = step_of(time.time_ns() // 1_000)
        page.get_by_label("Code that the app shows").fill(code_at(secret, step))
        page.get_by_role("button", name="Turn it on").click()
        yield "recovery-codes", page
        page.goto(f"{self.address}/settings")
        yield "settings-enrolled", page
        page.context.clear_cookies()
        sign_in(page, self.address, MEENA)
        yield "code", page
        page.get_by_label("Code of your app").fill("000000")
        page.get_by_role("button", name="Sign in").click()
        yield "code-wrong", page
