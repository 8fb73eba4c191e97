"""A bot with several members in words: which fails, and whether callers are well meanwhile."""

from __future__ import annotations

from ended_streams import ended, judged
from overview.test_verdict import NAMES, NOW, failed, well
from switchhook.troubles.at_fault import AtFault
from switchhook.troubles.trouble import Level, troubles_of


def told(at_fault):
    standings = judged(ended((well(3), failed(11, minutes_ago=0))), NAMES, NOW)
    (found,) = troubles_of(standings, NAMES, (), NOW, {"Sales": at_fault})
    return found


def test_the_member_that_fails_is_named_with_what_mends_it():
    found = told(AtFault(name="member Sales/vendor-a", todo="Take it out: `x`."))
    assert found.what == (
        "Member Sales/vendor-a fails: 11 of 11 streams of Sales; it refuses connections."
    )
    assert found.fault == "At fault: member Sales/vendor-a (a.example)."
    assert found.todo == "Start the bot, and check its port. Take it out: `x`."
    assert (found.level, found.bad) == (Level.BAD, True)


def test_where_its_calls_go_elsewhere_it_is_a_warning_in_the_past():
    found = told(AtFault(name="member Sales/vendor-a", instead="its calls go to vendor-b"))
    assert found.what == (
        "Member Sales/vendor-a failed: 11 of 11 streams of Sales; its calls go to vendor-b."
    )
    assert (found.level, found.bad, found.todo) == (
        Level.WARN,
        False,
        "Start the bot, and check its port.",
    )


def test_a_member_that_stays_out_is_told_so_while_the_others_do_well():
    at_fault = AtFault(name="member Sales/vendor-a", instead="its calls go to vendor-b")
    standings = judged(ended((failed(11, minutes_ago=2), well(6, minutes_ago=0))), NAMES, NOW)
    (found,) = troubles_of(standings, NAMES, (), NOW, {"Sales": at_fault})
    assert found.what.startswith(
        "Member Sales/vendor-a failed 11 of 11 streams of Sales (its calls go to vendor-b): last"
    )
    assert (found.over, found.level, found.order) == (True, Level.WARN, 2)
    assert found.todo == "Start the bot, and check its port."


def test_where_all_fail_it_is_the_bot():
    assert told(AtFault()).what.startswith("Bot Sales fails: 11 of 11 streams; it refuses")
