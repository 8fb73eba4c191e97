"""Who is let in, under which name; and what an option is on the wire."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter

import msgspec
import pytest

from switchhook.answer.authentication import HTTP_STATUS, Refusal, admit
from switchhook.answer.http.head_parser import Headers, make_unread_head
from switchhook.answer.http.messages import CLOSE, KEEP, KEEP_OLD, WITHOUT_BODY, build_response
from switchhook.config import AuthMode, Bodies, EndpointConfig, Mode, Secret
from switchhook.journal.receipt import Auth, RecordKind
from switchhook.rules.decide import Option

from .desk import OTHER_SECRET, SECRET, TAKES_A, TAKES_B, Desk, head_of

SECRETS = (Secret(SECRET), Secret(OTHER_SECRET))
GUARDED = EndpointConfig("sales", secrets=SECRETS)
ODD = "a b+c/ü%&="


def basic(credentials: str, scheme: str = "Basic") -> dict[str, str]:
    return {"authorization": f"{scheme} {b64encode(credentials.encode()).decode()}"}


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
@pytest.mark.parametrize(
    "query, path, by",
    [
        (TAKES_A, "/passthru/sales/{}", "path"),
        (TAKES_A, "/passthru/sales/{}/", "path"),
        (TAKES_A + "&secret={}", "/passthru/sales", "query"),
        ("secret={}&" + TAKES_A, "/passthru/sales/", "query"),
        (TAKES_A + "&SECRET={}", "/passthru/sales", "query"),
        (TAKES_A + "&secret=first&secret={}", "/passthru/sales", "query"),
        # Whoever appends to a URL that has a query already may put a second "?".
        ("secret={}?" + TAKES_A, "/passthru/sales", "query"),
    ],
)
def test_each_secret_lets_in_from_each_place(query, path, by, secret):
    """Several are valid at once, so that one can be replaced by the other."""
    desk = Desk(GUARDED)
    assert desk.ask(query.format(secret), path=path.format(secret)).status == 200
    assert desk.journal.receipts()[0].auth == Auth("ok", by)


@pytest.mark.parametrize(
    "credentials, scheme",
    [
        (f"exotel:{SECRET}", "Basic"),
        (f":{OTHER_SECRET}", "basic"),
        (f"{SECRET}:", "BASIC"),
        (SECRET, "Basic"),
    ],
)
def test_basic_takes_the_secret_as_password_or_as_user(credentials, scheme):
    desk = Desk(GUARDED)
    assert desk.ask(TAKES_A, **basic(credentials, scheme)).status == 200
    assert desk.journal.receipts()[0].auth == Auth("ok", "basic")


@pytest.mark.parametrize(
    "query, path",
    [
        (TAKES_A, "/passthru/sales/a%20b%2Bc%2F%C3%BC%25%26%3D"),
        (TAKES_A + "&secret=a%20b%2Bc%2F%C3%BC%25%26%3D", "/passthru/sales"),
        (TAKES_A + "&secret=a+b%2bc/%c3%bc%25%26=", "/passthru/sales"),
        (TAKES_A, "/passthru/%73ale%73/a%20b+c/%C3%BC%25&="),
    ],
)
def test_names_and_secrets_may_be_percent_encoded(query, path):
    desk = Desk(EndpointConfig("sales", secrets=(Secret(ODD),)))
    assert desk.ask(query, path=path).status == 200


@pytest.mark.parametrize(
    "query, path, more, state",
    [
        (TAKES_A, "/passthru/sales", {}, "missing"),
        (TAKES_A, "/passthru/sales/", {}, "missing"),
        (TAKES_A, "/passthru/sales", {"authorization": "Bearer " + SECRET}, "missing"),
        (TAKES_A + "&nosecret=" + SECRET, "/passthru/sales", {}, "missing"),
        (TAKES_A + "&CustomField=" + SECRET, "/passthru/sales", {}, "missing"),
        (TAKES_A, "/passthru/sales/wrong", {}, "wrong"),
        (TAKES_A, "/passthru/sales/" + SECRET[:-1], {}, "wrong"),
        (TAKES_A, "/passthru/sales/" + SECRET + "x", {}, "wrong"),
        (TAKES_A, "/passthru/sales/" + SECRET.upper(), {}, "wrong"),
        (TAKES_A + "&secret=", "/passthru/sales", {}, "wrong"),
        (TAKES_A + "&secret=%FF%00", "/passthru/sales", {}, "wrong"),
        (TAKES_A, "/passthru/sales", basic("exotel:wrong"), "wrong"),
        (TAKES_A, "/passthru/sales", {"authorization": "Basic !"}, "wrong"),
        (TAKES_A, "/passthru/sales", {"authorization": "Basic \xff"}, "wrong"),
    ],
)
class TestNoRightSecret:
    def test_it_is_refused_counted_and_not_kept(self, query, path, more, state):
        desk = Desk(GUARDED)
        answer = desk.ask(query, path=path, **more)
        assert (answer.status, answer.body) == (403, f"the secret is {state}\n".encode())
        assert desk.journal.receipts() == []
        assert desk.answerer.counts == {f"secret {state}": 1}

    def test_report_only_answers_and_marks_it(self, query, path, more, state):
        desk = Desk(EndpointConfig("sales", secrets=SECRETS, auth=AuthMode.REPORT_ONLY))
        assert desk.ask(query, path=path, **more).status == 200
        assert [each.auth for each in desk.journal.receipts()] == [Auth(state)]
        assert desk.answerer.counts == {"answered": 1}


def test_report_only_marks_a_right_secret_as_such():
    desk = Desk(EndpointConfig("sales", secrets=SECRETS, auth=AuthMode.REPORT_ONLY))
    desk.ask(TAKES_A + "&secret=" + SECRET)
    assert desk.journal.receipts()[0].auth == Auth("ok", "query")


def test_a_path_that_was_let_in_is_refused_once_its_secret_is_another():
    desk = Desk(EndpointConfig("sales", secrets=(Secret(SECRET),)))
    path = f"/passthru/sales/{SECRET}"
    for _ in range(2):
        assert desk.ask(TAKES_A, path=path).status == 200
    others = (OTHER_SECRET.encode(),)
    sales = msgspec.structs.replace(desk.answerer.endpoints["sales"], secrets=others)
    desk.answerer.endpoints = {"sales": sales}
    assert desk.ask(TAKES_A, path=path).status == 403
    desk.answerer.endpoints = {}
    assert desk.ask(TAKES_A, path=path).status == 404


def test_only_what_a_path_alone_proved_is_remembered_and_never_much():
    desk = Desk(EndpointConfig("sales", secrets=(Secret(SECRET),)))
    known = desk.answerer._proved
    for query in (f"{TAKES_A}&secret={SECRET}", TAKES_A):
        desk.ask(query, path="/passthru/sales")
        assert known.find(b"/passthru/sales") is None
    long = "/" * known.LONGEST
    assert desk.ask(TAKES_A, path=f"/passthru/sales/{SECRET}{long}").status == 200
    for slashes in range(2 * known.MOST):
        desk.ask(TAKES_A, path=f"/passthru/sales/{SECRET}{'/' * slashes}")
    assert 0 < len(known._known) <= known.MOST


def test_one_endpoints_secret_opens_no_other():
    desk = Desk(GUARDED, EndpointConfig("support", secrets=(Secret("cccc-support-secret"),)))
    assert desk.ask(TAKES_A, path=f"/passthru/support/{SECRET}").status == 403
    assert desk.ask(TAKES_A, path="/passthru/support/cccc-support-secret").status == 200
    assert [each.endpoint for each in desk.journal.receipts()] == ["support"]


@pytest.mark.parametrize(
    "path",
    ["/", "", "/passthru", "/passthru/", "/passthru/other", "/passthru/SALES", "/passthru/%FF",
     "/passthru/sales%2F" + SECRET, "/passthru//sales", "/Passthru/sales", "/x/passthru/sales",
     "passthru/sales", "/voicebot/sales"],
)  # fmt: skip
def test_no_such_endpoint(path):
    desk = Desk(GUARDED)
    assert desk.ask(TAKES_A + "&secret=" + SECRET, path=path).status == 404
    assert desk.journal.records == []
    assert desk.answerer.counts == {"unknown endpoint": 1}


@pytest.mark.parametrize(
    "more, status",
    [
        ({}, 200),
        ({"host": None}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "bot.localhost:8080"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": "127.8.9.1"}, 200),
        ({"host": "bot.example.com"}, 403),
        ({"host": "127.0.0.1.example.com"}, 403),
        ({"host": "localhost.example.com"}, 403),
        ({"host": ""}, 403),
        ({"forwarded": True}, 403),
        ({"forwarded": True, "forwarded_for": "127.0.0.1"}, 403),
    ],
)
def test_without_a_secret_only_this_machine_is_answered(more, status):
    """Tunnels and proxies connect from loopback too; they show by their headers and the Host."""
    desk = Desk()
    answer = desk.ask(TAKES_A, **more)
    assert answer.status == status
    assert [each.auth for each in desk.journal.receipts()] == [Auth("open")] * (status == 200)
    if status == 403:
        assert b"switchhook secret" in answer.body
        assert desk.answerer.counts == {"not loopback": 1}


def test_with_a_secret_it_does_not_matter_where_a_request_comes_from():
    more = {"host": "bot.example.com", "forwarded": True, "forwarded_for": "192.0.2.9"}
    assert Desk(GUARDED).ask(TAKES_A, path=f"/passthru/sales/{SECRET}", **more).status == 200


BODIES = Bodies(A='{"select": "bot"}', B="sorry")


@pytest.mark.parametrize("query, option", [(TAKES_A, Option.A), (TAKES_B, Option.B)])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("bodies", [Bodies(), BODIES])
def test_an_option_is_a_status_and_a_body(query, option, mode, bodies):
    """Async applets don't look at the status, but the receipt says what was decided."""
    desk = Desk(EndpointConfig("sales", mode=mode, bodies=bodies))
    answer = desk.ask(query)
    status = 200 if mode is Mode.ASYNC else HTTP_STATUS[option]
    assert answer.status == status
    assert answer.body.decode() == (getattr(bodies, option) or "")
    receipt = desk.journal.receipts()[0]
    assert (receipt.decision.option, receipt.http_status) == (option, status)
    assert receipt.mode == mode


@pytest.mark.parametrize(
    "body, kind",
    [
        ('{"select": "1"}', "application/json"),
        (' \n{"select": "ü"}', "application/json"),
        ("1", "text/plain; charset=utf-8"),
    ],
)
def test_a_body_says_what_it_is(body, kind):
    answer = Desk(EndpointConfig("sales", bodies=Bodies(A=body))).ask(TAKES_A)
    assert (answer.body, answer.content_type) == (body.encode(), kind)


@pytest.mark.parametrize("bare", [0, WITHOUT_BODY])
@pytest.mark.parametrize("manner", [KEEP, CLOSE, KEEP_OLD])
@pytest.mark.parametrize(
    "query, path",
    [(TAKES_A, "sales"), (TAKES_B, "sales"), ("", "sales/wrong"), ("", "other"), (TAKES_B, "late")],
)
def test_no_answer_is_stored_or_leads_anywhere(query, path, manner, bare):
    """A stored answer would decide for a later caller; so would a redirect that is followed."""
    late = EndpointConfig("late", mode=Mode.ASYNC, bodies=BODIES)
    desk = Desk(EndpointConfig("sales", secrets=SECRETS, auth=AuthMode.ENFORCE), late)
    secret = f"&secret={SECRET}" if query else ""
    response = build_response(desk.ask(query + secret, path=f"/passthru/{path}"), manner + bare)
    head = response.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert b"cache-control: no-store" in head
    assert not [line for line in head if line.startswith(b"location")]


def test_each_complaint_of_secrets_is_said_whatever_else_is_wrong():
    """Of two mistaken applets both are named, also behind a stranger's hundred guesses."""
    support = EndpointConfig("support", secrets=SECRETS)
    desk = Desk(GUARDED, support, EndpointConfig("open", auth=AuthMode.OPEN))
    for number in range(100):
        desk.ask(f"CallSid=c{number}&secret=guess-{number}")
    for _ in range(5):
        desk.ask("CallSid=c1", path="/passthru/sales")
        desk.ask("CallSid=c1", path="/passthru/support/old")
        desk.ask("CallSid=c1", path="/passthru/open", host="hook.example.com")
    desk.answerer.unreadable(make_unread_head(None, "not HTTP", Headers(), "::1"), b"x?CallSid=c1")
    desk.answerer.unreadable(
        make_unread_head(None, "head too large", Headers(), "::1"), b"x?CallSid=c1"
    )
    said = json.loads(desk.answerer.health(whole=True).body)["problems"]
    assert [each.partition(":")[0] for each in said] == [
        "endpoint sales refused what looks like passthrus (secret wrong)",
        "endpoint sales refused what looks like passthrus (secret missing)",
        "endpoint support refused what looks like passthrus (secret wrong)",
        "endpoint open refused what looks like passthrus (not loopback)",
        "a request could not be read (not HTTP)",
        "a request could not be read (head too large)",
    ]
    kept = Counter(
        (each["endpoint"], each["reason"]) for each in desk.journal.of(RecordKind.SAMPLE)
    )
    assert kept == {
        ("sales", "secret wrong"): 20,
        ("sales", "secret missing"): 3,
        ("support", "secret wrong"): 3,
        ("open", "not loopback"): 3,
        ("", "not HTTP"): 1,
        ("", "head too large"): 1,
    }
    desk.clock.step(1_800_000)
    desk.ask("CallSid=c1", path="/passthru/support/old")
    desk.clock.step(1_800_000)
    desk.answerer.sweep()
    (left,) = json.loads(desk.answerer.health(whole=True).body)["problems"]
    assert left.startswith("endpoint support refused")


def test_what_was_refused_is_sampled_if_it_looks_like_a_passthru():
    """It may be our own applet's URL that is wrong; twenty an hour tell, and one alarm."""
    desk = Desk(GUARDED)
    for query in ("", "foo=bar", "From=1"):
        desk.ask(query)
    assert desk.journal.of(RecordKind.SAMPLE) == []
    assert desk.answerer.alarms == {}
    for number in range(100):
        desk.ask(f"CallSid=c{number}&secret=guess-{number}")
    samples = desk.journal.of(RecordKind.SAMPLE)
    assert len(samples) == 20
    assert {(each["endpoint"], each["reason"]) for each in samples} == {("sales", "secret wrong")}
    assert b"guess" not in desk.journal.bytes()
    assert len(desk.answerer.alarms) == 1
    assert desk.answerer.counts["secret wrong"] == 100
    desk.clock.step(3_600_000)
    desk.ask("CallSid=c1&x=" + "y" * 60_000)
    assert len(desk.journal.of(RecordKind.SAMPLE)) == 21
    assert len(desk.journal.records[-1].body) < 5000


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"peer": "127.0.0.1"}, True),
        ({"peer": "::1"}, True),
        ({"peer": "192.0.2.1"}, False),
        ({"peer": "127.0.0.1", "host": "hooks.example"}, False),
        ({"peer": "127.0.0.1", "forwarded": True}, False),
    ],
)
@pytest.mark.parametrize("path", ["/passthru/sales", "/passthru/sales/wrong"])
def test_how_a_made_secret_is_found_is_told_to_programs_on_this_machine_alone(more, told, path):
    made = msgspec.structs.replace(Desk(GUARDED).answerer.endpoints["sales"], configured=False)
    refused = admit({"sales": made}, head_of(path=path, **more))
    assert isinstance(refused, Refusal)
    state = "wrong" if path.endswith("wrong") else "missing"
    assert refused.text.startswith(f"the secret is {state}")
    assert ("switchhook link" in refused.text) is told
    assert (refused.text == f"the secret is {state}\n") is not told
