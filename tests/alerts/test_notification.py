"""Who is told what of alerts: first, worse, resolved, to each destination; and who may sleep."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.alerts.alert import AlertState, evaluate
from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity
from switchhook.alerts.escalation import Policy
from switchhook.alerts.message import MessageKind, heard_of
from switchhook.alerts.notification import (
    MOST_A_NIGHT,
    LastNotification,
    NotificationSettings,
    Recipient,
    is_over,
    notifications,
)
from switchhook.alerts.quiet import OnCall, Quiet, Silence
from switchhook.metrics import Figure
from switchhook.troubles.trouble import Level, Trouble

IST = ZoneInfo("Asia/Kolkata")
OPS = (Recipient("ops"),)
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

    def __init__(self, quiet=QUIET, silences=(), recipients=OPS, policies=()):
        self.quiet, self.silences = quiet, silences
        self.recipients, self.policies = recipients, policies
        self.spoken: dict[tuple[str, str], LastNotification] = {}
        self.said: list[tuple[MessageKind, str, str]] = []

    def tell(self, now, *alerts, troubles=None):
        settings = NotificationSettings(
            recipients=self.recipients,
            policies=self.policies,
            quiet=self.quiet,
            silences=self.silences,
        )
        found = notifications(alerts, self.spoken, settings, now, troubles)
        for each in found:
            to = each.after.destination
            self.spoken[each.after.cause, to] = each.after
            self.said.append((each.message.say, each.message.cause, to))
        return [each.message for each in found]

    @property
    def says(self):
        return [say.value for say, _, _ in self.said]

    @property
    def heard(self):
        """What each heard, in order: `ops first`."""
        return [f"{to} {say.value}" for say, _, to in self.said]


def test_a_cause_speaks_first_and_when_it_is_over_and_never_twice():
    mouth = Mouth()
    (first,) = mouth.tell(DAY, alert())
    assert first.title == "It is throttled (Main)"
    assert first.lines == ("It is throttled (Main): 1.", "What to do: mend it.")
    assert mouth.tell(DAY, alert()) == mouth.tell(DAY + 1, alert()) == []
    (over,) = mouth.tell(DAY + 600_000, alert(state=AlertState.RESOLVED))
    assert over.title == "It is throttled (Main): resolved"
    assert over.lines == ("It is over; it was first told of 10 min ago.",)
    assert mouth.tell(DAY + 600_001) == []


def test_what_goes_well_again_calls_nobody_and_is_over_when_it_is():
    night = [Policy(name="night", steps=(("ops",), ("lead",)), wait_ms=60_000, repeat=3)]
    mouth = Mouth(recipients=(Recipient("ops"), Recipient("lead")), policies=night)
    failing = Trouble(level=Level.BAD, order=1, what="Bot Sales fails: 9 of 9 streams.")
    well = msgspec.structs.replace(failing, level=Level.WARN, over=True)
    key = alert().key
    mouth.tell(DAY, alert(), troubles={key: failing})
    mouth.tell(DAY + 300_000, alert(), troubles={key: well})
    assert mouth.heard == ["ops first"], "the lead is not woken for what goes well"
    mouth.tell(DAY + 301_000, alert(), troubles={key: failing})
    assert mouth.heard == ["ops first", "ops reminder", "lead first"]
    other = Mouth()
    assert other.tell(DAY, alert(), troubles={key: well}) == []


def test_a_message_is_over_once_another_of_its_cause_followed():
    mouth = Mouth()
    (first,) = mouth.tell(DAY, alert())
    assert not is_over(first, mouth.spoken[first.cause, "ops"])
    (over,) = mouth.tell(DAY + 1, alert(state=AlertState.RESOLVED))
    last = mouth.spoken[first.cause, "ops"]
    assert is_over(first, last)
    assert not is_over(over, last)


def test_what_was_true_of_a_moment_is_not_said_later():
    trouble = Trouble(
        level=Level.BAD, order=1, what="5 callers found no free stream (5 of 5 in use now)."
    )
    assert heard_of(alert(), trouble) == "5 callers found no free stream"


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
    mouth = Mouth()
    (first,) = mouth.tell(DAY, told, troubles={told.key: trouble})
    assert first.title == "27 callers found no free stream"
    assert first.lines == (
        "27 callers hit. They went to people.",
        "At fault: the limit.",
        "Ask Exotel.",
    )
    assert (first.tell, first.streams, first.issue) == ("Asha", "cause:throttled", "ab")
    assert first.since_ms == DAY - 1
    (over,) = mouth.tell(DAY + 1, troubles={told.key: trouble})
    assert over.title == "27 callers found no free stream: resolved", "by the name that was heard"
    assert over.lines == ("It is over; it was first told of 0 s ago.",)


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


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
DOWN = alert("down", CRITICAL, topic="limit")
MIN = 60_000
BOTH = (Recipient("ops", (WARNING, CRITICAL)), Recipient("pager", (CRITICAL,)))


def test_a_rise_is_heard_by_all_who_have_not_heard_of_it():
    mouth = Mouth(recipients=BOTH)
    mouth.tell(DAY, alert())
    assert mouth.heard == ["ops first"]
    (worse, first) = mouth.tell(DAY + 1, alert(), DOWN)
    assert mouth.heard[1:] == ["ops worse", "pager first"]
    assert (worse.severity, first.severity) == (CRITICAL, CRITICAL)
    assert first.title == "It is down (Main)"
    mouth.tell(DAY + 2)
    assert mouth.heard[3:] == ["ops resolved", "pager resolved"]


def test_a_rise_is_said_though_it_was_said_before_that_it_is_much_worse():
    mouth = Mouth()
    for at_ms, alerts in enumerate(([alert()], [alert(value=900)], [alert(value=900), DOWN])):
        mouth.tell(DAY + at_ms, *alerts)
    assert mouth.says == ["first", "worse", "worse"]


def test_a_rise_is_said_though_somebody_is_on_it():
    mouth = Mouth(recipients=BOTH)
    mouth.tell(DAY, alert())
    on_it = msgspec.structs.replace(DOWN, acknowledged="asha")
    mouth.tell(DAY + 1, alert(acknowledged="asha"), on_it)
    assert mouth.heard == ["ops first", "ops worse", "pager first"]


def test_who_hears_of_what_is_critical_only_is_told_when_it_is_no_longer():
    mouth = Mouth(recipients=BOTH)
    mouth.tell(DAY, alert(), DOWN)
    (less,) = mouth.tell(DAY + 10 * MIN, alert())
    assert mouth.heard == ["ops first", "pager first", "pager resolved"]
    assert less.title == "It is down (Main): no longer critical"
    assert less.lines == (
        "It goes on, but is no longer critical; it was first told of 10 min ago.",
    )
    mouth.tell(DAY + 60 * MIN, alert(), DOWN)
    assert mouth.heard[3:] == ["pager first"]


def test_what_comes_back_rests_longer_each_time():
    mouth, spoke = Mouth(quiet=LOUD), []
    for minute in range(8 * 60):  # it fails for two minutes, and is well for two
        fired = DAY + (minute - minute % 4) * MIN
        each = [msgspec.structs.replace(DOWN, fired_ms=fired)] if minute % 4 < 2 else []
        spoke += [minute for m in mouth.tell(DAY + minute * MIN, *each) if m.say.asks]
    gaps = [after - before for before, after in pairwise(spoke)]
    assert 30 <= gaps[0] <= 40
    assert 60 <= gaps[1] <= 70
    assert 120 <= gaps[2] <= 130


def test_what_comes_back_and_stays_is_said_soon():
    mouth = Mouth()
    mouth.tell(DAY, DOWN)
    mouth.tell(DAY + MIN)
    back = DAY + 2 * MIN
    again = msgspec.structs.replace(DOWN, fired_ms=back)
    assert mouth.tell(back + 4 * MIN, again) == []
    assert [m.say for m in mouth.tell(back + 5 * MIN, again)] == [MessageKind.FIRST]


def test_who_was_told_of_a_trouble_is_not_told_that_it_is_new():
    new = msgspec.structs.replace(
        alert("new", Severity.INFO, topic=""), inhibited_by="limit", topic=""
    )
    mouth = Mouth(recipients=(Recipient("ops"), Recipient("book", (Severity.INFO,))))
    mouth.tell(DAY, DOWN)
    mouth.tell(DAY + 10 * MIN, new)
    assert mouth.heard[1:] == ["ops resolved", "book first"]
    mouth.tell(DAY + 131 * MIN, new)
    assert mouth.heard[3:] == ["ops first"]


# Escalation.

ASHA, RAVI = Recipient("asha", (CRITICAL,)), Recipient("ravi", (CRITICAL,))
CHAIN = Policy(name="night", steps=(("asha",), ("ravi",)), wait_ms=10 * MIN, repeat=1)


def chain(recipients=(ASHA, RAVI), policies=(CHAIN,)):
    return Mouth(quiet=LOUD, recipients=recipients, policies=policies)


def test_the_next_is_told_while_nobody_is_on_it():
    mouth = chain()
    at_minute = {}
    for minute in range(90):
        for message in mouth.tell(DAY + minute * MIN, DOWN):
            at_minute[minute] = f"{mouth.said[-1][2]} {message.say.value}"
    assert at_minute == {
        0: "asha first",
        10: "ravi first",
        20: "asha reminder",
        30: "ravi reminder",
    }
    mouth.tell(DAY + 90 * MIN)
    assert mouth.heard[4:] == ["asha resolved", "ravi resolved"]


def test_who_is_on_it_ends_the_chain_and_those_who_were_woken_hear_of_it():
    mouth = chain((ASHA, RAVI, Recipient("book")))
    mouth.tell(DAY, DOWN)
    on_it = msgspec.structs.replace(DOWN, acknowledged="asha")
    (told,) = mouth.tell(DAY + MIN, on_it)
    assert told.title == "It is down (Main): asha is on it"
    for minute in range(2, 60):
        assert mouth.tell(DAY + minute * MIN, on_it) == []
    assert mouth.heard == ["asha first", "book first", "asha acknowledged"]


def test_who_is_not_on_call_is_passed_and_where_nobody_is_all_are_told():
    by_day = msgspec.structs.replace(ASHA, on_call=OnCall((9 * 60, 18 * 60)))
    mouth = chain((by_day, RAVI))
    mouth.tell(NIGHT, DOWN)
    assert mouth.heard == ["ravi first"]
    mouth = chain((by_day, msgspec.structs.replace(RAVI, on_call=by_day.on_call)))
    mouth.tell(NIGHT, DOWN)
    mouth.tell(NIGHT + 10 * MIN, DOWN)
    assert mouth.heard == ["asha first", "ravi first"]


def test_a_policy_takes_what_it_is_for_and_others_go_to_all():
    of_other = msgspec.structs.replace(CHAIN, match=(("account", "Oth*"),))
    mouth = chain(policies=(of_other,))
    mouth.tell(DAY, DOWN)
    assert mouth.heard == ["asha first", "ravi first"]
    mouth = chain(policies=(of_other,))
    mouth.tell(DAY, alert("down", CRITICAL, account="Other"))
    assert mouth.heard == ["asha first"]


def test_a_chain_begins_with_those_who_hear_of_the_severity():
    mouth = chain((ASHA, Recipient("ravi")))
    mouth.tell(DAY, alert())
    assert mouth.heard == ["ravi first"]
    mouth.tell(DAY + MIN, DOWN)
    assert mouth.heard[1:] == ["asha first", "ravi worse"]


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
    told: dict[tuple[str, Severity, str], int] = {}
    going: dict[str, bool] = {}
    for minutes, alerts in world:
        now += minutes * 60_000
        for message in mouth.tell(now, *alerts):
            night = quiet.night(now)
            key = (message.cause, message.severity, night)
            told[key] = told.get(key, 0) + 1
            resolved = message.say is MessageKind.RESOLVED
            assert going.get(message.cause, False) is (message.say is not MessageKind.FIRST)
            going[message.cause] = not resolved
            if quiet.quiet(now):
                assert message.severity is Severity.CRITICAL
        assert mouth.tell(now, *alerts) == []
    assert all(count <= MOST_A_NIGHT for (_, _, night), count in told.items() if night)
    for message in mouth.tell(now + 24 * 3_600_000 if quiet.night(now) == "" else at("30 12:00")):
        going[message.cause] = False
    mouth.tell(at("30 13:00"))
    assert not any(last.open for last in mouth.spoken.values())
