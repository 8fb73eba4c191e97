"""What became of callers: after the decision, each measure once, and nothing of throttling."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept_receipts import START_MS
from releases.calls_told import CANARY, CONTROL, Calls
from switchhook.journal.receipt import parse_receipt_id
from switchhook.journal.source import Origin
from switchhook.releases.measures import Decided, Fault, FaultKind, Measure, Outcome, Throttled
from switchhook.releases.outcomes import Outcomes
from switchhook.releases.settings import RolloutSettings
from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.decide import Decision, Option
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS, RolloutSeen
from switchhook.streams.parsed_record import parse_record

M = Measure
SETTINGS, NODE = RolloutSettings(again_within_min=10), 3


@pytest.fixture
def calls():
    return Calls(Outcomes(SETTINGS, NODE).take)


def outcomes(calls, call=None):
    """What is known of a call's callers, by measure."""
    found: dict[Measure, bool] = {}
    for each in calls.told:
        if isinstance(each, Outcome) and (call is None or each.decided.call == call):
            assert not found.keys() & each.failed.keys()
            found |= each.failed
    return found


WELL = {M.STREAM_FAILED: False, M.LEFT_EARLY: False}


@pytest.mark.parametrize(
    "how, seconds, found",
    [
        ("well", 40, {**WELL, M.SHORT_TALK: False}),
        ("well", 3, {**WELL, M.SHORT_TALK: True}),
        ("left", 3, {**WELL, M.SHORT_TALK: True}),
        ("failed", 0, {M.STREAM_FAILED: True, M.LEFT_EARLY: False}),
        ("early", 0, {M.LEFT_EARLY: True}),
        ("throttled", 0, {}),
    ],
)
def test_a_bots_address_is_followed_by_its_stream(calls, how, seconds, found):
    calls.asks_bot("c1")
    calls.ends("c1", how, seconds=seconds)
    assert outcomes(calls) == found
    calls.ends("c1", "failed")  # a later passthru of the call tells of the stream again
    assert outcomes(calls) == found


def test_what_the_limit_refused_is_of_no_side(calls):
    calls.asks_bot("c1")
    calls.ends("c1", "throttled")
    assert [each for each in calls.told if not isinstance(each, Decided)] == [
        Throttled("after", calls.now)
    ]


@pytest.mark.parametrize(
    "events, silent",
    [
        ((), None),
        (("started",), None),
        (("started", "first_in"), True),
        (("started", "first_in", "first_out"), False),
    ],
)
def test_a_bot_that_hears_and_says_nothing_is_silent(calls, events, silent):
    calls.asks_bot("c1")
    for event in events:
        calls.reports("c1", event)
    calls.ends("c1", "left")
    assert outcomes(calls).get(M.BOT_SILENT) is silent


def test_a_request_is_of_its_rules_and_of_the_pools(calls):
    pools = RolloutSeen(9, "d" * 64, 100, 9_000)
    told = calls.asks_bot("c1", CANARY, pools=pools)
    assert [(each.subject, each.seen, each.kind) for each in told] == [
        ("rules/bot", CANARY, EndpointKind.VOICEBOT),
        (POOLS, pools, EndpointKind.VOICEBOT),
    ]
    ended = calls.ends("c1", "failed")
    assert [each.decided.subject for each in ended] == ["rules/bot", POOLS]
    assert [each.mix for each in told] == ['sales by "default"', "sales/a"]


def test_without_a_rollout_nothing_is_told(calls):
    calls.asks_bot("c1", None)
    calls.ends("c1", "failed")
    assert calls.told == []


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "HEAD"},
        {"repeat_of": "x"},
        {"decision": Decision(Option.A, BY_HAND, "", "a person set it")},
    ],
)
def test_who_was_not_decided_for_is_not_counted(calls, changes):
    calls.asks_bot("c1", CANARY, **changes)
    assert calls.told == []


def test_a_second_stream_of_a_call_is_of_the_second_decision(calls):
    calls.asks_bot("c1")
    calls.asks_bot("c1")
    ended = calls.ends("c1", "failed")
    assert [parse_receipt_id(each.decided.receipt) for each in ended] == [(START_MS, NODE, 2)]


# Where a passthru leads.


def test_the_stream_that_a_passthru_tells_of_is_not_its_outcome(calls):
    calls.ends("c1", "failed", seen=CANARY)
    calls.ends("c1", "failed", seen=None)
    assert outcomes(calls) == {}


def test_the_next_stream_of_the_call_is(calls):
    calls.ends("c1", "failed", seen=CANARY)
    calls.ends("c1", "failed", sid="s2")
    assert outcomes(calls) == {M.NEXT_FAILED: True}
    calls.ends("c2", "failed", seen=CANARY)
    calls.ends("c2", "well", sid="s2")
    assert outcomes(calls, "c2") == {M.NEXT_FAILED: False, M.NOBODY_TALKED: False}


def test_a_stream_that_ran_at_the_decision_is_not(calls):
    calls.passes("c1", CANARY, stream={"StreamSID": "s1", "Status": "in-progress"})
    calls.ends("c1", "failed", sid="s1")
    assert outcomes(calls) == {}


TALKED = {"Legs[0][OnCallDuration]": "20", "Legs[0][Number]": "08000000001"}
RANG = {"Legs[0][OnCallDuration]": "0", "Legs[0][Number]": "08000000001"}


@pytest.mark.parametrize(
    "how, more, nobody",
    [
        ("failed", TALKED, False),
        ("failed", RANG, True),
        ("failed", {"DialCallStatus": "completed"}, False),
        ("failed", {"DialCallStatus": "no-answer"}, True),
        ("failed", None, True),  # nobody tells of anybody
        ("well", None, False),  # nobody was needed
        ("well", RANG, True),
        ("well", TALKED, False),
    ],
)
def test_somebody_talked_to_who_needed_it(calls, how, more, nobody):
    calls.ends("c1", how, seen=CANARY)
    if more is not None:
        calls.passes("c1", **more)
    calls.later(600_000)
    calls.passes("c9", number="08888888888")
    assert outcomes(calls) == {M.NOBODY_TALKED: nobody, M.CALLED_AGAIN: False}


def test_the_calls_end_says_so_at_once(calls):
    calls.ends("c1", "failed", seen=CANARY)
    calls.calls_back("c1", "in-progress")
    assert outcomes(calls) == {}
    calls.calls_back("c1")
    assert outcomes(calls) == {M.NOBODY_TALKED: True}


def test_legs_of_before_the_decision_say_nothing_of_it(calls):
    calls.passes("c1", CANARY, **TALKED)
    calls.passes("c1", **TALKED)
    assert outcomes(calls) == {}


def test_who_calls_again_in_time_was_not_helped(calls):
    calls.ends("c1", "well", seen=CANARY)
    calls.later(599_000)
    calls.passes("c1")
    assert outcomes(calls) == {}
    calls.passes("c2")
    assert outcomes(calls) == {M.CALLED_AGAIN: True}


def test_who_calls_later_has_another_question(calls):
    calls.ends("c1", "well", seen=CANARY)
    calls.later(600_000)
    calls.passes("c2")
    assert outcomes(calls) == {M.CALLED_AGAIN: False, M.NOBODY_TALKED: False}


def test_whom_we_call_does_not_call_again(calls):
    calls.passes("c1", CANARY)
    calls.passes("c2", direction="outbound-api", CallTo="09876543210", number="08000000000")
    assert outcomes(calls) == {}


# Room.


def test_who_is_let_in_is_followed_by_the_stream_and_by_what_comes_after(calls):
    calls.asks_room("c1")
    calls.ends("c1", "well")
    calls.later(600_000)
    calls.passes("c9", number="08888888888")
    assert outcomes(calls) == {
        **WELL,
        M.SHORT_TALK: False,
        M.NOBODY_TALKED: False,
        M.CALLED_AGAIN: False,
    }


def test_who_is_refused_needs_somebody(calls):
    calls.asks_room("c1", admitted=False)
    calls.later(600_000)
    calls.passes("c9", number="08888888888")
    assert outcomes(calls) == {M.NOBODY_TALKED: True, M.CALLED_AGAIN: False}


# Faults.


def test_a_rule_that_fails_and_a_deadline_that_is_missed_are_faults(calls):
    failing = Decision(Option.B, SAFE_RULE, "", "deciding failed")
    (decided,) = calls.asks_bot("c1", CANARY, decision=failing)
    assert decided.faults == (FaultKind.RULE_ERROR,)
    assert calls.late(1) == [
        Fault(decided=decided, kind=FaultKind.DEADLINE_MISSED, at_ms=calls.now)
    ]
    assert calls.late(99) == []


def test_a_missed_deadline_is_that_nodes_whose_receipt_it_was(calls):
    calls.asks_bot("c1", CANARY)
    calls.late(1)
    asked, late = calls.records
    heard = Outcomes(SETTINGS, 0)

    def hear(record, place, node, seq):
        of_node = msgspec.structs.replace(record, seq=place, origin=Origin(node, seq))
        return [each for each in heard.take(parse_record(of_node), {}) if isinstance(each, Fault)]

    assert hear(asked, 70, 5, 1) == []
    assert hear(late, 71, 6, 2) == []
    (fault,) = hear(late, 72, 5, 2)
    assert parse_receipt_id(fault.decided.receipt)[1:] == (5, 1)


def test_nothing_known_of_room_is_nobodys_fault(calls):
    (decided,) = calls.asks_room("c1")
    assert decided.faults == ()


# Laws.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("asks_bot"), st.sampled_from("abc"), st.sampled_from([CANARY, CONTROL])),
        st.tuples(st.just("asks_room"), st.sampled_from("abc"), st.sampled_from([CANARY, CONTROL])),
        st.tuples(
            st.just("ends"),
            st.sampled_from("abc"),
            st.sampled_from(["well", "left", "early", "failed", "throttled"]),
        ),
        st.tuples(st.just("later"), st.integers(0, 700_000)),
        st.tuples(st.just("calls_back"), st.sampled_from("abc")),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_same_records_tell_the_same_whenever_they_are_read(steps):
    first = Calls(Outcomes(SETTINGS, NODE).take)
    for name, *arguments in steps:
        getattr(first, name)(*arguments)
    again = Outcomes(SETTINGS, NODE)
    told = [each for record in first.records for each in again.take(parse_record(record), {})]
    assert told == first.told


@given(STEPS)
def test_each_measure_of_a_decision_is_told_once(steps):
    calls = Calls(Outcomes(SETTINGS, NODE).take)
    for name, *arguments in steps:
        getattr(calls, name)(*arguments)
    seen: set[tuple[str, str, Measure]] = set()
    for each in calls.told:
        if isinstance(each, Outcome):
            keys = {
                (each.decided.subject, each.decided.receipt, measure) for measure in each.failed
            }
            assert not keys & seen
            seen |= keys
