"""Dynamic URLs: whichever way a question ends, the answer is a member, the fallback or none."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer import voicebot as voicebot_module
from switchhook.answer.http.messages import Answer
from switchhook.config import AuthMode, EndpointConfig, Secret
from switchhook.journal.receipt import RecordKind, read_passthru
from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.bot_pool import MemberState, draw
from switchhook.rules.decide import Option
from switchhook.rules.routing import HandAct, HandSetting, MemberFacts, RoutingFacts

from .bots import LOGIN, PASSWORD, SAFETY, gate, member, pool, pooled, voicebot
from .desk import SECRET, START_US, Desk, head_of

PATH = "/voicebot/sales-in"
NOBODY = HandSetting(id=3, act=HandAct.OFF, pool="sales")


def desk(*endpoints: EndpointConfig, **more: Any) -> Desk:
    config = more.pop("config", pooled(pool()))
    return Desk(*(endpoints or (voicebot(),)), config=config, **more)


def url_of(answer: Answer) -> str:
    assert (answer.status, answer.content_type) == (200, "application/json")
    found = json.loads(answer.body)
    assert list(found) == ["url"]
    return str(found["url"])


def host_of(answer: Answer) -> str:
    return urlsplit(url_of(answer)).hostname or ""


def test_the_answer_is_a_members_whole_address_and_the_receipt_says_why_it():
    asked = desk()
    answer = asked.ask("CallSid=c1&CallFrom=09812345678", path=PATH)
    (receipt,) = asked.journal.addresses()
    route = receipt.route
    assert route is not None
    assert route.member is not None
    assert url_of(answer) == f"wss://{LOGIN}@{route.member}.example/stream?lang=hi"
    assert receipt.address == f"wss://{route.member}.example/stream?lang=hi"
    assert (route.pool, route.key, route.problem) == ("sales", "c1", "")
    assert draw(route.key, route.eligible) == route.member
    assert [(each.member, each.weight) for each in route.eligible] == [
        ("vendor-a", 100.0),
        ("vendor-b", 100.0),
    ]
    assert receipt.decision.reason == (
        f"no rule matched, so the default was taken; {route.member} of pool sales, drawn among 2"
    )
    assert (receipt.http_status, receipt.fallback, receipt.decision.option) == (200, False, "A")
    assert read_passthru(receipt).call_sid == "c1"


def test_nothing_secret_of_an_address_is_kept_or_shown():
    """Nor where Exotel sends it back as the stream's URL, or a caller types the password."""
    asked = desk(voicebot(secrets=(Secret(SECRET),)), EndpointConfig("sales"))
    given_ = url_of(asked.ask("CallSid=c1", path=f"{PATH}/{SECRET}"))
    asked.ask(f"CallSid=c1&Stream[StreamUrl]={given_}&CustomField={PASSWORD}")
    asked.ask(f"CallSid=c2&secret={SECRET}&CustomField={PASSWORD}", path=PATH)
    kept = asked.journal.bytes()
    assert PASSWORD in given_
    assert PASSWORD.encode() not in kept
    assert SECRET.encode() not in kept
    assert PASSWORD not in repr(asked.answerer.endpoints["sales-in"].bots.addresses)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_every_method_is_answered_and_head_takes_no_place(method):
    asked = desk(config=pooled(pool("sales", member("vendor-a", limit=10))))
    asked.answerer.learn({}, RoutingFacts(members={"sales": {"vendor-a": MemberFacts(room=1)}}))
    assert host_of(asked.ask("CallSid=c1", path=PATH, method=method)) == "vendor-a.example"
    taken = asked.answerer._places.since(("sales", "vendor-a"), 0)
    assert taken == (0 if method == "HEAD" else 1)


@pytest.mark.parametrize(
    ("query", "head", "body"),
    [
        (b"", {}, b""),
        (b"\xff\xfe%%%&&&=&CallSid=%00", {}, b""),
        (b"CallSid=" + b"x" * 60_000, {}, b""),
        (b"", {"method": "POST", "content_type": "application/json"}, b'{"CallSid": [1]}'),
        (b"", {"method": "POST", "content_type": "multipart/form-data"}, b"\x00"),
    ],
)
def test_garbage_gets_an_address_too(query, head, body):
    assert host_of(desk().ask(query, path=PATH, body=body, **head)).startswith("vendor-")


NO_MEMBER = {
    "no such pool": (pooled(pool("other")), RoutingFacts(), "there is no pool sales"),
    "all out": (
        pooled(pool("sales", member("vendor-a", state=MemberState.OUT))),
        RoutingFacts(),
        "no member of pool sales is in",
    ),
    "names of networks of our own": (
        pooled(pool("sales", member("vendor-a"))),
        RoutingFacts(members={"sales": {"vendor-a": MemberFacts(network="this machine")}}),
        "no member of pool sales is in and may be given: the name of vendor-a is an address of "
        "this machine",
    ),
    "weights zero": (
        pooled(pool("sales", member("vendor-a", weight=0))),
        RoutingFacts(),
        "no member of pool sales is in",
    ),
    "a person took them out": (
        pooled(pool("sales", member("vendor-a"))),
        RoutingFacts(
            hands=(
                HandSetting(
                    id=1,
                    act=HandAct.STATE,
                    pool="sales",
                    member="vendor-a",
                    state=MemberState.DRAINING,
                ),
            )
        ),
        "no member of pool sales is in",
    ),
}


@pytest.mark.parametrize("case", NO_MEMBER)
@pytest.mark.parametrize("status", [404, 503])
def test_without_a_member_the_fallback_is_given_and_without_one_no_address(case, status):
    config, facts, why = NO_MEMBER[case]
    asked = desk(voicebot(), voicebot("bare", fallback=None, when_off=status), config=config)
    asked.answerer.learn({}, facts)
    assert url_of(asked.ask("CallSid=c1", path=PATH)) == SAFETY
    answer = asked.ask("CallSid=c1", path="/voicebot/bare")
    assert (answer.status, answer.body) == (status, b"no address\n")
    by_fallback, by_nothing = asked.journal.addresses()
    assert (by_fallback.fallback, by_fallback.address) == (True, SAFETY)
    assert by_fallback.decision.reason.endswith(f"; {why}; the endpoint's fallback")
    assert (by_nothing.fallback, by_nothing.address, by_nothing.http_status) == (False, "", status)
    assert by_nothing.decision.reason.endswith(f"; {why}; no address, {status}")
    assert (by_fallback.decision.option, by_nothing.decision.option) == (Option.A, Option.B)


def test_a_pool_that_a_person_switched_off_gives_no_address_though_there_is_a_fallback():
    asked = desk()
    asked.answerer.learn({}, RoutingFacts(hands=(NOBODY,)))
    assert asked.ask("CallSid=c1", path=PATH).status == 404
    (receipt,) = asked.journal.addresses()
    assert receipt.route is not None
    assert (receipt.route.off, receipt.route.hands) == (True, (3,))
    assert "pool sales is switched off; no address, 404" in receipt.decision.reason


def test_what_a_person_set_is_in_force_with_the_next_question_and_ends_when_it_was_to():
    asked = desk(config=pooled(pool(), pool("spare", member("spare-a"))))
    until = START_US // 1000 + 60_000
    hand = HandSetting(id=4, act=HandAct.MOVE, pool="sales", to="spare", until_ms=until)
    asked.answerer.learn({}, RoutingFacts(hands=(hand,)))
    assert host_of(asked.ask("CallSid=c1", path=PATH)) == "spare-a.example"
    (receipt,) = asked.journal.addresses()
    assert receipt.route is not None
    assert (receipt.route.asked, receipt.route.hands) == ("sales", (4,))
    assert receipt.decision.reason.endswith("where a person moved the calls of pool sales")
    asked.clock.step(60_000)
    assert host_of(asked.ask("CallSid=c2", path=PATH)).startswith("vendor-")


@pytest.mark.parametrize("fallback", [SAFETY, None])
def test_one_press_sends_all_callers_to_the_fallback_even_hours_later(fallback):
    """Nobody may have told anything since: what people set holds by itself."""
    asked = desk(voicebot(fallback=fallback))
    hand = HandSetting(id=9, act=HandAct.SAFE, endpoint="sales-in")
    asked.answerer.learn({}, RoutingFacts(hands=(hand,)))
    asked.clock.step(3_600_000)
    answer = asked.ask("CallSid=c1", path=PATH)
    assert answer.status == (404 if fallback is None else 200)
    (receipt,) = asked.journal.addresses()
    assert (receipt.decision.rule, receipt.fallback) == (BY_HAND, fallback is not None)
    assert receipt.decision.reason.startswith("a person set it (9); ")


@pytest.mark.parametrize("step", ["standing", "drawn", "key_of_draw", "with_address"])
@pytest.mark.parametrize("fallback", [SAFETY, None])
def test_whatever_fails_the_caller_gets_the_fallback_by_name(step, fallback, monkeypatch):
    asked = desk(voicebot(fallback=fallback))

    def fail(*_args: Any, **_more: object) -> None:
        raise LookupError("+919812345678")

    monkeypatch.setattr(voicebot_module, step, fail)
    answer = asked.ask("CallSid=c1", path=PATH)
    (receipt,) = asked.journal.addresses()
    said = "the endpoint's fallback" if fallback else "no address, 404"
    assert answer.status == (200 if fallback else 404)
    assert receipt.decision.rule == SAFE_RULE
    assert receipt.decision.reason == f"deciding failed (LookupError); {said}"
    assert asked.answerer.counts["failed to decide"] == 1


def test_a_request_line_that_is_not_whole_gets_the_fallback():
    asked = desk()
    head = head_of("CallSid=c1", PATH)
    cut = type(head)(
        **{name: getattr(head, name) for name in head.__struct_fields__} | {"cut": True}
    )
    replies: list[Answer] = []
    token = asked.answerer.admit(cut)
    asked.answerer.answer(cut, token, b"", None, replies.append)
    asked.journal.settle()
    assert [url_of(each) for each in replies] == [SAFETY]


def test_who_repeats_at_once_hears_the_same_and_takes_no_second_place():
    """Even where the member that it got has failed meanwhile; later it is a new question."""
    asked = desk()
    first = asked.ask("CallSid=c1", path=PATH)
    got = host_of(first).removesuffix(".example")
    failed = RoutingFacts(members={"sales": {got: MemberFacts(share=0.0)}})
    asked.answerer.learn({}, failed)
    asked.clock.step(1000)
    assert asked.ask("CallSid=c1", path=PATH) == first
    asked.clock.step(4000)
    asked.answerer.learn({}, failed)
    assert asked.ask("CallSid=c1", path=PATH) != first
    one, two, three = asked.journal.addresses()
    assert (one.repeat_of, two.decision.rule, three.repeat_of) == (None, "repeat", None)
    assert two.repeat_of is not None
    assert two.address == one.address
    assert asked.answerer._places.since(("sales", got), 0) == 1
    numbers = {each.option for each in asked.journal.records if each.seq in (1, 2)}
    assert len(numbers) == 1
    assert 16 <= numbers.pop() < 2**31


def test_a_repeat_whose_member_is_gone_is_a_new_question():
    asked = desk()
    first = host_of(asked.ask("CallSid=c1", path=PATH)).removesuffix(".example")
    left = pooled(pool("sales", member("vendor-c")))
    asked.answerer.endpoints = desk(config=left).answerer.endpoints
    assert host_of(asked.ask("CallSid=c1", path=PATH)) == "vendor-c.example" != first


def test_sticky_pools_know_the_customer_by_either_direction_and_nobody_by_a_withheld_number():
    asked = desk(config=pooled(pool(sticky=True)))
    queries = {
        "CallSid=c1&From=09812345678&To=08040000000&Direction=incoming": "+919812345678",
        "CallSid=c2&From=08040000000&To=09812345678&Direction=outbound-dial": "+919812345678",
        "CallSid=c3&From=anonymous&To=08040000000&Direction=incoming": "c3",
        "CallSid=c4&To=08040000000": "c4",
    }
    hosts = [host_of(asked.ask(query, path=PATH)) for query in queries]
    keys = [each.route.key for each in asked.journal.addresses() if each.route]
    assert keys == list(queries.values())
    assert hosts[0] == hosts[1]


def test_members_take_no_more_than_their_room_until_nobody_has_any():
    """What was given since the console counted is taken from it."""
    pools = pool("sales", member("vendor-a", limit=5), member("vendor-b", limit=5))
    asked = desk(config=pooled(pools))
    room = {"vendor-a": MemberFacts(room=3), "vendor-b": MemberFacts(room=2)}
    asked.answerer.learn({}, RoutingFacts(members={"sales": room}))
    hosts = [host_of(asked.ask(f"CallSid=c{each}", path=PATH)) for each in range(5)]
    assert sorted(hosts) == ["vendor-a.example"] * 3 + ["vendor-b.example"] * 2
    counted = {name: MemberFacts(room=2, through_seq=5) for name in room}
    asked.answerer.learn({}, RoutingFacts(members={"sales": counted}))
    more = [host_of(asked.ask(f"CallSid=d{each}", path=PATH)) for each in range(4)]
    assert sorted(more) == ["vendor-a.example"] * 2 + ["vendor-b.example"] * 2


def test_health_that_is_no_longer_told_is_unknown_and_takes_nobody_out():
    asked = desk()
    out = {"vendor-a": MemberFacts(share=0.0), "vendor-b": MemberFacts()}
    asked.answerer.learn({}, RoutingFacts(members={"sales": out}))
    hosts = {host_of(asked.ask(f"CallSid=c{each}", path=PATH)) for each in range(40)}
    asked.clock.step(5001)
    later = {host_of(asked.ask(f"CallSid=d{each}", path=PATH)) for each in range(40)}
    assert (hosts, len(later)) == ({"vendor-b.example"}, 2)


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
def test_a_clock_that_steps_changes_no_answer(step_s):
    asked, other = desk(), desk()
    other.clock.wall_us_off = step_s * 1_000_000
    query = "CallSid=c1"
    assert asked.ask(query, path=PATH) == other.ask(query, path=PATH)


def test_an_address_with_its_login_is_given_to_nobody_without_the_secret():
    """Not even where wrong secrets are only reported."""
    secrets = (Secret(SECRET),)
    asked = desk(voicebot(secrets=secrets, auth=AuthMode.REPORT_ONLY))
    assert asked.ask("CallSid=c1", path=PATH).status == 403
    assert asked.ask("CallSid=c1", path=f"{PATH}/wrong").status == 403
    assert host_of(asked.ask("CallSid=c1", path=f"{PATH}/{SECRET}")).startswith("vendor-")


def test_each_kind_answers_below_its_own_path_alone():
    asked = desk(voicebot(), gate(), EndpointConfig("sales"))
    for path in ("/passthru/sales-in", "/voicebot/sales", "/voicebot/gate", "/voicebot/"):
        assert asked.ask("CallSid=c1", path=path).status == 404
    assert asked.journal.records == []


def test_answers_and_receipts_of_a_slow_disk_keep_the_deadline():
    asked = desk(voicebot(deadline_ms=300))
    replies = asked.say("CallSid=c1", path=PATH)
    asked.pass_time(250)
    assert replies == []
    asked.pass_time(30)
    assert len(replies) == 1
    asked.journal.settle()
    assert [each["seq"] for each in asked.journal.of(RecordKind.LATE)] == [1]


@given(st.binary(max_size=300), st.sampled_from(["GET", "POST", "HEAD", "PUT"]))
def test_no_request_is_left_without_a_named_answer(query, method):
    asked = desk()
    answer = asked.ask(query, path=PATH, method=method)
    (receipt,) = asked.journal.addresses()
    assert url_of(answer)
    assert receipt.decision.rule
    assert receipt.http_status == answer.status
