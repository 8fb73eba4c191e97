from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.releases.evidence import (
    FAULTS_PART,
    MEASURES_PART,
    MIX_PART,
    SPLIT_PART,
    SUDDEN_PART,
    EvidenceTerms,
    RolloutEvidence,
)
from switchhook.releases.measures import GROUPS
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import BUCKETS, RolloutSeen

TERMS = EvidenceTerms(groups=(("failure",),))
TWO = EvidenceTerms(groups=(("failure", "silence"), ("called again",)))


def seen(share: int, bucket: int) -> RolloutSeen:
    return RolloutSeen(number=12, hash="", share=share, bucket=bucket)


def test_the_parts_of_the_false_rollbacks_are_all_of_them():
    parts = MEASURES_PART + SPLIT_PART + SUDDEN_PART + FAULTS_PART + MIX_PART
    assert parts == pytest.approx(1)


SHARES = (1_000, 4_000)
CLASSES = ((0, 1_000), (1_000, 4_000), (4_000, BUCKETS))
"""Buckets that are on the same side at every share; the chance of each is its part."""
EVENTS = st.lists(
    st.tuples(st.sampled_from(SHARES), st.integers(0, 2), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(EVENTS)
def test_where_nothing_changed_the_evidence_is_one_on_average(events):
    """Over all sides that three callers may be on, who redial, while the share goes up and down.

    What fails goes by the caller and the moment alone, as where the release changes nothing.
    """
    total = 0.0
    for classes in product(CLASSES, repeat=3):
        likely, evidence = 1.0, RolloutEvidence(TWO)
        for low, high in classes:
            likely *= (high - low) / BUCKETS
        for at, (share, caller, failure, silence) in enumerate(events):
            failed = {"failure": failure, "silence": silence}
            evidence.outcome(caller, seen(share, classes[caller][0]), failed, at)
        failure_e, silence_e, _ = (each.e for each in evidence.judged(0).measures)
        total += likely * (failure_e + silence_e) / 2
    assert total == pytest.approx(1, abs=1e-9)


def fed(terms: EvidenceTerms, callers: int, harmed: range, *, share: int = 1_000):
    """Callers whose bucket is their number times 10, of whom those in `harmed` fail."""
    evidence = RolloutEvidence(terms)
    for caller in range(callers):
        side = seen(share, caller * 10 % BUCKETS)
        evidence.saw(caller, side, caller)
        evidence.outcome(caller, side, {"failure": caller in harmed}, caller)
    return evidence


def test_harm_is_found_and_told_in_words():
    evidence = fed(TERMS, 1_000, range(30, 80))
    judged = evidence.judged(5_000)
    assert judged.harm
    assert evidence.harm
    assert judged.because == "failure"
    assert judged.p < 0.01
    assert judged.low > 1
    assert judged.words == (
        "failure: 50 of 100 canary callers, 0 of 900 control callers; at least 68 times as likely"
    )
    assert (judged.began_ms, judged.at_ms, judged.callers) == (0, 5_000, 1_000)


def test_failures_on_both_sides_are_no_harm():
    evidence = RolloutEvidence(TERMS)
    for caller in range(1_000):
        side = seen(1_000, caller * 3_797 % BUCKETS)
        evidence.outcome(caller, side, {"failure": caller % 3 == 0}, caller)
    judged = evidence.judged(0)
    assert not judged.harm
    assert judged.risk == pytest.approx(1, rel=0.1)
    assert judged.high is not None
    assert judged.low < 1 < judged.high


def test_one_caller_who_redials_is_one_failure():
    evidence = RolloutEvidence(TERMS)
    for at in range(500):
        evidence.outcome(1, seen(500, 3), {"failure": True}, at)
    (measure,) = evidence.judged(0).measures
    assert (measure.canary, measure.canary_failed) == (1, 1)


def test_a_control_caller_counts_again_when_the_share_grew_whichever_side_it_is_then():
    evidence = RolloutEvidence(TERMS)
    for bucket in (2_000, 9_000):
        for share in (500, 2_500):
            evidence.outcome(bucket, seen(share, bucket), {"failure": True}, 0)
    (measure,) = evidence.judged(0).measures
    assert [(each.share, each.canary, each.control) for each in measure.tallies] == [
        (500, 0, 2),
        (2_500, 1, 1),
    ]
    assert measure.callers_at(2_500) == 2
    assert measure.callers_at(5_000) == 0


def test_an_outcome_that_comes_late_belongs_to_the_share_of_its_decision():
    """Known as control at 25 %, what followed a decision at 5 % tells nothing more."""
    evidence = RolloutEvidence(TERMS)
    evidence.outcome(1, seen(2_500, 9_000), {"failure": False}, 0)
    evidence.outcome(1, seen(500, 9_000), {"failure": True}, 1)
    assert evidence.judged(0).measures[0].control == 1


def test_a_switchboard_is_left_out_and_named_whatever_its_outcomes():
    evidence = RolloutEvidence(TERMS)
    for at in range(1_000):
        caller = 7 if at % 10 == 0 else at
        evidence.saw(caller, seen(500, 3), at)
    before = evidence.judged(0).measures[0].canary
    evidence.outcome(7, seen(500, 3), {"failure": True}, 0)
    judged = evidence.judged(0)
    assert judged.measures[0].canary == before
    (excluded,) = judged.excluded
    assert excluded.caller == 7
    assert excluded.share == pytest.approx(0.1, abs=0.01)


def test_no_caller_in_the_canary_is_a_broken_split():
    evidence = RolloutEvidence(TERMS)
    for caller in range(250):
        evidence.saw(caller, seen(500, 9_000), caller)
    judged = evidence.judged(0)
    assert judged.harm
    assert judged.because == "split"
    assert judged.words == (
        "the candidate decided for 0 of 250 callers, where about 12 were to be expected"
    )


@pytest.mark.parametrize(
    "fault, words",
    [
        ("rule_error", "a rule failed for 6 canary callers and 0 control callers"),
        ("deadline_missed", "an answer came too late for 6 canary callers and 0 control callers"),
    ],
)
def test_faults_of_the_candidate_alone_end_it(fault, words):
    evidence = RolloutEvidence(TERMS)
    for caller in range(120):
        canary = caller % 20 == 0
        evidence.saw(caller, seen(500, 3 if canary else 900), 0, faults=[fault] if canary else [])
    judged = evidence.judged(0)
    assert judged.because == fault
    assert judged.words == words


def test_a_fault_that_is_known_later_counts_once_a_caller():
    evidence = RolloutEvidence(TERMS)
    for at in range(9):
        evidence.fault(1, seen(500, 3), "deadline_missed", at)
    evidence.fault(2, seen(500, 900), "deadline_missed", 10)
    (fuse,) = evidence.judged(0).fuses
    assert fuse.words == "an answer came too late for 1 canary callers and 1 control callers"


def test_faults_of_everybody_end_nothing():
    """A slow disk: every answer is late, on both sides."""
    evidence = RolloutEvidence(TERMS)
    for caller in range(2_000):
        evidence.saw(caller, seen(5_000, caller * 3_797 % BUCKETS), 0, faults=["deadline_missed"])
    assert not evidence.judged(0).harm


def test_decisions_that_were_not_foretold_end_it():
    terms = EvidenceTerms(groups=(("failure",),), foretold={"A by well": 0.95, "B by lost": 0.05})
    evidence = RolloutEvidence(terms)
    for caller in range(400):
        decided = "B by lost" if caller % 2 else "A by well"
        evidence.saw(caller, seen(2_500, caller * 3_797 % BUCKETS), 0, decided=decided)
    judged = evidence.judged(0)
    assert judged.because == "mix"
    assert judged.words == ("49 % of the canary callers get B by lost; the back-test foretold 5 %")


def test_what_counts_in_no_mix_is_no_decision_that_was_not_foretold():
    evidence = RolloutEvidence(EvidenceTerms(groups=(("failure",),), foretold={"A by well": 1.0}))
    for caller in range(400):
        evidence.saw(caller, seen(2_500, caller * 3_797 % BUCKETS), 0)
    assert not evidence.harm


@pytest.mark.parametrize(
    "kind, e",
    [(EndpointKind.VOICEBOT, 0.8), (EndpointKind.ADMIT, 0.533), (EndpointKind.PASSTHRU, 0.267)],
)
def test_each_measure_begins_at_1_and_the_whole_at_its_part(kind, e):
    groups = tuple(tuple(str(each) for each in group) for group in GROUPS[kind])
    judged = RolloutEvidence(EvidenceTerms(groups=groups)).judged(7)
    assert {each.e for each in judged.measures} == {1.0}
    assert judged.e == pytest.approx(e, abs=0.001)


def test_before_anything_failed():
    judged = RolloutEvidence(TERMS).judged(7)
    assert (judged.e, judged.p, judged.harm, judged.began_ms) == (MEASURES_PART, 1.0, False, None)
    assert judged.words == "of no caller is it known yet what became of them"


def test_the_words_are_of_a_measure_that_failed_though_another_has_more_of_nothing():
    """What never failed has an e-value of 1, which is more than that of failures of control."""
    evidence = RolloutEvidence(TWO)
    for caller in range(50):
        failed = {"failure": True, "silence": False}
        evidence.outcome(caller, seen(1_000, 9_000), failed, 0)
    judged = evidence.judged(0)
    assert judged.because == "failure"
    assert judged.words.startswith("failure: 0 of 0 canary callers, 50 of 50 control callers")


def test_harm_that_was_found_stays_found():
    evidence = fed(TERMS, 100, range(30))
    assert evidence.judged(0).harm
    for caller in range(1_000, 3_000):
        evidence.outcome(caller, seen(1_000, 9_000), {"failure": True}, 0)
    judged = evidence.judged(0)
    assert judged.harm
    assert judged.e < 100


def test_a_share_of_nothing_begins_nothing():
    evidence = RolloutEvidence(TERMS)
    evidence.saw(1, seen(0, 3), 5)
    assert evidence.began_ms is None


def test_what_there_is_not_is_refused_by_name():
    evidence = RolloutEvidence(TERMS)
    with pytest.raises(ValueError, match="no measure of this rollout is called 'silence'"):
        evidence.outcome(1, seen(500, 3), {"silence": True}, 0)
    with pytest.raises(ValueError, match="no fault of a rollout is called 'hunger'"):
        evidence.saw(1, seen(500, 3), 0, faults=["hunger"])
    with pytest.raises(ValueError, match="4 groups of measures, of 3 at most"):
        RolloutEvidence(EvidenceTerms(groups=(("a",), ("b",), ("c",), ("d",))))


@settings(deadline=None)
@given(EVENTS)
def test_evidence_that_was_kept_goes_on_as_before(events):
    whole, resumed = RolloutEvidence(TWO), RolloutEvidence(TWO)
    for at, (share, caller, failure, silence) in enumerate(events):
        for evidence in (whole, resumed):
            side = seen(share, caller * 2_000)
            faults = ["rule_error"] if silence else []
            evidence.saw(caller, side, at, faults=faults)
            evidence.outcome(caller, side, {"failure": failure, "called again": silence}, at)
        resumed = RolloutEvidence.resume(resumed.state())
    assert resumed.state() == whole.state()
    assert resumed.judged(9) == whole.judged(9)
