"""Whether a promise may be dialled now: attempts, days, money, hours; and when it is due again."""

from __future__ import annotations

import pytest

from callbacks.promised import NOON, attempt_of, ist, promise_of, shown
from switchhook.callbacks.claims import End, Situation, Spent, Wait
from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.policy import decide, due_again_ms, used_up
from switchhook.callbacks.promise import NONE_LEFT, CallOutcome, PromiseEvent
from switchhook.callbacks.settings import CallbackSettings

SETTINGS = CallbackSettings()
DAY = 86_400_000


def situation(promise=None, calls=(), *, hour=None, spent=0.0):
    return Situation(
        promise=promise or promise_of(),
        calls=tuple(calls),
        hour=hour or Spent(),
        number_spent=spent,
        dialling=Dialling(account="main", allowed=True),
    )


def calls(*ages_ms, promise=1):
    return [attempt_of(n, promise=promise, asked_ms=NOON - age) for n, age in enumerate(ages_ms)]


def test_who_is_due_is_dialled():
    assert decide(situation(), SETTINGS, NOON) is None


@pytest.mark.parametrize(("count", "granted"), [(3, 0), (4, 1)])
def test_after_its_attempts_a_promise_is_broken(count, granted):
    some = calls(*(DAY * n for n in range(1, count + 1)))
    found = decide(situation(promise_of(granted=granted), some), SETTINGS, NOON)
    assert found == End(PromiseEvent.EXHAUSTED, f"they were called {count} times in vain")


def test_it_says_how_the_last_call_went():
    some = [attempt_of(n, outcome=CallOutcome.BUSY, asked_ms=NOON - DAY) for n in (1, 2, 3)]
    found = decide(situation(calls=some), SETTINGS, NOON)
    assert found == End(
        PromiseEvent.EXHAUSTED, "they were called 3 times in vain: their line was busy"
    )


def test_the_least_gap_holds_though_it_is_due_but_not_for_a_person():
    some = [attempt_of(1, outcome=CallOutcome.NO_ANSWER, done_ms=NOON - 60_000)]
    found = decide(situation(calls=some), SETTINGS, NOON)
    assert found == Wait("they did not answer", NOON - 60_000 + 810_000)
    assert decide(situation(calls=some), SETTINGS, NOON + 750_000) is None
    retried = promise_of(event=PromiseEvent.RETRIED)
    assert decide(situation(retried, some), SETTINGS, NOON) is None


def test_what_a_person_grants_is_one_more():
    some = calls(DAY, DAY * 2, DAY * 3)
    assert decide(situation(promise_of(granted=1), some), SETTINGS, NOON) is None


def test_one_vain_call_is_told_as_one():
    found = decide(situation(calls=calls(DAY)), CallbackSettings(attempts=1), NOON)
    assert found == End(PromiseEvent.EXHAUSTED, "they were called once in vain")


def test_calls_for_other_promises_count_for_the_day_alone():
    others = calls(1, 2, 3, promise=2)
    late = promise_of(until_ms=NOON + DAY)
    found = decide(situation(late, others), SETTINGS, NOON)
    assert isinstance(found, Wait)
    assert (shown(found.due_ms), found.why) == ("Tue 09:00", "the number was called 3 times today")
    assert decide(situation(calls=calls(DAY, DAY, DAY, promise=2)), SETTINGS, NOON) is None


def test_where_no_other_day_is_left_it_ends():
    found = decide(situation(calls=calls(1, 2, 3, promise=2)), SETTINGS, NOON)
    why = f"the number was called 3 times today, and {NONE_LEFT}"
    assert found == End(PromiseEvent.EXHAUSTED, why)


@pytest.mark.parametrize(
    ("left_ms", "ends"), [(6_480_000, True), (6_480_001, False)], ids=["at its end", "before"]
)
def test_where_the_gap_takes_all_that_is_left_it_ends(left_ms, ends):
    """The least gap after a busy line is 1 h 48 min."""
    promise = promise_of(attempts=1, until_ms=NOON + left_ms)
    busy = [attempt_of(1, outcome=CallOutcome.BUSY, asked_ms=NOON - 1, done_ms=NOON)]
    found = decide(situation(promise, busy), SETTINGS, NOON)
    assert isinstance(found, End if ends else Wait)
    assert found.why == ("their line was busy" + (f", and {NONE_LEFT}" if ends else ""))


def test_a_number_costs_so_much_a_day():
    late = promise_of(until_ms=NOON + 2 * DAY)
    some = calls(3_600_000, promise=2)
    found = decide(situation(late, some, spent=19.5), SETTINGS, NOON)
    assert isinstance(found, Wait)
    assert found.due_ms == NOON - 3_600_000 + DAY
    assert isinstance(decide(situation(calls=some, spent=19.5), SETTINGS, NOON), End)
    assert decide(situation(late, some, spent=19.0), SETTINGS, NOON) is None


def test_nobody_is_called_at_night():
    night = ist(5, 22)
    found = decide(situation(promise_of(until_ms=ist(6, 12))), SETTINGS, night)
    assert isinstance(found, Wait)
    assert shown(found.due_ms) == "Tue 09:00"
    soon = decide(situation(promise_of(until_ms=ist(6, 1))), SETTINGS, night)
    why = f"nobody is called at this hour, where they are, and {NONE_LEFT}"
    assert soon == End(PromiseEvent.EXHAUSTED, why)


def test_an_account_makes_so_many_calls_within_an_hour():
    found = decide(situation(hour=Spent(600, 1.0)), SETTINGS, NOON)
    assert found == Wait("the account has made 600 calls within an hour", NOON + 60_000)
    assert used_up(Spent(599, 999.0), SETTINGS) == ""
    assert (
        used_up(Spent(599, 999.5), SETTINGS) == "the account has spent what it may within an hour"
    )


@pytest.mark.parametrize(
    ("outcome", "minutes"),
    [
        (CallOutcome.NO_ANSWER, 15),
        (CallOutcome.VOICEMAIL, 15),
        (CallOutcome.NO_STREAM, 15),
        (CallOutcome.BUSY, 120),
        (CallOutcome.DECLINED, 120),
    ],
)
def test_a_line_that_was_busy_or_declined_is_not_called_soon(outcome, minutes):
    gap = minutes * 60_000
    assert due_again_ms(outcome, SETTINGS, NOON, 0.5) == NOON + gap
    assert due_again_ms(outcome, SETTINGS, NOON, 0.0) == NOON + gap * 9 // 10
    assert due_again_ms(outcome, SETTINGS, NOON, 1.0) == NOON + gap * 11 // 10


def test_by_default_who_was_busy_is_called_once_more_in_time():
    """Whenever within its first hour the first call was over."""
    made = promise_of()
    again_ms = due_again_ms(CallOutcome.BUSY, SETTINGS, made.made_ms + 3_600_000, 1.0)
    assert again_ms < made.until_ms
