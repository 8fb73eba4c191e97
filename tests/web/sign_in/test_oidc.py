"""Signing in by OpenID Connect, against a provider that runs on loopback."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from httpx2 import Client
from starlette.responses import JSONResponse, RedirectResponse, Response

from switchhook.access.roles import AccessSettings, OidcSettings, Role
from switchhook.web.sign_in.oidc import OidcClient
from switchhook.web.sign_in.oidc_state import OidcProblem, OidcState, new_oidc_state
from web.sign_in.house import DEED, HERE, House
from web.sign_in.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    hmac_key,
    path_and_query,
    provider,
    rsa_key,
    unsigned,
)

ask = Client(trust_env=False, headers={"Connection": "close"}).get
"""A browser's way to the provider; a client takes time to make."""


@pytest.fixture(scope="module")
def running():
    with provider() as found:
        yield found


@pytest.fixture
def there(running):
    """The provider, honest again."""
    running.lies, running.document, running.token_answer = {}, {}, None
    running.claims = {"sub": "u-1", "email": "Asha@Example.com", "email_verified": True}
    running.asked.clear()
    return running


def settings(there, **more):
    oidc = OidcSettings(
        issuer=there.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        label="Example ID",
        **({"domains": ("example.com",)} | more),
    )
    return AccessSettings(users=True, oidc=oidc)


@pytest.fixture
def house(tmp_path, there):
    return House(tmp_path, settings(there))


def go(browser, to="/"):
    """Sign in as a browser does, all the way there and back."""
    away = browser.get(f"/login/oidc?next={to}")
    assert away.status_code == 303, away.text
    back = ask(away.headers["location"], follow_redirects=False)
    return browser.get(path_and_query(back.headers["location"]), sec_fetch_site="cross-site")


def test_there_and_back(house):
    """A first sign-in makes a user of the least role; a second finds it."""
    browser = house.browser()
    assert "Sign in with Example ID" in browser.get("/login").text
    reply = go(browser, "/streams?q=x")
    assert (reply.status_code, reply.headers["location"]) == (303, "/streams?q=x")
    said = browser.get("/").json()
    assert (said["name"], said["role"]) == ("asha@example.com", "viewer")
    assert go(house.browser()).status_code == 303
    assert len(house.kept.users.all()) == 1
    assert house.whats() == ["became a user", "signed in", "signed in"]


def test_a_user_is_known_by_subject_not_by_name(house, there):
    """Names move on at a provider; whoever gets one must not get the account."""
    go(house.browser())
    there.claims["email"] = "asha.k@example.com"
    browser = house.browser()
    go(browser)
    assert browser.get("/").json()["name"] == "asha@example.com"
    there.claims = {"sub": "u-2", "email": "asha@example.com", "email_verified": True}
    assert go(house.browser()).status_code == 403


def test_a_name_with_a_password_is_not_taken_over(house):
    house.user("asha@example.com", Role.ADMINISTRATOR)
    reply = go(house.browser())
    assert reply.status_code == 403
    assert "signs in by password" in reply.text


def test_a_disabled_user_stays_out(house):
    go(house.browser())
    house.user("boss")
    house.kept.users.set_disabled(1, True, DEED, house.now_us)
    assert go(house.browser()).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "asha@evil.example"},
        {"email": "asha@example.com.evil.example"},
        {"email": "asha@example.com", "email_verified": False},
        {"email": "asha@example.com", "email_verified": "true"},
        {"email": "asha@example.com"},
        {},
        {"email": ["asha@example.com"], "email_verified": True},
    ],
)
def test_who_is_not_on_the_list(house, there, claims):
    """Also a mail address that the provider does not vouch for."""
    there.claims = {"sub": "u-1", **claims}
    assert go(house.browser()).status_code == 403
    assert house.kept.users.all() == []


def test_the_provider_tells_the_role(tmp_path, there):
    """At every sign-in; the audit log says that it was changed."""
    roles = (("ops", Role.OPERATOR), ("leads", Role.ADMINISTRATOR))
    house = House(tmp_path, settings(there, domains=(), role_claim="realm.roles", roles=roles))
    house.user("boss")
    assert go(house.browser()).status_code == 403  # no role
    there.claims["realm"] = {"roles": ["ops", "leads", "other"]}
    browser = house.browser()
    go(browser)
    assert browser.get("/").json()["role"] == "administrator"
    there.claims["realm"] = {"roles": ["ops"]}
    go(browser)
    assert browser.get("/").json()["role"] == "operator"
    assert "changed a role" in house.whats()


def test_without_a_claim_the_role_set_here_stays(house):
    go(house.browser())
    house.kept.users.set_role(1, Role.OPERATOR, DEED, house.now_us)
    browser = house.browser()
    go(browser)
    assert browser.get("/").json()["role"] == "operator"


# Lies.


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "https://evil.example"},
        {"aud": "another application"},
        {"aud": [CLIENT_ID, "another application"]},
        {"aud": [CLIENT_ID, "b"], "azp": "b"},
        {"azp": "b"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"token": "not.a.token"},
        {"token": ""},
        {"token": "x" * 100_000},
    ],
)
def test_a_token_that_is_not_for_this_sign_in(house, there, lies):
    there.lies = lies
    reply = go(house.browser())
    assert reply.status_code == 403
    assert house.kept.users.all() == []


def test_a_token_that_the_provider_did_not_sign(house, there):
    """By a stranger's key, by none, or by the public key taken for a secret."""
    claims = {"iss": there.issuer, "aud": CLIENT_ID, "sub": "u-1", "exp": 4e9, "iat": 1}
    for lies in (
        {"key": there.new_key("k1")},
        {"key": rsa_key(), "alg": "RS256"},
        {"key": hmac_key(there), "alg": "HS256"},
        {"token": unsigned(claims)},
    ):
        there.lies = lies
        assert go(house.browser()).status_code == 403
    assert house.kept.users.all() == []


def test_new_keys_are_fetched(there):
    """Now and then a provider changes them; an unknown one can't make us ask all the time."""
    clock = 0.0
    oidc = settings(there).oidc
    assert oidc is not None

    async def sign_in(client):
        oidc_state = new_oidc_state("/")
        back = f"{HERE}/login/oidc/callback"
        away = await client.address(oidc_state, back)
        said = parse_qs(urlsplit(ask(away).headers["location"]).query)
        return await client.claims({name: one for name, (one,) in said.items()}, oidc_state, back)

    async def go_on():
        nonlocal clock
        client = OidcClient(oidc, clock=lambda: clock)
        assert (await sign_in(client))["sub"] == "u-1"
        assert there.asked.count("keys") == 1
        there.key = there.new_key("k2")
        with pytest.raises(OidcProblem, match="signature"):
            await sign_in(client)  # too soon
        clock += 60
        assert (await sign_in(client))["sub"] == "u-1"
        assert there.asked.count("keys") == 2
        assert there.asked.count("discovery") == 1

    asyncio.run(go_on())


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_a_discovery_document_that_leads_astray(house, there, document):
    there.document = document
    reply = house.browser().get("/login/oidc")
    assert reply.status_code == 403
    assert there.asked == ["discovery"]


@pytest.mark.parametrize(
    "answer",
    [
        Response("x" * 1_100_000),
        Response("<html>", media_type="text/html"),
        JSONResponse({"error": "invalid_client"}, 401),
        JSONResponse({"id_token": 5}),
        JSONResponse([]),
        RedirectResponse("http://127.0.0.1:1/"),
        Response(status_code=500),
    ],
)
def test_a_provider_out_of_order(house, there, answer):
    there.token_answer = answer
    reply = go(house.browser())
    assert reply.status_code == 403
    assert "Sign in" in reply.text


def test_a_provider_that_is_not_there(tmp_path):
    oidc = OidcSettings(issuer="http://127.0.0.1:9", client_id="c", domains=("example.com",))
    house = House(tmp_path, AccessSettings(users=True, oidc=oidc))
    reply = house.browser().get("/login/oidc")
    assert reply.status_code == 403
    assert "be reached just now" in reply.text


# Another's oidc_state.


def test_a_sign_in_is_finished_by_the_browser_that_began_it(house):
    """Else a link with a code of the attacker's signs the victim in as the attacker."""
    attacker, victim = house.browser(), house.browser()
    away = attacker.get("/login/oidc")
    back = path_and_query(ask(away.headers["location"]).headers["location"])
    assert victim.get(back).status_code == 403
    victim.get("/login/oidc")  # a victim with an oidc_state of their own
    assert victim.get(back).status_code == 403
    assert attacker.get(back).status_code == 303
    assert attacker.get(back).status_code == 403  # a code is good once


@pytest.mark.parametrize(
    "query",
    ["", "state=x&code=y", "code=y", "error=access_denied", "state=%FF&code=%00", "iss=x&state=y"],
)
def test_a_made_up_return(house, query):
    browser = house.browser()
    assert browser.get(f"/login/oidc/callback?{query}").status_code == 403
    browser.get("/login/oidc")
    assert browser.get(f"/login/oidc/callback?{query}").status_code == 403
    browser.client.cookies.set("switchhook-oidc_state", "!" * 3_000)
    assert browser.get(f"/login/oidc/callback?{query}").status_code == 403


def test_the_return_says_who_answers(house, there):
    """An answer of another provider is refused (RFC 9207)."""
    browser = house.browser()
    away = browser.get("/login/oidc")
    back = path_and_query(ask(away.headers["location"]).headers["location"])
    assert browser.get(back.replace("127.0.0.1", "127.0.0.2")).status_code == 403
    assert browser.get(back.partition("&iss=")[0]).status_code == 403


def test_returns_are_limited(house):
    """Each makes us ask the provider."""
    browser = house.browser()
    statuses = [browser.get("/login/oidc").status_code for _ in range(62)]
    assert statuses == [303] * 60 + [429] * 2


def test_an_errand_survives_its_cookie():
    oidc_state = OidcState("s", "n", "v", "/streams?q=é")
    assert OidcState.unpacked(oidc_state.packed()) == oidc_state
    for text in ("", "x", "é", "bnVsbA", "e30"):
        assert OidcState.unpacked(text) is None


def test_where_it_leads_back(there):
    """https://console.url behind a proxy; the endpoint's own query is kept."""
    there.document = {"authorization_endpoint": f"{there.issuer}/authorize?tenant=1"}
    oidc = settings(there).oidc
    assert oidc is not None
    client = OidcClient(oidc)
    address = asyncio.run(client.address(OidcState("s", "n", "v"), f"{HERE}/login/oidc/callback"))
    assert "/authorize?tenant=1&response_type=code" in address
    wrong = OidcClient(msgspec.structs.replace(oidc, issuer=f"{oidc.issuer}/"))
    with pytest.raises(OidcProblem, match="not the one"):
        asyncio.run(wrong.address(OidcState("s", "n", "v"), "b"))


# A fresh sign-in.

TOKEN = {"name": "robot", "scope": "read", "days": "30"}


def test_what_takes_a_fresh_password_takes_a_fresh_sign_in(house, there):
    """The provider is asked to ask again, and says when it did."""
    there.claims["auth_time"] = house.now_us // 1_000_000 - 3_600
    browser = house.browser()
    go(browser)
    asked = browser.post("/settings/own/tokens", TOKEN)
    assert asked.status_code == 403
    assert 'name="proof_password"' not in asked.text
    away = browser.get("/login/oidc?again=yes&next=/settings")
    said = parse_qs(urlsplit(away.headers["location"]).query)
    assert (said["max_age"], said["prompt"]) == (["0"], ["login"])
    there.claims["auth_time"] = house.now_us // 1_000_000
    back = ask(away.headers["location"], follow_redirects=False)
    browser.get(path_and_query(back.headers["location"]), sec_fetch_site="cross-site")
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 200
    assert len(house.kept.passes.tokens()) == 1


@pytest.mark.parametrize("said", [None, "now", True, -1, 1.5])
def test_a_sign_in_of_unknown_age_is_not_fresh(house, there, said):
    """Nor does a provider count that was asked again and does not say when it did."""
    there.claims["auth_time"] = said
    browser = house.browser()
    assert go(browser).status_code == 303
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 403
    away = browser.get("/login/oidc?again=yes&next=/settings")
    back = ask(away.headers["location"], follow_redirects=False)
    reply = browser.get(path_and_query(back.headers["location"]), sec_fetch_site="cross-site")
    assert reply.status_code == 403
    assert "does not say when you signed in" in reply.text


def test_a_provider_that_did_not_ask_again_makes_nothing_fresh(house, there):
    """An old sign-in stays old, whatever the browser left out on the way."""
    there.claims["auth_time"] = house.now_us // 1_000_000 - 301
    browser = house.browser()
    go(browser)
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 403
    assert house.kept.passes.tokens() == []


def test_a_provider_ahead_of_time_is_fresh_for_no_longer(house, there):
    there.claims["auth_time"] = house.now_us // 1_000_000 + 86_400
    browser = house.browser()
    go(browser)
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 200
    house.now_us += 300_000_000
    assert browser.post("/settings/own/tokens", TOKEN).status_code == 403


def test_a_name_like_a_number_is_masked(house, there):
    """Two who look alike then are told apart."""
    there.claims = {"sub": "s1", "email": "9876543210@example.com", "email_verified": True}
    go(house.browser())
    there.claims |= {"sub": "s2", "email": "9876543310@example.com"}
    go(house.browser())
    names = [each.name for each in house.kept.users.all()]
    assert len(set(names)) == 2
    assert not any("9876543" in name for name in names)


def test_a_second_factor_is_the_providers(house):
    browser = house.browser()
    go(browser)
    assert browser.get("/settings/own/second-factor").status_code == 403
