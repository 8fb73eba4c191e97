"""What takes a fresh password: what an unwatched browser must not be able to do."""

from __future__ import annotations

import html
import re

import pytest

from asgi_client import Client
from switchhook.access.roles import Role
from switchhook.web.sign_in.fresh_proof import UNGUARDED, is_guarded
from web.sign_in.house import HERE, MINUTE, PASSWORD

TOKEN = {"name": "robot & <b>", "scope": "read", "days": "30"}


def hidden(page):
    """The hidden fields of a page's form, as a browser sends them."""
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


def test_a_fresh_session_is_not_asked(house):
    browser = house.signed_in()
    house.now_us += 5 * MINUTE - 1
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 200
    assert len(house.kept.passes.tokens()) == 1


def test_the_password_is_asked_and_then_it_is_done(house):
    """One page, what was typed is not lost, and for the next minutes nobody is asked again."""
    browser = house.signed_in()
    house.now_us += 5 * MINUTE
    asked = browser.post("/settings/own/tokens", TOKEN)
    assert asked.status_code == 403
    assert "Your password, once more" in asked.text
    assert house.kept.passes.tokens() == []
    form = hidden(asked)
    wrong = browser.post("/settings/own/tokens", form | {"proof_password": "x"})
    assert "not your password" in wrong.text
    assert house.kept.passes.tokens() == []
    again = hidden(wrong) | {"proof_password": PASSWORD}
    assert browser.post("/settings/own/tokens", again).status_code == 200
    assert [each.name for each in house.kept.passes.tokens()] == [TOKEN["name"]]
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 200
    assert house.whats()[-4:] == [
        "failed to sign in",
        "showed their password again",
        "made a token",
        "made a token",
    ]


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/settings/own/tokens", TOKEN),
        ("/settings/own/second-factor/begin", {}),
        ("/settings/own/second-factor", {"code": "000000"}),
        ("/settings/own/second-factor/codes", {}),
        ("/settings/own/second-factor/off", {}),
        ("/settings/users", {"name": "ravi", "role": "viewer"}),
        ("/settings/users/role", {"id": "1", "role": "viewer"}),
        ("/settings/users/disabled", {"id": "2", "disabled": "yes"}),
        ("/settings/users/delete", {"id": "2", "again": "ravi"}),
        ("/settings/users/link", {"id": "2"}),
        ("/settings/users/second-factor", {"id": "2"}),
        ("/settings/erasures", {"number": "+919876543210", "again": "+919876543210"}),
        ("/settings/of/tomorrow", {}),
    ],
)
def test_what_takes_a_fresh_password(house, path, form):
    """Everything on /settings that gives or changes; what comes there next does by itself."""
    house.user("ravi", Role.VIEWER)
    browser = house.signed_in()
    house.now_us += 6 * MINUTE
    before = house.whats()
    assert browser.post(path, form).status_code == 403
    assert house.whats() == before


def test_what_only_takes_away_does_not():
    assert not any(is_guarded(path) for path in (*UNGUARDED, "/views", "/logout", "/login"))


def test_the_api_by_a_session_says_what_to_do(house):
    browser = house.signed_in()
    house.now_us += 6 * MINUTE
    reply = browser.client.post(
        "/api/v1/erasures", headers={"origin": HERE, "x-csrf-token": browser.csrf()}
    )
    assert reply.status_code == 403
    assert "password" in reply.json()["error"]["problem"]


def test_a_token_is_not_asked(house):
    """It has no password; it was made with one."""
    from switchhook.access.roles import Scope
    from web.sign_in.test_middleware import make_token

    token = make_token(house, Scope.ADMIN, house.user())
    reply = Client(house.app, base_url=HERE).post("/api/v1/erasures", headers=token)
    assert reply.status_code in (404, 405)


def test_a_stolen_session_can_not_guess_the_password(house):
    """It draws on the tries of signing in, on both forms that ask."""
    browser = house.signed_in()
    house.now_us += 6 * MINUTE
    form = TOKEN | {"proof_password": "wrong"}
    statuses = [browser.post("/settings/own/tokens", form).status_code for _ in range(11)]
    assert statuses[-1] == 429
    new = "eleven purple teacups"
    reply = browser.post(
        "/settings/own/password", {"current": "wrong", "password": new, "again": new}
    )
    assert "Too many tries" in reply.text


def test_another_users_password_proves_nothing(house):
    """The name is the session's, whatever is typed."""
    from switchhook.web.sign_in.password_hashing import hash_password
    from web.sign_in.house import DEED

    other = hash_password("eleven purple teacups")
    house.kept.users.add("ravi", Role.VIEWER, DEED, house.now_us, password_hash=other)
    browser = house.signed_in()
    house.now_us += 6 * MINUTE
    form = TOKEN | {"proof_password": "eleven purple teacups", "name": "ravi"}
    assert browser.post("/settings/own/tokens", form).status_code == 403
