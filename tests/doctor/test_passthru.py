"""What is made of tests that came through, changed, late, or not at all."""

from __future__ import annotations

import pytest

from switchhook.doctor.finding import Level
from switchhook.doctor.passthru import (
    FORGED,
    judge_answer,
    judge_caching,
    judge_client,
    judge_option_b,
    judge_query,
    judge_refusal,
    judge_time,
)
from switchhook.journal.receipt import Auth
from switchhook.rules.routing import Route

from .kept import OURS, QUERY, kept, reply

OK, WARN, FAIL, UNCHECKED = Level.OK, Level.WARN, Level.FAIL, Level.UNCHECKED


@pytest.mark.parametrize(
    ("came", "found", "level", "said", "todo"),
    [
        (reply(302), kept("B"), OK, "302, Option B by rule 'bot trouble'", ""),
        (reply(200), kept("A"), OK, "200, Option A", ""),
        (reply(200), kept("B"), FAIL, "answered 302, and 200 arrived", "proxy"),
        (reply(None, problem="no answer within 10 s"), None, FAIL, "within 10 s", "firewall"),
        (reply(200), None, FAIL, "no receipt", "another server"),
        (reply(403), None, FAIL, "403", "secret"),
        (reply(404), None, FAIL, "404", "path"),
        (reply(502), None, FAIL, "502", "upstream"),
        (reply(301, headers={"location": "https://h.example/x/secret"}), None, FAIL,
         "a redirect, 301, to https://h.example", "Exotel follows no redirect"),
        (reply(403, body=b"the mark of this test is old\n"), None, FAIL, "mark", "clock"),
        (reply(302), kept("B", auth=Auth("wrong")), WARN, "the secret is wrong", "enforce"),
        (reply(302), kept("B", auth=Auth("open")), OK, "302", ""),
    ],
)  # fmt: skip
def test_an_answer(came, found, level, said, todo):
    finding = judge_answer("sales", came, found)
    assert finding.level is level, finding
    assert said in finding.said
    assert todo in finding.todo
    assert "secret" not in finding.said or "secret is" in finding.said


def test_our_own_program_without_a_receipt_has_a_disk_that_does_not_take_it():
    finding = judge_answer("sales", reply(200), None, ours=True)
    assert (finding.level, "disk" in finding.todo) == (FAIL, True)
    assert "404" in judge_answer("sales", reply(404), None, ours=True).said


@pytest.mark.parametrize(
    ("asked", "level"),
    [
        ({"sales": (reply(403), None), "b": (reply(403), None)}, OK),
        ({"sales": (reply(403), None), "b": (reply(302), kept())}, WARN),
        ({"sales": (reply(502), None)}, UNCHECKED),
        ({"sales": (reply(None, problem="no answer within 10 s"), None)}, UNCHECKED),
    ],
)
def test_a_wrong_secret(asked, level):
    assert judge_refusal("secret", asked).level is level


@pytest.mark.parametrize(
    ("asked", "level"),
    [
        ([(reply(302), kept("B")), (reply(200), kept("A"))], OK),
        ([(reply(200), kept("B"))], FAIL),
        ([(reply(None), kept("B"))], FAIL),
        ([(reply(302, headers={"location": "/"}), kept("B"))], WARN),
        ([(reply(200), kept("A")), (reply(502), None)], UNCHECKED),
    ],
)
def test_option_b(asked, level):
    assert judge_option_b("b", asked).level is level


@pytest.mark.parametrize(
    ("sent", "came", "shown"),
    [
        ("a=1%2B1", b"a=1+1", "a=1%2B1"),
        ("Stream[Status]=x", b"Stream%5BStatus%5D=x", "Stream[Status]=x"),
        ("a=b+c", b"a=b%20c", "a=b+c"),
        ("a=1&b=2", b"a=1", "&b=2"),
        ("a=1", b"a=1&from=proxy", "a=1"),
        ("a=%2f", b"a=%2F", "a=%2f"),
    ],
)
def test_a_query_that_is_changed_is_shown_where(sent, came, shown):
    finding = judge_query("query", [(reply(query=sent), kept(raw=came))], bytes)
    assert finding.level is FAIL
    assert shown in finding.said


def test_a_query_that_arrives_is_well_also_where_secrets_of_it_are_kept_otherwise():
    sent = "a=1&passthru=https://h.example/p"

    def redact(raw):
        return raw.replace(b"https://h.example/p", b"fp_1")

    tried = [(reply(query=sent), kept(raw=b"a=1&passthru=fp_1"))]
    assert judge_query("query", tried, redact).level is OK


def test_a_long_query_that_is_refused_and_a_method_that_is_changed_are_told():
    long = reply(414, query="a=" + "x" * 8190)
    finding = judge_query("query", [(reply(), kept()), (long, None)], bytes)
    assert (finding.level, "8,192 bytes got 414" in finding.said) == (FAIL, True)
    finding = judge_query("query", [(reply(), kept(method="POST"))], bytes)
    assert (finding.level, "POST" in finding.said) == (FAIL, True)
    assert judge_query("query", [(reply(502), None)], bytes).level is UNCHECKED


@pytest.mark.parametrize(
    ("again", "level"),
    [
        ((reply(), kept()), OK),
        ((reply(), None), FAIL),
        ((reply(None, problem="no answer"), None), UNCHECKED),
        ((reply(headers={}), kept()), WARN),
        ((reply(headers={"cache-control": "no-store", "x-cache": "HIT"}), kept()), WARN),
        ((reply(headers={"cache-control": "no-store", "x-cache": "MISS"}), kept()), OK),
    ],
)
def test_caching(again, level):
    assert judge_caching("cache", (reply(), kept()), again).level is level
    assert judge_caching("cache", (reply(502), None), again).level is UNCHECKED


@pytest.mark.parametrize(
    ("seen", "trusted", "level", "todo"),
    [
        (OURS, False, OK, ""),
        ("8.8.8.8", False, OK, ""),  # behind an address translation
        (FORGED, False, WARN, "no more than your own proxies"),
        ("10.0.0.9", False, WARN, "trusted_proxies = ['10.0.0.9']"),
        ("127.0.0.1", False, WARN, "trusted_proxies = ['127.0.0.1']"),
        ("127.0.0.1", True, WARN, "send X-Forwarded-For"),
        ("garbage", False, WARN, "trusted_proxies"),
    ],
)
def test_the_senders_address(seen, trusted, level, todo):
    finding = judge_client("address", (reply(), kept(peer=seen)), {seen: trusted}.get)
    assert finding.level is level
    assert todo in finding.todo


def test_who_is_a_trusted_proxy_himself_can_not_see_it():
    finding = judge_client("address", (reply(), kept(peer=FORGED)), {OURS: True}.get)
    assert finding.level is UNCHECKED
    assert OURS in finding.said


@pytest.mark.parametrize(
    ("times", "level"), [([40.0], OK), ([40.0, 1200.0], WARN), ([2500.0], FAIL), ([], UNCHECKED)]
)
def test_the_time_against_how_long_exotel_waits(times, level):
    assert judge_time("time", [reply(ms=ms) for ms in times]).level is level


def test_the_query_of_the_tables_is_what_is_kept():
    assert judge_query("query", [(reply(), kept())], bytes).said.endswith(
        f"{len(QUERY)} bytes, by GET"
    )


GIVEN = {"address": "wss://a.example/stream", "route": Route(pool="sales", key="c1", member="a")}
NOBODY = Route(pool="sales", key="c1", problem="pool sales is switched off")


@pytest.mark.parametrize(
    ("said", "status", "level", "words"),
    [
        (GIVEN, 200, OK, "200, wss://a.example/stream by rule 'bot trouble'"),
        ({**GIVEN, "fallback": True}, 200, OK, "200, the fallback wss://a.example/stream by"),
        ({"route": NOBODY}, 404, WARN, "404, no address by rule 'bot trouble': it matched"),
    ],
)
def test_a_dynamic_url_is_told_by_its_address(said, status, level, words):
    found = judge_answer("endpoint", reply(status), kept(http_status=status, **said))
    assert found.level is level
    assert found.said.startswith(words)
