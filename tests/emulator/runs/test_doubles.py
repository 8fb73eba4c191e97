"""Calls to somebody who should not have been called again."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from switchhook.emulator.runs.doubles import Doubles

START = datetime(2026, 1, 5, 10, 0)
ONE, OTHER = "+919811100001", "+919811100002"


def call(begin, end, *, field=None, number=ONE, talked=False, by="human", way="asked"):
    """A call that a program `asked` for, that came `in`, or that somebody made by hand."""
    return SimpleNamespace(
        wanted=object() if way == "asked" else None,
        created=START + timedelta(seconds=begin),
        ended=START + timedelta(seconds=end),
        talked=talked,
        answered_by=by,
        line=SimpleNamespace(sid="acme"),
        facts=SimpleNamespace(from_=number, custom_field=field, outbound=way != "in"),
    )


@pytest.mark.parametrize(
    ("calls", "same_field", "at_once", "after_talk"),
    [
        ([call(0, 9, field="a"), call(20, 30, field="b")], 0, 0, 0),
        ([call(0, 9, field="a"), call(20, 30, field="a", number=OTHER)], 1, 0, 0),
        ([call(0, 9), call(5, 30)], 0, 1, 0),
        ([call(5, 30), call(0, 9)], 0, 1, 0),
        ([call(0, 9, talked=True), call(9, 30)], 0, 0, 1),
        ([call(9, 30), call(0, 9, talked=True)], 0, 0, 1),
        ([call(0, 9, talked=True), call(20, 30, number=OTHER)], 0, 0, 0),
        ([call(0, 9, talked=True, by="machine"), call(20, 30)], 0, 0, 0),
        ([call(0, 9, talked=True, way="by hand"), call(20, 30)], 0, 0, 0),
        # Whoever calls in again, and meets nobody, is owed another one.
        ([call(0, 9, talked=True), call(9, 12, way="in"), call(20, 30)], 0, 0, 0),
        ([call(0, 9, talked=True), call(20, 30), call(12, 31, way="in")], 0, 0, 0),
        ([call(0, 9, talked=True), call(9, 12, way="in", number=OTHER), call(20, 30)], 0, 0, 1),
        ([call(0, 9, talked=True), call(10, 12, way="by hand"), call(20, 30)], 0, 0, 1),
        ([call(-9, -2, way="in"), call(0, 9, talked=True), call(20, 30)], 0, 0, 1),
        ([call(0, 9, talked=True), call(20, 30), call(40, 50, way="in")], 0, 0, 1),
        ([call(0, 9, talked=True), call(20, 30, talked=True), call(40, 50)], 0, 0, 2),
    ],
)
def test_who_was_called_once_too_often(calls, same_field, at_once, after_talk):
    counted = Doubles()
    for each in calls:
        counted.count(each)
    assert (counted.same_field, counted.at_once, counted.after_talk) == (
        same_field,
        at_once,
        after_talk,
    )
    assert counted.any == bool(same_field or at_once or after_talk)


def test_it_says_so_in_words_or_nothing_where_no_program_called():
    counted = Doubles()
    assert counted.text() == ""
    counted.count(call(0, 9, field="a", talked=True))
    assert counted.text() == "1 calls by the API: nobody was called twice"
    counted.count(call(20, 30, field="a"))
    assert counted.text() == (
        "2 calls by the API: 1 with a CustomField that another had,"
        " 1 to somebody who had talked in one"
    )
