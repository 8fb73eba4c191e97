"""What people are told of releases: figures, alerts and the verdict's words."""

from __future__ import annotations

import msgspec
import pytest

from releases.made import NOW, standing
from switchhook.alerts.alert import evaluate
from switchhook.alerts.release_rules import RELEASE_RULES
from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.metrics import KNOWN
from switchhook.releases.doubts import SWITCHHOOK
from switchhook.releases.evidence import EvidenceTerms, RolloutEvidence
from switchhook.releases.metrics import releases_figures
from switchhook.releases.reconcile import DAMAGED
from switchhook.releases.release import ReleaseAct, ReleaseState, Step
from switchhook.releases.release_troubles import (
    ReleasesSeen,
    TakenBack,
    canaries_by_pool,
    release_troubles,
)
from switchhook.releases.view import RolloutView, ShadowView
from switchhook.rules.rollout import POOLS
from switchhook.troubles.at_fault import Canary

EVIDENCE = "E = 132 (harm from 100 on; by chance: 1 in 132): the stream failed: 9 of 20 canary"
FROZEN = TakenBack(
    12,
    "rules/bot",
    500,
    Step(
        number=12,
        at_ms=NOW,
        act=ReleaseAct.FREEZE,
        to=ReleaseState.FROZEN,
        by=SWITCHHOOK,
        evidence=EVIDENCE,
    ),
)
JUDGED = RolloutEvidence(EvidenceTerms(groups=(("stream_failed",),))).judged(NOW)
CANARY = (
    standing(14, ReleaseState.CANARY, subject=POOLS, share=500),
    RolloutView(number=14, share=500, since_ms=NOW, told_share=500, judged=JUDGED),
)
SHADOW = (
    standing(15, ReleaseState.SHADOW, subject="rules/gate"),
    ShadowView(number=15, since_ms=NOW, seen=3, different=1),
)


def figures(seen):
    found = list(releases_figures(lambda: seen)(NOW))
    assert all(tuple(name for name, _ in each.labels) == KNOWN[each.name].labels for each in found)
    return {(each.name, each.label("release")): each.value for each in found}


def fired(seen, began_ms=NOW - MINUTE_MS):
    source = releases_figures(lambda: seen)
    list(source(began_ms))
    found = evaluate(RELEASE_RULES, list(source(NOW)), {}, NOW)
    return [(each.rule, dict(each.labels)["release"]) for each in found]


def troubles(seen):
    return {each.key: each for each in release_troubles(seen)}


def test_what_was_taken_back_is_told_until_another_is_on_its_way():
    seen = ReleasesSeen(frozen=(FROZEN,))
    assert fired(seen) == [("release-harmed", "12")]
    (trouble,) = troubles(seen).values()
    assert trouble.what == (
        "Release 12 of the rules of bot, at 5 %, harmed callers and was taken back by itself."
    )
    assert EVIDENCE in trouble.callers
    assert trouble.todo == "See whom it hit, and why: `switchhook release show 12`."
    next_one = standing(16, ReleaseState.SHADOW, subject="rules/bot", since_ms=NOW + HOUR_MS)
    assert fired(msgspec.structs.replace(seen, candidates=((next_one, SHADOW[1]),))) == []


def test_only_the_newest_of_a_subject_is_told():
    later = msgspec.structs.replace(FROZEN, number=13)
    assert fired(ReleasesSeen(frozen=(FROZEN, later))) == [("release-harmed", "13")]


def test_a_canary_that_was_damaged_is_told_with_how_to_begin_it_again():
    step = Step(
        number=12,
        at_ms=NOW,
        act=ReleaseAct.STOP,
        to=ReleaseState.CHECKED,
        by=SWITCHHOOK,
        evidence=DAMAGED,
    )
    seen = ReleasesSeen(damaged=(TakenBack(12, "rules/bot", 2_500, step),))
    assert fired(seen) == [("release-damaged", "12")]
    (trouble,) = troubles(seen).values()
    assert trouble.what == (
        "The canary of release 12 of the rules of bot was stopped by itself: its copy in the data"
        " folder was damaged."
    )
    assert "`switchhook release canary 12 25%`" in trouble.todo


def test_a_canary_has_its_figures_and_a_shadow_none():
    assert figures(ReleasesSeen(candidates=(CANARY, SHADOW))) == {
        ("release.unwatched", "14"): 0,
        ("release.ready", "14"): 0,
        ("release.share", "14"): 0.05,
        ("release.evidence", "14"): JUDGED.e,
    }
    assert fired(ReleasesSeen(candidates=(CANARY, SHADOW))) == []


@pytest.mark.parametrize(
    "behind_ms, words",
    [
        (None, "the console has not caught up with the journal yet."),
        (4 * MINUTE_MS, "the console is 4 min behind the journal or its ledger."),
    ],
)
def test_a_canary_that_nobody_watches_is_told(behind_ms, words):
    seen = ReleasesSeen(candidates=(CANARY,), behind_ms=behind_ms)
    assert fired(seen) == [("release-unwatched", "14")]
    (trouble,) = troubles(seen).values()
    assert trouble.what == f"Nobody watches the canary of release 14, at 5 %: {words}"
    assert "switchhook release stop 14" in trouble.todo


def test_just_after_a_start_nobody_knows_whether_a_canary_is_watched():
    assert fired(ReleasesSeen(candidates=(CANARY,), behind_ms=None), NOW - 1000) == []


def test_a_canary_that_waits_for_a_person_is_said():
    ready = CANARY[0], msgspec.structs.replace(CANARY[1], ready=True)
    assert fired(ReleasesSeen(candidates=(ready,))) == [("release-waits", "14")]


def test_every_key_of_a_trouble_is_that_of_a_rule():
    seen = ReleasesSeen(frozen=(FROZEN,), candidates=(CANARY,), behind_ms=None)
    assert {key.partition(":")[0] for key in troubles(seen)} <= {
        each.figure for each in RELEASE_RULES
    }


def test_a_pool_that_a_canary_calls_is_told_with_its_release():
    tried = {"new": ["bot"], "beside": ["gate"], "other": ["front"]}
    on_its_way = (standing(16, ReleaseState.CANARY, subject="rules/bot", share=500), CANARY[1])
    seen = ReleasesSeen(candidates=(CANARY, SHADOW, on_its_way))
    assert canaries_by_pool(seen, tried) == {"new": Canary(16)}


def test_a_pool_that_a_canary_called_is_told_with_its_release_until_another_is_on_its_way():
    seen, pools = ReleasesSeen(frozen=(FROZEN,)), {12: ["new", "old"]}
    gone = Canary(12, taken_back=True)
    assert canaries_by_pool(seen, {}, pools) == {"new": gone, "old": gone}
    again = standing(16, ReleaseState.CANARY, subject="rules/bot", since_ms=NOW + HOUR_MS)
    seen = msgspec.structs.replace(seen, candidates=((again, CANARY[1]),))
    assert canaries_by_pool(seen, {"new": ["bot"]}, pools) == {"new": Canary(16)}
