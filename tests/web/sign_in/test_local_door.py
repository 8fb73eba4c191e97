"""An open console's link: without it nobody is let in, however their request came."""

from __future__ import annotations

import pytest

from asgi_client import Client
from switchhook.access.roles import AccessSettings
from switchhook.system.local_keys import endpoint_secret, link_cookie, link_proof, link_token
from web.sign_in.house import HERE, KEY, House

LINK = f"/open/{link_token(KEY)}"
BEARER = {"authorization": f"Bearer {link_token(KEY)}"}

BEHIND_A_PROXY = [
    {},  # HTTP/1.1, its Host rewritten, and no word of the proxy
    {"cookie": f"{link_cookie(KEY)}={link_token(KEY)}"},  # the token is not the cookie
    {"cookie": f"{link_cookie(KEY)}="},
    {"cookie": f"switchhook={link_proof(KEY)}"},
    {"authorization": "Bearer "},
    {"authorization": f"Bearer {link_proof(KEY)}"},
    {"authorization": f"Basic {link_token(KEY)}"},
]


@pytest.mark.parametrize("headers", BEHIND_A_PROXY)
@pytest.mark.parametrize(
    "path", ["/", "/settings", "/feed", "/api/v1/things", "/metrics", "/refuses"]
)
def test_whoever_does_not_know_the_link_sees_and_does_nothing(house, headers, path):
    """Also where nothing shows that a proxy on this machine has passed it on."""
    client = Client(house.app, base_url=HERE, follow_redirects=False)
    reply = client.get(path, headers=headers)
    assert reply.status_code in (303, 401)
    assert reply.headers.get("location", "/open").startswith("/open")
    assert link_token(KEY) not in reply.text
    assert client.post(path, headers={"origin": HERE, **headers}).status_code in (303, 401, 403)


def test_health_is_told_in_short_to_whoever_does_not_know_the_link(house):
    client = Client(house.app, base_url=HERE)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/healthz", headers=BEARER).json().keys() == {"status", "problems"}


def test_the_page_says_where_the_link_is_and_the_link_lets_in(house):
    browser = house.stranger()
    reply = browser.get("/streams?q=a")
    assert reply.headers["location"] == "/open?next=/streams%3Fq%3Da"
    page = browser.get(reply.headers["location"])
    assert "switchhook link" in page.text
    assert 'href="/streams?q=a"' in page.text
    assert browser.get("/open/mistaken").status_code == 403
    assert browser.get("/").status_code == 303
    reply = browser.get(LINK)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert link_token(KEY) not in cookie
    assert browser.get("/").json()["role"] == "administrator"
    assert browser.get("/open?next=/streams").headers["location"] == "/streams"


@pytest.mark.parametrize("next_", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_the_page_leads_nowhere_else(house, next_):
    assert "evil" not in house.stranger().get(f"/open?next={next_}").text


def test_the_link_is_over_with_the_first_account(house):
    """It lets nobody in beside those who have one, nor does what a browser kept of it."""
    browser = house.browser()
    house.user()
    assert browser.get("/").headers["location"] == "/login?next=/"
    assert "set-cookie" not in browser.get(LINK).headers
    assert browser.get("/open").headers["location"] == "/"
    client = Client(house.app, base_url=HERE)
    assert client.get("/api/v1/things", headers=BEARER).status_code == 401


@pytest.mark.parametrize("settings", [AccessSettings(users=True), AccessSettings(loopback=False)])
def test_a_console_that_wants_accounts_has_no_such_link(tmp_path, settings):
    house = House(tmp_path, settings)
    assert "set-cookie" not in house.stranger().get(LINK).headers
    assert house.browser().get("/").headers["location"] == "/login?next=/"
    client = Client(house.app, base_url=HERE)
    assert client.get("/api/v1/things", headers=BEARER).status_code == 401


def test_what_opens_one_thing_opens_no_other():
    """Each is made for one use and one folder."""
    other = bytes(32)
    made = [
        make(key)
        for key in (KEY, other)
        for make in (
            link_token,
            link_proof,
            lambda key: endpoint_secret(key, "default"),
            lambda key: endpoint_secret(key, "sales"),
        )
    ]
    assert len(set(made)) == len(made)
    assert all(len(each) == 32 for each in made)
