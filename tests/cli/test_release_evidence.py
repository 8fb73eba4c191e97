"""How a candidate does, as `switchhook release show` tells it."""

from __future__ import annotations

import json

import msgspec

from cli.test_release import shop
from releases.test_words import NOW, judged, rollout
from switchhook.releases.candidates_keeper import CandidatesKeeper
from switchhook.releases.judgement import ExcludedCaller, FuseJudged, MeasureJudged, ShareTally
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.shadow import ShadowState
from switchhook.releases.view import StageState, StageView
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER

__all__ = ["shop"]

FAILED = MeasureJudged(name="stream-failed", e=132.0, tallies=(ShareTally(500, 20, 9, 380, 11),))
HARMED = rollout(
    judged(
        e=132.0,
        harm=True,
        low=2.1,
        high=None,
        words="the stream failed: 9 of 20 canary callers, 11 of 380 control callers",
        measures=(FAILED,),
        fuses=(FuseJudged("split", 0.4, False, "all as it should be"),),
        excluded=(ExcludedCaller(7, 0.12),),
    ),
    number=5,
    stages=(
        StageView(
            share=500,
            state=StageState.NOW,
            least_callers=3_000,
            least_ms=1_800_000,
            callers=400,
            begun_ms=NOW,
        ),
    ),
    plan="held at 5 %: 400 of the 3,000 callers that it needs",
)


def keep(shop, **more):
    ledger = open_ledger(shop.folder / "data" / LEDGER)
    try:
        keeper = CandidatesKeeper(LedgerReleases(ledger))
        keeper.keep_view(msgspec.structs.replace(HARMED, **more), NOW)
        state = ShadowState(since_ms=NOW, seen=200, different=3)
        keeper.keep_shadow(5, msgspec.msgpack.encode(state), NOW)
    finally:
        ledger.close()


def shown(shop, *words):
    shop.ok("shadow", "new.toml", "--of", "default", "--reason", "x")
    return shop.ok("show", "5", *words)[0]


def test_without_evidence_nothing_is_said_of_it(shop):
    assert not [line for line in shown(shop) if line.startswith("its ")]
    found = json.loads(shop.ok("show", "5", "--json")[0][0])
    assert (found["rollout"], found["shadow"]) == (None, None)


def test_a_canary_is_told_with_its_evidence_its_sides_and_its_stages(shop):
    shown(shop)
    keep(shop)
    out = shop.ok("show", "5")[0]
    lines = [" ".join(line.split()) for line in out[out.index("its canary") :]]
    assert lines[1:6] == [
        "harm Release 5 harms callers. The stream failed: 9 of 20 canary callers, 11 of 380 control"
        " callers.",
        "evidence E = 132; at 100 it is taken back by itself",
        "by chance 1 in 132 of releases that harm nobody show as much",
        "compared its callers fail at least 2.1 times as often as the others",
        "left out a caller that makes about 12 % of all calls: a switchboard or a number of our"
        " own, and no person",
    ]
    assert "next Held at 5 %: 400 of the 3,000 callers that it needs." in lines
    assert "Stream failed 20 9 (45.0 %) 380 11 (2.9 %) 132" in lines
    (stage,) = [line for line in lines if line.startswith("5 % 400 callers in")]
    assert stage.endswith("so far, of 3,000 callers and 30 min at least")
    assert "It would have decided 3 of 200 requests otherwise (1.5 %)." in lines


def test_whom_nothing_is_known_of_yet_is_said(shop):
    shown(shop)
    stage = msgspec.structs.replace(HARMED.stages[0], callers=0, decided=66)
    keep(shop, judged=judged(high=None), stages=(stage,), known_after_min=10)
    lines = [" ".join(line.split()) for line in shop.ok("show", "5")[0]]
    assert any(
        line.startswith("awaited 66 callers were decided for so far, of whom 0") for line in lines
    )
    found = json.loads(shop.ok("show", "5", "--json")[0][0])["rollout"]
    assert found["waits_for_outcomes"].startswith("66 callers were decided for")
    (told,) = found["stages"]
    assert (told["decided"], told["callers"], told["callers_before"]) == (66, 0, 0)


def test_one_that_is_over_is_told_as_past_and_what_was_to_come_is_not(shop):
    shown(shop)
    keep(shop, ended_ms=NOW + 60_000)
    out = shop.ok("show", "5")[0]
    (title,) = [line for line in out if line.startswith("its canary")]
    assert "which ended" in title
    assert any("Release 5 harmed callers." in line for line in out)
    assert not any(line.startswith("next") for line in out)


def test_as_json_it_is_as_the_api_has_it(shop):
    shown(shop)
    keep(shop)
    found = json.loads(shop.ok("show", "5", "--json")[0][0])
    assert found["rollout"]["evidence"]["harm"] is True
    assert found["rollout"]["evidence"]["measures"][0]["canary_failed"] == 9
    assert found["shadow"]["different"] == 3
