"""All candidates under way: each hears what is its own, and a restart changes nothing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept_receipts import START_MS
from releases.calls_told import HASH, Calls
from releases.made import standing
from switchhook.releases.candidates_watch import CandidatesWatch, KeptOf, Terms
from switchhook.releases.release import ReleaseState
from switchhook.releases.rollout_watch import RolloutState
from switchhook.releases.settings import RolloutSettings
from switchhook.releases.trial import Trial
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS, RolloutSeen
from switchhook.rules.rules_file import load_rules
from switchhook.streams.names import Names
from switchhook.streams.parsed_record import parse_record

NODE, SETTINGS = 3, RolloutSettings()
KINDS = {"bot": EndpointKind.VOICEBOT, "gate": EndpointKind.ADMIT, "after": EndpointKind.PASSTHRU}


def terms(loaded=None, runs=None):
    return Terms(settings=SETTINGS, kinds=KINDS, runs=runs or {}, loaded=loaded or {})


def of(subject, number, state=ReleaseState.CANARY, share=5_000):
    """A candidate whose text has the hash that receipts of tests name."""
    found = standing(number, state, subject=subject, share=share, since_ms=START_MS)
    release = msgspec.structs.replace(found.release, hash=HASH)
    return msgspec.structs.replace(found, release=release)


def watching(*standings, kept=None, loaded=None):
    watch = CandidatesWatch(SETTINGS, NODE)
    watch.use(terms(loaded))
    for each in standings:
        watch.begin(each, terms(loaded), (kept or {}).get(each.release.number, KeptOf()), 0, 0)
    return watch


def seen(number, *, canary):
    return RolloutSeen(number, HASH, 5_000, 100 if canary else 9_000)


def told_of(watch, number=7):
    """Callers of a rollout, and what became of them, by measure."""
    judged = watch.rollouts[number].judged(0)
    return judged.callers, {
        each.name: (each.canary, each.canary_failed, each.control, each.control_failed)
        for each in judged.measures
    }


def test_a_rollout_hears_of_its_own_callers():
    watch = watching(of("rules/bot", 7), of(POOLS, 9))
    calls = Calls(watch.take)
    calls.asks_bot("c1", seen(7, canary=True), number="09000000001", pools=seen(9, canary=False))
    calls.ends("c1", "failed", number="09000000001")
    calls.asks_bot("c2", seen(7, canary=False), number="09000000002")
    calls.ends("c2", "well", number="09000000002")
    calls.asks_bot("c3", seen(8, canary=True), number="09000000003")  # of one that was before
    callers, told = told_of(watch)
    assert callers == 2
    assert told["stream_failed"] == (1, 1, 1, 0)
    assert told_of(watch, 9) == (
        1,
        {
            "stream_failed": (0, 0, 1, 1),
            "left_early": (0, 0, 1, 0),
            "short_talk": (0, 0, 0, 0),
            "bot_silent": (0, 0, 0, 0),
        },
    )
    behind = watch.rollouts[7].behind
    assert [(each.what, each.canary, each.call_sid) for each in behind] == [
        ("the stream failed", True, "c1")
    ]
    assert "9000000001" not in behind[0].number


@pytest.mark.parametrize("name, kind", KINDS.items())
def test_the_kind_of_the_endpoint_says_what_is_looked_at(name, kind):
    watch = watching(of(f"rules/{name}", 7))
    expected = {"voicebot": 4, "admit": 6, "passthru": 3}[kind.value]
    assert len(told_of(watch)[1]) == expected


def test_what_a_limit_refuses_is_counted_for_a_while_and_of_no_side():
    watch = watching(of("rules/bot", 7))
    calls = Calls(watch.take)
    for number in range(3):
        calls.asks_bot(f"c{number}", seen(7, canary=True), number=f"0900000000{number}")
        calls.ends(f"c{number}", "throttled")
    assert watch.throttled(["after"], calls.now) == 3
    assert watch.throttled(["bot"], calls.now) == 0
    assert watch.throttled(["after"], calls.now + 600_000) == 0
    assert not any(any(each) for each in told_of(watch)[1].values())


RULES = """
[[rule]]
name = "all"
when = 'true'
option = "B"

[default]
option = "A"
"""


def trial():
    ruleset = load_rules(RULES, file="r.toml")
    return Trial("rules/after", ruleset.release, ruleset, None, Names())


def test_a_shadow_decides_beside_what_runs():
    watch = watching(of("rules/after", 7, ReleaseState.SHADOW), loaded={7: trial()})
    calls = Calls(watch.take)
    calls.ends("c1", "well")
    calls.ends("c2", "failed", number="09000000002")
    calls.passes("c3", method="HEAD")
    view = watch.shadows[7].view()
    assert (view.seen, view.different, view.unable) == (2, 1, 0)
    assert [(each.words, each.count) for each in view.kinds] == [('A by "default" → B by "all"', 1)]
    (caller,) = view.callers
    assert (caller.call_sid, caller.instead) == ("c1", 'B by "all"')
    assert "9876543210" not in caller.number


def test_a_candidate_that_can_not_be_loaded_decides_nothing():
    watch = watching(of("rules/after", 7, ReleaseState.SHADOW))
    Calls(watch.take).ends("c1", "well")
    view = watch.shadows[7].view()
    assert (view.seen, view.different, view.unable) == (1, 0, 1)


def test_what_goes_on_after_a_shadow_is_a_canary():
    shadow, canary = of("rules/bot", 7, ReleaseState.SHADOW), of("rules/bot", 7)
    watch = watching(shadow)
    assert watch.knows(shadow)
    assert not watch.knows(canary)
    watch.begin(canary, terms(), KeptOf(), 0, 0)
    assert watch.knows(canary)
    assert not watch.shadows
    watch.end(7)
    assert watch.empty


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("asks_bot"), st.sampled_from("abcdef"), st.booleans()),
        st.tuples(st.just("asks_room"), st.sampled_from("abcdef"), st.booleans()),
        st.tuples(
            st.just("ends"),
            st.sampled_from("abcdef"),
            st.sampled_from(["well", "left", "early", "failed", "throttled"]),
        ),
        st.tuples(st.just("later"), st.integers(0, 700_000)),
    ),
    min_size=1,
    max_size=40,
)


def played(steps):
    """The records of some steps."""
    calls = Calls(lambda *_: None)
    for name, *arguments in steps:
        more = {}
        if name != "later":
            more["number"] = f"0900000000{ord(arguments[0]) % 10}"
        if name.startswith("asks"):
            arguments[1] = seen(7 if name == "asks_bot" else 8, canary=arguments[1])
        getattr(calls, name)(*arguments, **more)
    return calls.records


@given(STEPS, st.integers(0, 40))
def test_a_restart_at_any_record_changes_nothing(steps, at):
    records = played(steps)
    standings = of("rules/bot", 7), of("rules/gate", 8)
    whole = watching(*standings)
    for each in records:
        whole.take(parse_record(each), {})
    first = watching(*standings)
    for each in records[:at]:
        first.take(parse_record(each), {})
    if records[:at]:
        first.heard(records[:at][-1].seq, records[:at][-1].at)
    bodies = {
        number: msgspec.msgpack.encode(watch.state()) for number, watch in first.rollouts.items()
    }
    kept = {
        number: KeptOf(rollout=msgspec.msgpack.decode(body, type=RolloutState))
        for number, body in bodies.items()
    }
    second = watching(*standings, kept=kept)
    for each in records:  # those of before say what becomes of their callers
        second.take(parse_record(each), {})
    for number in (7, 8):
        assert second.rollouts[number].judged(0) == whole.rollouts[number].judged(0)
        assert second.rollouts[number].behind == whole.rollouts[number].behind


def test_held_against_another_release_it_begins_anew():
    watch = watching(of("rules/bot", 7))
    calls = Calls(watch.take)
    calls.asks_bot("c1", seen(7, canary=True))
    calls.ends("c1", "failed")
    state = watch.rollouts[7].state()
    again = CandidatesWatch(SETTINGS, NODE)
    same = KeptOf(rollout=state)
    again.begin(of("rules/bot", 7), terms(), same, 0, 0)
    assert told_of(again) == told_of(watch)
    again.begin(of("rules/bot", 7), terms(runs={"rules/bot": "other"}), same, 0, 0)
    assert told_of(again)[0] == 0


def test_broken_evidence_begins_anew():
    watch = watching(of("rules/bot", 7))
    state = msgspec.structs.replace(watch.rollouts[7].state(), evidence=b"\x00")
    again = watching(of("rules/bot", 7), kept={7: KeptOf(rollout=state)})
    assert told_of(again)[0] == 0
