"""The door: who is let in as whom, what may be changed, and what every response carries."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from asgi_client import Client
from switchhook.access.roles import AccessSettings, OidcSettings, Role, Scope
from switchhook.system.local_keys import link_cookie, link_proof, link_token
from switchhook.web.sign_in.request_origin import FORWARDED_BY
from switchhook.web.sign_in.tokens import hashed, new_proof
from web.sign_in.house import DEED, HERE, HOUR, KEY, House

PUBLIC = "https://switchhook.example"


def make_token(house, scope=Scope.READ, owner=None, lasts=HOUR):
    proof = new_proof("shk_")
    house.kept.passes.make_token(
        "robot", scope, owner, hashed(proof), house.now_us + lasts, DEED, house.now_us
    )
    return {"authorization": f"Bearer {proof}"}


# An open console.


def test_without_any_account_this_machine_is_the_administrator(house):
    """It has no one else to be; every page can say so by `open`."""
    said = house.browser().get("/").json()
    assert said["name"] == "this machine"
    assert (said["role"], said["open"], said["numbers"]) == ("administrator", True, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"via": "1.1 proxy"},
        {"x-forwarded-for": "10.0.0.1"},
        {"forwarded": "for=10.0.0.1"},
        {"cf-connecting-ip": "10.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "192.0.2.1:8081"},
        {"host": ""},
    ],
)
def test_an_open_console_answers_this_machine_only(house, headers):
    """A tunnel connects from loopback too, and a name can be led there."""
    client = Client(house.app, base_url=HERE)
    client.cookies.set(link_cookie(KEY), link_proof(KEY))  # whoever has the link is told why, too
    reply = client.get("/", headers=headers)
    assert reply.status_code == 403
    assert "this machine" not in reply.json().get("name", "")


def test_an_open_console_does_not_take_another_node_for_this_machine(house):
    """Whoever asked that node is on another machine, whatever the request looks like here."""

    async def by_way_of_a_node(scope, receive, send):
        await house.app({**scope, FORWARDED_BY: 7}, receive, send)

    client = Client(by_way_of_a_node, base_url=HERE)
    client.cookies.set(link_cookie(KEY), link_proof(KEY))
    reply = client.get("/")
    assert reply.status_code == 403
    assert "by way of another node" in reply.text


def test_an_open_console_is_not_asked_in_the_http_of_plain_proxies(house):
    """nginx's `proxy_pass` without more: HTTP/1.0, a Host of loopback, and no other trace."""

    async def in_http_1_0(scope, receive, send):
        await house.app({**scope, "http_version": "1.0"}, receive, send)

    client = Client(in_http_1_0, base_url=HERE)
    client.cookies.set(link_cookie(KEY), link_proof(KEY))
    reply = client.get("/")
    assert reply.status_code == 403
    assert "HTTP/1.0" in reply.json()["error"]["problem"]


def test_an_open_console_closes_with_the_first_account(house):
    house.user()
    reply = house.browser().get("/streams?q=a%20b")
    assert reply.status_code == 303
    assert reply.headers["location"] == "/login?next=/streams%3Fq%3Da%2520b"


def test_users_wanted_from_the_start(tmp_path):
    """`console.users` and an address beyond loopback close it before there is anybody."""
    for number, settings in enumerate((AccessSettings(users=True), AccessSettings(loopback=False))):
        (tmp_path / str(number)).mkdir()
        house = House(tmp_path / str(number), settings)
        assert house.browser().get("/").status_code == 303
        assert "switchhook link" in house.browser().get("/login").text


def test_a_program_on_this_machine_may_post_to_the_open_api(house):
    """No browser: those send Origin or Sec-Fetch-Site with every POST."""
    client = Client(house.app, base_url=HERE)
    headers = {"authorization": f"Bearer {link_token(KEY)}"}
    assert client.post("/api/v1/things", headers=headers).status_code == 200
    assert client.post("/api/v1/things").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:8081"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": HERE, "sec-fetch-site": "cross-site"},
    ],
)
def test_another_sites_page_changes_nothing(house, headers):
    """Open or signed in, with the right token or not."""
    for enter in (house.browser, house.signed_in):
        browser = enter()
        token = browser.csrf()
        for path in ("/", "/api/v1/things", "/settings/users", "/logout"):
            reply = browser.client.post(path, data={"csrf": token}, headers=headers)
            assert (reply.status_code, path) == (403, path)
            assert "another site" in reply.text


# Sessions.


def test_a_session_is_its_user(house):
    said = house.signed_in("asha", Role.OPERATOR).get("/").json()
    assert (said["name"], said["role"], said["open"]) == ("asha", "operator", False)
    assert said["numbers"] is False  # until they are revealed


@pytest.mark.parametrize("proof", ["", "x", "x" * 10_000, "é", "'; DROP TABLE users; --"])
def test_a_made_up_session_is_nobody(house, proof):
    house.user()
    headers = {"cookie": f"switchhook={proof}".encode()}
    assert house.browser().get("/", **headers).status_code == 303


def test_a_session_expires_unused_and_old(house):
    browser = house.signed_in()
    house.now_us += 3 * HOUR
    assert browser.get("/").status_code == 200  # and is used by that
    house.now_us += 3 * HOUR
    assert browser.get("/").status_code == 200
    house.now_us += 5 * HOUR
    assert browser.get("/").status_code == 303
    browser.sign_in()
    for _ in range(3):
        house.now_us += 3 * HOUR
        assert browser.get("/").status_code == 200
    house.now_us += 3 * HOUR
    assert browser.get("/").status_code == 303


def test_a_form_needs_the_token_of_its_session(house):
    """One of another session, of nobody, or none at all changes nothing."""
    mine, theirs = house.signed_in("asha"), house.signed_in("ravi")
    for token in (theirs.csrf(), "", "0" * 64, "é"):
        assert mine.post("/", {}, csrf=token).status_code == 403
    assert mine.client.post("/", headers={"origin": HERE}).status_code == 403
    assert mine.post("/", {"a": "b c"}).json()["body"].endswith("&a=b+c")
    assert mine.client.post("/", headers={"x-csrf-token": mine.csrf()}).status_code == 200


def test_a_viewer_changes_their_own_only(house):
    browser = house.signed_in("asha", Role.VIEWER)
    assert browser.post("/", {}).status_code == 403
    assert browser.post("/settings/users", {"name": "x", "role": "viewer"}).status_code == 403
    assert browser.get("/audit").status_code == 403
    assert browser.post("/logout", {}).status_code == 303


def test_a_disabled_user_is_out_at_once(house):
    house.user("ravi")
    browser = house.signed_in("asha")
    asha = house.kept.users.named("asha")
    house.kept.users.set_disabled(asha.id, True, DEED, house.now_us)
    assert browser.get("/").status_code == 303


def test_how_those_without_a_session_are_told(house):
    """People are led to the login, scripts get a status that they can act on."""
    house.user()
    browser = house.browser()
    assert browser.get("/api/v1/things").status_code == 401
    assert browser.get("/api/v1/things").headers["www-authenticate"].startswith("Bearer")
    assert browser.get("/", hx_request="true").headers["hx-redirect"] == "/login"
    assert browser.get("/feed", accept="text/event-stream").status_code == 401
    assert browser.get("/static/a.css").status_code == 200
    assert browser.client.get("/nowhere").status_code == 303


def test_health_says_little_to_strangers(house):
    """An orchestrator needs no account; paths and figures are not its business."""
    assert "full" in house.browser().get("/healthz").text
    browser = house.signed_in()
    assert house.browser().get("/healthz").json() == {"status": "ok"}
    assert "full" in browser.get("/healthz").text


# Tokens.


def test_a_token_opens_the_api_and_nothing_else(house):
    asha = house.user()
    token = make_token(house, Scope.ADMIN, asha)
    client = Client(house.app, base_url=HERE, follow_redirects=False)
    said = client.get("/api/v1/things", headers=token).json()
    assert (said["name"], said["role"]) == ("token robot of asha", "administrator")
    assert client.get("/metrics", headers=token).status_code == 200
    assert client.delete("/api/v1/things", headers=token).status_code == 200  # no CSRF for it
    for path in ("/", "/settings", "/audit", "/feed"):
        assert client.get(path, headers=token).status_code == 303


def test_a_token_can_do_no_more_than_its_owner(house):
    house.user("ravi")
    asha = house.user("asha")
    client = Client(house.app, base_url=HERE)
    house.kept.users.set_role(asha, Role.VIEWER, DEED, house.now_us)
    token = make_token(house, Scope.ADMIN, asha)
    assert client.get("/api/v1/things", headers=token).json()["role"] == "viewer"
    assert client.post("/api/v1/things", headers=token).status_code == 403
    house.kept.users.set_disabled(asha, True, DEED, house.now_us)
    assert client.get("/api/v1/things", headers=token).status_code == 401


def test_a_read_token_reads(house):
    client = Client(house.app, base_url=HERE)
    token = make_token(house, Scope.READ, house.user())
    assert client.get("/api/v1/things", headers=token).status_code == 200
    for path in ("/api/v1/things", "/api/v1/calls/c1/reveal", "/api/v1/views"):
        answer = client.post(path, headers=token)
        assert answer.status_code == 403
        assert "it takes one of the scope operate; release to" in answer.text


def test_a_token_that_reads_flags_opens_nothing_here(house):
    client = Client(house.app, base_url=HERE)
    token = make_token(house, Scope.FLAGS, house.user())
    for path in ("/api/v1/things", "/metrics", "/healthz"):
        answer = client.get(path, headers=token)
        assert answer.status_code == 403
        assert "reads flags where bots do" in answer.text


@pytest.mark.parametrize(
    ("release_role", "of_an_operator", "of_an_administrator"),
    [
        (Role.OPERATOR, {Scope.RELEASE, Scope.ADMIN}, {Scope.RELEASE, Scope.ADMIN}),
        (Role.ADMINISTRATOR, set(), {Scope.RELEASE, Scope.ADMIN}),
    ],
)
def test_who_may_release(tmp_path, release_role, of_an_operator, of_an_administrator):
    """People by their role; tokens by their scope, and by who made them."""
    house = House(tmp_path, settings=AccessSettings(release_role=release_role))
    ravi, asha = house.user("ravi", Role.OPERATOR), house.user("asha")
    client = Client(house.app, base_url=HERE)

    def may(token):
        return client.get("/api/v1/things", headers=token).json()["may_release"]

    for owner, scopes in ((ravi, of_an_operator), (asha, of_an_administrator)):
        tokens = {each: make_token(house, each, owner) for each in Scope if each != Scope.FLAGS}
        assert {scope for scope, token in tokens.items() if may(token)} == scopes
    for name, releases in (("ravi", release_role is Role.OPERATOR), ("asha", True)):
        browser = house.browser()
        browser.sign_in(name)
        assert browser.get("/").json()["may_release"] is releases


def test_a_token_ends(house):
    house.user()
    client = Client(house.app, base_url=HERE)
    token = make_token(house, lasts=HOUR)
    house.now_us += HOUR - 1
    assert client.get("/api/v1/things", headers=token).status_code == 200
    house.now_us += 1
    assert client.get("/api/v1/things", headers=token).status_code == 401


@pytest.mark.parametrize(
    "said", ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "bearer shk_" + "x" * 5_000, "\xff", ""]
)
def test_a_wrong_token_is_refused_even_where_it_is_open(house, said):
    """Who sends one believes to be somebody: better told than taken for another."""
    reply = house.browser().get("/api/v1/things", authorization=said.encode("latin-1"))
    assert reply.status_code == 401
    assert "error" in reply.json()


def test_a_token_beside_a_session_is_the_token(house):
    browser = house.signed_in()
    assert browser.get("/api/v1/things", authorization="Bearer shk_x").status_code == 401


# Proxies, names, cookies.


def test_only_known_names_are_answered(tmp_path):
    house = House(tmp_path, AccessSettings(users=True, loopback=False, url=PUBLIC))
    for base in (PUBLIC, "http://10.1.2.3:8081", "http://localhost:8081", "http://[::1]:8081"):
        assert house.browser(base).get("/login").status_code == 200
    for base in ("http://evil.example", "https://switchhook.example.evil.example"):
        assert house.browser(base).get("/login").status_code == 403
    host = [("host", "switchhook.example"), ("host", "evil.example")]
    assert Client(house.app).get("/login", headers=host).status_code == 403


def test_behind_https_the_cookie_is_bound_to_the_host(tmp_path):
    """The proxy speaks http to us; console.url says what the browser speaks."""
    house = House(tmp_path, AccessSettings(users=True, url=PUBLIC))
    house.user()
    browser = house.browser("http://switchhook.example")
    browser.base = PUBLIC
    reply = browser.sign_in()
    assert reply.status_code == 303
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("__Host-switchhook=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "strict-transport-security" in reply.headers


def test_in_the_clear_it_says_so(tmp_path):
    house = House(tmp_path, AccessSettings(users=True, loopback=False))
    assert "not encrypted" in house.browser("http://10.1.2.3:8081").get("/login").text
    assert "not encrypted" not in house.browser().get("/login").text


def test_whose_word_counts_for_the_address(tmp_path):
    """A trusted proxy's; from anybody else X-Forwarded-For is noise."""
    import ipaddress

    proxies = (ipaddress.ip_network("10.0.0.0/8"),)
    house = House(tmp_path, AccessSettings(users=True, trusted_proxies=proxies))
    token = make_token(house)
    sent = {**token, "x-forwarded-for": "198.51.100.9, 203.0.113.7, 10.0.0.9"}
    for peer, seen in (("10.0.0.1", "203.0.113.7"), ("192.0.2.1", "192.0.2.1")):
        client = Client(house.app, base_url=HERE, client=(peer, 5))
        assert client.get("/api/v1/things", headers=sent).json()["origin"] == seen


def test_every_response_is_safe_to_show(house):
    """Pages, JSON, redirects and refusals alike."""
    browser = house.browser()
    replies = [browser.get(path) for path in ("/", "/settings", "/healthz", "/nowhere")]
    replies.append(house.browser("http://evil.example").get("/"))
    house.user()
    replies += [browser.get(path) for path in ("/", "/login", "/api/v1/things", "/welcome/x")]
    for reply in replies:
        headers = reply.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_people_get_pages_and_programs_json(house):
    """Also where the console itself refuses with the API's JSON."""
    viewer = house.signed_in("asha", Role.VIEWER)
    for path, status in (("/audit", 403), ("/refuses", 418)):
        page = viewer.get(path)
        assert (page.status_code, page.headers["content-type"]) == (
            status,
            "text/html; charset=utf-8",
        )
        assert "<h1>" in page.text
        assert "default-src 'none'; script-src" in page.headers["content-security-policy"]
    page = viewer.get("/refuses")
    assert "&lt;b&gt; is no pot" in page.text
    assert page.headers["retry-after"] == "7"
    assert viewer.get("/refuses", accept="application/json").json()["error"]["hint"] == "tea"
    assert viewer.get("/api/v1/refuses").json()["error"]["hint"] == "tea"
    assert viewer.get("/refuses?other").json() == {"detail": "odd"}


def test_a_fault_of_ours_and_what_is_not_there_are_told_in_words(house):
    client = Client(house.app, base_url=HERE, raise_server_exceptions=False)
    client.cookies.set(link_cookie(KEY), link_proof(KEY))
    page = client.get("/breaks", headers={"accept": "text/html"})
    assert page.status_code == 500
    assert "The console met a fault of its own; its log says which." in page.text
    page = client.get("/nowhere", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert client.get("/breaks").text == "Internal Server Error"


def test_a_form_too_large_is_not_read(house):
    browser = house.signed_in()
    assert browser.post("/", {"a": "x" * 1_100_000}).status_code == 413
    assert browser.post("/", {f"f{n}": "" for n in range(2_000)}).status_code == 400


def test_a_ledger_that_fails_lets_nobody_in(house, monkeypatch):
    """Not even on an open console: it can't be known whether it is."""
    from switchhook.errors import LedgerError

    def fail(*_):
        raise LedgerError("/secret/path", "it is damaged", "restore it")

    monkeypatch.setattr(house.kept.passes, "standing", fail)
    reply = house.browser().get("/")
    assert reply.status_code == 503
    assert "/secret/path" not in reply.text


def test_websockets_are_refused(house):
    from starlette.websockets import WebSocketDisconnect

    client = TestClient(house.app, base_url=HERE)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/feed"):
        pass


def test_a_secret_is_in_no_repr():
    settings = AccessSettings(
        oidc=OidcSettings(issuer="https://i.example", client_id="c", client_secret="hush")
    )
    assert "hush" not in repr(settings)
