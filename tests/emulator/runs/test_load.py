"""Load: bounded, counted, and compared with what was expected."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList, RefusedError
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Caller, Fault, Number, Plan
from switchhook.emulator.runs.load import (
    Histogram,
    LoadPlan,
    announce,
    check_targets,
    options,
    run_load,
    table,
    targets,
)
from switchhook.emulator.runs.server import load_plan
from switchhook.errors import ConfigError

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


def always(status):
    async def server(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return server


ALWAYS_200 = always(200)


def load(how, plan=PLAN, *, server=ALWAYS_200, beside=0, on_progress=None):
    """Run a load under the virtual clock; `beside` calls are placed by somebody else before it."""
    seen = []

    async def main():
        apps = {"bot.example": make_bot(), "server.example": server}
        exchange = Exchange(
            plan,
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList(), apps=apps),
            dial=dialler(AddressAllowList(), apps=apps),
            keep_media=False,
        )
        for _ in range(beside):
            exchange.ring("+918047112233")
        try:
            tell = on_progress or (lambda f: seen.append((f.seconds, f.placed)))
            return await run_load(exchange, how, on_progress=tell)
        finally:
            assert not exchange.watchers._all
            assert exchange.streaming.frame_clock.on_late is None
            await exchange.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main()), seen


def faulty(**fault):
    return msgspec.structs.replace(PLAN, fault=(Fault(**fault),))


@pytest.mark.slow
def test_calls_come_at_their_rate_and_are_all_counted():
    figures, seen = load(LoadPlan(calls=100, rate_s=1, for_s=60))
    assert figures.placed == figures.ended == 60
    assert 9 <= figures.most_at_once <= 10
    assert figures.outcomes == {"bot_done": 60}
    assert (figures.right, dict(figures.wrong)) == (60, {})
    assert figures.set_up.count == figures.passthru.count == figures.first_audio.count == 60
    assert figures.late.count == pytest.approx(60 * 9 * 50, rel=0.01)
    assert seen == sorted(seen)
    assert all(0.2 < b[0] - a[0] < 0.3 for a, b in pairwise(seen))


def test_no_more_run_at_once_than_was_said():
    figures, _ = load(LoadPlan(calls=4, rate_s=5, for_s=30))
    assert figures.most_at_once == 4
    assert figures.placed == figures.ended
    assert figures.placed + figures.left_out == 150


def test_without_a_plan_some_talk_and_some_leave():
    plan = load_plan("wss://bot.example/bot", "https://server.example/p", calls=20)
    figures, _ = load(LoadPlan(calls=20, rate_s=2, for_s=10), plan)
    assert figures.outcomes.keys() == {"bot_done", "caller_left"}
    assert (figures.right, dict(figures.wrong)) == (20, {})


def test_calls_of_others_are_not_its_own():
    figures, _ = load(LoadPlan(calls=2, rate_s=1, for_s=2), beside=5)
    assert (figures.placed, figures.ended, figures.most_at_once) == (2, 2, 2)
    assert figures.outcomes == {"bot_done": 2}
    assert figures.passthru.count == 2


def test_it_tells_how_far_it_is_however_rarely_calls_come():
    _, seen = load(LoadPlan(calls=1, rate_s=0.05, for_s=30))
    assert len(seen) > 100


def test_what_is_not_as_expected_is_counted():
    figures, _ = load(LoadPlan(calls=100, rate_s=2, for_s=20))
    assert figures.outcomes["throttled"] > 0
    assert figures.wrong == {"throttled: Option A": figures.outcomes["throttled"]}


@pytest.mark.parametrize(
    ("status", "answered"),
    [(302, None), (418, None), (404, "status 404"), (500, "status 500"), (503, "status 503")],
)
def test_option_b_by_accident_is_no_decision(status, answered):
    """Even where B was due."""
    plan = msgspec.structs.replace(PLAN, account={"acme": Account(streams=0)})
    figures, _ = load(LoadPlan(calls=9, rate_s=2, for_s=4), plan, server=always(status))
    assert figures.outcomes == {"throttled": 8}
    assert figures.options == {("throttled", "B"): 8}
    assert figures.right == (0 if answered else 8)
    assert dict(figures.wrong) == ({f"throttled: {answered}": 8} if answered else {})


def test_no_answer_is_wrong_unless_the_emulator_kept_the_request_back():
    async def hangs(scope, receive, send):
        await asyncio.Event().wait()

    how = LoadPlan(calls=9, rate_s=1, for_s=3)
    figures, _ = load(how, server=hangs)
    assert figures.wrong == {"bot_done: no answer": 3}
    assert figures.problems == {"no answer: timeout": 3}
    figures, _ = load(how, faulty(what="passthru-lost"))
    assert (figures.right, dict(figures.wrong)) == (0, {})
    assert figures.options == {("bot_done", "B"): 3}


def test_setting_up_takes_from_the_first_dial_also_where_that_fails():
    how = LoadPlan(calls=9, rate_s=1, for_s=1)
    plain, _ = load(how)
    figures, _ = load(how, faulty(what="bot-refused-once", count=1))
    assert figures.problems == {"bot not reached: refused": 1}
    assert figures.set_up.count == 1
    assert figures.set_up.most > plain.set_up.most + 0.1


def test_what_stops_it_leaves_nothing_behind():
    class StopError(Exception):
        pass

    def stop(figures):
        raise StopError

    with pytest.raises(StopError):
        load(LoadPlan(calls=9, rate_s=1, for_s=3), on_progress=stop)


def test_a_plan_without_a_number_is_refused():
    with pytest.raises(ConfigError, match="no number"):
        load(LoadPlan(calls=1, rate_s=1, for_s=1), Plan())


@pytest.mark.slow
def test_outcomes_are_set_against_the_option_that_is_due():
    figures, _ = load(LoadPlan(calls=100, rate_s=2, for_s=20))
    done, throttled = figures.outcomes["bot_done"], figures.outcomes["throttled"]
    assert sorted(options(figures)) == [
        ("bot_done", str(done), "A", str(done), "0"),
        ("throttled", str(throttled), "B", str(throttled), "0"),
    ]


def test_the_table_has_a_row_for_what_was_not_measured_too():
    rows = table(load(LoadPlan(calls=1, rate_s=1, for_s=1), faulty(what="bot-refused"))[0])
    assert [row[0] for row in rows] == [
        "passthru answered",
        "stream set up",
        "bot's first audio",
        "frame lateness",
    ]
    assert rows[1][1:] == ("–", "–", "–", "–", "0")
    assert rows[0][-1] == "1"


def test_it_says_what_it_will_do():
    said = " ".join(announce(LoadPlan(calls=500, rate_s=20, for_s=300), PLAN))
    assert "500 calls at once" in said
    assert "25,000 media messages a second" in said
    assert "bot.example, server.example" in said
    assert len(targets(PLAN)) == 2


def test_a_target_elsewhere_is_refused_before_the_first_call():
    with pytest.raises(RefusedError, match="--allow 192"):
        asyncio.run(check_targets(["http://127.0.0.1/", "http://192.0.2.1/p"], AddressAllowList()))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://192.0.2.1/p", ["192.0.2.0/24"]),
        ("http://192.0.2.1:8443/p", ["192.0.2.1:8443"]),
        ("wss://192.0.2.1/p", ["192.0.2.1:443"]),
        ("ws://user:word@192.0.2.1/p", ["192.0.2.1"]),
        ("http://[::1]:1/", []),
        ("http://[::1/", []),  # leads nowhere: the calls will tell
        ("http://nowhere.invalid/", []),
    ],
)
def test_a_target_that_is_allowed_is_left_to_the_calls(url, allowed):
    asyncio.run(check_targets([url], AddressAllowList(allowed)))


def test_a_target_on_another_port_than_the_allowed_one_is_refused():
    with pytest.raises(RefusedError):
        asyncio.run(check_targets(["http://192.0.2.1:22/"], AddressAllowList(["192.0.2.1:8443"])))


@given(st.lists(st.floats(1e-6, 1e3), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_histogram_is_two_percent_exact(values, share):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    ordered = sorted(values)
    right = ordered[min(len(ordered), -int(-share * len(ordered) // 1)) - 1]
    assert right * 0.98 <= histogram.at(share) <= right * 1.021
    assert histogram.points()[-1][1] == 1.0


@given(st.lists(st.floats(1e-7, 1e3)), st.lists(st.floats(1e-7, 1e3)))
def test_merged_histograms_count_as_one(first, second):
    one, other, both = Histogram(), Histogram(), Histogram()
    for value in first:
        one.add(value)
        both.add(value)
    for value in second:
        other.add(value)
        both.add(value)
    one.merge(other)
    assert (one.count, one.most, one.points()) == (both.count, both.most, both.points())
    assert [one.at(share) for share in (0.5, 0.99, 1.0)] == [
        both.at(share) for share in (0.5, 0.99, 1.0)
    ]


def test_an_empty_histogram_has_no_quantile():
    assert (Histogram().at(0.5), Histogram().points()) == (None, [])


def test_a_histogram_stays_small():
    histogram = Histogram()
    for number in range(100_000):
        histogram.add(number / 1000)
    assert len(histogram.points()) < 1000
