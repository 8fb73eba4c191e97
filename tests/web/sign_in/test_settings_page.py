"""/settings: one's own things, and what administrators do."""

from __future__ import annotations

import re

import pytest

from asgi_client import Client
from switchhook.access.roles import Role
from web.sign_in.house import HERE, PASSWORD

NEW = "eleven purple teacups"


def once(page):
    """What a page shows this once."""
    return re.search(r'said-once mono">([^<]+)<', page.text)[1]


def test_an_open_console_makes_its_first_account(house):
    """It stays open until the link is used; the first can be an administrator only."""
    browser = house.browser()
    assert "Nobody has an account" in browser.get("/settings").text
    assert browser.post("/settings/users", {"name": "a", "role": "viewer"}).status_code == 400
    link = once(browser.post("/settings/users", {"name": "asha", "role": "administrator"}))
    assert browser.get("/").status_code == 200
    form = {"password": NEW, "again": NEW}
    assert browser.post(link.removeprefix(HERE), form).status_code == 303
    assert browser.get("/").json()["name"] == "asha"
    assert house.browser().get("/").status_code == 303


def test_an_open_console_makes_no_token(house):
    """It would outlive the openness."""
    form = {"name": "x", "scope": "admin", "days": "9"}
    assert house.browser().post("/settings/own/tokens", form).status_code == 403


def test_changing_the_password(house):
    browser, other = house.signed_in(), house.browser()
    other.sign_in()
    form = {"current": PASSWORD, "password": NEW, "again": NEW}
    for wrong in ({"current": "x"}, {"again": "x"}, {"password": "short", "again": "short"}):
        assert browser.post("/settings/own/password", form | wrong).status_code == 400
    assert browser.post("/settings/own/password", form).status_code == 200
    assert browser.get("/").status_code == 200
    assert other.get("/").status_code == 303
    assert house.browser().sign_in(password=NEW).status_code == 303


def test_ending_sessions(house):
    browsers = [house.signed_in(), house.browser(), house.browser()]
    for each in browsers[1:]:
        each.sign_in()
    sessions = house.kept.passes.sessions()
    assert len(sessions) == 3
    browsers[0].post("/settings/own/sessions", {"id": str(sessions[0].id)})
    assert [each.get("/").status_code for each in browsers] == [200, 200, 303]
    browsers[0].post("/settings/own/sessions", {"id": "others"})
    assert [each.get("/").status_code for each in browsers] == [200, 303, 303]
    ravi = house.signed_in("ravi", Role.ADMINISTRATOR)
    number = str(house.kept.passes.sessions()[-1].id)
    ravi.post("/settings/own/sessions", {"id": number})  # somebody else's
    assert browsers[0].get("/").status_code == 200


def test_tokens_are_shown_once(house):
    browser = house.signed_in("asha", Role.OPERATOR)
    form = {"name": "robot", "scope": "operate", "days": "30"}
    token = once(browser.post("/settings/own/tokens", form))
    assert token.startswith("shk_")
    assert token not in browser.get("/settings").text
    client = Client(house.app, base_url=HERE)
    headers = {"authorization": f"Bearer {token}"}
    assert client.get("/api/v1/things", headers=headers).json()["role"] == "operator"
    number = str(house.kept.passes.tokens()[0].id)
    assert browser.post("/settings/own/tokens/revoke", {"id": number}).status_code == 303
    assert client.get("/api/v1/things", headers=headers).status_code == 401
    assert token not in str(list(house.kept.audit.oldest_first()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "admin"},
        {"scope": "everything"},
        {"scope": ""},
        {"days": "0"},
        {"days": "366"},
        {"days": "-1"},
        {"days": "x"},
        {"days": "९"},
        {"name": ""},
    ],
)
def test_tokens_that_can_not_be(house, wrong):
    browser = house.signed_in("asha", Role.OPERATOR)
    form = {"name": "robot", "scope": "read", "days": "30"} | wrong
    assert browser.post("/settings/own/tokens", form).status_code == 400
    assert house.kept.passes.tokens() == []


def test_somebody_elses_token_is_theirs(house):
    house.signed_in("asha").post(
        "/settings/own/tokens", {"name": "robot", "scope": "read", "days": "30"}
    )
    ravi = house.signed_in("ravi", Role.VIEWER)
    assert "robot" not in ravi.get("/settings").text
    number = str(house.kept.passes.tokens()[0].id)
    assert ravi.post("/settings/own/tokens/revoke", {"id": number}).status_code == 404
    admin = house.signed_in("meena")
    assert "robot" in admin.get("/settings").text
    assert admin.post("/settings/own/tokens/revoke", {"id": number}).status_code == 303


def test_roles_and_disabling(house):
    admin, ravi = house.signed_in(), house.signed_in("ravi", Role.VIEWER)
    number = str(house.kept.users.named("ravi").id)
    admin.post("/settings/users/role", {"id": number, "role": "operator"})
    assert ravi.get("/").status_code == 303  # whatever the browser still shows was the old role's
    ravi.sign_in("ravi")
    assert ravi.get("/").json()["role"] == "operator"
    admin.post("/settings/users/disabled", {"id": number, "disabled": "yes"})
    assert ravi.get("/").status_code == 303
    admin.post("/settings/users/disabled", {"id": number, "disabled": "no"})
    assert ravi.sign_in("ravi").status_code == 303
    for form in ({"id": number, "role": "emperor"}, {"id": "x", "role": "viewer"}, {}):
        assert admin.post("/settings/users/role", form).status_code == 400
    assert admin.post("/settings/users/role", {"id": "99", "role": "viewer"}).status_code == 404
    assert house.whats()[-5:] == [
        "changed a role",
        "signed in",
        "disabled a user",
        "enabled a user",
        "signed in",
    ]


def test_somebody_stays_who_can_administer(house):
    """The last administrator can't be made less or disabled, not even by themselves."""
    admin = house.signed_in()
    number = str(house.kept.users.named("asha").id)
    for path, form in (
        ("/settings/users/role", {"role": "viewer"}),
        ("/settings/users/disabled", {"disabled": "yes"}),
    ):
        reply = admin.post(path, {"id": number, **form})
        assert reply.status_code == 400
        assert "Somebody has to stay" in reply.text
    assert admin.get("/").json()["role"] == "administrator"


def test_links_can_be_voided(house):
    admin = house.signed_in()
    link = once(admin.post("/settings/users", {"name": "ravi", "role": "viewer"}))
    path = link.removeprefix(HERE)
    assert house.browser().get(path).status_code == 200
    number = str(house.kept.users.links(house.now_us)[0].id)
    admin.post("/settings/links/void", {"id": number})
    assert house.browser().get(path).status_code == 410


def test_hostile_names_are_shown_harmlessly(house):
    """Markup is text, and what would hide is shown as its code or refused."""
    admin = house.signed_in()
    name = '<img src=x onerror="alert(1)">{{7*7}}'
    assert admin.post("/settings/users", {"name": name, "role": "viewer"}).status_code == 200
    for path in ("/settings", "/audit"):
        page = admin.get(path).text
        assert "<img" not in page
        assert "&lt;img" in page
        assert "{{7*7}}" in page
    assert admin.post("/settings/users", {"name": "a\u202eb", "role": "viewer"}).status_code == 400


def test_a_file_in_a_form_is_refused(house):
    """Nothing of ours takes one."""
    browser = house.signed_in()
    reply = browser.client.post(
        "/settings/own/tokens",
        files={"name": b"x"},
        headers={"origin": HERE, "x-csrf-token": browser.csrf()},
    )
    assert reply.status_code == 400
