"""Load: bounded, counted, and compared with what was expected."""

from __future__ import annotations

import asyncio
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.emulator.addresses import Gate, RefusedError
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange import Exchange
from switchhook.emulator.flow import Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.link import dialler
from switchhook.emulator.load import (
    Histogram,
    LoadPlan,
    announce,
    check_targets,
    run_load,
    table,
    targets,
)
from switchhook.emulator.load_report import page
from switchhook.emulator.plan import Account, Caller, Number, Plan
from switchhook.emulator.web import Web

PLAN = Plan(
    account={"acme": Account(streams=12)},
    number={"+918047112233": Number(account="acme", flow="f")},
    flow={
        "f": Flow(
            first="b",
            applet={
                "b": Voicebot(url="wss://bot.example/bot?after=9", next="p"),
                "p": Passthru(url="https://server.example/p", a="e", b="e"),
                "e": Hangup(),
            },
        )
    },
    caller={"one": Caller()},
)


async def always_200(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def load(plan):
    seen = []

    async def main():
        apps = {"bot.example": make_bot(), "server.example": always_200}
        exchange = Exchange(
            PLAN,
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(Gate(), apps=apps),
            dial=dialler(Gate(), apps=apps),
            keep_media=False,
        )
        figures = await run_load(exchange, plan, on_progress=lambda f: seen.append(f.placed))
        assert not exchange.watchers
        return figures

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main()), seen


def test_calls_come_at_their_rate_and_are_all_counted():
    figures, seen = load(LoadPlan(calls=100, rate_s=1, for_s=60))
    assert figures.placed == figures.ended == 60
    assert 9 <= figures.most_at_once <= 10
    assert figures.outcomes == {"bot_done": 60}
    assert (figures.right, dict(figures.wrong)) == (60, {})
    assert figures.set_up.count == figures.passthru.count == figures.first_audio.count == 60
    assert figures.late.count == pytest.approx(60 * 9 * 50, rel=0.01)
    assert seen == sorted(seen)


def test_no_more_run_at_once_than_was_said():
    figures, _ = load(LoadPlan(calls=4, rate_s=5, for_s=30))
    assert figures.most_at_once == 4
    assert figures.placed == figures.ended


def test_what_is_not_as_expected_is_counted():
    figures, _ = load(LoadPlan(calls=100, rate_s=2, for_s=20))
    assert figures.outcomes["throttled"] > 0
    assert figures.wrong == {"throttled: Option A": figures.outcomes["throttled"]}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)


def test_the_page_holds_the_figures_and_nothing_from_elsewhere():
    plan = LoadPlan(calls=100, rate_s=2, for_s=20)
    figures, _ = load(plan)
    text = page(figures, plan)
    tags = Tags(text).seen
    assert tags.count("svg") == 4
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert "http" not in text
    assert "answers were not what was expected" in text
    for row in table(figures):
        assert escape(row[0]) in text


def test_it_says_what_it_will_do():
    said = " ".join(announce(LoadPlan(calls=500, rate_s=20, for_s=300), PLAN))
    assert "500 calls at once" in said
    assert "25,000 media messages a second" in said
    assert "bot.example, server.example" in said
    assert len(targets(PLAN)) == 2


def test_a_target_elsewhere_is_refused_before_the_first_call():
    with pytest.raises(RefusedError, match="--allow 192"):
        asyncio.run(check_targets(["http://127.0.0.1/", "http://192.0.2.1/p"], Gate()))
    asyncio.run(check_targets(["http://192.0.2.1/p"], Gate(["192.0.2.0/24"])))


@given(st.lists(st.floats(1e-6, 1e3), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_histogram_is_two_percent_exact(values, share):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    ordered = sorted(values)
    right = ordered[min(len(ordered), -int(-share * len(ordered) // 1)) - 1]
    assert right * 0.98 <= histogram.at(share) <= right * 1.021
    assert histogram.points()[-1][1] == 1.0
