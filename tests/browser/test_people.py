"""Signing in with a second factor and what asks again, in Chromium, without JavaScript."""

from __future__ import annotations

import base64
import subprocess
import sys
import time

import pytest

from program import running
from switchhook.access.second_factor import code_at, step_of
from switchhook.ledger.sqlite import APPLICATION_ID, CHECKED_VERSION
from switchhook.sqlite_file import connect_checked

from .conftest import Visit, shoot

PASSWORD = "eleven purple teacups"


@pytest.fixture
def program(tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text('data = "data"\n[console]\nusers = true\n')
    with running(tmp_path / "data", "--config", str(config)) as program:
        command = [sys.executable, "-m", "switchhook", "users", "add", "asha"]
        options = ["--role", "administrator", "--data", str(tmp_path / "data")]
        subprocess.run(
            [*command, *options], input=PASSWORD, text=True, check=True, capture_output=True
        )
        yield program


def age_sessions(program):
    """As if everybody had signed in long ago."""
    file = program.data / "ledger" / "ledger.sqlite"
    ledger = connect_checked(file, APPLICATION_ID, CHECKED_VERSION)
    ledger.execute("UPDATE sessions SET proved_us = 0")
    ledger.close()


def seen(page, name, width):
    """Nothing of it is wider than the window; keep a picture."""
    shoot(page, f"{name}-{width}")
    wide = page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
    assert wide <= 0, name


def sign_in(page, address):
    page.goto(f"{address}/login")
    page.get_by_label("Name").fill("asha")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_second_factor_from_setting_up_to_deleting_somebody(chromium, program, width):
    """Every step is a page and a form of its own, at both widths."""
    address = program.urls["console"]
    visit = Visit(chromium, address, width, java_script_enabled=False)
    page = visit.page
    sign_in(page, address)
    page.goto(f"{address}/settings")
    page.locator("form[action$='second-factor/begin'] button").click()
    seen(page, "second-factor", width)
    shown = page.locator(".said-once").inner_text().replace(" ", "")
    secret = base64.b32decode(shown)
    step = step_of(time.time_ns() // 1_000)
    page.get_by_label("Code that the app shows").fill(code_at(secret, step))
    page.get_by_role("button", name="Turn it on").click()
    page.get_by_role("link", name="I have kept them").wait_for()
    codes = page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    seen(page, "recovery-codes", width)
    page.get_by_role("link", name="I have kept them").click()
    page.locator("main").get_by_role("button", name="Sign out").click()

    sign_in(page, address)
    seen(page, "code", width)
    page.get_by_label("Code of your app").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    assert "wrong" in page.get_by_role("alert").inner_text()
    page.get_by_label("Code of your app").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{address}/settings")
    assert "9 recovery codes left" in page.locator("main").inner_text()

    age_sessions(program)
    page.locator("#user-name").fill('ravi "<b>')
    page.get_by_role("button", name="Make a link for them").click()
    seen(page, "prove", width)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code of your app").fill(codes[1])
    page.get_by_role("button", name="Go on").click()
    assert "/welcome/" in page.locator(".said-once").inner_text()
    assert 'ravi "<b>' in page.locator("main").inner_text()
    seen(page, "settings-people", width)

    link = page.locator(".said-once").inner_text()
    guest = Visit(chromium, address, width, java_script_enabled=False).page
    guest.goto(link)
    for label in ("Password", "Once more"):
        guest.get_by_label(label).fill("qwertyuiopasdfghjkl")
    guest.get_by_role("button", name="Begin").click()
    assert "guessed too soon" in guest.get_by_role("alert").inner_text()
    seen(guest, "welcome-refused", width)
    for label in ("Password", "Once more"):
        guest.get_by_label(label).fill("nine wobbling ladders")
    guest.get_by_role("button", name="Begin").click()

    page.goto(f"{address}/settings")
    row = page.locator("tr", has_text="ravi").first
    row.locator("summary").click()
    seen(page, "settings-delete", width)
    row.get_by_label("The name, once more").fill('ravi "<b>')
    row.get_by_role("button", name="Delete").click()
    assert "ravi" not in page.locator("main").inner_text()
    guest.goto(f"{address}/")
    assert "/login" in guest.url
