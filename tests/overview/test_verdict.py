"""The first line of every page, over many situations."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from ended_streams import ended, judged
from switchhook.alerts.alert import evaluate
from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.quiet import Silence
from switchhook.capacity.status import CapacityNow
from switchhook.exotel.times import MINUTE_MS
from switchhook.metrics import Figure
from switchhook.overview.known_troubles import Known, known_troubles
from switchhook.overview.machine_metrics import SeenMachine
from switchhook.overview.missing_metrics import Missing
from switchhook.overview.trouble import VerdictInput
from switchhook.overview.verdict import LONGEST, Press, State, verdict
from switchhook.streams.facet import Facet, Tally
from switchhook.streams.issues.issues import Fingerprint
from switchhook.streams.metrics import WrongSecrets
from switchhook.streams.names import Bot, NamedAccount, Names
from switchhook.streams.recent import attributed, recently
from switchhook.streams.search.syntax import parse_query
from switchhook.system.machine import Machine
from switchhook.troubles.judge import Judge, Outcome
from switchhook.troubles.outcomes import (
    TERMS,
    EndedStream,
    Measure,
    Subject,
    UsualTalk,
    outcomes,
)
from switchhook.troubles.trouble import ORDER_OVER, Level, Trouble
from switchhook.web.render import Renderer

NOW = 1_764_050_400_000
NAMES = Names(
    accounts=(NamedAccount("Main", "sid1"),),
    bots=(
        Bot("Sales", hosts=("a.example",), owner="Asha", contact="+1 555 0100"),
        Bot("Support", hosts=("b.example",)),
        Bot("Survey", hosts=("c.example",)),
    ),
    destinations={("sales", "B"): "the queue of people", ("sales", "A"): "the menu"},
    accounts_of={"sales": "Main"},
)


def machine(**said):
    asked = "answers" in said or "waiting" in said
    return SeenMachine(machine=Machine(asked=asked, **said), at_ms=NOW)


def told(cause, minutes_ago=1, streams=1, host="a.example", kind="", option="A", endpoint="sales"):
    at_ms = (NOW // MINUTE_MS - minutes_ago) * MINUTE_MS
    status = "failed" if cause in ("throttled", "connect_failed", "bot_dropped") else "completed"
    return Tally(at_ms, Facet(endpoint, status, cause, option, kind, host), streams)


def well(streams=10, minutes_ago=1, **more):
    return told("bot_done", minutes_ago, streams, **more)


def failed(streams, minutes_ago=1, kind="refused", option="B", **more):
    return told("connect_failed", minutes_ago, streams, kind=kind, option=option, **more)


def fresh(age_s=0):
    at_ms = NOW - age_s * 1000
    return (
        Figure("streams.count", 0.0, at_ms),
        Figure("answer.unreachable", 0.0, NOW),
        Figure("disk.free_share", 0.5, NOW),
        Figure("fold.stalled_s", 0.0, NOW),
        Figure("streams.failed_share", None, NOW, (("bot", "Sales"),), 0),
    )


def capacity(active=42, allowed=100, age_s=3.0, problem="", account="Main"):
    headroom = None if active is None or allowed is None else max(0, allowed - active)
    return CapacityNow(account, active, allowed, headroom, age_s, problem)


def see(
    *tallies,
    figures=None,
    of=None,
    alerts=(),
    known=(),
    silences=(),
    names=NAMES,
    last_ms=NOW - 1000,
    presses=None,
):
    return verdict(
        VerdictInput(
            figures=fresh() if figures is None else figures,
            capacity=(capacity(),) if of is None else of,
            standings=judged(ended(tallies), names, NOW),
            late=recently(attributed(tallies, names), NOW).late,
            alerts=alerts,
            silences=silences,
            known=known,
            names=names,
            last_ms=last_ms,
            presses=presses or {},
        ),
        NOW,
    )


def fires(rule, value=1.0, cases=None, **labels):
    (found,) = (each for each in DEFAULTS if each.name == rule)
    figure = Figure(found.figure, value, 0, tuple(labels.items()), cases)
    states = {}
    for now in (NOW - 600_000, NOW):
        for alert in evaluate([found], [figure], states, now):
            states[alert.key] = alert
    (alert,) = states.values()
    return alert


def test_all_is_well():
    state = see(well(312))
    assert state.level is Level.GOOD
    assert state.what == (
        "All well: 42 of 100 streams in use; 312 streams in 15 minutes, none failed."
    )
    assert (state.since_us, state.callers, state.went, state.fault, state.todo, state.stale) == (
        None,
        "",
        "",
        "",
        "",
        (),
    )


def refused(*, over):
    return Trouble(
        level=Level.WARN,
        order=ORDER_OVER if over else 3,
        over=over,
        key="admission.refused_now:main",
        what="Callers were refused." if over else "Callers are refused.",
    )


@pytest.mark.parametrize("over", [False, True])
def test_what_fails_callers_now_comes_before_refusals_that_the_rules_ask_for(over):
    alerts = [fires("refusals", account="main")]
    state = see(failed(9), alerts=alerts, known=(refused(over=over),))
    assert state.what.startswith("Bot Sales fails")
    assert state.more == (refused(over=over).what,)


def test_refusals_that_are_over_are_a_warning_whatever_the_alert_is():
    alert = msgspec.structs.replace(fires("refusals", account="main"), severity=Severity.CRITICAL)
    levels = [
        see(well(90), alerts=[alert], known=(refused(over=over),)).level for over in (True, False)
    ]
    assert levels == [Level.WARN, Level.BAD]


def test_refusals_that_ended_between_two_looks_are_not_told_in_the_present():
    state = see(well(90), alerts=[fires("refusals", account="main")])
    assert (state.level, state.more) == (Level.GOOD, ())


def test_a_few_failures_are_told_and_no_trouble():
    state = see(well(312), failed(2))
    assert (state.level, "314 streams in 15 minutes, 2 failed" in state.what) == (Level.GOOD, True)
    assert state.what.startswith("No alarm: ")


def test_at_night_nobody_calls_and_all_is_well():
    state = see(well(1, minutes_ago=170), last_ms=NOW - 3 * 3_600_000)
    assert state.level is Level.GOOD
    assert state.what == (
        "All well: 42 of 100 streams in use; nobody calls, the last stream came 3 h ago."
    )


def test_nothing_was_ever_received():
    state = see(last_ms=None)
    assert state.level is Level.UNKNOWN
    assert state.what == "Nothing received yet: no stream has been told of."
    assert "Passthru applet" in state.todo


def test_throttled_callers_and_where_they_went():
    full = capacity(active=100)
    state = see(
        well(40),
        told("throttled", 20, 2, option="B"),
        told("throttled", 1, 12, option="B"),
        of=(full,),
    )
    assert state.level is Level.BAD
    assert state.what == "14 callers found no free stream (100 of 100 in use now)."
    assert state.since_us == (NOW // MINUTE_MS - 20) * MINUTE_MS * 1000
    assert state.callers == "14 callers hit."
    assert state.went == "They went to the queue of people."
    assert state.fault == "At fault: the limit of account Main."
    assert "raise the limit" in state.todo


def test_the_first_throttled_caller_is_a_warning():
    state = see(well(40, 2), told("throttled", 1, 1, option="B"))
    assert (state.level, state.what) == (
        Level.WARN,
        "1 caller found no free stream (42 of 100 in use now).",
    )


def test_what_is_over_is_told_as_over_and_then_no_more():
    throttled = told("throttled", 8, 5, option="B")
    state = see(well(40), throttled)
    assert (state.level, state.what) == (
        Level.WARN,
        "5 callers found no free stream: last failure 7 min ago, 40 well since.",
    )
    assert state.todo == "", "somebody did it"
    assert see(well(40), well(40, 3), throttled).level is Level.GOOD
    state = see(failed(8, 4), well(40))
    assert state.what == ("Bot Sales failed 8 of 8 streams: last failure 3 min ago, 40 well since.")


def test_what_goes_on_is_told_before_what_is_over():
    state = see(failed(80, 4), well(40), told("caller_left_early", 1, 12, host="b.example"))
    assert state.what == (
        "Callers of bot Support leave early: 12 of 12 streams before it could speak."
    )
    assert state.more == (
        "Bot Sales failed 80 of 80 streams: last failure 3 min ago, 40 well since.",
    )


def test_a_bot_that_fails():
    state = see(well(30, 5), failed(8, 2))
    assert state.level is Level.BAD
    assert state.what == "Bot Sales fails: 8 of 8 streams; it refuses connections."
    assert state.callers == "8 callers hit."
    assert state.went == "They went to the queue of people."
    assert state.fault == "At fault: bot Sales (a.example)."
    assert state.todo == "Start the bot, and check its port."
    assert state.tell == "Tell Asha, +1 555 0100."


@pytest.mark.parametrize(
    ("kind", "what", "fault"),
    [
        ("tls", "TLS with it fails", "bot Sales"),
        ("timeout", "it does not answer in time", "the network, or bot Sales"),
        ("dns", "its name can't be looked up", "the DNS of bot Sales"),
        ("unreachable", "there is no route to it", "the network before bot Sales"),
        ("other", "fails: 5 of 5 streams.", "bot Sales"),
    ],
)
def test_whose_fault_it_is(kind, what, fault):
    state = see(failed(5, kind=kind))
    assert what in state.what
    assert state.fault == f"At fault: {fault} (a.example)."


def test_the_streams_that_were_hit_and_their_issue_are_a_click_away():
    state = see(failed(8, 4), failed(2, 3, kind="tls", host="A.EXAMPLE"), well(1))
    query = parse_query(state.streams, NOW)
    assert query.problems == ()
    assert [(each.key, each.values) for each in query.conditions] == [
        ("cause", ("bot_dropped", "connect_failed")),
        ("bot", ("Sales",)),
    ]
    assert query.since.ms * 1000 == state.since_us
    assert state.issue == Fingerprint("connect_failed", "refused", "a.example", "sales").id
    throttled = see(told("throttled", 1, 3, host=""))
    assert throttled.streams.startswith("cause:throttled endpoint:sales since:")
    assert throttled.issue == Fingerprint("throttled", "", "", "sales").id
    several = see(*(failed(5, kind="tls", host=f"{x}.example") for x in "abc"))
    assert "bot:Sales,Support,Survey" in several.streams
    assert see(told("ended_by_system", 2, 8)).streams.startswith("cause:ended_by_system")
    assert (see(well()).streams, see(well()).issue) == ("", "")


def test_a_bot_whose_name_says_that_it_is_one_is_called_so_once():
    names = Names(bots=(Bot("bookings bot", ("a.example", "b.example")),))
    state = see(failed(8), failed(1, host="b.example"), names=names)
    assert state.what.startswith("Bookings bot fails: 9 of 9 streams; it refuses connections")
    assert state.fault == "At fault: bookings bot (a.example, b.example)."


def test_a_bot_that_drops_talks_some_of_the_time_is_a_warning():
    state = see(well(40, 3), told("bot_dropped", 1, 8, option="B"), well(16))
    assert (state.level, state.what) == (
        Level.WARN,
        "Bot Sales fails: 8 of 22 streams; it drops talks.",
    )


def test_few_calls_at_night_say_it_too():
    state = see(failed(1, 150), failed(1, 90), failed(1, 40), last_ms=NOW - 40 * MINUTE_MS)
    assert state.level is Level.WARN
    assert state.what == (
        "Bot Sales fails: 3 of 3 streams; it refuses connections; no stream for 40 min."
    )


def test_one_bad_call_at_night_is_no_trouble():
    assert see(failed(1, 30), last_ms=NOW - 30 * MINUTE_MS).level is Level.GOOD


def test_callers_who_hang_up_early_say_nothing_of_whether_the_bot_fails():
    state = see(told("caller_left_early", 1, 50), failed(2))
    assert state.what == (
        "Callers of bot Sales leave early: 50 of 50 streams before it could speak."
    )
    assert (state.level, state.more) == (Level.BAD, ())
    assert state.tell == "Tell Asha, +1 555 0100."
    assert "bot:Sales" in state.streams


def test_callers_who_leave_no_host_are_found_by_their_endpoint():
    state = see(well(30, 5), told("caller_left_early", 1, 50, host=""))
    assert state.what.startswith("Callers of bot Sales leave early: 50 of 50 streams")
    assert "endpoint:sales" in state.streams
    assert "bot:" not in state.streams


def see_talks(*lengths, usual):
    """One bot's talks, a second apart, each of a caller of its own."""
    judges = {}
    for n, seconds in enumerate(lengths):
        facet = Facet("sales", "completed", "caller_left", "A", host="a.example")
        at_ms = NOW - 1000 * (len(lengths) - n)
        stream = EndedStream(at_ms, facet, caller=n, seconds=seconds)
        for subject, outcome in outcomes(stream, "Sales", NAMES, usual):
            judges.setdefault(subject, Judge(TERMS[subject.measure])).take(outcome)
    standings = {subject: judge.standing(NOW) for subject, judge in judges.items()}
    standings = {subject: each for subject, each in standings.items() if each is not None}
    seen = VerdictInput(
        figures=fresh(), capacity=(capacity(),), standings=standings, names=NAMES, last_ms=NOW
    )
    return verdict(seen, NOW)


def test_talks_that_are_much_shorter_than_usual():
    state = see_talks(*[60] * 20, *[8] * 14, usual=UsualTalk(22, 65))
    assert state.level is Level.BAD
    assert state.what == (
        "Talks with bot Sales are short: 14 of 14 streams lasted less than 22 s, where half last"
        " 65 s at this hour."
    )
    assert state.callers == "14 callers hit."
    assert state.fault == "At fault: bot Sales (a.example), if nobody changed what it says."
    assert state.todo == "Call it, and listen: does it speak, and does it understand?"
    assert state.tell == "Tell Asha, +1 555 0100."
    for part in ("cause:bot_done,caller_left", "bot:Sales", "duration:<22"):
        assert part in state.streams
    assert see_talks(*[60] * 20, *[8] * 2, usual=UsualTalk(22, 65)).level is Level.GOOD


def test_why_talks_are_short_is_not_told_twice():
    """Of a bot that hangs up at once, too, the rest of the talks are short."""
    leaves = Subject(Measure.BOT_LEAVES, "Sales")
    short = Subject(Measure.TALKS_SHORT, "Sales")
    judges = {subject: Judge(TERMS[subject.measure]) for subject in (leaves, short)}
    for judge in judges.values():
        for n in range(20):
            judge.take(Outcome(NOW - 20_000 + 1000 * n, True, n, (("host", "a.example"),)))
    standings = {subject: judge.standing(NOW) for subject, judge in judges.items()}
    seen = VerdictInput(
        figures=fresh(), capacity=(capacity(),), standings=standings, names=NAMES, last_ms=NOW
    )
    state = verdict(seen, NOW)
    assert state.what.startswith("Bot Sales hangs up at once")
    assert state.more == ()


def test_a_bot_without_a_name_goes_by_its_host():
    assert "Bot x.example fails" in see(failed(9, host="x.example")).what


def test_several_bots_that_can_not_be_reached_are_the_networks_fault():
    state = see(failed(5, kind="timeout"), failed(6, kind="dns", host="b.example"))
    assert state.level is Level.BAD
    assert state.what == "2 bots fail at once (Support, Sales): 11 of 11 streams."
    assert state.fault == "At fault: the network between Exotel and your bots."


def test_several_bots_that_go_well_again_are_told_as_one():
    state = see(
        failed(5, 3, kind="timeout"),
        failed(6, 3, kind="dns", host="b.example"),
        well(6),
        well(6, host="b.example"),
    )
    assert (state.level, state.more) == (Level.WARN, ())
    assert state.what.startswith("2 bots failed at once (Support, Sales): last failure")


def test_all_bots_that_meet_the_same_are_exotels_or_the_networks_fault():
    state = see(*(failed(5, kind="tls", host=f"{x}.example") for x in "abc"))
    assert state.fault == "At fault: Exotel or the network, as they all meet the same."


def test_two_bots_with_faults_of_their_own_are_two_troubles():
    state = see(failed(9), failed(9, kind="tls", host="b.example"))
    assert state.more == ("Bot Support fails: 9 of 9 streams; TLS with it fails.",)
    assert state.fault == "At fault: bot Sales (a.example)."


def test_streams_that_nobody_ended():
    state = see(well(40, 3), told("ended_by_system", 1, 8), well(4))
    assert (state.level, state.what) == (
        Level.WARN,
        "Neither caller nor bot ended 8 of 11 streams of bot Sales.",
    )
    assert "Exotel" in state.fault


def test_callers_went_several_ways():
    state = see(failed(9), failed(3, option="A"), failed(2, endpoint="other", option="B"))
    assert state.went == "They went: 9 to the queue of people, 3 to the menu, 2 elsewhere."
    assert see(failed(6, endpoint="other")).went == "They went to Option B of other."


def test_switchhook_itself_comes_first():
    state = see(failed(20), told("throttled", 1, 9), alerts=(fires("not-answering"),))
    assert state.what == "Switchhook does not answer callers."
    assert state.more == (
        "Bot Sales fails: 20 of 20 streams; it refuses connections.",
        "9 callers found no free stream (42 of 100 in use now).",
    )
    alerts = (fires("not-answering"), fires("disk-full", 0.01), fires("wrong-secrets", 5.0))
    assert see(failed(20), told("throttled", 1, 9), alerts=alerts).more[-1] == "2 more."
    assert state.fault == "At fault: Switchhook itself."
    assert state.since_us == (NOW - 600_000) * 1000
    assert state.todo.startswith("Start it again")


def test_other_alerts_in_their_own_words():
    state = see(well(), alerts=(fires("wrong-secrets", 5.0, endpoint="sales"),))
    assert state.level is Level.WARN
    assert state.what == "Requests that look like passthrus come with a wrong secret (sales)."
    assert state.fault == "At fault: the applet's URL."
    assert state.page == "/endpoints/refused"


def test_what_is_wrong_offers_the_press_that_mends_it():
    press = Press(words="Move its calls to Support", act="move", pool="Sales", to="Support")
    key = Subject(Measure.BOT_FAILS, "Sales").key
    assert see(failed(9), presses={key: press}).press == press
    assert see(failed(9), presses={"bot-fails:Support": press}).press is None
    assert see(well(), presses={key: press}).press is None


def test_pools_are_told_by_their_alerts_with_the_page_and_the_press():
    press = Press(words="Move its calls to Support", act="move", pool="Sales", to="Support")
    alert = fires("pool-degraded", 1.0, pool="Sales")
    state = see(well(), alerts=(alert,), presses={"pool.degraded:Sales": press})
    assert (state.level, state.page, state.press) == (Level.BAD, "/routes", press)
    assert state.what == "All members of a pool fail (Sales)."
    alert = fires("member-out", 1.0, member="a", pool="Sales")
    state = see(well(), alerts=(alert,), presses={"member.out:a,Sales": press})
    assert (state.level, state.what) == (Level.WARN, "A member of a pool fails (a, Sales).")
    assert state.press == press


def test_a_pool_is_not_told_beside_its_bot_nor_a_member_beside_its_pool():
    degraded, out = (
        fires("pool-degraded", 1.0, pool="Sales"),
        fires("member-out", 1.0, member="a", pool="Sales"),
    )
    assert see(failed(9), alerts=(degraded, out)).more == ()
    state = see(well(), alerts=(degraded, out))
    assert (state.what, state.more) == ("All members of a pool fail (Sales).", ())
    other = fires("pool-degraded", 1.0, pool="Other")
    assert see(failed(9), alerts=(other,)).more == ("All members of a pool fail (Other).",)


def test_an_alert_of_what_is_told_anyway_is_not_told_twice():
    alerts = (fires("bot-down", 2.0, bot="Sales"),)
    assert see(failed(9), alerts=alerts).more == ()


@pytest.mark.parametrize(
    ("changes", "silences", "said"),
    [
        ({"acknowledged": "asha"}, (), "asha is on it. "),
        (
            {},
            (Silence(1, (("rule", "bot-*"),), 0, NOW + 1, "we know", "ravi"),),
            "Silenced by ravi: we know. ",
        ),
        ({}, (Silence(1, (("bot", "Support"),), 0, NOW + 1, "we know", "ravi"),), ""),
        ({}, (Silence(1, (("rule", "bot-*"),), 0, NOW, "we know", "ravi"),), ""),
    ],
)
def test_what_somebody_has_in_hand_says_so_and_asks_nobody_else(changes, silences, said):
    alert = fires("bot-down", 2.0, bot="Sales")
    state = see(failed(20), alerts=[msgspec.structs.replace(alert, **changes)], silences=silences)
    assert state.level is (Level.WARN if said else Level.BAD)
    assert state.todo == f"{said}Start the bot, and check its port."


def test_an_alert_of_ourselves_in_hand_says_so_too():
    alert = fires("disk-full", 0.01)
    state = see(alerts=[msgspec.structs.replace(alert, acknowledged="asha")])
    assert state.level is Level.WARN
    assert state.todo.startswith("asha is on it. ")


@pytest.mark.parametrize(
    ("disk", "what", "todo"),
    [
        (
            machine(free_share=0.0, waiting=True),
            "Receipts wait in memory, as the data folder's disk is full.",
            "Make room on it, and restart nothing before.",
        ),
        (
            machine(free_share=0.5, waiting=True),
            "Receipts wait in memory, as the data folder's disk does not take them.",
            "See why it does not write, and restart nothing before.",
        ),
    ],
)
def test_receipts_that_wait_are_one_trouble(disk, what, todo):
    alerts = [fires("disk-full", 0.0), fires("receipts-waiting"), fires("missed-deadlines", 5.0)]
    assert len({alert.cause for alert in alerts}) == 1
    state = see(alerts=alerts, known=tuple(known_troubles(Known(machines=[disk]))))
    assert (state.level, state.what, state.todo, state.more) == (Level.BAD, what, todo, ())
    assert state.callers == ("Callers are answered all the same. A restart would lose what waits.")


def test_a_full_disk_that_keeps_callers_from_being_answered():
    alerts = [fires("disk-full", 0.0), fires("not-answering")]
    full = machine(free_share=0.0, answers=False)
    known = tuple(known_troubles(Known(machines=[full])))
    state = see(alerts=alerts, known=known)
    assert state.what == "Switchhook does not answer callers, and the data folder's disk is full."
    assert (state.fault, state.more) == ("At fault: Switchhook's disk.", ())
    assert "answered all the same" not in f"{state.callers} {state.todo}"


@pytest.mark.parametrize(
    ("free", "rule", "what"),
    [
        (0.02, "disk-full", "The data folder's disk is full: 2 % is free."),
        (0.08, "disk-low", "The data folder's disk is nearly full: 8 % is free."),
    ],
)
def test_a_disk_that_fills_up(free, rule, what):
    known = tuple(known_troubles(Known(machines=[machine(free_share=free)])))
    assert see(alerts=[fires(rule, free)], known=known).what == what
    assert see(known=known).level is Level.GOOD


def test_what_was_so_when_its_node_was_last_heard_of_says_when_that_was():
    labels = (("node", "mumbai-2"),)
    full = machine(free_share=0.02)
    known = tuple(known_troubles(Known(machines=[msgspec.structs.replace(full, node="mumbai-2")])))
    figures = [Figure("disk.free_share", 0.02, NOW, labels)]
    (alert,) = (each for each in evaluate(DEFAULTS, figures, {}, NOW) if each.firing)
    state = see(alerts=[alert], known=known)
    assert state.what == "The disk of node mumbai-2 is full: 2 % is free."
    assert state.callers.startswith("Callers are answered")
    away = msgspec.structs.replace(alert, unknown_ms=NOW - 600_000)
    state = see(alerts=[away], known=known)
    assert state.callers.startswith("So it was 10 min ago: its node is away since. Callers")


def test_what_is_damaged_on_a_node_is_told_by_its_alert():
    """Alone the parts say it themselves; the one that leads has no parts on the others."""
    figure = Figure("files.damaged", 1.0, NOW, (("node", "mumbai-2"),))
    (alert,) = evaluate(DEFAULTS, [figure], {}, NOW)
    assert "mumbai-2" in see(alerts=[alert]).what
    (alone,) = evaluate(DEFAULTS, [msgspec.structs.replace(figure, labels=())], {}, NOW)
    assert see(alerts=[alone]).level is Level.GOOD


def test_a_refused_file_is_told_in_full():
    said = (
        'rules of endpoint sales: rules.toml: rule "no talk", column 16: the expression ends too'
        " early; those of 2026-11-29 go on running"
    )
    known = tuple(known_troubles(Known(machines=[machine(refused=2, refusal=said)])))
    alert = fires("rules-refused", 2.0)
    state = see(alerts=[alert], known=known)
    assert state.level is Level.WARN
    assert state.what == (
        'Rules of endpoint sales: rules.toml: rule "no talk", column 16: the expression ends too'
        " early."
    )
    assert state.callers == "Those of 2026-11-29 go on running."
    assert state.went == "1 more: see `switchhook check`."
    assert state.since_us == alert.since_ms * 1000


def test_what_exotels_api_answered_is_told_with_what_to_do():
    problem = "api.exotel.com answered 401: check the API key, the token and the region"
    (known,) = known_troubles(Known(capacity=[capacity(problem=problem)]))
    state = see(alerts=[fires("polls-unreadable", 3.0, account="Main")], known=[known])
    assert state.what == (
        "Exotel's count of streams of account Main can't be read: api.exotel.com answered 401."
    )
    assert state.todo == "Check the API key, the token and the region."


def test_traffic_that_is_missing():
    known = tuple(known_troubles(Known(missing=(Missing("sales", NOW - 600_000, 30.0),))))
    alerts = (fires("no-traffic", 30.0, endpoint="sales"),)
    state = see(alerts=alerts, known=known)
    assert state.level is Level.WARN
    assert state.what == "No stream of sales since 11:20 IST, where 30 are usual by now."
    assert see(alerts=alerts).what == "No stream where there are usually some (sales)."


def test_wrong_secrets_are_told_once_with_how_many_and_what_to_do():
    known = tuple(known_troubles(Known(secrets={"sales": WrongSecrets(18, NOW - 60_000)})))
    some = fires("wrong-secrets", 18.0, endpoint="sales")
    state = see(alerts=[some], known=known)
    assert state.level is Level.WARN
    assert state.what == (
        "Callers of endpoint sales come with a wrong secret: 18 requests refused so far."
    )
    assert "`switchhook endpoint url sales`" in state.todo
    state = see(alerts=[some, fires("all-wrong-secrets", 1.0, 18, endpoint="sales")], known=known)
    assert (state.level, state.more) == (Level.BAD, ())
    assert state.what.startswith("Nearly all callers of endpoint sales")


def test_passthrus_that_stopped():
    known = tuple(known_troubles(Known(missing=(Missing("Main", NOW - 600_000, 64.2, 42),))))
    state = see(alerts=(fires("passthrus-stopped", 64.2, account="Main"),), known=known)
    assert state.level is Level.BAD
    assert state.what == (
        "No passthru of account Main since 11:20 IST, though streams run (42 now): 64 should have"
        " come."
    )
    assert state.fault == ("At fault: what stands between Exotel and the public port, or the flow.")


def test_a_new_kind_of_failure_is_information_only():
    assert see(well(), alerts=(fires("new-failure", 1.0, bot="Sales"),)).level is Level.GOOD


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"figures": fresh(90)}, "Unknown: the figure of streams is 90 s old."),
        ({"figures": fresh()[1:3]}, "Unknown: the figure of streams is not known."),
        (
            {"of": (capacity(age_s=90.0),)},
            "Unknown: the figure of streams in use of account Main is 90 s old.",
        ),
        (
            {"of": (capacity(None, None, None, "refused"),)},
            "Unknown: the figure of streams in use of account Main is not known: refused.",
        ),
        (
            {"figures": (*fresh(), Figure("receipts.waiting", 0.0, NOW - 3_600_000))},
            "Unknown: the figure of answering is 60 min old.",
        ),
        (
            {"figures": (*fresh(), Figure("disk.free_bytes", None, NOW))},
            "Unknown: the figure of the disk is not known.",
        ),
        (
            {"figures": fresh(90), "of": (capacity(age_s=90.0),)},
            "Unknown: the figure of streams is 90 s old, and 1 more.",
        ),
    ],
)
def test_all_well_is_said_only_while_every_figure_is_fresh(changes, said):
    state = see(well(), **changes)
    assert state.level is Level.UNKNOWN
    assert state.what == said
    assert state.stale


def test_a_bot_that_is_not_judged_for_now_is_not_unknown():
    """What goes well again, or is told of with others, has no level of its own for a while."""
    level = Figure("bot.failing", None, NOW, (("bot", "Sales"),), 0)
    assert see(well(), figures=(*fresh(), level)).level is Level.GOOD
    old = msgspec.structs.replace(level, at_ms=NOW - 90_000)
    assert (
        see(well(), figures=(*fresh(), old)).what == "Unknown: the figure of streams is 90 s old."
    )


def test_before_the_first_look_nothing_is_known():
    state = see(figures=())
    assert (state.level, state.what) == (
        Level.UNKNOWN,
        "Unknown: nothing has been looked at yet.",
    )


def test_of_the_limit_and_a_bot_the_one_that_hit_more_callers_is_told_first():
    few = see(failed(20), told("throttled", 1, 6))
    assert (few.what.startswith("Bot Sales fails"), len(few.more)) == (True, 1)
    assert see(failed(9), told("throttled", 1, 60)).what.startswith("60 callers found no free")


def test_of_two_bots_the_one_that_hit_more_callers_is_told_first():
    state = see(failed(5), failed(9, kind="tls", host="b.example"))
    assert state.what.startswith("Bot Support fails")


def test_a_trouble_outranks_what_is_not_known_and_both_are_told():
    state = see(failed(9), figures=fresh(90))
    assert state.level is Level.BAD
    assert state.stale == ("the figure of streams is 90 s old",)


def test_stale_figures_are_told_even_where_nothing_was_received():
    assert see(figures=fresh(90), last_ms=None).what.startswith("Unknown: the figure of streams")


def test_without_watched_accounts_it_says_what_it_knows():
    assert see(well(), of=()).what == "All well: 10 streams in 15 minutes, none failed."


def test_several_accounts_are_summed_up():
    state = see(well(), of=(capacity(), capacity(8, account="Two")))
    assert "50 streams in use in 2 accounts" in state.what


text = st.text(max_size=80)
causes = st.sampled_from(
    ["throttled", "connect_failed", "bot_dropped", "bot_done", "ended_by_system", "unknown"]
)
tallies = st.lists(
    st.builds(
        told,
        causes,
        st.integers(0, 179),
        st.integers(1, 50),
        host=text,
        kind=st.sampled_from(["", "refused", "timeout", "other"]),
        option=st.sampled_from(["A", "B", ""]),
        endpoint=text,
    ),
    max_size=20,
)


@given(tallies, st.sampled_from([0, 90]))
def test_it_is_always_one_short_sentence(tallies, age_s):
    state = see(*tallies, figures=fresh(age_s))
    assert 0 < len(state.what) <= LONGEST
    if state.level is Level.GOOD:
        assert not state.stale
        assert state.what.startswith(("All well", "No alarm"))
        assert bool(state.streams) == state.what.startswith("No alarm")
    else:
        assert not state.what.startswith(("All well", "No alarm"))
    assert msgspec.json.decode(msgspec.json.encode(state))["what"] == state.what
    assert parse_query(state.streams, NOW).problems == ()


@given(tallies)
def test_the_order_of_tallies_is_irrelevant(tallies):
    assert see(*tallies) == see(*tallies[::-1])


SOURCE = Path(verdict.__code__.co_filename).parents[1]
PAGES = {
    found[0] + re.sub(r"\{[a-z_]+\}", "9", found[1])
    for file in SOURCE.rglob("*.py")
    for found in re.findall(r'\bpage=f?"(/[a-z]+)([^"]*)"', file.read_text())
}


def test_every_page_that_shows_more_of_a_trouble_has_a_name():
    """A template that lacked one took every page of the console down, when it was needed most."""
    assert {"/releases/9", "/capacity", "/endpoints/refused"} <= PAGES
    names = {page: State(level=Level.BAD, what="It fails.", page=page).page_words for page in PAGES}
    assert "Look at it" not in names.values()


@pytest.mark.parametrize("page", [*sorted(PAGES), "", "/some/other"])
def test_every_verdict_can_be_shown(page):
    state = State(level=Level.BAD, what="It fails.", streams="", page=page)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    shown = Renderer(lambda: None).text(Request(scope), "verdict.html", {"verdict": state})
    assert "It fails." in shown
    assert (page != "") == ('data-way="page"' in shown)
