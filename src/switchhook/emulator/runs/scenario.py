"""Performing a scenario: its calls, and whether the server under test answered as it should."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.bad_server import closed_port, make_bad_server, untrusted
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.urls import NO_PASSTHRU, host_of
from switchhook.emulator.plan.plan import with_keys
from switchhook.emulator.runs.client_steps import PEOPLE, Client
from switchhook.emulator.runs.own_bot import conduct, with_own_bot
from switchhook.emulator.runs.route_setup import (
    NOTHING_BESIDE,
    Beside,
    PlayedElsewhere,
    check_needs,
    serving_api,
    set_up,
)
from switchhook.emulator.runs.scenarios.definition import (
    OPTIONS,
    Aim,
    Scenario,
    no_decision,
    selected,
)
from switchhook.emulator.runs.scenarios.plans import BAD, BOT, EXOPHONE
from switchhook.emulator.stream.outcome import THROTTLED, cause_of
from switchhook.exotel.cause import Cause
from switchhook.exotel.times import IST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.trace import Entry
    from switchhook.emulator.net.asgi import ASGIApp
    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.scenarios.definition import Option


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a scenario: its calls, and everything that was not as expected, in words."""

    scenario: Scenario
    calls: list[Call]
    failures: list[str]
    notes: list[str]
    """What is allowed, and yet worth knowing."""

    @property
    def passed(self) -> bool:
        """Whether every answer was the expected one."""
        return not self.failures


async def perform(
    scenario: Scenario,
    passthru: str | None,
    *,
    bot: str | None = None,
    seed: int | None = None,
    allow: Iterable[str] = (),
    expect: Option | None = None,
    select: str | None = None,
    limit_s: float = 5.0,
    keep_media: bool = True,
    peers: Mapping[str, ASGIApp] | None = None,
    start: datetime | None = None,
    beside: Beside = NOTHING_BESIDE,
) -> Result:
    """Run a scenario's calls against the passthru URL of the server under test, in this loop.

    `bot` is called in the place of the built-in one, and judged too. `expect` replaces the option
    of exotel-platform G.1; `select` is the keyword that the server selects in the SwitchCase
    scenario; `limit_s` is how long a caller waits; `peers` are servers in this process, by host;
    `beside` is what it needs of the server beside its passthru.
    Raises ConfigError for a scenario that is about what the built-in bot says, or needs more.
    """
    check_needs(scenario, beside)
    clock = Clock(asyncio.get_running_loop(), start or datetime.now(IST))
    apps = _peers(peers)
    chance = Chance(seed)
    async with AsyncExitStack() as stack:
        plan = _with(bot, scenario.plan(await _aim(stack, passthru or NO_PASSTHRU, select, beside)))
        plan, bots = await set_up(stack, beside, plan)
        plan = with_keys(_patient(plan, limit_s), chance)
        exchange = _exchange(scenario, plan, clock, chance, allow, apps, keep_media)
        stack.push_async_callback(exchange.web.close)
        bots.meet(exchange.faults)
        async with serving_api(beside, exchange) as asked:
            client = Client(exchange, beside.account, asked, select or PEOPLE)
            problems = await _drive(scenario, client)
        await exchange.stop()
    own = None if bot is None else conduct([*exchange.calls.values()], bot, plan.fault)
    return _judged(scenario, exchange, problems, expect, select, passthru=passthru, own=own)


def _exchange(
    scenario: Scenario,
    plan: Plan,
    clock: Clock,
    chance: Chance,
    allow: Iterable[str],
    apps: Mapping[str, ASGIApp],
    keep_media: bool,
) -> Exchange:
    allow_list = AddressAllowList(allow)
    web = Web(allow_list, apps=apps, outside=clock.outside)
    bots = PlayedElsewhere(apps) if scenario.mode == "route" else apps
    dial = dialler(allow_list, apps=bots, outside=clock.outside)
    return Exchange(plan, clock=clock, chance=chance, web=web, dial=dial, keep_media=keep_media)


def _peers(peers: Mapping[str, ASGIApp] | None) -> Mapping[str, ASGIApp]:
    """The servers in this process, the built-in ones among them, by host."""
    bad = make_bad_server()
    apps = {host_of(BOT): make_bot(), host_of(BAD): bad, host_of(NO_PASSTHRU): bad}
    return apps | dict(peers or {})


def _with(bot: str | None, plan: Plan) -> Plan:
    return plan if bot is None else with_own_bot(plan, bot)


def _judged(
    scenario: Scenario,
    exchange: Exchange,
    problems: list[str],
    expect: Option | None,
    select: str | None,
    *,
    passthru: str | None,
    own: tuple[list[str], list[str]] | None,
) -> Result:
    """The server and the bot, as far as each is under test; `own` is what was said of the bot."""
    failures: list[str] = []
    notes: list[str] = []
    calls = [*exchange.calls.values()]
    if passthru is not None:
        own_bot = own is not None
        failures, notes = assess(scenario, calls, expect=expect, select=select, own_bot=own_bot)
    if own is not None:
        worse, more = own
        failures, notes = failures + worse, notes + more
    return Result(scenario=scenario, calls=calls, failures=failures + problems, notes=notes)


async def _aim(stack: AsyncExitStack, passthru: str, select: str | None, beside: Beside) -> Aim:
    """Where to aim; the bad peers are there until the stack is left."""
    host, port = stack.enter_context(closed_port())
    trustless = await stack.enter_async_context(untrusted())
    return Aim(
        passthru=passthru,
        refused=f"{host}:{port}",
        untrusted=f"localhost:{trustless.port}",
        select=select,
        voicebot=beside.voicebot,
        admit=beside.admit,
    )


async def _drive(scenario: Scenario, client: Client) -> list[str]:
    """Place the calls, or do what is done instead, to the end; gives what was wrong."""
    problems: list[str] = []
    exchange = client.exchange
    exchange.start_beside()
    if scenario.drive is not None:
        problems = await scenario.drive(client, EXOPHONE)
    else:
        for _ in range(scenario.calls):
            exchange.ring(EXOPHONE)
    await exchange.drain()
    return problems


def _patient(plan: Plan, limit_s: float) -> Plan:
    behaviour = {"passthru_limit_s": limit_s} | plan.behaviour
    return msgspec.structs.replace(plan, behaviour=behaviour)


def assess(
    scenario: Scenario,
    calls: list[Call],
    *,
    expect: Option | None = None,
    select: str | None = None,
    own_bot: bool = False,
) -> tuple[list[str], list[str]]:
    """What was not as expected, and what is worth knowing, in words.

    Of a bot of one's own it is not known beforehand how it ends its streams.
    """
    failures: list[str] = []
    notes: list[str] = []
    for applet, cause in scenario.judged.items():
        met = [(call, answer) for call in calls for answer in _answers(call, applet)]
        if len(met) != scenario.requests:
            failures.append(
                f"“{applet}”: {len(met)} requests were made where {scenario.requests} were due"
            )
        for call, answer in met:
            really = Cause.THROTTLED if _throttled(call) else cause
            really = cause_of(call.stream_outcome) if own_bot else really
            wanted = expect or OPTIONS[really]
            problem, note = _judge(scenario, answer, really, wanted, select)
            if problem:
                failures.append(f"“{applet}”, {really}: {problem}")
            if note:
                notes.append(note)
    throttled = sum(map(_throttled, calls))
    if scenario.least_failed and throttled != scenario.least_failed:
        failures.append(f"{throttled} calls were throttled where {scenario.least_failed} were due")
    warns = "" if own_bot else scenario.warns
    if warns and not any(warns in str(entry) for call in calls for entry in call.trace.entries):
        failures.append(f"nothing in the traces says {warns!r}")
    return failures, list(dict.fromkeys(notes))


def by_kind(results: Iterable[Result]) -> list[tuple[bool, str]]:
    """Failures and notes of many scenarios, each kind once with where it was met.

    True is for failures, which come first.
    """
    kinds: dict[tuple[bool, str], list[str]] = {}
    for result in results:
        for failed, texts in ((True, result.failures), (False, result.notes)):
            for text in texts:
                # "“told”, bot_done: the server answered …": what was answered is the kind.
                kind = text.partition(": ")[2] if text.startswith("“") else text
                names = kinds.setdefault((failed, kind), [])
                names += [result.scenario.name] if result.scenario.name not in names else []
    return [
        (failed, f"in {len(names)} of them: {kind} ({', '.join(names)})")
        for (failed, kind), names in sorted(kinds.items(), key=lambda x: (not x[0][0], -len(x[1])))
    ]


def _answers(call: Call, applet: str) -> list[Entry]:
    """How each request of an applet ended: `answer`, `no_answer` or `refused_to_dial`."""
    return [
        entry
        for entry in call.trace.entries
        if entry["what"] in ("answer", "no_answer", "refused_to_dial")
        and entry.get("applet") == applet
    ]


def _throttled(call: Call) -> bool:
    return call.stream_outcome is not None and call.stream_outcome.detailed_status == THROTTLED


def _judge(
    scenario: Scenario,
    answer: Entry,
    cause: Cause,
    wanted: Option | None,
    select: str | None,
) -> tuple[str, str]:
    """The problem with an answer, and a note on it; empty where there is none."""
    if answer["what"] != "answer":
        return f"no answer: {answer['text']}", ""
    status = answer["status"]
    if (why := no_decision(status)) is not None:
        return f"the server answered {status}: {why}", ""
    option = "A" if status == 200 else "B"
    note = ""
    if status not in (200, 302):
        note = f"{status} counts as Option B; 302 would say so plainly"
    if scenario.mode == "async":
        if status != 200:
            return f"the server answered {status} to an async passthru; 200 was due", note
        return "", note
    if scenario.mode == "select":
        if status != 200:
            return f"the server answered {status}; 200 with a keyword was due", note
        keyword = select or scenario.keyword
        if selected(answer["body"]) != keyword:
            return (
                f"the body {answer['body'][:80]!r} does not select {keyword!r};"
                f' {{"select": "{keyword}"}} was due',
                note,
            )
        return "", note
    if wanted is not None and option != wanted:
        right = "200" if wanted == "A" else "302"
        return f"the server answered {status}, Option {option}; {right} was due", note
    return "", note
