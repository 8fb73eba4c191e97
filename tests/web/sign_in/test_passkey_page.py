"""Passkeys: enrolled, asked for, refused, removed; by an authenticator that really signs."""

from __future__ import annotations

import base64
import html
import json
import re
import secrets

import pytest

from authenticator import Authenticator, text
from switchhook.access.roles import AccessSettings, Role
from web.sign_in.house import DEED, HERE, HOUR, MINUTE, PASSWORD, House
from web.sign_in.test_fresh_proof import TOKEN, hidden
from web.sign_in.test_second_factor_page import code, enrol
from web.sign_in.test_settings_page import once

APP = "/settings/own/second-factor"
PATH = f"{APP}/passkeys"
NAMED = "http://localhost:8081"


def asked(page):
    """What a page asks the browser by."""
    found = re.search(r'data-passkey-(?:make|use)="([^"]+)"', page.text)
    return json.loads(html.unescape(found[1]))


def signed_in(house, name="asha", role=Role.ADMINISTRATOR):
    """A browser of a new user, who knows the console by a name."""
    house.user(name, role)
    browser = house.browser(NAMED)
    assert browser.sign_in(name).status_code == 303
    return browser


def add(browser, authenticator=None, name="phone", csrf=None, **lie):
    """Enrol a passkey; the authenticator, and the page after."""
    authenticator = authenticator or Authenticator()
    page = browser.post(f"{PATH}/begin", {}, csrf)
    said = authenticator.create(asked(page), **{"origin": NAMED, **lie})
    return authenticator, browser.post(PATH, {"name": name, "passkey": said}, csrf)


def on_the_way(house, name="asha", base=NAMED):
    """A browser that has shown the password, and the page that asks for more."""
    browser = house.browser(base)
    assert browser.sign_in(name, to="/streams").headers["location"] == "/login/code"
    return browser, browser.get("/login/code")


def show(browser, said):
    return browser.post("/login/code", {"passkey": said})


def noted(house):
    return [each for each in house.kept.audit.oldest_first() if each.what != DEED.what][-1]


def test_enrolling(house):
    """The first brings recovery codes, the next doesn't; each is listed by its name."""
    browser = signed_in(house)
    _, page = add(browser, name="a phone")
    assert len(set(re.findall(r"<li>([^<]+)</li>", page.text))) == 10
    assert noted(house).what == "enrolled a passkey"
    assert json.loads(noted(house).details) == {"passkey": "a phone"}
    _, second = add(browser, name="a key")
    assert (second.status_code, second.headers["location"]) == (303, "/settings")
    settings = browser.get("/settings").text
    assert settings.index("a phone") < settings.index("a key")
    assert "10 recovery codes left" in settings
    assert house.kept.users.named("asha").second_factor


def test_enrolling_ends_other_sessions(house):
    browser, other = signed_in(house), house.browser(NAMED)
    other.sign_in()
    add(browser)
    assert browser.get("/").status_code == 200
    assert other.get("/").status_code == 303


@pytest.mark.parametrize(
    "lie",
    [{"origin": HERE}, {"rp_id": "evil.example"}, {"challenge": text(bytes(32))}],
    ids=str,
)
def test_what_was_made_for_others_is_not_enrolled(house, lie):
    browser = signed_in(house)
    _, page = add(browser, **lie)
    assert page.status_code == 400
    assert house.kept.users.named("asha").second_factor is False


def test_a_challenge_enrols_once_and_for_a_while(house):
    browser = signed_in(house)
    options = asked(browser.post(f"{PATH}/begin", {}))
    made = {"name": "phone", "passkey": Authenticator().create(options, NAMED)}
    house.now_us += 5 * MINUTE
    late = browser.post(PATH, made | {"proof_password": PASSWORD})
    assert late.status_code == 400
    assert "too long" in late.text
    options = asked(late)
    made["passkey"] = Authenticator().create(options, NAMED)
    assert browser.post(PATH, made).status_code == 200
    made["passkey"] = Authenticator().create(options, NAMED)
    assert browser.post(PATH, made).status_code == 400
    assert len(house.kept.passkeys.of(1)) == 1


def test_another_sessions_challenge_enrols_nothing(house):
    browser, ravi = signed_in(house), signed_in(house, "ravi", Role.VIEWER)
    options = asked(ravi.post(f"{PATH}/begin", {}))
    browser.post(f"{PATH}/begin", {})
    made = {"name": "phone", "passkey": Authenticator().create(options, NAMED)}
    assert browser.post(PATH, made).status_code == 400


@pytest.mark.parametrize("name", ["", "+91 98765 43210", "a\0b", "x" * 129])
def test_a_name_that_can_not_be_is_refused(house, name):
    browser = signed_in(house)
    assert add(browser, name=name)[1].status_code == 400
    assert house.kept.passkeys.of(1) == []


def test_one_is_enrolled_once(house):
    """Not by its user again, and not by another, who may have seen its id."""
    browser, ravi = signed_in(house), signed_in(house, "ravi", Role.VIEWER)
    authenticator, _ = add(browser)
    assert asked(browser.post(f"{PATH}/begin", {}))["excludeCredentials"]
    assert add(browser, authenticator)[1].status_code == 400
    assert add(ravi, authenticator)[1].status_code == 400
    assert house.kept.users.named("ravi").second_factor is False


def test_signing_in(house):
    """After the password; the page has the challenge, the audit log the kind."""
    authenticator, _ = add(signed_in(house))
    browser, page = on_the_way(house)
    assert browser.get("/").status_code == 303
    reply = show(browser, authenticator.get(asked(page), NAMED))
    assert (reply.status_code, reply.headers["location"]) == (303, "/streams")
    assert browser.get("/").status_code == 200
    assert json.loads(noted(house).details) == {"by": "password and passkey"}
    assert house.kept.passkeys.of(1)[0].used_us == house.now_us


def test_it_stands_beside_codes(house):
    """App, passkey and recovery code: any of them lets in."""
    browser = signed_in(house)
    authenticator, _ = add(browser)
    secret, codes = enrol(house, browser)
    browser, page = on_the_way(house)
    assert "Code of your app" in page.text
    assert browser.post("/login/code", {"code": code(house, secret)}).status_code == 303
    browser, page = on_the_way(house)
    assert show(browser, authenticator.get(asked(page), NAMED)).status_code == 303
    browser, page = on_the_way(house)
    assert browser.post("/login/code", {"code": codes[0]}).status_code == 303


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": HERE},
        {"origin": "http://localhost:8082"},
        {"rp_id": "evil.example"},
        {"challenge": text(bytes(32))},
        {"kind": "webauthn.create"},
    ],
    ids=str,
)
def test_what_was_signed_for_others_lets_nobody_in(house, lie):
    authenticator, _ = add(signed_in(house))
    browser, page = on_the_way(house)
    reply = show(browser, authenticator.get(asked(page), **{"origin": NAMED, **lie}))
    assert reply.status_code == 403
    assert browser.get("/").status_code == 303
    assert noted(house).what == "failed the second factor"


def test_what_was_signed_once_lets_in_once(house):
    """Its challenge is used up: by a sign-in, by a failure, and by asking again."""
    authenticator, _ = add(signed_in(house), Authenticator(steps=0))
    browser, page = on_the_way(house)
    said = authenticator.get(asked(page), NAMED)
    assert show(browser, "{}").status_code == 403
    assert show(browser, said).status_code == 403
    said = authenticator.get(asked(browser.get("/login/code")), NAMED)
    browser.get("/login/code")
    assert show(browser, said).status_code == 403
    said = authenticator.get(asked(browser.get("/login/code")), NAMED)
    assert show(browser, said).status_code == 303
    again, _ = on_the_way(house)
    assert show(again, said).status_code == 403


def test_a_challenge_is_one_browsers(house):
    authenticator, _ = add(signed_in(house))
    _, page = on_the_way(house)
    other, _ = on_the_way(house)
    assert show(other, authenticator.get(asked(page), NAMED)).status_code == 403


def test_a_challenge_ends(house):
    authenticator, _ = add(signed_in(house))
    browser, page = on_the_way(house)
    house.now_us += 5 * MINUTE
    assert show(browser, authenticator.get(asked(page), NAMED)).status_code == 403


def test_a_count_that_goes_back_is_refused_and_noted(house):
    """A copy of the passkey has signed meanwhile; it is not the user who is let in by it."""
    authenticator, _ = add(signed_in(house), name="old phone")
    authenticator.count = 40
    browser, page = on_the_way(house)
    assert show(browser, authenticator.get(asked(page), NAMED)).status_code == 303
    for count in (40, 5, -1):
        authenticator.count = count
        browser, page = on_the_way(house)
        refused = show(browser, authenticator.get(asked(page), NAMED))
        assert refused.status_code == 403
        assert "old phone may have been copied" in noted(house).details
    assert house.kept.passkeys.of(1)[0].sign_count == 41


def test_another_users_passkey_lets_nobody_in(house):
    browser, ravi = signed_in(house), signed_in(house, "ravi", Role.VIEWER)
    add(browser)
    theirs, _ = add(ravi)
    browser, page = on_the_way(house)
    assert show(browser, theirs.get(asked(page), NAMED)).status_code == 403


def test_tries_of_passkeys_are_limited(house):
    """With those of the password: whoever has it can't have us check signatures without end."""
    add(signed_in(house))
    thief = house.browser(NAMED, peer="203.0.113.9")
    thief.sign_in()
    statuses = [show(thief, "{}").status_code for _ in range(12)]
    assert statuses[0] == 403
    assert statuses[-1] == 429


def test_a_reset_link_does_not_go_around_it(house):
    admin = signed_in(house, "meena")
    authenticator, _ = add(signed_in(house))
    number = str(house.kept.users.named("asha").id)
    link = once(admin.post("/settings/users/link", {"id": number})).removeprefix(NAMED)
    browser = house.browser(NAMED)
    form = {"password": "eleven purple teacups", "again": "eleven purple teacups"}
    assert browser.post(link, form).headers["location"] == "/login/code"
    assert browser.get("/").status_code == 303
    said = authenticator.get(asked(browser.get("/login/code")), NAMED)
    assert show(browser, said).status_code == 303


def test_it_is_the_fresh_proof_with_the_password(house):
    """Neither alone; what was typed is done after; it proves once."""
    browser = signed_in(house)
    authenticator, _ = add(browser, Authenticator(steps=0))
    house.now_us += HOUR
    page = browser.post("/settings/own/tokens", TOKEN)
    assert page.status_code == 403
    said = authenticator.get(asked(page), NAMED)
    alone = browser.post("/settings/own/tokens", hidden(page) | {"proof_password": PASSWORD})
    assert alone.status_code == 403
    stale = hidden(alone) | {"proof_password": PASSWORD, "proof_passkey": said}
    assert browser.post("/settings/own/tokens", stale).status_code == 403
    wrong = browser.post(
        "/settings/own/tokens", hidden(alone) | {"proof_password": "x", "proof_passkey": said}
    )
    assert house.kept.passes.tokens() == []
    proof = {
        "proof_password": PASSWORD,
        "proof_passkey": authenticator.get(asked(wrong), NAMED),
    }
    assert browser.post("/settings/own/tokens", hidden(wrong) | proof).status_code == 200
    assert [each.name for each in house.kept.passes.tokens()] == [TOKEN["name"]]
    with house.ledger.writing() as c:
        c.exec_driver_sql("UPDATE sessions SET proved_us = 0")
    assert browser.post("/settings/own/tokens", hidden(wrong) | proof).status_code == 403


@pytest.mark.parametrize("path", [f"{PATH}/begin", PATH, f"{PATH}/remove"])
def test_what_takes_a_fresh_password(house, path):
    browser = signed_in(house)
    add(browser)
    house.now_us += 6 * MINUTE
    before = house.whats()
    assert browser.post(path, {"id": "1", "name": "x"}).status_code == 403
    assert house.whats() == before


def test_removing(house):
    """With the last factor go the recovery codes; one's own only; other sessions end."""
    browser, ravi = signed_in(house), signed_in(house, "ravi", Role.VIEWER)
    first, _ = add(browser)
    add(browser, name="key")
    add(ravi)
    other, page = on_the_way(house)
    show(other, first.get(asked(page), NAMED))
    assert other.get("/").status_code == 200
    assert browser.post(f"{PATH}/remove", {"id": "3"}).status_code == 404
    assert browser.post(f"{PATH}/remove", {"id": "1"}).status_code == 303
    assert noted(house).what == "removed a passkey"
    assert other.get("/").status_code == 303
    browser_2, page = on_the_way(house)
    assert show(browser_2, first.get(asked(page), NAMED)).status_code == 403
    assert house.kept.second_factors.codes_left(1) == 10
    assert browser.post(f"{PATH}/remove", {"id": "2"}).status_code == 303
    assert house.kept.second_factors.codes_left(1) == 0
    assert house.browser(NAMED).sign_in().headers["location"] == "/"
    assert len(house.kept.passkeys.of(2)) == 1


def test_turning_the_app_off_leaves_the_passkeys(house):
    browser = signed_in(house)
    enrol(house, browser)
    add(browser)
    assert browser.post(f"{APP}/off", {}).status_code == 303
    assert house.kept.second_factors.of(1) is None
    assert house.kept.second_factors.codes_left(1) == 10
    _, page = on_the_way(house)
    assert "Recovery code" in page.text
    assert "Code of your app" not in page.text


def test_an_administrator_resets_passkeys_too(house):
    admin, asha = signed_in(house, "meena"), signed_in(house)
    add(asha)
    number = str(house.kept.users.named("asha").id)
    assert "Reset second factor" in admin.get("/settings").text
    assert admin.post("/settings/users/second-factor", {"id": number}).status_code == 303
    assert asha.get("/").status_code == 303
    assert house.browser(NAMED).sign_in().headers["location"] == "/"
    assert house.kept.passkeys.of(int(number)) == []


def test_a_role_that_needs_a_second_factor_is_content(tmp_path):
    house = House(tmp_path, AccessSettings(second_factor=Role.VIEWER))
    browser = signed_in(house, role=Role.VIEWER)
    page = browser.get(APP)
    assert browser.get("/").headers["location"] == APP
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
    assert add(browser, csrf=token)[1].status_code == 200
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    ("settings", "base", "peer", "why"),
    [
        (AccessSettings(), HERE, "127.0.0.1", "IP address"),
        (AccessSettings(), "http://[::1]:8081", "127.0.0.1", "IP address"),
        (
            AccessSettings(url="http://console.example"),
            "http://console.example",
            "10.1.1.1",
            "https",
        ),
    ],
)
def test_where_none_can_be_made_the_page_says_why(tmp_path, settings, base, peer, why):
    house = House(tmp_path, settings)
    house.user()
    browser = house.browser(base, peer)
    browser.sign_in()
    for path in ("/settings", APP):
        page = browser.get(path).text
        assert f"{PATH}/begin" not in page
        assert why in page
    page = browser.post(f"{PATH}/begin", {}).text
    assert "data-passkey-make" not in page
    assert why in page


def test_a_passkey_is_asked_for_where_it_works_only(tmp_path):
    """At another address of the same console the recovery codes do; the page says where."""
    url = "https://console.example"
    house = House(tmp_path, AccessSettings(url=url))
    house.user()
    browser = house.browser(url)
    browser.sign_in()
    authenticator, _ = add(browser, origin=url)
    _, page = on_the_way(house, base=NAMED)
    assert "data-passkey-use" not in page.text
    assert "console.example only" in page.text
    browser, page = on_the_way(house, base=url)
    assert asked(page)["rpId"] == "console.example"
    assert show(browser, authenticator.get(asked(page), url)).status_code == 303


def test_who_signs_in_elsewhere_has_none(house):
    assert house.browser(NAMED).post(f"{PATH}/begin", {}).status_code == 403


def test_a_page_that_asks_has_no_script_of_its_own(house):
    add(signed_in(house))
    _, page = on_the_way(house)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert re.findall(r"<script[^>]*>([^<]*)<", page.text) == [""]


def test_what_is_asked_is_not_masked(house, monkeypatch):
    """A viewer sees no numbers; a challenge that looks like one must arrive whole."""
    browser = signed_in(house, "ravi", Role.VIEWER)
    looks_like = base64.urlsafe_b64decode("-919876543210-" + "A" * 30)
    monkeypatch.setattr(secrets, "token_bytes", lambda count: looks_like)
    page = browser.post(f"{PATH}/begin", {})
    assert asked(page)["challenge"] == text(looks_like)
    assert add(browser)[1].status_code == 200
