"""The figures of the page Now: minutes by cause, shares that know nothing, bounds of times."""

from __future__ import annotations

from switchhook.exotel.times import MINUTE_MS
from switchhook.overview.pulse import (
    MINUTES,
    Share,
    pulse,
    pulse_start,
)
from switchhook.streams.answer_times import AnswerPercentiles
from switchhook.streams.facet import Count, Facet, Tally
from switchhook.web.chart import CAUSES

NOW = 1_795_000_012_345
START = pulse_start(NOW)


def tally(cause, minute, streams=1):
    return Tally(START + minute * MINUTE_MS, Facet("sales", "", cause, "B"), streams)


def place(cause):
    return CAUSES.index(cause)


def test_minutes_are_counted_by_cause():
    found = pulse([tally("throttled", 0, 4), tally("bot_done", 59), tally("odd", 1)], [], NOW)
    assert len(found.minutes) == MINUTES
    assert found.minutes[0][place("throttled")] == 4
    assert found.minutes[59][place("bot_done")] == 1
    assert found.minutes[1][place("unknown")] == 1
    assert sum(map(sum, found.minutes)) == 6


def test_the_share_is_of_the_last_quarter_of_an_hour():
    tallies = [
        tally("connect_failed", 44, 100),
        tally("connect_failed", 45, 1),
        tally("throttled", 59, 2),
        tally("bot_done", 50, 9),
    ]
    found = pulse(tallies, [], NOW)
    assert found.failed == Share(3, 12)
    assert found.failed.share == 0.25
    assert found.failed_of == (("throttled", 2), ("connect_failed", 1))


def test_no_traffic_is_no_success():
    found = pulse([], [], NOW)
    assert found.failed.share is None
    assert found.answers == AnswerPercentiles(0, None, None)
    assert found.last_minute == 0


def test_what_is_not_of_the_hour_does_not_count():
    assert (
        sum(map(sum, pulse([tally("bot_done", -1), tally("bot_done", 60)], [], NOW).minutes)) == 0
    )


def test_answers_of_the_quarter_count():
    counts = [
        Count(START + 40 * MINUTE_MS, "answer_ms <= 1", 5),
        Count(START + 50 * MINUTE_MS, "answer_ms <= 1", 7),
        Count(START + 51 * MINUTE_MS, "answer_ms <= 1", 1),
    ]
    assert pulse([], counts, NOW).answers.answers == 8
