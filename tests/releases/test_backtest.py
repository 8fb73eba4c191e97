"""What is counted in parts is what is counted at once, in whichever order they come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.releases import backtest
from switchhook.releases.backtest import (
    MOST_CHANGES,
    MOST_EXAMPLES,
    CallersSeen,
    Counting,
    Tally,
    hour_of,
)
from switchhook.releases.trial import Became, Given, Tried

RULES = st.sampled_from(["default", "late", "pressed 2"])
GIVEN = st.builds(Given, st.sampled_from(["A", "B"]), RULES)
AT_MS = 1_795_000_000_000


@st.composite
def tried(draw):
    became = draw(st.sampled_from(["decided", "fault", "left out", "unable"]))
    if became in ("left out", "unable"):
        return Tried(Became(became), draw(st.sampled_from(["erased", "by hand"])))
    was, would = draw(GIVEN), draw(GIVEN)
    found = Became.FAULT
    if became == "decided":
        same = Became.SAME if was == would else Became.OTHER_RULE
        found = same if was.same_answer(would) else Became.DIFFERENT
    return Tried(
        found,
        "why" if found is Became.FAULT else "",
        draw(st.sampled_from(["sales", "help"])),
        was,
        would,
        draw(st.sampled_from(["throttled", ""])),
        draw(st.sampled_from(["hindi", "tamil", ""])),
        "Asia/Kolkata",
        draw(st.just(0) | st.integers(1, 2**32 - 1)),
        draw(st.sampled_from(["", 'A by "default"', 'B by "late"'])),
        draw(st.sampled_from(["", "who could take it"])),
        draw(st.sampled_from([(), ("early",)])),
    )


def counted(some):
    counting = Counting()
    for place, each in some:
        counting.count(each, AT_MS + 60_000 * place, place)
    return counting.tally()


def added(*tallies):
    counting = Counting()
    for each in tallies:
        counting.add(each)
    return counting.tally()


@given(st.lists(tried(), max_size=60), st.data())
@settings(deadline=None)
def test_parts_together_are_the_whole(some, data):
    placed = list(enumerate(some, 1))
    part = data.draw(st.lists(st.integers(0, 3), min_size=len(some), max_size=len(some)))
    parts = [
        counted([each for number, each in zip(part, placed, strict=True) if number == wanted])
        for wanted in data.draw(st.permutations(range(4)))
    ]
    whole = counted(placed)
    assert added(*parts) == whole
    assert added(whole) == whole
    assert whole.decided == sum(each.was is not None for each in some)
    assert whole.seen() == len(some)
    assert whole.without_caller == sum(each.was is not None and not each.caller for each in some)
    assert whole.different == sum(each.count for each in whole.changes)
    assert whole.different == sum(each.different for each in whole.rules.values())


@given(
    st.lists(st.tuples(st.integers(1, 200), st.booleans()), max_size=300),
    st.integers(1, 40),
    st.integers(0, 300),
)
def test_which_callers_are_kept_depends_on_nothing_but_their_number(seen, most, middle):
    before, backtest.MOST_CALLERS = backtest.MOST_CALLERS, most
    try:
        whole, one, two = CallersSeen(), CallersSeen(), CallersSeen()
        for place, (caller, different) in enumerate(seen):
            whole.saw(caller, place, "A", different=different)
            part = one if place < middle else two
            part.saw(caller, place, "A", different=different)
        two.add(one)
    finally:
        backtest.MOST_CALLERS = before
    assert two == whole
    assert len(whole.first) <= most
    if whole.level == 0:
        first = dict(reversed(seen))
        assert whole.callers == len(first)
        assert whole.different == sum(first.values())


def test_the_first_request_of_a_caller_counts():
    callers = CallersSeen()
    callers.saw(5, 20, 'B by "late"', different=True)
    callers.saw(5, 10, 'A by "default"', different=False)
    callers.saw(6, 11, 'A by "default"', different=False)
    callers.saw(0, 12, 'B by "late"', different=True)
    callers.saw(7, 13, "", different=True)
    assert callers.mix() == {'A by "default"': 2}
    assert (callers.callers, callers.different) == (2, 0)


def test_lists_are_bounded_and_keep_the_newest():
    was, would = Given("A", "default"), Given("B", "late")
    one = Tried(Became.DIFFERENT, "", "sales", was, would)
    found = counted((place, one) for place in range(500))
    (change,) = found.changes
    assert change.count == 500
    assert [each.seq for each in change.examples] == list(range(499, 499 - MOST_EXAMPLES, -1))


def test_many_kinds_of_difference_are_counted_under_other():
    was = Given("A", "default")
    some = [
        Tried(Became.DIFFERENT, "", "sales", was, Given("B", f"rule {n}"), bot=f"bot {n}")
        for n in range(backtest.MOST_NAMES + 100)
    ]
    found = counted(enumerate(some))
    assert len(found.changes) == MOST_CHANGES + 1
    assert sum(each.count for each in found.changes) == len(some) == found.different
    assert found.changes[0].would.rule == "other"
    assert len(found.bots) == backtest.MOST_NAMES + 1
    assert found.bots["other"].decided == 100


def test_hours_are_those_of_the_endpoints_clock():
    assert hour_of(AT_MS, "Asia/Kolkata") == "2026-11-18 16:00 IST"
    assert hour_of(AT_MS, "UTC") == "2026-11-18 11:00 UTC"
    assert Tally().seen() == 0
