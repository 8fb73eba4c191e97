"""What is said of alerts: first, much worse, resolved; and who may sleep."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.alerts.alert import AlertRule, AlertState, Comparison, Severity, evaluate
from switchhook.alerts.messages import (
    MOST_A_NIGHT,
    LastNotification,
    MessageKind,
    Quiet,
    Silence,
    messages,
)
from switchhook.metrics import Figure, duration_text, value_text
from switchhook.troubles.trouble import Level, Trouble

IST = ZoneInfo("Asia/Kolkata")
QUIET = Quiet((22 * 60, 7 * 60))
LOUD = Quiet()


def at(text):
    return int(datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=IST).timestamp() * 1000)


DAY, NIGHT, MORNING = at("25 14:00"), at("25 23:30"), at("26 07:00")


def alert(
    name="throttled",
    severity=Severity.WARNING,
    value=1.0,
    account="Main",
    state=AlertState.FIRING,
    topic="limit",
    acknowledged="",
):
    rule = AlertRule(
        name=name,
        title=f"It is {name}",
        figure="streams.throttled",
        comparison=Comparison.ABOVE,
        threshold=0,
        severity=severity,
        group_by=("account",),
        topic=topic,
        advice="mend it",
    )
    figure = Figure("streams.throttled", value, 0, (("account", account),))
    (found,) = evaluate([rule], [figure], {}, 0)
    return msgspec.structs.replace(found, state=state, acknowledged=acknowledged)


class Mouth:
    """Says what is to be said, and remembers."""

    def __init__(self, quiet=QUIET, silences=()):
        self.quiet, self.silences = quiet, silences
        self.spoken: dict[str, LastNotification] = {}
        self.said: list[tuple[MessageKind, str]] = []

    def tell(self, now, *alerts):
        found = messages(alerts, self.spoken, self.silences, self.quiet, now)
        for message, spoken in found:
            self.spoken[spoken.cause] = spoken
            self.said.append((message.say, message.cause))
        return [message for message, _ in found]

    @property
    def says(self):
        return [say.value for say, _ in self.said]


def test_a_cause_speaks_first_and_when_it_is_over_and_never_twice():
    mouth = Mouth()
    (first,) = mouth.tell(DAY, alert())
    assert first.title == "It is throttled (Main)"
    assert first.lines == ("It is throttled (Main): 1.", "What to do: mend it.")
    assert mouth.tell(DAY, alert()) == mouth.tell(DAY + 1, alert()) == []
    (over,) = mouth.tell(DAY + 600_000, alert(state=AlertState.RESOLVED))
    assert over.title == "It is throttled (Main): resolved"
    assert over.lines == ("It is over; it was last told of 10 min ago.",)
    assert mouth.tell(DAY + 600_001) == []


def test_what_is_known_in_words_is_what_is_said():
    trouble = Trouble(
        level=Level.BAD,
        order=1,
        what="27 callers found no free stream.",
        callers="27 callers hit.",
        went="They went to people.",
        fault="At fault: the limit.",
        todo="Ask Exotel.",
        tell="Asha",
        streams="cause:throttled",
        issue="ab",
        since_ms=DAY - 1,
    )
    told = alert()
    ((first, last),) = messages([told], {}, (), QUIET, DAY, {told.key: trouble})
    assert first.title == "27 callers found no free stream"
    assert first.lines == (
        "27 callers hit. They went to people.",
        "At fault: the limit.",
        "Ask Exotel.",
    )
    assert (first.tell, first.streams, first.issue) == ("Asha", "cause:throttled", "ab")
    assert first.since_ms == DAY - 1
    ((over, _),) = messages([], {last.cause: last}, (), QUIET, DAY + 1, {told.key: trouble})
    assert over.title == "27 callers found no free stream: resolved", "by the name that was heard"
    assert over.lines == ("It is over; it was last told of 0 s ago.",)


def test_pending_ones_say_nothing():
    assert Mouth().tell(DAY, alert(state=AlertState.PENDING)) == []


def test_alerts_of_one_cause_speak_with_one_voice():
    mouth = Mouth()
    (first,) = mouth.tell(DAY, alert(), alert("headroom-low"))
    assert len(first.alerts) == 2
    assert first.lines == ("It is headroom-low (Main): 1.", "What to do: mend it.")
    (worse,) = mouth.tell(DAY, alert(), alert("many-throttled", Severity.CRITICAL))
    assert (worse.say, worse.severity) == (MessageKind.WORSE, Severity.CRITICAL)
    assert worse.title == "It is many-throttled (Main): much worse"
    assert mouth.tell(DAY, alert(value=900)) == []
    assert mouth.tell(DAY, alert("headroom-low")) == []
    assert [m.say for m in mouth.tell(DAY)] == [MessageKind.RESOLVED]


def test_causes_differ_by_their_labels():
    mouth = Mouth()
    assert len(mouth.tell(DAY, alert(), alert(account="Other"))) == 2


@pytest.mark.parametrize(
    ("value", "acknowledged", "said"),
    [(2, "", []), (12, "", ["worse"]), (12, "asha", [])],
)
def test_it_speaks_again_only_when_much_worse_and_nobody_is_on_it(value, acknowledged, said):
    mouth = Mouth()
    mouth.tell(DAY, alert())
    found = mouth.tell(DAY, alert(value=value, acknowledged=acknowledged))
    assert [message.say.value for message in found] == said


def test_by_day_it_rests_after_it_was_resolved():
    mouth = Mouth()
    for minute, alerts in ((0, [alert()]), (5, []), (10, [alert()]), (35, [alert()]), (40, [])):
        mouth.tell(DAY + minute * 60_000, *alerts)
    assert mouth.says == ["first", "resolved", "first", "resolved"]


def test_quiet_hours_keep_all_but_what_is_critical_for_the_morning():
    mouth = Mouth()
    assert mouth.tell(NIGHT, alert()) == []
    down = alert("down", Severity.CRITICAL, topic="bot")
    assert len(mouth.tell(NIGHT, alert(), down)) == 1
    assert [m.cause for m in mouth.tell(MORNING, alert(), down)] == ["limit{account=Main}"]


def test_what_came_and_went_in_quiet_hours_is_not_said():
    mouth = Mouth()
    assert mouth.tell(NIGHT, alert()) == mouth.tell(MORNING) == []


def test_good_news_waits_for_the_morning_unless_it_woke_somebody():
    mouth = Mouth()
    mouth.tell(DAY, alert())
    assert mouth.tell(NIGHT) == []
    assert [m.say for m in mouth.tell(MORNING)] == [MessageKind.RESOLVED]
    mouth.tell(NIGHT, alert(severity=Severity.CRITICAL))
    assert [m.say for m in mouth.tell(NIGHT + 1)] == [MessageKind.RESOLVED]


def test_a_critical_cause_that_returns_in_the_same_night_is_the_third_and_last():
    mouth = Mouth()
    down = alert(severity=Severity.CRITICAL)
    for hour, alerts in ((0, [down]), (1, []), (2, [down]), (3, []), (4, [down])):
        mouth.tell(NIGHT + hour * 3_600_000, *alerts)
    assert mouth.says == ["first", "resolved", "first"]
    mouth.tell(MORNING)
    assert mouth.says[3:] == ["resolved"]


def silence(until=DAY + 1000, **matcher):
    return Silence(1, tuple(matcher.items()), 0, until, "maintenance", "asha")


@pytest.mark.parametrize(
    ("matcher", "muted"),
    [
        ({"rule": "throttled"}, True),
        ({"rule": "thr*", "account": "M*"}, True),
        ({"account": "Other"}, False),
        ({"bot": "Sales"}, False),
        ({}, True),
    ],
)
def test_a_silence_mutes_what_it_matches(matcher, muted):
    assert (Mouth(silences=[silence(**matcher)]).tell(DAY, alert()) == []) is muted


def test_a_silence_ends_and_keeps_back_no_good_news():
    mouth = Mouth(silences=[silence(rule="throttled")])
    assert mouth.tell(DAY, alert()) == []
    assert [m.say for m in mouth.tell(DAY + 1000, alert())] == [MessageKind.FIRST]
    mouth.silences = [silence(until=DAY + 5000, rule="throttled")]
    assert [m.say for m in mouth.tell(DAY + 2000)] == [MessageKind.RESOLVED]


@pytest.mark.parametrize(
    ("hours", "moment", "night"),
    [
        ((22 * 60, 7 * 60), "25 21:59", ""),
        ((22 * 60, 7 * 60), "25 22:00", "2026-11-25"),
        ((22 * 60, 7 * 60), "26 06:59", "2026-11-25"),
        ((22 * 60, 7 * 60), "26 07:00", ""),
        ((60, 300), "26 02:00", "2026-11-26"),
        ((60, 300), "26 05:00", ""),
        (None, "25 23:00", "2026-11-25"),
    ],
)
def test_nights(hours, moment, night):
    quiet = Quiet(hours)
    assert quiet.night(at(moment)) == night
    assert quiet.quiet(at(moment)) is (bool(night) and hours is not None)


worlds = st.lists(
    st.tuples(
        st.integers(0, 90),
        st.lists(
            st.builds(
                alert,
                st.sampled_from(["throttled", "headroom-low", "many-throttled"]),
                st.sampled_from(list(Severity)),
                st.sampled_from([1.0, 5.0, 50.0, 900.0]),
                st.sampled_from(["Main", "Other"]),
                st.sampled_from([AlertState.FIRING, AlertState.RESOLVED]),
            ),
            max_size=3,
            unique_by=lambda a: a.key,
        ),
    ),
    max_size=40,
)


@given(worlds, st.sampled_from([QUIET, LOUD]))
def test_never_more_than_three_in_a_night_and_what_was_said_is_resolved(world, quiet):
    mouth = Mouth(quiet)
    now = at("25 20:00")
    told: dict[tuple[str, str], int] = {}
    going: dict[str, bool] = {}
    for minutes, alerts in world:
        now += minutes * 60_000
        for message in mouth.tell(now, *alerts):
            night = quiet.night(now)
            told[message.cause, night] = told.get((message.cause, night), 0) + 1
            resolved = message.say is MessageKind.RESOLVED
            assert going.get(message.cause, False) is (message.say is not MessageKind.FIRST)
            going[message.cause] = not resolved
            if quiet.quiet(now):
                assert message.severity is Severity.CRITICAL
        assert mouth.tell(now, *alerts) == []
    assert all(count <= MOST_A_NIGHT for (_, night), count in told.items() if night)
    for message in mouth.tell(now + 24 * 3_600_000 if quiet.night(now) == "" else at("30 12:00")):
        going[message.cause] = False
    mouth.tell(at("30 13:00"))
    assert not any(last.open for last in mouth.spoken.values())


def test_words():
    assert [
        value_text(v, u) for v, u in ((0.8, "share"), (None, ""), (3, "count"), (1, "yes"))
    ] == [
        "80 %",
        "unknown",
        "3",
        "yes",
    ]
    assert [duration_text(s) for s in (40, 600, 7200, 200_000)] == [
        "40 s",
        "10 min",
        "2 h",
        "2 days",
    ]
