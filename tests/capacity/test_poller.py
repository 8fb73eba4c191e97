"""Watching accounts: what is learnt is told, kept and aged, and no failure passes for a zero."""

from __future__ import annotations

import asyncio
import threading

import pytest

from patience import PATIENCE_S
from switchhook.capacity.poller import FORECAST_EVERY_MS, TIDY_EVERY_MS, AccountWatch, Watched
from switchhook.capacity.polling import Pace
from switchhook.capacity.readings import Reading
from switchhook.capacity.status import CapacityNow
from switchhook.errors import LedgerError
from switchhook.exotel.answers import Outcome, Polled

NOW = 1_780_000_000_000


class Clock:
    """Time that passes only when the test lets it: `pass_until` steps to each sleeper's end."""

    def __init__(self):
        self.now_ms = NOW
        self.sleepers = []

    def wall_ms(self):
        return self.now_ms

    def mono_ms(self):
        return self.now_ms

    async def sleep(self, seconds):
        woken = asyncio.Event()
        self.sleepers.append((self.now_ms + round(seconds * 1000), len(self.sleepers), woken))
        await woken.wait()

    def step(self):
        """To the next sleeper's end."""
        self.sleepers.sort()
        self.now_ms, _, woken = self.sleepers.pop(0)
        woken.set()


class Api:
    """Answers with what it is given, the last one for ever; tells when it was asked."""

    def __init__(self, clock, *answers):
        self.clock, self.answers = clock, list(answers)
        self.asked_ms = []

    async def active_streams(self):
        self.asked_ms.append(self.clock.now_ms)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class History:
    def __init__(self, *before):
        self.before, self.kept, self.tidied = list(before), [], 0
        self.failing = False

    def add(self, readings):
        if self.failing:
            raise LedgerError("ledger.sqlite", "disk full", "make room on its disk")
        self.kept += readings

    def recent(self, account, since_ms):
        return [each for each in self.before if each.account == account]

    def tidy(self, now_ms, most):
        self.tidied += 1
        return 0


class Facts:
    def __init__(self):
        self.told, self.failing = [], False

    def tell(self, readings, now_ms, mono_ms):
        if self.failing:
            raise OSError(28, "No space left on device")
        self.told.append({each.account: each for each in readings})


def good(active, allowed=100):
    return Polled(Outcome.READ, active, allowed)


def bad(outcome=Outcome.UNREADABLE, problem="no figure", **more):
    return Polled(outcome, problem=problem, **more)


class Scene:
    def __init__(self, *accounts, history=None):
        self.clock, self.history, self.facts = Clock(), history or History(), Facts()
        self.changed = []
        self.watch = AccountWatch(
            self.history, self.facts, self.clock, lambda: 1.0, self.changed.append
        )

    def api(self, *answers):
        return Api(self.clock, *answers)

    async def polls(self, count):
        """Let `count` polls, of all accounts together, come to their end."""
        wanted = len(self.changed) + count
        while len(self.changed) < wanted or not self.clock.sleepers:
            if self.clock.sleepers and len(self.changed) < wanted:
                self.clock.step()
            await asyncio.sleep(0.001)

    async def until(self, true):
        async with asyncio.timeout(PATIENCE_S):
            while not true():  # noqa: ASYNC110 - threads don't set its events
                await asyncio.sleep(0.001)


def play(steps, *, history=None):
    async def main():
        scene = Scene(history=history)
        try:
            await steps(scene)
        finally:
            await scene.watch.stop()
        return scene

    return asyncio.run(main())


def test_a_figure_is_told_kept_and_aged():
    async def steps(scene):
        await scene.watch.use([Watched("main", scene.api(good(71)))])
        await scene.polls(1)
        assert scene.facts.told == [{"main": Reading("main", NOW, 71, 100)}]
        assert scene.watch.now(NOW + 2500) == [CapacityNow("main", 71, 100, 29, 2.5, at_ms=NOW)]
        await scene.until(lambda: scene.history.kept)
        assert scene.history.kept == [Reading("main", NOW, 71, 100)]
        assert scene.watch.complaints() == []

    play(steps)


def test_it_asks_sooner_when_busy():
    async def steps(scene):
        api = scene.api(good(10), good(70), good(71), good(100), good(5))
        await scene.watch.use([Watched("main", api)])
        await scene.polls(6)
        assert [(at - NOW) / 1000 for at in api.asked_ms] == [0, 10, 20, 23, 26, 36]

    play(steps)


def test_before_the_first_answer_nothing_is_known():
    async def steps(scene):
        class Silent(Api):
            async def active_streams(self):
                await asyncio.Event().wait()

        await scene.watch.use([Watched("main", Silent(scene.clock))])
        await asyncio.sleep(0)
        assert scene.watch.now(NOW) == [CapacityNow("main", None, None, None, None)]

    play(steps)


def test_what_cannot_be_read_is_an_alarm_and_no_zero():
    async def steps(scene):
        api = scene.api(good(7), bad(), bad(problem="still none"), good(8))
        await scene.watch.use([Watched("main", api)])
        await scene.polls(3)
        (now,) = scene.watch.now(scene.clock.now_ms)
        assert (now.active, now.unread, now.problem) == (7, 2, "still none")
        assert now.age_s == (scene.clock.now_ms - NOW) / 1000 >= 20
        assert len(scene.facts.told) == 1
        await scene.polls(1)
        (now,) = scene.watch.now(scene.clock.now_ms)
        assert (now.active, now.unread, now.problem, now.age_s) == (8, 0, "", 0)
        await scene.until(lambda: len(scene.history.kept) == 4)
        assert [each.active for each in scene.history.kept] == [7, None, None, 8]
        assert scene.history.kept[1].problem == "no figure"

    play(steps)


def test_failures_are_asked_after_more_and_more_rarely():
    async def steps(scene):
        api = scene.api(bad(Outcome.FAILING))
        await scene.watch.use([Watched("main", api)])
        await scene.polls(8)
        waits = [(b - a) / 1000 for a, b in zip(api.asked_ms, api.asked_ms[1:], strict=False)]
        assert waits == [5, 10, 20, 40, 80, 120, 120]

    play(steps)


def test_a_bug_in_asking_is_a_failure_and_not_the_end():
    class Broken(Api):
        async def active_streams(self):
            await super().active_streams()
            if len(self.asked_ms) == 1:
                raise RuntimeError("the token is abc")
            return good(5)

    async def steps(scene):
        await scene.watch.use([Watched("main", Broken(scene.clock, good(5)))])
        await scene.polls(1)
        assert scene.watch.now(NOW)[0].problem == "asking failed with RuntimeError"
        await scene.polls(1)
        assert scene.watch.now(NOW)[0].active == 5

    play(steps)


def test_a_restart_begins_with_what_was_known_and_says_its_age():
    before = [Reading("main", NOW - 60_000, 3, 100), Reading("main", NOW - 50_000, None)]

    async def steps(scene):
        await scene.watch.use([Watched("main", scene.api(bad()))])
        await scene.until(lambda: scene.watch.now(NOW)[0].active == 3)
        assert scene.watch.now(NOW)[0].age_s == 60

    play(steps, history=History(*before))


def test_accounts_come_and_go_while_running():
    async def steps(scene):
        one, two = scene.api(good(1)), scene.api(good(2))
        first = Watched("one", one)
        await scene.watch.use([first, Watched("two", two)])
        await scene.polls(2)
        assert [each.active for each in scene.watch.now(NOW)] == [1, 2]
        assert scene.facts.told[-1].keys() == {"one", "two"}
        three = scene.api(good(3))
        await scene.watch.use([Watched("two", three, Pace(quiet_s=1)), first])
        await scene.until(lambda: [each.active for each in scene.watch.now(NOW)] == [3, 1])
        await scene.watch.use([first])
        assert [each.account for each in scene.watch.now(NOW)] == ["one"]
        assert len(one.asked_ms) == 1
        await scene.polls(1)
        assert scene.facts.told[-1].keys() == {"one"}

    play(steps)


def test_a_full_disk_stops_no_poll_and_loses_no_reading():
    async def steps(scene):
        scene.history.failing = scene.facts.failing = True
        await scene.watch.use([Watched("main", scene.api(good(1)))])
        await scene.polls(3)
        await scene.until(lambda: len(scene.watch.complaints()) == 2)
        assert "no space left" in " ".join(scene.watch.complaints())
        assert "disk full" in " ".join(scene.watch.complaints())
        scene.history.failing = scene.facts.failing = False
        await scene.polls(1)
        await scene.until(lambda: len(scene.history.kept) == 4)
        assert scene.watch.complaints() == []

    play(steps)


def test_a_ledger_that_hangs_holds_up_neither_facts_nor_polls():
    held = threading.Event()

    class Hanging(History):
        def add(self, readings):
            held.wait(PATIENCE_S)
            super().add(readings)

    async def steps(scene):
        await scene.watch.use([Watched("main", scene.api(good(1)))])
        await scene.polls(5)
        assert len(scene.facts.told) == 5
        assert scene.history.kept == []
        held.set()

    scene = play(steps, history=Hanging())
    # What may have been kept already is kept again: the ledger takes each reading once.
    assert len(set(scene.history.kept)) == 5


def test_the_history_is_tidied_now_and_then():
    async def steps(scene):
        await scene.watch.use([Watched("main", scene.api(good(1)))])
        await scene.polls(TIDY_EVERY_MS // 10_000 + 1)
        await scene.until(lambda: scene.history.tidied == 1)

    play(steps)


def test_a_forecast_is_made_once_enough_is_known_and_falls_with_its_figure():
    async def steps(scene):
        ups = [good(40 + at % 3) for at in range(60)]
        api = scene.api(*ups, bad())
        await scene.watch.use([Watched("main", api)])
        await scene.polls(5)
        assert scene.watch.now(NOW)[0].forecast is None
        for at in range(50):
            scene.watch.ended("main", NOW + at, 60.0)
        scene.watch.ended("nobody", NOW, 60.0)
        await scene.polls(55)
        found = scene.watch.now(NOW)[0].forecast
        assert found is not None
        assert scene.clock.now_ms - found.made_ms <= FORECAST_EVERY_MS + 10_000
        await scene.polls(2)
        assert scene.watch.now(NOW)[0].forecast is None

    play(steps)


@pytest.mark.parametrize("count", [0, 3])
def test_it_ends_at_any_time(count):
    async def steps(scene):
        await scene.watch.use([Watched(str(at), scene.api(good(at))) for at in range(count)])

    play(steps)
