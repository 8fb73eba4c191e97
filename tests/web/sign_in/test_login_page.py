"""Signing in and out, one-time links, and how often one may try."""

from __future__ import annotations

import pytest

from switchhook.access.roles import AccessSettings, Role
from switchhook.access.users import LinkKind
from web.sign_in.house import DEED, HERE, MINUTE, PASSWORD, SECOND, House

PATIENT = "eleven purple teacups"


@pytest.fixture
def closed(tmp_path):
    """A console that wants accounts from the start."""
    return House(tmp_path, AccessSettings(users=True))


def path_of(link):
    assert link.startswith(HERE)
    return link.removeprefix(HERE)


def welcome(browser, path, **form):
    return browser.post(path, {"password": PATIENT, "again": PATIENT, **form})


def test_the_first_administrator_comes_by_a_link(closed):
    """Printed at the start, used once: the way in."""
    said = closed.access.welcome()
    assert "within 15 minutes" in said
    path = path_of(next(word for word in said.split() if word.startswith("http")))
    browser = closed.browser()
    assert "first administrator" in browser.get(path).text
    assert browser.get(path).status_code == 200  # looking at it does not use it up
    reply = welcome(browser, path, name="Asha")
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert browser.get("/").json()["role"] == "administrator"
    assert closed.access.welcome() is None
    assert welcome(closed.browser(), path, name="Mallory").status_code == 410
    assert closed.whats() == [
        "made the first administrator's link",
        "became the administrator",
        "signed in",
    ]


def test_a_first_link_is_over_after_15_minutes_or_a_new_one(closed):
    old, new = closed.access.first_link(), closed.access.first_link()
    assert closed.browser().get(path_of(old)).status_code == 410
    closed.now_us += 15 * MINUTE - 1
    assert closed.browser().get(path_of(new)).status_code == 200
    closed.now_us += 1
    assert closed.browser().get(path_of(new)).status_code == 410
    assert welcome(closed.browser(), path_of(new), name="Asha").status_code == 410
    assert closed.kept.users.all() == []


def test_an_open_console_prints_its_link_until_somebody_has_an_account(house):
    path = path_of(house.access.welcome().split()[-1])
    browser = house.stranger()
    assert browser.get(path).status_code == 303
    assert browser.get("/").json()["open"] is True
    assert house.access.first_link() is None
    house.user()
    assert house.access.welcome() is None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": ""}, "A name takes"),
        ({"name": " \u202easha"}, "invisible"),
        ({"name": "x" * 129}, "A name takes"),
        ({"name": "asha", "password": "short", "again": "short"}, "at least 15"),
        ({"name": "asha", "again": "another one, longer"}, "differ"),
        ({"name": "asha", "password": "a" * 20, "again": "a" * 20}, "repeats"),
        ({"name": "asha", "password": "password1234", "again": "password1234"}, "first"),
    ],
)
def test_what_a_first_administrator_can_not_be(closed, form, said):
    """The form says why, keeps the name and the link still works."""
    path, browser = path_of(closed.access.first_link()), closed.browser()
    reply = welcome(browser, path, **form)
    assert reply.status_code == 400
    assert said in reply.text
    assert welcome(browser, path, name="asha").status_code == 303


def test_made_up_links(closed):
    for path in ("/welcome/x", "/welcome/" + "x" * 5_000, "/welcome/%00", "/welcome/é"):
        assert closed.browser().get(path).status_code == 410


def test_signing_in_and_out(house):
    house.user("Asha", Role.VIEWER)
    browser = house.browser()
    reply = browser.sign_in("asha", to="/streams?q=cause:throttled")  # case does not matter
    assert (reply.status_code, reply.headers["location"]) == (303, "/streams?q=cause:throttled")
    assert browser.get("/").json()["name"] == "Asha"
    assert browser.get("/login").status_code == 303
    kept = browser.client.cookies.get("switchhook")
    assert browser.post("/logout", {}).headers["location"] == "/login"
    browser.client.cookies.set("switchhook", kept)
    assert browser.get("/").status_code == 303  # whoever kept the cookie has nothing
    assert house.whats() == ["signed in", "signed out"]


@pytest.mark.parametrize(
    "to",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x", "/\t/e", "/a\nb"],
)
def test_it_leads_to_this_console_only(house, to):
    house.user()
    assert house.browser().sign_in(to=to).headers["location"] == "/"


def test_a_wrong_name_and_a_wrong_password_look_alike(house):
    """Neither the page nor the log tells who exists; the log knows for those who do."""
    asha = house.user()
    house.user("ravi")
    house.kept.users.set_disabled(asha, True, DEED, house.now_us)
    browser = house.browser()
    pages = [
        browser.sign_in(name, password)
        for name, password in (("ravi", "wrong"), ("nobody", PASSWORD), ("asha", PASSWORD))
    ]
    assert {page.status_code for page in pages} == {403}
    assert len({page.text for page in pages}) == 1
    said = [each for each in house.kept.audit.oldest_first() if each.what == "failed to sign in"]
    assert [each.subject for each in said] == ["ravi", "", "asha"]
    assert "nobody" not in str(said)


def test_tries_are_limited_and_it_says_how_long(house):
    """Ten an account; then a page that says when, and Retry-After for programs."""
    house.user()
    browser = house.browser()
    for _ in range(10):
        assert browser.sign_in(password="wrong").status_code == 403
    reply = browser.sign_in(password="wrong")
    assert reply.status_code == 429
    assert reply.headers["retry-after"] == "60"
    assert "Try again in 60 seconds" in reply.text
    assert browser.sign_in().status_code == 429  # the right one too: nobody learns that it is
    house.now_us += 60 * SECOND
    assert browser.sign_in().status_code == 303


def test_guessing_from_elsewhere_locks_nobody_out(house):
    """An address from which somebody has signed in has tries of its own."""
    house.user()
    at_home = house.browser(peer="127.0.0.1")
    assert at_home.sign_in().status_code == 303
    elsewhere = house.browser(peer="203.0.113.9")
    statuses = {elsewhere.sign_in(password="wrong").status_code for _ in range(12)}
    assert statuses == {403, 429}
    at_home.client.cookies.clear()
    assert at_home.sign_in().status_code == 303


def test_when_too_many_sign_in_it_says_later(house):
    house.user()
    house.access.hashing._most = 0
    reply = house.browser().sign_in()
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")


def test_a_login_form_of_another_site_is_refused(house):
    """Whoever signs a victim in as somebody else sees what the victim does."""
    house.user()
    browser = house.browser()
    form = {"name": "asha", "password": PASSWORD, "csrf": browser.csrf()}
    for headers in ({}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert browser.client.post("/login", data=form, headers=headers).status_code == 403


def test_signing_in_again_ends_the_session_before(house):
    browser = house.signed_in()
    before = browser.client.cookies.get("switchhook")
    house.user("ravi")
    token = browser.csrf()
    assert browser.post("/login", {"name": "ravi", "password": PASSWORD}, token).status_code == 303
    other = house.browser()
    other.client.cookies.set("switchhook", before)
    assert other.get("/").status_code == 303


def test_an_invited_user_chooses_the_password_only(house):
    admin = house.signed_in()
    page = admin.post("/settings/users", {"name": "ravi", "role": "operator"}).text
    path = page[page.index("/welcome/") :].partition("<")[0]
    browser = house.browser()
    assert "ravi" in browser.get(path).text
    assert welcome(browser, path, name="mallory").status_code == 303
    said = browser.get("/").json()
    assert (said["name"], said["role"]) == ("ravi", "operator")


def test_a_new_password_ends_the_sessions(house):
    browser = house.signed_in()
    house.kept.users.make_link(
        LinkKind.RESET, "asha", Role.ADMINISTRATOR, None, _hash("abc"), DEED, house.now_us
    )
    other = house.browser()
    assert welcome(other, "/welcome/abc").status_code == 303
    assert browser.get("/").status_code == 303
    assert other.get("/").status_code == 200
    assert house.browser().sign_in(password=PASSWORD).status_code == 403
    assert house.browser().sign_in(password=PATIENT).status_code == 303


def test_a_name_taken_meanwhile(house):
    """Two links for one name: the second says so."""
    for proof in ("one", "two"):
        house.kept.users.make_link(
            LinkKind.INVITE, proof, Role.VIEWER, None, _hash(proof), DEED, house.now_us
        )
    house.user("two")
    reply = welcome(house.browser(), "/welcome/two")
    assert reply.status_code == 400
    assert "taken" in reply.text


def _hash(proof):
    from switchhook.web.sign_in.tokens import hashed

    return hashed(proof)
