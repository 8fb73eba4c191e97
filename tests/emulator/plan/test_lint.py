"""What an expert says of flows (exotel-platform F.1-2, F.1-21, F.1-22)."""

from __future__ import annotations

import pytest

from switchhook.emulator.plan.flow import (
    Connect,
    Flow,
    Greeting,
    Hangup,
    Passthru,
    SwitchCase,
    Voicebot,
    Voicemail,
)
from switchhook.emulator.plan.lint import lint

URL = "https://me.example/passthru"
BOT = "wss://bot.example/media"
END = Hangup()
PEOPLE = Connect(numbers=("+919111100001",), answered="end", no_answer="end")


def flow(first="bot", **applets):
    usual = {
        "bot": Voicebot(url=BOT, next="told"),
        "told": Passthru(url=URL, a="end", b="people"),
        "people": PEOPLE,
        "end": END,
    }
    whole = usual | applets
    return Flow(first=first, applet={name: x for name, x in whole.items() if x is not None})


def test_a_good_flow_has_nothing_said_against_it():
    assert lint(flow()) == []


def test_a_passthru_that_asks_for_room_stands_before_the_stream():
    gate = Passthru(url=URL, a="bot", b="people")
    assert lint(flow(first="gate", gate=gate)) == []
    assert lint(flow(first="gate", gate=Passthru(url=URL, a="end", b="bot"))) == []


@pytest.mark.parametrize(
    "questionable, place, problem",
    [
        (
            flow(first="early", early=Passthru(url=URL, a="bot", b="bot", mode="sync")),
            "early",
            "comes before the stream",
        ),
        (flow(told=Passthru(url=URL, a="end")), "told.b", "nothing follows this output"),
        (flow(bot=Voicebot(url=BOT)), "bot.next", "nothing follows this output"),
        (
            flow(told=Passthru(url=URL, a="people", b="end")),
            "told.b",
            "Option A leads to people and Option B does not",
        ),
        (
            flow(told=Passthru(url=URL, a="end", b="end"), people=None),
            "told",
            "both outputs lead to the same applet",
        ),
        (flow(bot=Voicebot(url=URL, next="told")), "bot.url", "looks like a passthru's URL"),
        (flow(bot=Voicebot(url=BOT, next="end")), "bot.next", "nobody is told"),
        (flow(lost=Voicemail(next="end")), "lost", "no output leads here"),
        (
            flow(told=Passthru(url=URL, a="end", b="told")),
            "told",
            "leads back to itself with nothing between",
        ),
        (
            flow(told=Passthru(url=URL, a="end", b="case"), case=SwitchCase(cases={"x": "end"})),
            "case",
            "there is no body to choose by",
        ),
    ],
)
def test_what_is_questionable_is_said(questionable, place, problem):
    found = {(finding.place, finding.problem) for finding in lint(questionable)}
    assert any(at == place and problem in text for at, text in found), found


def test_a_loop_over_the_bot_is_fine():
    again = flow(
        told=Passthru(url=URL, a="bot", b="people"),
        people=PEOPLE,
        bot=Voicebot(url=BOT, next="told"),
    )
    assert not [x for x in lint(again) if "itself" in x.problem]


def test_a_greeting_before_an_async_passthru_is_fine():
    tale = flow(
        first="hello",
        hello=Greeting(next="bot"),
        told=Passthru(url=URL, mode="async", next="end"),
        people=None,
    )
    assert lint(tale) == []
