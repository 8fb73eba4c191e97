"""Which pools a call was drawn among is told by the releases of them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from answer.bots import member, pool
from releases.test_trial import before_stream
from switchhook.releases.acts import Situation
from switchhook.releases.ledger import hash_of
from switchhook.releases.pools_then import PoolsThen, pools_then
from switchhook.releases.release import Release, ReleaseAct, ReleaseState, Standing, Step
from switchhook.releases.running import RunningText
from switchhook.rules.rollout import POOLS, RolloutSeen

POOLS_OF = {text: (pool(text, member("vendor-a")),) for text in ("one", "two", "three")}


def standing(number: int, text: str) -> Standing:
    made = Release(
        number=number,
        subject=POOLS,
        text=text,
        hash=hash_of(text),
        author="asha",
        reason="",
        made_ms=0,
    )
    return Standing(release=made, state=ReleaseState.RETIRED, since_ms=0)


def step(number: int, at_ms: int, to: ReleaseState = ReleaseState.FULL) -> Step:
    return Step(number=number, at_ms=at_ms, act=ReleaseAct.PROMOTE, to=to, by="asha")


def history(*steps: Step, runs: RunningText | None = None) -> PoolsThen:
    there = Situation((standing(1, "one"), standing(2, "two"), standing(3, "gone")), steps)
    return pools_then(there, runs, POOLS_OF.get)


def test_the_release_that_ran_at_the_moment_is_told():
    receipt: Any = before_stream().journal.addresses()[0]
    at_ms = receipt.received_us // 1000
    then = history(step(1, at_ms - 10), step(2, at_ms - 5, ReleaseState.CANARY), step(2, at_ms + 1))
    assert list(then.of(receipt) or ()) == ["one"]
    assert list(then.of(replace(receipt, received_us=(at_ms + 1) * 1000)) or ()) == ["two"]
    assert then.of(replace(receipt, received_us=(at_ms - 11) * 1000)) is None
    seen = RolloutSeen(number=2, hash=hash_of("two"), share=5_000, bucket=4_999)
    assert list(then.of(replace(receipt, pools_rollout=seen)) or ()) == ["two"]
    control = replace(seen, bucket=5_000)
    assert list(then.of(replace(receipt, pools_rollout=control)) or ()) == ["one"]


def test_what_can_not_be_read_any_more_is_not_known():
    receipt: Any = before_stream().journal.addresses()[0]
    assert history(step(1, 0), step(3, 1)).of(receipt) is None


def test_what_runs_counts_though_no_release_says_it_yet():
    receipt: Any = before_stream().journal.addresses()[0]
    runs = RunningText(subject=POOLS, text="three", hash=hash_of("three"), at_ms=5)
    assert list(history(step(1, 0), runs=runs).of(receipt) or ()) == ["three"]


def test_a_clock_that_was_set_back_leaves_what_ran_last():
    then = history(step(1, 10), step(2, 20), step(1, 15))
    assert then.ran == [(10, hash_of("one")), (15, hash_of("one"))]
