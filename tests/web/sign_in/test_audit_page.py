"""/audit: the list, the chain, the export; and reveals, which it tells of."""

from __future__ import annotations

import hashlib
import json

import pytest

from asgi_client import Client
from switchhook.access.audit import Deed
from switchhook.access.roles import Role, Scope
from switchhook.web.sign_in.tokens import hashed, new_proof
from web.sign_in.house import DEED, HERE, HOUR, MINUTE


def test_it_lists_who_did_what(house):
    browser = house.signed_in()
    page = browser.get("/audit").text
    assert "signed in" in page
    assert "127.0.0.1" in page
    assert "chain holds" in page


def test_it_is_filtered_and_paged(house):
    browser = house.signed_in()
    for number in range(250):
        house.kept.audit.note(Deed(who=f"u{number % 2}", what="did", subject=str(number)), 5)
    page = browser.get("/audit?who=u1").text
    assert page.count('<td class="num">') == 100
    assert ">249<" in page.replace("<bdi>", "").replace("</bdi>", "")
    assert "before=" in page
    entries = house.browser()
    entries.client.cookies = browser.client.cookies
    first = browser.get("/api/v1/audit?what=did&limit=200").json()
    rest = browser.get(f"/api/v1/audit?what=did&limit=200&before={first['next']}").json()
    assert len(first["entries"]) + len(rest["entries"]) == 250
    assert rest["next"] is None
    assert browser.get("/audit?subject=nothing").text.count('<td class="num">') == 0
    assert "Nothing of that kind" in browser.get("/audit?since=2100-01-01").text


@pytest.mark.parametrize("query", ["since=x", "before=x", "before=-1", "since=2026-13-01"])
def test_a_filter_that_can_not_be(house, query):
    assert house.browser().get(f"/audit?{query}").status_code == 400
    assert house.browser().get("/api/v1/audit?limit=0").status_code == 400


def test_a_changed_entry_shows(house):
    """Whoever gets around the triggers still breaks the chain."""
    browser = house.signed_in()
    with house.ledger.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_is_not_changed")
        connection.exec_driver_sql("UPDATE audit SET who = 'ravi', details = 'x' WHERE seq = 2")
    assert "broken at entry 2" in browser.get("/audit?check=now").text


def test_new_entries_are_checked_with_each_look(house):
    """Those checked before are not read again, until all are asked for or retention cuts them."""
    browser = house.signed_in()
    house.access.check.run()
    assert house.access.check.last[0].verified == 2
    for _ in range(3):
        house.kept.audit.note(DEED, 5)
    assert "5 entries follow" in browser.get("/audit").text
    assert "5 entries follow" in browser.get("/audit").text
    house.kept.audit.trim(house.now_us + 1, DEED, house.now_us + 2)
    assert house.access.check.go_on().broken_at is None
    assert house.access.check.run().verified == 1


def test_the_export_can_be_checked_by_anybody(house):
    """With a few lines of any language, as docs/users.md shows them."""
    browser = house.signed_in()
    hostile = Deed(who='é"\\\n\u2028', what="did", details={"a": "\x00\x1f</script>"})
    house.kept.audit.note(hostile, 5)
    reply = browser.get("/audit.ndjson")
    assert reply.headers["content-type"] == "application/x-ndjson"
    previous = bytes(32)
    lines = [json.loads(line) for line in reply.text.split("\n") if line]
    for each in lines:
        names = ("seq", "at_us", "who", "what", "subject", "origin", "details")
        said = json.dumps([each[name] for name in names], ensure_ascii=False, separators=(",", ":"))
        previous = hashlib.sha256(previous + said.encode()).digest()
        assert previous.hex() == each["hash"]
    assert lines[-1]["what"] == "exported the audit log"


# Reveals.


def test_an_operator_reveals_for_a_quarter_of_an_hour(house):
    """Each reveal is noted, and is for that session alone."""
    browser, other = house.signed_in("asha", Role.OPERATOR), house.browser()
    other.sign_in()
    assert browser.get("/").json()["numbers"] is False
    reply = browser.post("/reveal", {"next": "/streams?q=x"})
    assert reply.headers["location"] == "/streams?q=x"
    assert browser.get("/").json()["numbers"] is True
    assert other.get("/").json()["numbers"] is False
    house.now_us += 15 * MINUTE
    assert browser.get("/").json()["numbers"] is False
    assert house.whats()[-2:] == ["revealed all numbers", "read with numbers revealed"]


def test_a_clock_that_steps_does_not_stretch_a_reveal(house):
    """Revealed while the clock was three hours ahead: a quarter of an hour all the same."""
    browser = house.signed_in("asha", Role.OPERATOR)
    house.step_us = 3 * HOUR
    browser.post("/reveal", {})
    house.step_us = 0
    assert browser.get("/").json()["numbers"] is True
    house.now_us += 15 * MINUTE
    assert browser.get("/").json()["numbers"] is False


def test_a_reveal_of_one_call_is_of_that_call(house):
    browser = house.signed_in("asha", Role.OPERATOR)
    assert browser.post("/calls/c1/reveal", {}).headers["location"] == "/calls/c1"
    session = house.kept.passes.sessions()[0]
    assert house.access.reveals.of(session.key, Role.OPERATOR) == {"c1"}
    assert browser.get("/").json()["numbers"] is False
    noted, read = list(house.kept.audit.oldest_first())[-2:]
    assert (noted.what, noted.subject) == ("revealed a call's numbers", "c1")
    assert (read.what, read.subject) == ("read with numbers revealed", "/")
    assert read.details == '{"of":"c1"}'
    browser.post("/mask", {})
    assert house.access.reveals.of(session.key, Role.OPERATOR) == frozenset()


def test_a_viewer_reveals_nothing(house):
    browser = house.signed_in("asha", Role.VIEWER)
    for path in ("/reveal", "/calls/c1/reveal"):
        assert browser.post(path, {}).status_code == 403
    assert house.whats() == ["signed in"]


def test_what_can_not_be_noted_is_not_revealed(house, monkeypatch):
    from switchhook.errors import LedgerError

    browser = house.signed_in("asha", Role.OPERATOR)
    token = browser.csrf()

    def full(*_):
        raise LedgerError("ledger", "disk full", "make room")

    monkeypatch.setattr(house.kept.audit, "note", full)
    with pytest.raises(LedgerError):
        browser.post("/reveal", {}, token)
    assert browser.get("/").json()["numbers"] is False


def test_a_token_reveals_by_the_api(house):
    asha = house.user("asha", Role.OPERATOR)
    proof = new_proof()
    house.kept.passes.make_token(
        "robot", Scope.OPERATE, asha, hashed(proof), house.now_us + MINUTE, DEED, house.now_us
    )
    client = Client(house.app, base_url=HERE)
    headers = {"authorization": f"Bearer {proof}"}
    reply = client.post("/api/v1/calls/c1/reveal", headers=headers)
    assert reply.json()["revealed_until"].endswith("Z")
    assert house.access.reveals.of("token:1", Role.OPERATOR) == {"c1"}


def test_reveals_are_bounded(house):
    reveals = house.access.reveals
    for number in range(1_500):
        reveals.add("session:1", f"c{number}")
    assert len(reveals.of("session:1", Role.OPERATOR)) == 1_000
    assert "c1499" in reveals.of("session:1", Role.OPERATOR)
    for number in range(10_500):
        reveals.add(f"s{number}", "c")
    assert len(reveals._until) == 10_000
