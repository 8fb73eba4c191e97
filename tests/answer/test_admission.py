"""Endpoints of kind admit: A while there is room, the safe option where none is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.answer import admission as admission_module
from switchhook.answer.places import PlacesGiven
from switchhook.config import AuthMode, Secret
from switchhook.journal.receipt import RecordKind
from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.decide import Option
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.routing import AdmissionBudget, HandAct, HandSetting, RoutingFacts
from switchhook.rules.rules_file import load_rules

from .bots import gate
from .desk import SECRET, START_US, Desk

PATH = "/passthru/gate"


def told(room: int, through_seq: int = 0, **reserves: int) -> RoutingFacts:
    return RoutingFacts(budgets={"main": AdmissionBudget(room, through_seq, reserves)})


def desk(room: int | None = None, **more: Any) -> Desk:
    asked = Desk(gate(**more))
    if room is not None:
        asked.answerer.learn({}, told(room))
    return asked


def ask(asked: Desk, *calls: str, path: str = PATH) -> str:
    """What each call heard, A or B."""
    found = (asked.ask(f"CallSid={call}", path=path).status for call in calls)
    return "".join("A" if status == 200 else "B" for status in found)


def test_calls_are_admitted_until_the_budget_is_used_and_the_receipt_says_so():
    asked = desk(2)
    assert ask(asked, "c1", "c2", "c3") == "AAB"
    first, _, third = asked.journal.admissions()
    assert first.admission is not None
    assert third.admission is not None
    assert (first.account, first.admitted, first.admission.used) == ("main", True, 0)
    assert (third.admitted, third.admission.used, third.admission.budget) == (
        False,
        2,
        AdmissionBudget(2),
    )
    assert first.decision.reason.endswith("; room for 2 of class default")
    assert third.decision.reason.endswith("; no room for class default: 0 left")
    assert (third.decision.option, third.http_status) == (Option.B, 302)


def test_a_newer_budget_counts_what_the_console_has_not_read_yet():
    """And one that goes back to an older record, as after its restart, forgets nothing."""
    asked = desk(3)
    assert ask(asked, "c1", "c2", "c3", "c4") == "AAAB"
    asked.answerer.learn({}, told(2, through_seq=2))
    assert ask(asked, "c5", "c6") == "AB"
    asked.answerer.learn({}, told(4, through_seq=1))
    assert ask(asked, "c7", "c8") == "AB"
    asked.answerer.learn({}, told(0, through_seq=asked.journal.next_seq - 1))
    assert ask(asked, "c9") == "B"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(0, 30)),
            st.tuples(st.just("read"), st.integers(0, 5)),
            st.tuples(st.just("end"), st.integers(0, 5)),
        ),
        max_size=80,
    ),
    st.integers(0, 12),
)
@settings(deadline=None)
def test_with_a_console_that_is_late_no_more_calls_are_in_than_allowed(steps, allowed):
    """It reads the journal up to some record, and gives what is left of the account then."""
    asked = desk(allowed)
    seq, streams, ended = 0, set[str](), set[str]()
    for what, number in steps:
        if what == "ask":
            if ask(asked, f"c{number}") == "A" and asked.journal.admissions()[-1].admitted:
                streams.add(f"c{number}")
            asked.clock.step(4000)
        elif what == "end":
            for call in sorted(streams)[:number]:
                streams.discard(call)
                ended.add(call)
        else:
            seq = max(seq, asked.journal.next_seq - 1 - number)
            known = {
                f"{record.admission and ''}{_call(record.raw)}"
                for record, at in zip(asked.journal.admissions(), _seqs(asked), strict=True)
                if record.admitted and at <= seq
            }
            held = len(known - (ended - streams))
            asked.answerer.learn({}, told(allowed - held, through_seq=seq))
        asked.answerer.learn({}, asked.answerer._facts._routing)
        assert len(streams) <= max(allowed, 0)


def _call(raw: bytes) -> str:
    return raw.decode().removeprefix("CallSid=")


def _seqs(asked: Desk) -> list[int]:
    return [each.seq for each in asked.journal.records if each.kind == RecordKind.ADMISSION]


UNKNOWN = {
    "never told": (None, "the console has told no budget of late"),
    "another account's": (
        RoutingFacts(budgets={"other": AdmissionBudget(9)}),
        "the console has told no budget of late",
    ),
    "said to be unknown": (
        RoutingFacts(budgets={"main": AdmissionBudget(9, unknown="no poll for 60 s")}),
        "no poll for 60 s",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
@pytest.mark.parametrize("safe", list(Option))
def test_where_nothing_is_known_the_safe_option_is_taken_by_name(case, safe):
    facts, why = UNKNOWN[case]
    asked = desk(safe_option=safe)
    if facts is not None:
        asked.answerer.learn({}, facts)
    assert ask(asked, "c1") == safe
    (receipt,) = asked.journal.admissions()
    assert receipt.decision.rule == SAFE_RULE
    assert receipt.decision.reason == (
        f"nothing is known of the account's streams: {why}; the endpoint's safe option"
    )
    assert receipt.admitted == (safe is Option.A)
    assert asked.answerer.counts["admission unknown"] == 1


def test_a_budget_that_is_not_told_again_runs_out_whatever_the_clocks_do():
    asked = desk(9)
    asked.clock.wall_us_off = -86_400 * 10**6
    asked.clock.step(5000)
    assert ask(asked, "c1") == "A"
    asked.clock.step(1)
    asked.clock.wall_us_off = 86_400 * 10**6
    assert ask(asked, "c2") == "B"


def test_those_who_were_let_in_while_nothing_was_known_take_their_places():
    asked = desk(safe_option=Option.A)
    assert ask(asked, "c1", "c2") == "AA"
    asked.answerer.learn({}, told(3))
    assert ask(asked, "c3", "c4") == "AB"


def test_a_restarted_process_that_knows_not_all_it_gave_says_so_and_guesses_nothing():
    asked = Desk(gate(), places=PlacesGiven(since_seq=100))
    asked.answerer.learn({}, told(9, through_seq=98))
    assert ask(asked, "c1") == "B"
    assert "before this process can remember" in asked.journal.admissions()[0].decision.reason
    asked.answerer.learn({}, told(9, through_seq=99))
    assert ask(asked, "c2") == "A"


CLASSES = load_rules(
    """
[[rule]]
name = "VIP"
when = 'call.custom_field == "vip"'
class = "vip"
[[rule]]
name = "blocked"
when = 'call.custom_field == "no"'
option = "B"
[default]
class = "campaign"
""",
    file="rules.toml",
    kind=EndpointKind.ADMIT,
)


def test_a_class_leaves_the_places_free_that_are_kept_from_it():
    asked = desk()
    endpoints = {
        name: type(each)(
            **{f: getattr(each, f) for f in each.__struct_fields__} | {"ruleset": CLASSES}
        )
        for name, each in asked.answerer.endpoints.items()
    }
    asked.answerer.endpoints = endpoints
    asked.answerer.learn({}, told(3, campaign=2))
    assert ask(asked, "c1", "c2") == "AB"
    assert ask(asked, "c3&CustomField=vip", "c4&CustomField=no", "c5&CustomField=vip") == "ABA"
    assert ask(asked, "c6&CustomField=vip") == "B"
    kept = asked.journal.admissions()
    classes = [each.admission and each.admission.class_ for each in kept]
    assert classes == ["campaign", "campaign", "vip", None, "vip", "vip"]


def test_who_repeats_hears_the_same_and_a_call_that_asks_again_needs_no_second_place():
    asked = desk(1)
    assert ask(asked, "c1", "c1") == "AA"
    asked.clock.step(4000)
    asked.answerer.learn({}, told(1))
    assert ask(asked, "c1", "c2") == "AB"
    first, repeat, again, _ = asked.journal.admissions()
    assert (first.admitted, repeat.admitted, again.admitted) == (True, False, True)
    assert repeat.repeat_of is not None
    assert again.decision.reason.endswith("; it was admitted before and holds its place")


def test_one_who_was_refused_may_ask_again_and_is_decided_anew():
    asked = desk(0)
    assert ask(asked, "c1") == "B"
    asked.answerer.learn({}, told(1))
    asked.clock.step(4000)
    assert ask(asked, "c1") == "A"


def test_head_takes_no_place():
    asked = desk(1)
    assert asked.ask("CallSid=c1", path=PATH, method="HEAD").status == 200
    assert ask(asked, "c1") == "A"
    assert [each.admitted for each in asked.journal.admissions()] == [False, True]


@pytest.mark.parametrize("safe", list(Option))
def test_one_press_sends_all_callers_to_the_safe_option(safe):
    asked = desk(9, safe_option=safe)
    until = START_US // 1000 + 1000
    hand = HandSetting(id=5, act=HandAct.SAFE, endpoint="gate", until_ms=until)
    asked.answerer.learn({}, RoutingFacts(hands=(hand,), budgets=told(9).budgets))
    assert ask(asked, "c1") == safe
    (receipt,) = asked.journal.admissions()
    assert (receipt.decision.rule, receipt.admission) == (BY_HAND, None)
    asked.clock.step(1000)
    assert ask(asked, "c2") == "A"


@pytest.mark.parametrize("safe", list(Option))
def test_whatever_fails_in_deciding_the_safe_option_is_taken(safe, monkeypatch):
    asked = desk(9, safe_option=safe)

    def fail(*_args: Any, **_more: object) -> None:
        raise LookupError("+919812345678")

    monkeypatch.setattr(admission_module, "ask_for_room", fail)
    assert ask(asked, "c1") == safe
    (receipt,) = asked.journal.admissions()
    assert receipt.decision.rule == SAFE_RULE
    assert "LookupError" in receipt.decision.reason


def test_whom_report_only_lets_in_gets_no_a_by_an_unknown():
    asked = desk(secrets=(Secret(SECRET),), auth=AuthMode.REPORT_ONLY, safe_option=Option.A)
    assert ask(asked, "c1", path=f"{PATH}/wrong") == "B"
    assert ask(asked, "c2", path=f"{PATH}/{SECRET}") == "A"
