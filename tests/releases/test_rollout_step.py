"""What follows for a canary: back on harm, on where enough is known, else it holds and says why."""

from __future__ import annotations

import msgspec
import pytest

from kept_receipts import START_MS
from releases.calls_told import HASH, Calls
from releases.test_candidates_watch import of, watching
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.releases.release import ReleaseAct
from switchhook.releases.rollout_step import Seen, following, lag_words, rollout_view
from switchhook.releases.settings import Advance, RolloutSettings
from switchhook.releases.stages import Volume
from switchhook.releases.stages_had import StageHad
from switchhook.releases.view import StageState
from switchhook.rules.rollout import Rollout, seen_by

SETTINGS = RolloutSettings(exclude_points=20)


class Canary:
    """A canary at 50 %, or at another share, and its callers."""

    def __init__(self, share=5_000, settings=SETTINGS):
        self.share, self.settings, self.count = share, settings, 0
        self.standing = of("rules/bot", 7, share=share)
        self.watch = watching(self.standing)
        self.calls = Calls(self.watch.take)
        self.seen = Seen(
            now_ms=START_MS, as_of_ms=START_MS, volume=Volume(count=2_000, span_ms=DAY_MS)
        )

    def call(self, times, *, canary="well", control="well"):
        """So many callers, each once."""
        for _ in range(times):
            self.count += 1
            number = f"09{self.count:09}"
            rollout = Rollout(subject="rules/bot", number=7, hash=HASH, share=self.share)
            seen = seen_by(rollout, number)
            self.calls.asks_bot(f"c{self.count}", seen, number=number)
            self.calls.ends(f"c{self.count}", canary if seen.canary else control)

    @property
    def judged(self):
        return self.watch.rollouts[7].judged(self.seen.now_ms)

    def follows(self, **seen):
        self.seen = msgspec.structs.replace(self.seen, **seen)
        return following(
            self.watch.rollouts[7], self.standing, self.judged, self.seen, self.settings
        )

    def later(self, ms):
        now = self.seen.now_ms + ms
        return self.follows(now_ms=now, as_of_ms=now)

    def view(self):
        follows = self.follows()
        return rollout_view(
            self.watch.rollouts[7],
            self.standing,
            self.judged,
            follows,
            self.seen,
            self.settings,
            told=(self.share, START_MS),
        )


def test_with_too_few_calls_it_holds_and_says_so():
    canary = Canary()
    canary.call(20)
    follows = canary.later(HOUR_MS)
    assert follows.act is None
    assert follows.plan.startswith("stays at 50 %: 20 of the ")


def test_after_the_last_stage_it_decides_for_all():
    canary = Canary()
    canary.call(600)
    assert canary.later(10 * MINUTE_MS).plan.startswith("stays at 50 % for another 20 min")
    follows = canary.later(20 * MINUTE_MS)
    assert (follows.act, follows.share) == (ReleaseAct.PROMOTE, 0)
    assert "nothing speaks for harm" in follows.evidence
    assert "E = " in follows.evidence


def test_a_smaller_stage_leads_to_the_next():
    canary = Canary(share=2_500)
    canary.call(600)
    follows = canary.later(HOUR_MS)
    assert (follows.act, follows.share) == (ReleaseAct.CANARY, 5_000)


def test_a_person_takes_it_on_where_that_is_said():
    canary = Canary(settings=msgspec.structs.replace(SETTINGS, advance=Advance.HAND))
    canary.call(600)
    follows = canary.later(HOUR_MS)
    assert (follows.act, follows.ready) == (None, True)
    assert "waits for a person" in follows.plan


def test_harm_takes_it_back_whatever_else_is():
    canary = Canary(settings=msgspec.structs.replace(SETTINGS, advance=Advance.HAND))
    canary.call(60, canary="failed")
    follows = canary.follows(as_of_ms=None, throttled=50, problem="it doesn't check out")
    assert follows.act is ReleaseAct.FREEZE
    assert "canary callers" in follows.evidence
    assert "(harm from 100 on" in follows.evidence


@pytest.mark.parametrize(
    "seen, why",
    [
        ({"as_of_ms": None}, "held: the console has not caught up"),
        ({"as_of_ms": START_MS}, "held: the console is 60 min behind the journal"),
        ({"throttled": 3}, "refused 3 streams in 10 min, which hits both sides"),
        ({"problem": "release 7 doesn't check out"}, "held: release 7 doesn't check out"),
    ],
)
def test_it_goes_no_further_where_that_is_not_safe(seen, why):
    canary = Canary()
    canary.call(600)
    canary.later(HOUR_MS)
    follows = canary.follows(**seen)
    assert follows.act is None
    assert why in follows.plan


@pytest.mark.parametrize(
    "lag_s, words",
    [
        (0, ""),
        (29, ""),
        (30, "the console is 30 s behind the journal"),
        (
            300,
            "the console is 5 min behind the journal; what runs decides for all callers until it "
            "has caught up",
        ),
    ],
)
def test_a_console_that_lags_says_by_how_much(lag_s, words):
    assert lag_words(START_MS, START_MS + 1000 * lag_s) == words


def test_what_is_shown_has_the_stages_that_were_and_those_to_come():
    canary = Canary(share=2_500)
    canary.call(40)
    canary.later(HOUR_MS)
    view = canary.view()
    assert [(each.share, each.state) for each in view.stages] == [
        (2_500, StageState.NOW),
        (5_000, StageState.TO_COME),
    ]
    assert 0 < view.stages[0].callers <= 40 < view.stages[0].least_callers
    assert (view.told_share, view.harm_at, view.by_itself) == (2_500, pytest.approx(100), True)
    assert "with your" in view.plan
    assert view.unwatched == ""


def at(canary, *had):
    """The stages that a canary had: each its share, and after how many minutes it began."""
    moments = [START_MS + minute * MINUTE_MS for _, minute in had]
    ends = [*moments[1:], None]
    stages = [StageHad(share, *span) for (share, _), *span in zip(had, moments, ends, strict=True)]
    canary.watch.rollouts[7].went(stages)
    canary.share = had[-1][0]
    canary.standing = of("rules/bot", 7, share=canary.share)
    canary.calls.now = moments[-1]
    canary.seen = msgspec.structs.replace(
        canary.seen, now_ms=moments[-1] + MINUTE_MS, as_of_ms=moments[-1] + MINUTE_MS
    )


def test_each_stage_has_the_callers_of_its_own_time():
    """Three stages at 50 % had 800 callers each, which was the sum of all of them."""
    canary = Canary(settings=msgspec.structs.replace(SETTINGS, least_stage_min=1))
    had = [(5_000, 0)]
    canary.call(50)
    for stage, count in [((5_000, 5), 30), ((4_100, 10), 20), ((6_000, 12), 10)]:
        had.append(stage)
        at(canary, *had)
        canary.call(count)
    stages = [each for each in canary.view().stages if each.state is not StageState.TO_COME]
    assert [(each.share, each.decided, each.callers, each.callers_before) for each in stages] == [
        (5_000, 50, 50, 0),
        (5_000, 30, 30, 50),
        (4_100, 20, 20, 0),
        (6_000, 10, 10, 0),
    ]
    assert {each.least_ms for each in stages} == {MINUTE_MS}
    assert all(each.least_callers for each in stages)


def test_who_is_heard_of_late_counts_where_they_were_decided_for():
    canary = Canary()
    number = "09999999999"
    seen = seen_by(Rollout(subject="rules/bot", number=7, hash=HASH, share=5_000), number)
    canary.calls.asks_bot("late", seen, number=number)
    at(canary, (5_000, 0), (5_000, 5))
    canary.calls.ends("late", "well")
    canary.call(3)
    first, second, *_ = canary.view().stages
    assert [(each.decided, each.callers) for each in (first, second)] == [(1, 1), (3, 3)]
    assert second.counted == 4


def test_only_where_calling_again_counts_it_is_said_how_long_that_takes():
    assert Canary().view().known_after_min == 0
    canary = Canary()
    canary.standing = of("rules/after", 7)
    canary.watch = watching(canary.standing)
    assert canary.view().known_after_min == SETTINGS.again_within_min
