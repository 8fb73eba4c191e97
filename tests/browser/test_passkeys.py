"""Passkeys in Chromium, with an authenticator of its own (CDP's WebAuthn domain)."""

from __future__ import annotations

import pytest

from .conftest import Visit
from .test_people import PASSWORD, age_sessions, program, seen, sign_in

__all__ = ["program"]  # the fixture


class Authenticator:
    """A device with a fingerprint sensor, which its user touches each time."""

    def __init__(self, page) -> None:
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = {"authenticatorId": made["authenticatorId"]}

    def credentials(self):
        return self._cdp.send("WebAuthn.getCredentials", self._id)["credentials"]

    def put_back(self, credential):
        """As a copy of the device would be, that has signed less often."""
        self._cdp.send("WebAuthn.clearCredentials", self._id)
        self._cdp.send("WebAuthn.addCredential", {**self._id, "credential": credential})


def address_of(program):
    return program.urls["console"].replace("127.0.0.1", "localhost")


def make(page, name):
    page.get_by_label("What to call it").fill(name)
    page.get_by_role("button", name="Make the passkey").click()


def use(page):
    page.get_by_role("button", name="Use a passkey").click()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_passkey_from_making_to_removing(chromium, program, width):
    """Enrolled, used to sign in and to prove it afresh, refused when copied, removed."""
    address = address_of(program)
    visit = Visit(chromium, address, width)
    page = visit.page
    device = Authenticator(page)
    sign_in(page, address)
    page.goto(f"{address}/settings")
    page.get_by_role("button", name="Add a passkey").click()
    seen(page, "passkey", width)
    make(page, "laptop")
    page.get_by_role("link", name="I have kept them").wait_for()
    assert page.locator(".codes li").count() == 10
    first = device.credentials()
    assert [each["rpId"] for each in first] == ["localhost"]
    page.get_by_role("link", name="I have kept them").click()
    seen(page, "settings-passkeys", width)
    assert "laptop" in page.locator("main").inner_text()

    page.get_by_role("button", name="Add a passkey").click()
    make(page, "laptop again")
    page.get_by_text("This device has a passkey here already.").wait_for()
    seen(page, "passkey-refused", width)
    page.get_by_role("link", name="Not now").click()

    page.locator("main").get_by_role("button", name="Sign out").click()
    sign_in(page, address)
    seen(page, "code-passkey", width)
    use(page)
    page.wait_for_url(f"{address}/")
    assert device.credentials()[0]["signCount"] > first[0]["signCount"]

    age_sessions(program)
    page.goto(f"{address}/settings")
    page.locator("#token-name").fill("robot")
    page.get_by_role("button", name="Make a token").click()
    seen(page, "prove-passkey", width)
    use(page)  # without the password the browser asks for it, and nothing is sent
    assert page.get_by_label("Password").evaluate("e => e.validity.valueMissing")
    page.get_by_label("Password").fill(PASSWORD)
    use(page)
    page.get_by_text("Shown this once").wait_for()
    assert "shk_" in page.locator(".said-once").inner_text()

    device.put_back(first[0])
    page.locator("main").get_by_role("button", name="Sign out").click()
    sign_in(page, address)
    use(page)
    page.get_by_text("That passkey was not taken").wait_for()
    seen(page, "passkey-copied", width)
    device.put_back({**first[0], "signCount": 500})
    use(page)
    page.wait_for_url(f"{address}/")

    page.goto(f"{address}/settings")
    page.locator("tr", has_text="laptop").get_by_role("button", name="Remove").click()
    page.wait_for_url(f"{address}/settings")
    assert "laptop" not in page.locator("main").inner_text()
    refused = [each for each in visit.troubles if "403" not in each]
    assert refused == []


@pytest.mark.parametrize("width", [1280, 360])
def test_without_javascript_codes_do(chromium, program, width):
    """The page says what making one takes; a recovery code lets in where a passkey is enrolled."""
    address = address_of(program)
    page = Visit(chromium, address, width).page
    Authenticator(page)
    sign_in(page, address)
    page.goto(f"{address}/settings")
    page.get_by_role("button", name="Add a passkey").click()
    make(page, "laptop")
    page.get_by_role("link", name="I have kept them").wait_for()
    codes = page.locator(".codes li").all_inner_texts()

    plain = Visit(chromium, address, width, java_script_enabled=False).page
    sign_in(plain, address)
    seen(plain, "code-without-javascript", width)
    assert not plain.get_by_role("button", name="Use a passkey").is_visible()
    plain.get_by_label("Recovery code").fill(codes[0])
    plain.get_by_role("button", name="Sign in").click()
    plain.goto(f"{address}/settings")
    assert "9 recovery codes left" in plain.locator("main").inner_text()
    plain.get_by_role("button", name="Add a passkey").click()
    seen(plain, "passkey-without-javascript", width)
    assert "takes JavaScript" in plain.locator("main").inner_text()


def test_at_an_ip_address_the_page_says_why_not(chromium, program):
    address = program.urls["console"]
    page = Visit(chromium, address).page
    sign_in(page, address)
    page.goto(f"{address}/settings")
    assert "no browser makes passkeys for an IP address" in page.locator("main").inner_text()
    assert page.get_by_role("button", name="Add a passkey").count() == 0
