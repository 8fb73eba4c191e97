"""A night on call with the real program: sign in, watch, find, look after, be told, take along."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from patience import PATIENCE_S
from program import running
from webhook import receiving

from .conftest import Visit

PASSWORD = "a few words will do"
CONFIG = """
[console]
users = true

[accounts.acme]
sid = "acme1"
region = "singapore"
poll = false

[endpoints.default]
account = "acme"
leads = {{ A = "goodbye", B = "agents' queue" }}

[bots."வாணி"]
hosts = ["bot.example.com"]
owner = "Voice team"

[alerts.send.ops]
url_file = "{url_file}"
"""


@pytest.fixture
def hook():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def program(tmp_path, hook):
    (tmp_path / "alert-url").write_text(hook.url.replace("http://", "json://") + "/alert\n")
    config = tmp_path / "switchhook.toml"
    config.write_text(CONFIG.format(url_file=tmp_path / "alert-url"))
    with running(tmp_path / "data", "--config", str(config)) as program:
        yield program


def emulate(program, scenario, trace):
    """Have the emulator play one call; gives its CallSid."""
    url = program.urls["answer"] + program.passthru
    words = ["emulate", "run", scenario, "--passthru", url, "--trace", str(trace)]
    done = subprocess.run(
        [sys.executable, "-m", "switchhook", *words],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(trace.read_bytes().splitlines()[0])["call"]


def first_link(program):
    """The first administrator's link, from the command that prints it."""
    done = subprocess.run(
        [sys.executable, "-m", "switchhook", "link", "--json", "--data", str(program.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["console"]


def test_a_night_on_call(chromium, program, hook, tmp_path):
    desk = Visit(chromium, program.urls["console"])
    desk.page.goto(first_link(program))
    desk.page.locator("#name").fill("asha")
    desk.page.locator("#password").fill(PASSWORD)
    desk.page.locator("#again").fill(PASSWORD)
    desk.page.locator("button", has_text="Begin").click()

    phone = Visit(chromium, program.urls["console"], width=360, color_scheme="dark")
    phone.go("/")
    phone.page.locator("#name").fill("asha")
    phone.page.locator("#password").fill(PASSWORD)
    phone.page.locator("button", has_text="Sign in").click()
    phone.page.wait_for_selector("body[data-live='on']")
    phone.keep("journey-signed-in-360-dark")

    page = desk.go("/")
    page.wait_for_selector("body[data-live='on']")
    call = emulate(program, "stream-start-stop", tmp_path / "one.jsonl")
    rows = page.locator(f".tail li:has(a[href='/calls/{call}'])")
    expect(rows).to_have_count(2, timeout=PATIENCE_S * 1000)
    assert [text.replace("\n", " ") for text in rows.locator(".chip").all_inner_texts()] == [
        "ended by system",
        "running",
    ]

    throttled = emulate(program, "throttled", tmp_path / "two.jsonl")
    for window in (desk, phone):
        expect(window.page.locator(f".tail a[href='/calls/{throttled}']")).to_have_count(1)
        expect(window.page.locator("#verdict .verdict-good")).to_have_count(0)
    (alert, *_) = hook.wait(1, PATIENCE_S)
    assert alert.path == "/alert"
    assert "found no free stream" in json.dumps(alert.body)
    desk.keep("journey-now-1280-light")
    phone.keep("journey-now-360-dark")

    page.keyboard.press("/")
    page.wait_for_selector("#search:focus")
    page.keyboard.type("cause:throttled since:1h")
    page.keyboard.press("Enter")
    expect(page.locator("[data-rows] tr")).to_have_count(1)
    with page.expect_download() as download:
        page.locator(".exports a", has_text="CSV").click()
    file = tmp_path / "export.csv"
    download.value.save_as(file)
    (head, row) = csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    assert dict(zip(head, row, strict=True))["cause"] == "throttled"

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/calls/{throttled}")
    expect(page.locator(".advice").first).to_contain_text("limit")
    assert "•" in page.locator(".page-header").inner_text()
    page.locator("button", has_text="Show numbers").click()
    expect(page.locator(".page-header")).not_to_contain_text("•")
    desk.keep("journey-call-1280-light")

    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/causes")
    page.locator("[data-rows] a", has_text="Throttled").first.click()
    page.locator("#note").fill("asked Exotel for more")
    page.locator("button", has_text="Acknowledge").click()
    expect(page.locator(".page-header .chip")).to_have_text("acknowledged")

    page = desk.go("/alerts")
    expect(page.locator("main")).to_contain_text("throttled")
    desk.keep("journey-alerts-1280-light")
    page = desk.go("/audit")
    expect(page.locator("main")).to_contain_text("acknowledged an issue")
    phone.go(f"/calls/{throttled}")
    phone.keep("journey-call-360-dark")
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360

    desk.go("/").locator("header button", has_text="Sign out").click()
    page.wait_for_url("**/login**")
    assert desk.troubles == []
    assert phone.troubles == []
    desk.close()
    phone.close()
