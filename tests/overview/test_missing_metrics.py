"""Whether streams should be heard of and are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overview.test_health_metrics import DAY, HOUR, MINUTE, NAMES, NOW, WELL, World, figures_of
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.readings import Reading, Span
from switchhook.errors import LedgerError
from switchhook.journal.receipt import Counters, RecordKind, encode
from switchhook.overview.known_troubles import Known, known_troubles
from switchhook.overview.missing_metrics import (
    LEAST,
    Ended,
    MissingFigures,
    missing_passthrus,
    stream_ms,
)

TALK = Ended(100, 100 * 60_000.0)  # a stream a minute long for each that ended


@pytest.mark.parametrize(
    ("ended", "silent_s", "running", "by_clock", "missing"),
    [
        (TALK, 210, 10, None, 20),
        (TALK, 210, 10, 25, 20),
        (TALK, 210, 10, 5, 20),
        (TALK, 210, 10, 4, 0),  # at this time of day those that run are somebody else's
        (TALK, 210, 0, None, 0),
        (TALK, 90, 10, None, 0),  # all may have begun at once
        (Ended(LEAST - 1, LEAST * 60_000.0), 210, 10, None, 0),
        (Ended(0, 0.0), 210, 10, None, 0),
        (Ended(100, 400 * 60_000.0), 960, 10, None, 25),  # a quarter of those that run is ours
    ],
)
def test_what_is_missing_of_streams_that_run(ended, silent_s, running, by_clock, missing):
    spans = [
        Span(at, 0, running, running, running, 100, 1) for at in range(0, silent_s * 1000, 10_000)
    ]
    found = missing_passthrus(ended, spans, 0, silent_s * 1000, by_clock)
    assert found == pytest.approx(missing)


def test_the_first_burst_of_a_morning_lacks_nothing():
    """Nobody was heard of all night, and a hundred streams have just begun."""
    night = [Span(at, 0, 0, 0, 0, 100, 1) for at in range(0, 6 * HOUR, 10_000)]
    burst = [Span(6 * HOUR + at, 0, 100, 100, 100, 100, 1) for at in range(0, 60_000, 10_000)]
    assert missing_passthrus(TALK, [*night, *burst], 0, 6 * HOUR + MINUTE, None) == 0


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(0, 200))
def test_a_steady_count_ran_for_as_long_as_it_was_read(gaps, active):
    at, spans = 0, []
    for gap in gaps:
        spans.append(Span(at, 0, active, active, active, 100, 1))
        at += gap * 1000
    assert stream_ms(spans, 0, at) == active * at


def test_a_reading_holds_for_a_minute_at_most_and_none_for_nothing():
    reading = Span(0, 0, 7, 7, 7, 100, 1)
    assert stream_ms([reading], 0, 10 * MINUTE) == 7 * MINUTE
    assert stream_ms([Span(0, MINUTE, None, None, None, None, 0, unread=3)], 0, MINUTE) == 0
    assert stream_ms([], 0, MINUTE) == 0


def test_of_a_coarse_reading_only_what_is_in_the_time_counts():
    hour = Span(0, HOUR, 4, 4, 4, 100, 360)
    assert stream_ms([hour], HOUR - MINUTE, 2 * HOUR) == 4 * MINUTE
    assert stream_ms([hour], 2 * HOUR, 3 * HOUR) == 0


class Silent(World):
    def __init__(self, folder, ledger):
        super().__init__(folder)
        self.history = LedgerCapacity(ledger)
        self.deaf = False
        self.source_of_missing = MissingFigures(
            self.store, self.history, lambda: NAMES, lambda now_ms: now_ms, lambda: self.deaf
        )

    def ran(self, since_ms, until_ms, active):
        """As a poll every ten seconds says."""
        ats = range(since_ms, until_ms, 10_000)
        self.history.add([Reading("Main", at, active, 100) for at in ats])

    def look(self, now_ms=NOW):
        self.folded()
        found = figures_of(self.source_of_missing, now_ms)
        self.source_of_missing._found._made = None  # looked at as in five seconds
        return {name: figure.value for (name, *_), figure in found.items()}

    def told(self):
        return [each.what for each in known_troubles(Known(missing=self.source_of_missing.missing))]


@pytest.fixture
def world(tmp_path, ledger):
    world = Silent(tmp_path, ledger)
    yield world
    world.close()


def test_passthrus_that_stop_while_streams_run(world):
    """Five streams of a minute each run all the time; nothing is told of since 12 minutes."""
    for minutes in reversed(range(13, 43)):
        world.stream(NOW - minutes * MINUTE, WELL, count=5)
    world.ran(NOW - 45 * MINUTE, NOW, 5)
    found = world.look()
    assert found["account.missing_passthrus"] == pytest.approx(52, abs=8)
    assert found["streams.missing"] is None, "it is told of the account"
    (said,) = world.told()
    assert said.startswith("No passthru of account Main since ")
    assert "though streams run (5 now): 51 should have come." in said
    world.stream(NOW, WELL)
    assert world.look(NOW + MINUTE)["account.missing_passthrus"] == 0
    assert world.told() == []


def test_nobody_calls_and_no_stream_runs(world):
    for minutes in reversed(range(13, 43)):
        world.stream(NOW - minutes * MINUTE, WELL, count=5)
    world.ran(NOW - 45 * MINUTE, NOW - 13 * MINUTE, 5)
    world.ran(NOW - 13 * MINUTE, NOW, 0)
    found = world.look()
    assert found == {"account.missing_passthrus": 0, "streams.missing": None}


def test_no_stream_where_the_days_before_had_some(world):
    for day, count in ((7, 40), (3, 10), (2, 20), (1, 30)):
        world.stream(NOW - day * DAY - HOUR, WELL)
        world.stream(NOW - day * DAY - 5 * MINUTE, WELL, count=count)
    world.stream(NOW - 10 * MINUTE, WELL)
    assert world.look()["streams.missing"] == 30
    (said,) = world.told()
    assert said.startswith("No stream of sales since ")
    assert said.endswith(", where 30 are usual by now.")
    world.stream(NOW - MINUTE, WELL)
    assert world.look()["streams.missing"] == 0


def test_it_is_the_same_minutes_that_count(world):
    for day in (1, 2, 3):
        world.stream(NOW - day * DAY - HOUR, WELL, count=50)
        world.stream(NOW - day * DAY + 5 * MINUTE, WELL, count=50)
    world.stream(NOW - 10 * MINUTE, WELL)
    assert world.look()["streams.missing"] == 0
    assert world.look(NOW + 10 * MINUTE)["streams.missing"] == 50


def test_no_traffic_a_week_ago_makes_none_usual(world):
    world.stream(NOW - 8 * DAY, WELL)
    world.stream(NOW - DAY - 5 * MINUTE, WELL, count=50)
    world.stream(NOW - 10 * MINUTE, WELL)
    assert world.look()["streams.missing"] == 0


def test_where_nothing_is_as_old_it_is_not_known(world):
    world.stream(NOW - 3 * HOUR, WELL, count=50)
    assert world.look()["streams.missing"] is None


def test_who_comes_with_a_wrong_secret_is_heard(world):
    for minutes in reversed(range(13, 43)):
        world.stream(NOW - minutes * MINUTE, WELL, count=5)
    world.ran(NOW - 45 * MINUTE, NOW, 5)
    counters = Counters({"secret wrong": 20})
    world.kept.record(RecordKind.COUNTERS, encode(counters), at=NOW - MINUTE)
    assert world.look()["account.missing_passthrus"] == 0


def test_while_nothing_can_be_heard_nothing_is_told(world):
    for minutes in reversed(range(13, 43)):
        world.stream(NOW - minutes * MINUTE, WELL, count=5)
    world.ran(NOW - 45 * MINUTE, NOW, 5)
    world.deaf = True
    assert world.look() == {"account.missing_passthrus": None}


def test_a_history_that_can_t_be_read_is_not_known(world, monkeypatch):
    world.stream(NOW - 10 * MINUTE, WELL)

    def fails(*_of):
        raise LedgerError("ledger.db", "it is gone", "mend it")

    monkeypatch.setattr(world.history, "history", fails)
    assert world.look()["account.missing_passthrus"] is None
