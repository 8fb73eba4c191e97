"""Who a candidate decides for: a sticky share of the callers, while it is told and watched."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer import deciding as deciding_module
from switchhook.answer.choices import choices_of
from switchhook.answer.facts import HOLDS_NS
from switchhook.config import Config, EndpointConfig
from switchhook.config.live import Settings
from switchhook.config.live_pools import PoolsCandidate
from switchhook.config.rules_terms import terms_of
from switchhook.journal.receipt import Receipt, RecordKind, decode_receipt
from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.bot_pool import Pool
from switchhook.rules.decide import Option
from switchhook.rules.expression import ENGINE
from switchhook.rules.rollout import BUCKETS, POOLS, Rollout, bucket_of, salt_of
from switchhook.rules.routing import MemberFacts, RoutingFacts
from switchhook.rules.rules_file import EndpointKind, load_rules
from switchhook.server.answer_settings import endpoints_of, settings_of
from switchhook.streams.decided_again import decide_again

from .bots import gate, member, pool, pooled, voicebot
from .desk import KEY, Desk

RUNNING = load_rules('[default]\noption = "B"\n', file="running")
CANDIDATE = load_rules(
    """
[[rule]]
name = "named"
when = 'call.custom_field == "x"'
option = "A"
select = "hindi"

[default]
option = "A"
""",
    file="candidate",
)
SUBJECT = "rules/sales"
NUMBERS = st.from_regex(r"\A\+91[6-9][0-9]{9}\Z")
SHARES = st.integers(0, BUCKETS)


def rollout(share: int, **changed: Any) -> Rollout:
    said = {"subject": SUBJECT, "number": 12, "hash": CANDIDATE.release, "share": share}
    return Rollout(**{**said, **changed})


def told(*rollouts: Rollout, **more: Any) -> RoutingFacts:
    return RoutingFacts(rollouts={each.subject: each for each in rollouts}, **more)


def beside(config: Config, **changed: Any) -> Settings:
    return msgspec.structs.replace(settings_of(config), **changed)


class Canary(Desk):
    """A desk where a candidate lies beside the running rules of the endpoint sales."""

    def __init__(self, share: int | None = None, **changed: Any) -> None:
        super().__init__()
        opened = self.answerer.endpoints["sales"]
        point = msgspec.structs.replace(
            opened, ruleset=RUNNING, candidate=CANDIDATE, choices=choices_of(("hindi",))
        )
        self.answerer.endpoints = {"sales": msgspec.structs.replace(point, **changed)}
        if share is not None:
            self.tell(rollout(share))

    def tell(self, *rollouts: Rollout) -> None:
        self.answerer.learn({}, told(*rollouts))

    def receipt(self, query: str = "CallSid=c1", **more: Any) -> Receipt:
        """Ask, and give what is kept of it."""
        self.ask(query, **more)
        return decode_receipt(self.journal.records[-1].body)


def of(number: str, call: str = "c1") -> str:
    return f"CallSid={call}&CallFrom={quote(number)}&Direction=incoming"


def option_of(receipt: Receipt) -> Option:
    return receipt.decision.option


@given(NUMBERS, SHARES)
def test_the_bucket_of_the_callers_number_says_who_decides(number, share):
    """And the receipt of either side says by what, so that it can be reckoned again."""
    receipt = Canary(share).receipt(of(number))
    bucket = bucket_of(salt_of(SUBJECT, CANDIDATE.release), number)
    seen = receipt.rollout
    assert seen is not None
    assert (seen.number, seen.hash, seen.share, seen.bucket) == (
        12,
        CANDIDATE.release,
        share,
        bucket,
    )
    assert seen.canary is (bucket < share)
    assert receipt.decision.release == (CANDIDATE if seen.canary else RUNNING).release
    assert option_of(receipt) is (Option.A if seen.canary else Option.B)
    assert receipt.engine == ENGINE


@given(NUMBERS, st.lists(SHARES, min_size=1, max_size=6).map(sorted))
def test_whoever_has_the_candidate_keeps_it_as_the_share_grows(number, shares):
    """Through restarts of the process, and when the rollout is stopped and begun anew."""
    sides = []
    for at, share in enumerate(shares):
        desk = Canary(share)
        sides.append(option_of(desk.receipt(of(number, f"c{at}"))))
        desk.tell()
        assert option_of(desk.receipt(of(number, f"d{at}"))) is Option.B
        desk.tell(rollout(share))
        assert option_of(desk.receipt(of(number, f"e{at}"))) is sides[-1]
    assert sides == sorted(sides, reverse=True)


def test_about_the_share_of_the_callers_has_it():
    desk = Canary(500)
    options = [option_of(desk.receipt(of(f"+9198{n:08}", f"c{n}"))) for n in range(4000)]
    assert 0.035 < options.count(Option.A) / 4000 < 0.065


NOBODYS: dict[str, tuple[Rollout, ...]] = {
    "nothing is told": (),
    "no share": (rollout(0),),
    "another candidate's": (rollout(BUCKETS, hash=RUNNING.release),),
    "another endpoint's": (rollout(BUCKETS, subject="rules/support"),),
    "the pools'": (rollout(BUCKETS, subject=POOLS),),
}


@pytest.mark.parametrize("case", NOBODYS)
def test_else_the_running_release_decides_for_all(case):
    desk = Canary()
    desk.tell(*NOBODYS[case])
    receipt = desk.receipt()
    assert receipt.decision.release == RUNNING.release
    assert (receipt.rollout is None) is (case != "no share")


def test_a_candidate_that_could_not_be_loaded_has_no_side():
    """Neither canary nor control: where it can't decide for anybody nobody is compared with it."""
    receipt = Canary(BUCKETS, candidate=None).receipt()
    assert (receipt.decision.release, receipt.rollout) == (RUNNING.release, None)


def test_where_nobody_looks_the_running_release_decides():
    desk = Canary(BUCKETS)
    assert option_of(desk.receipt("CallSid=c1")) is Option.A
    desk.clock.step(HOLDS_NS / 1_000_000)
    assert option_of(desk.receipt("CallSid=c2")) is Option.A
    desk.clock.step(1)
    receipt = desk.receipt("CallSid=c3")
    assert (option_of(receipt), receipt.rollout) == (Option.B, None)


def test_a_share_that_falls_to_nothing_is_in_force_with_the_next_answer():
    desk = Canary(BUCKETS)
    assert option_of(desk.receipt("CallSid=c1")) is Option.A
    desk.tell(rollout(0))
    assert option_of(desk.receipt("CallSid=c2")) is Option.B


def test_a_repeat_keeps_its_first_answer_whatever_the_share_is():
    desk = Canary(BUCKETS)
    first = desk.receipt("CallSid=c1&CustomField=x")
    assert first.decision.select == "hindi"
    for share in (0, BUCKETS):
        desk.tell(rollout(share))
        again = desk.receipt("CallSid=c1&CustomField=x")
        assert again.repeat_of is not None
        assert (again.decision.select, again.rollout) == ("hindi", None)


@pytest.mark.parametrize(
    "from_, sid, key",
    [
        ("+919876543210", "c1", "+919876543210"),
        ("anonymous", "c1", "c1"),
        ("", "c1", "c1"),
        ("", "", ""),
    ],
)
def test_a_number_that_is_withheld_counts_by_its_call(from_, sid, key):
    receipt = Canary(1).receipt(of(from_, sid))
    assert receipt.rollout is not None
    assert receipt.rollout.bucket == bucket_of(salt_of(SUBJECT, CANDIDATE.release), key)


def test_tests_and_heads_are_decided_likewise():
    desk = Canary(BUCKETS)
    receipt = desk.receipt("CallSid=c1", method="HEAD")
    assert (option_of(receipt), receipt.method) == (Option.A, "HEAD")
    assert receipt.rollout is not None


def test_a_candidate_that_fails_leaves_the_safe_option_and_says_on_which_side(monkeypatch):
    """So that it counts against it."""
    desk = Canary(BUCKETS)

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(deciding_module, "decide", fail)
    receipt = desk.receipt()
    assert (receipt.decision.rule, receipt.decision.release) == (SAFE_RULE, CANDIDATE.release)
    assert receipt.rollout is not None
    assert receipt.rollout.canary


@pytest.mark.parametrize("side", ["running", "candidate"])
def test_rules_that_read_the_clock_are_remembered_as_their_own_side_is(side):
    """A question of the other side is still answered as at first within a day."""
    late = load_rules(
        '[[rule]]\nname = "late"\nwhen = \'account.active == 9\'\noption = "A"\n'
        '[default]\noption = "B"\n',
        file="late",
    )
    share = BUCKETS if side == "candidate" else 0
    desk = Canary(candidate=late)
    desk.tell(rollout(share, hash=late.release))
    desk.receipt("CallSid=c1")
    desk.clock.step(60_000)
    desk.tell(rollout(share, hash=late.release))
    again = desk.receipt("CallSid=c1")
    assert (again.repeat_of is None) is (side == "candidate")


def test_both_sides_are_decided_again_bit_for_bit():
    desk = Canary(5_000)
    for n in range(50):
        receipt = desk.receipt(of(f"+9198{n:08}", f"c{n}"))
        assert receipt.rollout is not None
        ruleset = CANDIDATE if receipt.rollout.canary else RUNNING
        again = decide_again(receipt, ruleset)
        assert again is not None
        assert again.decision == receipt.decision


def test_room_is_asked_for_as_the_candidate_says():
    config = Config(endpoints=(gate(),))
    terms = terms_of(config, config.endpoints[0])
    candidate = terms.load('[default]\noption = "B"\n', file="candidate")
    desk = Desk(gate(), config=config)
    opened = desk.answerer.endpoints["gate"]
    found = msgspec.structs.replace(opened, candidate=candidate)
    desk.answerer.endpoints = {"gate": found}
    share = rollout(BUCKETS, subject="rules/gate", hash=candidate.release)
    desk.answerer.learn({}, told(share))
    desk.ask("CallSid=c1", path="/passthru/gate")
    (receipt,) = desk.journal.admissions()
    assert (receipt.decision.option, receipt.admission) == (Option.B, None)
    assert receipt.rollout is not None


# The pools.

HASH = "ab" * 32


def drawn_among(now: Pool, then: Pool, share: int, **facts: Any) -> Desk:
    """A desk that draws among other pools for a share of the callers."""
    config = msgspec.structs.replace(pooled(then), endpoints=(voicebot(),))
    settings = beside(config, pools_candidate=PoolsCandidate(9, HASH, (now,)))
    desk = Desk(voicebot(), config=config)
    opened = desk.answerer.endpoints["sales-in"]
    bots = endpoints_of(settings, KEY)["sales-in"].bots
    desk.answerer.endpoints = {"sales-in": msgspec.structs.replace(opened, bots=bots)}
    desk.answerer.learn({}, told(rollout(share, subject=POOLS, hash=HASH), **facts))
    return desk


def only(name: str, **more: Any) -> Pool:
    """The pool where only one of two members takes calls."""
    weights = {each: 100 * (each == name) for each in ("vendor-a", "vendor-b")}
    return pool("sales", *(member(each, weight=weights[each], **more) for each in weights))


@given(NUMBERS, SHARES)
def test_the_pools_of_a_candidate_are_drawn_among_for_their_share(number, share):
    desk = drawn_among(only("vendor-b"), only("vendor-a"), share)
    answer = desk.ask(of(number), path="/voicebot/sales-in")
    (receipt,) = desk.journal.addresses()
    seen = receipt.pools_rollout
    assert seen is not None
    assert seen.bucket == bucket_of(salt_of(POOLS, HASH), number)
    name = "vendor-b" if seen.canary else "vendor-a"
    assert urlsplit(json.loads(answer.body)["url"]).hostname == f"{name}.example"
    assert receipt.route is not None
    assert receipt.route.member == name
    assert receipt.rollout is None
    again = decide_again(receipt, desk.answerer.endpoints["sales-in"].ruleset)
    assert again is not None
    assert (again.decision, again.route) == (receipt.decision, receipt.route)


def test_how_a_pool_stands_is_remembered_for_each_side():
    desk = drawn_among(only("vendor-b"), only("vendor-a"), 5_000)
    for n in range(100):
        desk.ask(of(f"+9198{n:08}", f"c{n}"), path="/voicebot/sales-in")
    for receipt in desk.journal.addresses():
        assert receipt.pools_rollout is not None
        assert receipt.route is not None
        canary = receipt.pools_rollout.canary
        assert receipt.route.member == ("vendor-b" if canary else "vendor-a")


def test_a_limit_of_the_candidate_is_kept():
    """What is known of room was reckoned by the running one's."""
    then = pool("sales", member("vendor-a", limit=10), member("vendor-b", limit=10, weight=1))
    now = pool("sales", member("vendor-a", limit=8), member("vendor-b", limit=10, weight=1))
    members = {"sales": {"vendor-a": MemberFacts(room=2), "vendor-b": MemberFacts(room=10)}}
    for share, taken in ((0, {"vendor-a", "vendor-b"}), (BUCKETS, {"vendor-b"})):
        desk = drawn_among(now, then, share, members=members)
        desk.ask("CallSid=c1", path="/voicebot/sales-in")
        (receipt,) = desk.journal.addresses()
        assert receipt.route is not None
        assert {each.member for each in receipt.route.eligible} == taken


def test_a_repeat_of_an_address_has_no_side():
    desk = drawn_among(only("vendor-b"), only("vendor-a"), BUCKETS)
    desk.ask("CallSid=c1", path="/voicebot/sales-in")
    desk.answerer.learn({}, told())
    desk.ask("CallSid=c1", path="/voicebot/sales-in")
    first, again = desk.journal.addresses()
    assert (first.pools_rollout is None, again.pools_rollout is None) == (False, True)
    assert again.route is not None
    assert again.route.member == "vendor-b"


def test_a_share_of_other_pools_is_nobodys():
    desk = drawn_among(only("vendor-b"), only("vendor-a"), 0)
    share = rollout(BUCKETS, subject=POOLS, hash="cd" * 32)
    desk.answerer.learn({}, told(share))
    desk.ask("CallSid=c1", path="/voicebot/sales-in")
    (receipt,) = desk.journal.addresses()
    assert receipt.pools_rollout is None
    assert receipt.route is not None
    assert receipt.route.member == "vendor-a"


def test_what_either_side_can_answer_is_known_by_its_number():
    config = Config(endpoints=(EndpointConfig("sales"),))
    settings = beside(config, rulesets={"sales": RUNNING}, candidates={"sales": CANDIDATE})
    choices = endpoints_of(settings, KEY)["sales"].choices
    assert "hindi" in {each.select for each in choices.values()}
    assert endpoints_of(settings, KEY)["sales"].kind is EndpointKind.PASSTHRU


def test_kinds_of_records_are_as_before():
    desk = Canary(BUCKETS)
    desk.ask("CallSid=c1")
    assert [each.kind for each in desk.journal.records] == [RecordKind.PASSTHRU]
