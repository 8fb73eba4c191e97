"""A second factor: enrolled, asked for, used up, reset, needed."""

from __future__ import annotations

import base64
import re

import pytest

from switchhook.access.roles import AccessSettings, Role
from switchhook.access.second_factor import DIGITS, SKEW, STEP_US, code_at, step_of
from switchhook.web.sign_in import second_factor_page
from switchhook.web.sign_in.prover import CODES
from web.sign_in.house import HERE, HOUR, MINUTE, PASSWORD, House
from web.sign_in.test_settings_page import once

PATH = "/settings/own/second-factor"


def enrol(house, browser):
    """Set up a second factor; its secret and recovery codes."""
    page = browser.post(f"{PATH}/begin", {})
    shown = once(page).replace(" ", "")
    secret = base64.b32decode(shown + "=" * (-len(shown) % 8))
    assert "<svg" in page.text
    done = browser.post(PATH, {"code": code_at(secret, step_of(house.now_us))})
    codes = re.findall(r"<li>([^<]+)</li>", done.text)
    house.now_us += STEP_US
    return secret, codes


def code(house, secret, off=0):
    return code_at(secret, step_of(house.now_us) + off)


def test_enrolling(house):
    """The secret is shown before, the recovery codes after; neither is ever shown again."""
    browser = house.signed_in()
    secret, codes = enrol(house, browser)
    assert len(set(codes)) == 10
    page = browser.get("/settings").text
    assert "10 recovery codes left" in page
    assert not any(each in page for each in codes)
    kept = house.kept.second_factors.of(house.kept.users.named("asha").id)
    assert kept.secret == secret
    assert "set up a second factor" in house.whats()
    ledger = (house.folder / "ledger/ledger.sqlite-wal").read_bytes()
    assert not any(each.encode() in ledger for each in codes)


def test_a_wrong_code_enrols_nothing(house):
    browser = house.signed_in()
    browser.post(f"{PATH}/begin", {})
    assert browser.post(PATH, {"code": "000000"}).status_code == 400
    assert house.kept.users.named("asha").second_factor is False


def test_what_was_begun_too_long_ago_enrols_nothing(house):
    browser = house.signed_in()
    shown = once(browser.post(f"{PATH}/begin", {})).replace(" ", "")
    secret = base64.b32decode(shown)
    house.now_us += 16 * MINUTE
    reply = browser.post(PATH, {"code": code(house, secret), "proof_password": PASSWORD})
    assert reply.status_code == 400
    assert "began" not in reply.text
    assert house.kept.users.named("asha").second_factor is False


def test_enrolling_ends_other_sessions(house):
    browser, other = house.signed_in(), house.browser()
    other.sign_in()
    enrol(house, browser)
    assert browser.get("/").status_code == 200
    assert other.get("/").status_code == 303


def test_a_password_alone_lets_nobody_in(house):
    """The second page asks for the code; only then there is a session, and it goes on as asked."""
    secret, _ = enrol(house, house.signed_in())
    browser = house.browser()
    reply = browser.sign_in(to="/streams?q=x")
    assert reply.headers["location"] == "/login/code"
    assert "switchhook" not in browser.client.cookies
    assert browser.get("/").headers["location"].startswith("/login")
    assert browser.post("/login/code", {"code": "000000"}).status_code == 403
    assert browser.get("/").status_code == 303
    reply = browser.post("/login/code", {"code": code(house, secret)})
    assert reply.headers["location"] == "/streams?q=x"
    assert browser.get("/").status_code == 200
    assert house.whats()[-2:] == ["failed the second factor", "signed in"]


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_code_counts_once(house, off):
    """Within its window, too, and in another browser, too; nor does one before it."""
    secret, _ = enrol(house, house.signed_in())
    house.now_us += 10 * STEP_US
    first, second = house.browser(), house.browser()
    first.sign_in()
    second.sign_in()
    shown = code(house, secret, off)
    assert first.post("/login/code", {"code": shown}).status_code == 303
    assert second.post("/login/code", {"code": shown}).status_code == 403
    assert second.post("/login/code", {"code": code(house, secret, off - 1)}).status_code == 403


@pytest.mark.parametrize("off", [-3, -2, 2, 3])
def test_a_code_of_another_time_does_not_count(house, off):
    secret, _ = enrol(house, house.signed_in())
    house.now_us += 10 * STEP_US
    browser = house.browser()
    browser.sign_in()
    assert browser.post("/login/code", {"code": code(house, secret, off)}).status_code == 403


def test_a_recovery_code_counts_once(house):
    _, codes = enrol(house, house.signed_in())
    browser = house.browser()
    browser.sign_in()
    assert browser.post("/login/code", {"code": codes[3].upper()}).status_code == 303
    assert "9 recovery codes left" in browser.get("/settings").text
    browser.sign_in()
    assert browser.post("/login/code", {"code": codes[3]}).status_code == 403
    noted = [each for each in house.kept.audit.oldest_first() if each.what.endswith("code")]
    assert [(each.what, each.details) for each in noted] == [
        ("used a recovery code", '{"left":"9"}')
    ]


def test_new_recovery_codes_void_the_old(house):
    browser = house.signed_in()
    _, codes = enrol(house, browser)
    fresh = re.findall(r"<li>([^<]+)</li>", browser.post(f"{PATH}/codes", {}).text)
    assert len(set(fresh)) == 10
    assert not set(fresh) & set(codes)
    other = house.browser()
    other.sign_in()
    assert other.post("/login/code", {"code": codes[0]}).status_code == 403
    assert other.post("/login/code", {"code": fresh[0]}).status_code == 303


def test_codes_that_look_like_telephone_numbers_are_shown_whole(house, monkeypatch):
    """Masked, they would let nobody in."""
    browser = house.signed_in()
    enrol(house, browser)
    like_numbers = ["9876-5432-1098-7654", "+91 98765 43210"]
    monkeypatch.setattr(second_factor_page, "new_codes", lambda: (like_numbers, []))
    page = browser.post(f"{PATH}/codes", {}).text
    assert re.findall(r"<li>([^<]+)</li>", page) == like_numbers


def test_the_second_step_is_this_browsers_for_a_while(house):
    """Not another's, not after five minutes, not after the account has changed."""
    secret, _ = enrol(house, house.signed_in())
    elsewhere, browser = house.browser(), house.browser()
    browser.sign_in()
    assert elsewhere.get("/login/code").headers["location"] == "/login"
    assert elsewhere.post("/login/code", {"code": code(house, secret)}).status_code == 403
    house.now_us += 5 * MINUTE
    assert browser.post("/login/code", {"code": code(house, secret)}).status_code == 403
    browser.sign_in()
    asha = house.kept.users.named("asha")
    from switchhook.web.sign_in.password_hashing import hash_password
    from web.sign_in.house import DEED

    house.kept.users.set_password(asha.id, hash_password("another one"), DEED, house.now_us)
    assert browser.post("/login/code", {"code": code(house, secret)}).status_code == 403


def test_codes_are_limited_with_the_password(house):
    """Whoever knows the password has few tries, and waits long for more."""
    enrol(house, house.signed_in())
    thief = house.browser(peer="203.0.113.9")
    thief.sign_in()
    statuses = [thief.post("/login/code", {"code": "000000"}).status_code for _ in range(8)]
    assert statuses == [403] * 5 + [429] * 3
    house.now_us += MINUTE
    assert thief.post("/login/code", {"code": "000000"}).status_code == 429
    # Guessing codes costs tries of the password, as guessing passwords does.
    replies = [thief.sign_in(password="wrong").status_code for _ in range(12)]
    assert replies.count(403) < 8
    assert replies[-1] == 429
    house.now_us += 13 * MINUTE
    thief.sign_in()
    assert thief.post("/login/code", {"code": "000000"}).status_code == 429
    house.now_us += MINUTE
    assert thief.post("/login/code", {"code": "000000"}).status_code == 403


def test_few_codes_are_guessed_in_a_day():
    """As `CODES` says: its tries, each of one code of a million, of which three are right."""
    tries = CODES.burst + 86_400_000 / CODES.every_ms
    assert tries == 101
    assert 2e-4 < 1 - (1 - (2 * SKEW + 1) / 10**DIGITS) ** tries < 4e-4


def test_a_reset_link_does_not_go_around_it(house):
    """A new password by a link is still one factor."""
    admin = house.signed_in("meena")
    secret, _ = enrol(house, house.signed_in())
    number = str(house.kept.users.named("asha").id)
    link = once(admin.post("/settings/users/link", {"id": number})).removeprefix(HERE)
    browser = house.browser()
    form = {"password": "eleven purple teacups", "again": "eleven purple teacups"}
    assert browser.post(link, form).headers["location"] == "/login/code"
    assert browser.get("/").status_code == 303
    assert browser.post("/login/code", {"code": code(house, secret)}).status_code == 303


def test_turning_it_off(house):
    browser = house.signed_in()
    secret, _ = enrol(house, browser)
    house.now_us += HOUR
    off = browser.post(f"{PATH}/off", {})
    assert "proof_code" in off.text
    assert house.kept.users.named("asha").second_factor
    proof = {"proof_password": PASSWORD}
    assert browser.post(f"{PATH}/off", proof).status_code == 403
    proof["proof_code"] = code(house, secret)
    assert browser.post(f"{PATH}/off", proof).status_code == 303
    assert house.kept.users.named("asha").second_factor is False
    assert house.browser().sign_in().headers["location"] == "/"


def test_an_administrator_resets_it(house):
    """It is noted, and what its user has open ends."""
    admin, asha = house.signed_in("meena"), house.signed_in()
    enrol(house, asha)
    number = str(house.kept.users.named("asha").id)
    assert "Reset second factor" in admin.get("/settings").text
    assert admin.post("/settings/users/second-factor", {"id": number}).status_code == 303
    assert asha.get("/").status_code == 303
    assert house.browser().sign_in().headers["location"] == "/"
    assert "reset a second factor" in house.whats()
    viewer = house.signed_in("ravi", Role.OPERATOR)
    assert viewer.post("/settings/users/second-factor", {"id": number}).status_code == 403


@pytest.mark.parametrize(
    ("role", "needed"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.ADMINISTRATOR, True)]
)
def test_a_role_may_need_it(tmp_path, role, needed):
    """Nothing is seen and done before it is there."""
    house = House(tmp_path, AccessSettings(second_factor=Role.OPERATOR))
    browser = house.signed_in("asha", role)
    assert (browser.get("/").status_code == 303) is needed
    if not needed:
        return
    assert browser.get("/settings").headers["location"] == PATH
    assert browser.get("/api/v1/things").status_code == 403
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get(PATH).text)[1]
    form = {"name": "x", "scope": "read", "days": "1"}
    assert browser.post("/settings/own/tokens", form, token).status_code == 303
    assert house.kept.passes.tokens() == []
    page = browser.post(f"{PATH}/begin", {}, token)
    secret = base64.b32decode(once(page).replace(" ", ""))
    assert browser.post(PATH, {"code": code(house, secret)}, token).status_code == 200
    assert browser.get("/").status_code == 200


def test_an_open_console_has_none(house):
    assert house.browser().get(PATH).status_code == 403


def test_a_clock_that_goes_back_lets_no_code_count_again(house):
    secret, _ = enrol(house, house.signed_in())
    house.now_us += 100 * STEP_US
    browser = house.browser()
    browser.sign_in()
    assert browser.post("/login/code", {"code": code(house, secret)}).status_code == 303
    house.now_us -= 50 * STEP_US
    browser = house.browser()
    browser.sign_in()
    assert browser.post("/login/code", {"code": code(house, secret)}).status_code == 403


@pytest.mark.parametrize("step_us", [9 * HOUR, -9 * HOUR])
def test_a_clock_that_steps_keeps_nobody_waiting(house, step_us):
    """Neither gives it tries, nor are they gone for hours once it is right again."""
    house.user()
    thief = house.browser(peer="203.0.113.9")
    for _ in range(10):
        thief.sign_in(password="wrong")
    assert thief.sign_in(password="wrong").status_code == 429
    house.step_us = step_us
    assert thief.sign_in(password="wrong").status_code == 429
    house.step_us = 0
    house.now_us += MINUTE
    assert thief.sign_in().status_code == 303
