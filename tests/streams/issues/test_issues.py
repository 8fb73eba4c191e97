"""Issues: one for what fails alike, ordered by who needs somebody, and back when it returns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.times import HOUR_MS
from switchhook.streams.facet import Facet, Tally, Use
from switchhook.streams.issues.issues import (
    NEXT,
    TREND_HOURS,
    Fingerprint,
    IssueAction,
    IssueNote,
    IssueState,
    fingerprint,
    issues,
    trend_start,
)

NOW = 1_795_000_000_000
REFUSED = Facet("sales", "failed", "connect_failed", "B", "refused", "bot.example")
PRINT = Fingerprint("connect_failed", "refused", "bot.example", "sales")


def use(facet=REFUSED, first=NOW - 7_200_000, last=NOW - 1000, streams=5):
    return Use(facet, first, last, streams)


def notes(state, at=NOW, by="asha"):
    return {PRINT.id: IssueNote(PRINT.id, at, state, by)}


def test_what_fails_alike_is_one_issue_whatever_else_differs():
    other = Facet("sales", "failed", "connect_failed", "A", "refused", "bot.example", "+918011")
    found = issues([use(), use(other, first=NOW - 9_000_000, streams=2)], [], {}, NOW)
    assert [(each.fingerprint, each.streams, each.first_ms) for each in found] == [
        (PRINT, 7, NOW - 9_000_000)
    ]


@pytest.mark.parametrize("cause", ["bot_done", "caller_left", "running", "no_stream", "unknown"])
def test_what_did_not_fail_is_no_issue(cause):
    assert fingerprint(Facet("sales", "completed", cause, "A")) is None
    assert issues([use(Facet("sales", "completed", cause, "A"))], [], {}, NOW) == []


def test_a_name_tells_every_fingerprint_from_every_other():
    """`a` beside `b` is not `ab` beside nothing."""
    one, other = Fingerprint("x", "a", "b", ""), Fingerprint("x", "ab", "", "")
    assert one.id != other.id
    assert len(one.id) == 16


def test_a_trend_counts_the_hours_of_a_day():
    start = trend_start(NOW)
    tallies = [
        Tally(start, REFUSED, 2),
        Tally(start + 23 * HOUR_MS, REFUSED, 3),
        Tally(start - HOUR_MS, REFUSED, 50),
    ]
    (found,) = issues([use()], tallies, {}, NOW)
    assert found.trend == (2, *[0] * 22, 3)
    assert found.recent == 5
    assert len(found.trend) == TREND_HOURS


def test_an_issue_stands_as_somebody_said():
    (found,) = issues([use()], [], notes(IssueState.ACKNOWLEDGED), NOW)
    assert (found.state, found.reopened) == (IssueState.ACKNOWLEDGED, False)
    assert found.last_note.by == "asha"
    assert found.acts == (IssueAction.RESOLVE, IssueAction.REOPEN)


def test_a_resolved_issue_is_open_again_once_it_returns():
    (quiet,) = issues([use(last=NOW - 1)], [], notes(IssueState.RESOLVED), NOW)
    (back,) = issues([use(last=NOW + 1)], [], notes(IssueState.RESOLVED), NOW)
    assert (quiet.state, quiet.reopened) == (IssueState.RESOLVED, False)
    assert (back.state, back.reopened) == (IssueState.OPEN, True)


def test_an_acknowledged_issue_does_not_cry_at_every_stream():
    (found,) = issues([use(last=NOW + 1)], [], notes(IssueState.ACKNOWLEDGED), NOW)
    assert found.state is IssueState.ACKNOWLEDGED


def test_those_that_need_somebody_come_first():
    loud = Facet("a", "failed", "throttled", "B")
    uses = [use(), use(loud), use(Facet("b", "failed", "bot_dropped", "B", "eof"))]
    tallies = [Tally(trend_start(NOW), loud, 9)]
    found = issues(uses, tallies, notes(IssueState.RESOLVED), NOW)
    assert [each.fingerprint.endpoint for each in found] == ["a", "b", "sales"]


def test_every_move_is_one_of_the_table():
    assert {state for state, _ in NEXT} == set(IssueState)
    assert set(NEXT.values()) == set(IssueState)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(1, 9))))
def test_no_stream_is_lost_or_counted_twice(parts):
    uses = [
        Use(Facet(end, "failed", "throttled", "B", exophone=str(n)), n, n, many)
        for n, (end, _, many) in enumerate(parts)
    ]
    assert sum(each.streams for each in issues(uses, [], {}, NOW)) == sum(p[2] for p in parts)
