"""The levels by which alerts go."""

from __future__ import annotations

from ended_streams import ended
from switchhook.metrics import KNOWN
from switchhook.streams.facet import Facet, Tally
from switchhook.streams.names import Names
from switchhook.troubles.fold import TroubleWatch
from switchhook.troubles.metrics import FIGURES, JUDGED, TroubleFigures
from switchhook.troubles.outcomes import Measure

NOW = 1_795_000_080_000


def levels(*tallies):
    """Value and since by figure and label."""
    watch = TroubleWatch(Names)
    for stream in ended(tallies):
        watch.take(stream)
    figures = TroubleFigures(watch, Names, lambda _now: (), lambda now: now - 7)
    found = {(each.name, *(text for _, text in each.labels)): each for each in figures(NOW)}
    assert {each.at_ms for each in found.values()} == {NOW - 7}
    return found


def told(cause, streams, host="a.example", kind="", minutes_ago=1):
    at_ms = NOW - 60_000 * minutes_ago
    return Tally(at_ms, Facet("sales", "", cause, "A", kind, host), streams)


def test_every_measure_has_its_figure_and_every_figure_its_meaning():
    assert FIGURES.keys() == set(Measure) - {Measure.ANY_BOT}  # told by bots.failing_together
    for name, label in FIGURES.values():
        assert (KNOWN[name].unit, KNOWN[name].labels) == ("level", (label,))
    assert KNOWN.keys() >= JUDGED


def test_who_is_well_has_level_0():
    found = levels(told("bot_done", 9))
    assert found["bot.failing", "a.example"].value == 0
    assert found["account.throttled", ""].value == 0
    assert found["bots.failing_together",].value == 0


def test_a_bot_that_fails_has_a_level_since_its_first_failure():
    found = levels(told("bot_done", 9, minutes_ago=3), told("connect_failed", 10, kind="refused"))
    figure = found["bot.failing", "a.example"]
    assert (figure.value, figure.since_ms) == (2, NOW - 60_000)


def test_one_caller_without_a_free_stream_is_level_1():
    found = levels(told("bot_done", 40, minutes_ago=2), told("throttled", 1))
    assert found["account.throttled", ""].value == 1


def test_what_several_bots_have_in_common_is_told_of_once():
    """Each alone neither begins nor ends meanwhile."""
    found = levels(*(told("connect_failed", 9, f"{x}.example", "timeout") for x in "abcd"))
    assert found["bots.failing_together",].value == 2
    assert [found["bot.failing", f"{x}.example"].value for x in "abcd"] == [None] * 4


def test_what_goes_well_again_begins_no_alert_and_ends_none_yet():
    """Of several that failed at once none is told of alone, just as they are mended."""
    hosts = [f"{x}.example" for x in "abcd"]
    found = levels(
        *(told("connect_failed", 9, host, "timeout", 3) for host in hosts),
        *(told("bot_done", 6, host) for host in hosts),
    )
    assert found["bots.failing_together",].value is None
    assert all(each.cases == 0 for each in found.values() if each.value is None), "not unknown"
    assert [found["bot.failing", host].value for host in hosts] == [None] * 4
