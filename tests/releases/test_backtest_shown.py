"""What a back-test found, in words; each figure with calls of its own."""

from __future__ import annotations

import pytest

from releases.made import NOW
from switchhook.releases.backtest import BackTest, CallersSeen, Change, Example, Part, Tally
from switchhook.releases.backtest_shown import backtest_shown
from switchhook.releases.spans import Span
from switchhook.releases.trial import Given

WAS, WOULD = Given("A", "default"), Given("B", "short talk")
FAR = 100 * 3_600_000


def tally(**more):
    examples = [
        Example(NOW, 12, "caller_left", "asha"),
        Example(NOW - FAR, 11, "bot_done", "asha"),
    ]
    return Tally(
        **{
            "decided": 412,
            "different": 31,
            "changes": [Change("sales", WAS, WOULD, 31, examples)],
            "causes": {
                "caller_left": Part(100, 20),
                "bot_done": Part(200, 11),
                "throttled": Part(12, 0),
            },
            "bots": {"asha": Part(412, 31)},
            "hours": {"2023-11-15 03": Part(9, 3)},
            "rules": {"default": Part(400, 31)},
            **more,
        }
    )


def found(**more):
    return BackTest(
        **{
            "subject": "rules/sales",
            "release": "ab" * 32,
            "whole": Span(1, 1_000),
            "ended_ms": NOW,
            "tally": tally(),
            **more,
        }
    )


def shown(**more):
    return backtest_shown(found(**more), 7, "Asia/Kolkata")


def test_the_words_say_how_many():
    assert shown().words == "It would have answered 31 of 412 requests otherwise (7.5 %)."


def test_the_words_say_how_many_callers_and_whether_that_is_sure():
    callers = CallersSeen(first={1: (1, "A", True), 2: (2, "A", False)})
    assert shown(tally=tally(callers=callers)).words.endswith(": 1 of 2 callers.")
    callers.level = 1
    assert shown(tally=tally(callers=callers)).words.endswith(": about 2 of about 4 callers.")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"decided": 0, "different": 0}, "No request was found that it could have decided."),
        (
            {"different": 0},
            "It would have answered all 412 requests as they were answered.",
        ),
        (
            {"different": 412},
            "It would have answered 412 of 412 requests otherwise (100 %).",
        ),
    ],
)
def test_the_words_of_nothing_and_of_all(more, words):
    assert shown(tally=tally(**more)).words == words


def test_each_figure_has_its_calls_and_what_has_no_difference_is_none():
    of = dict(shown().parts)
    assert [(each.name, each.different, each.decided) for each in of["By cause"]] == [
        ("caller_left", 20, 100),
        ("bot_done", 11, 200),
    ]
    assert [call.line for call in of["By cause"][0].calls] == [12]
    assert [call.line for call in of["By bot"][0].calls] == [12, 11]
    assert [call.line for call in of["By rule"][0].calls] == [12, 11]
    (hour,) = of["By hour"]
    assert [call.line for call in hour.calls] == [12]


def test_an_hour_has_its_zone_and_one_that_an_older_version_counted_has_its_calls():
    (hour,) = dict(shown(tally=tally(hours={"2023-11-15 03:00 IST": Part(9, 3)})).parts)["By hour"]
    assert [call.line for call in hour.calls] == [12]


def test_calls_are_receipts_of_the_journal_and_lines_of_a_log():
    (change,) = shown().changes
    assert all(len(each.receipt) == 26 for each in change.calls)
    (change,) = shown(log="mock.log").changes
    assert not any(each.receipt for each in change.calls)


def test_what_is_not_done_says_how_far_it_is():
    half = found(ended_ms=None, done=[Span(1, 500)])
    view = backtest_shown(half, 7, "UTC")
    assert view.share == half.counted / half.whole.records
    assert view.progress.endswith(" records are looked at.")
    half.left_s = 20
    assert "less than a minute is left" in backtest_shown(half, 7, "UTC").progress
    half.left_s = 180
    assert "3 min are left" in backtest_shown(half, 7, "UTC").progress
    assert shown().progress == ""


def test_what_was_left_out_and_is_not_sure_is_said():
    notes = shown(
        tally=tally(
            unable={"erased": 2},
            left_out={"repeats": 3},
            unsure={"the pool was another": 4},
            unkept={"night": 5},
            other_rule=6,
            without_caller=2,
        )
    ).notes
    assert notes == (
        "2 can't be decided again: erased.",
        "3 were left out: repeats.",
        "4 are not sure: the pool was another.",
        "5 had no value of flags.night kept, and nobody is known to have set it:"
        " its default was taken.",
        "No caller is known of 2 requests, by number or CallSid: the callers are without them.",
        "6 would have had the same answer by another rule.",
    )
