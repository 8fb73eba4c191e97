"""A bad day with somebody's own bot in the place of the built-in one, and how that bot bore it.

What the built-in bot does wrong on such a day (crash, refuse, accept late) is done here by a fault,
for the same is done to the other: its connection breaks, or it is not reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from switchhook.emulator.bot.script import BotScript, read_script
from switchhook.emulator.net.urls import NO_PASSTHRU, shown
from switchhook.emulator.plan.flow import Stream, Voicebot
from switchhook.emulator.plan.plan import Act, Fault
from switchhook.emulator.runs.scenarios.definition import Aim
from switchhook.emulator.runs.scenarios.plans import BOT
from switchhook.emulator.stream.violations import UNHEARD
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.trace import Entry
    from switchhook.emulator.plan.flow import Applet
    from switchhook.emulator.plan.plan import Caller, Plan
    from switchhook.emulator.runs.scenarios.definition import Scenario

_LEAVES_S = 20.0
_SPEAKS_WITHIN_S = 5.0
_CLEAN = (1000, 1001, 1005)
"""Close codes of a bot that meant it (exotel-platform C.9); 1005 is a close without a code."""
_STREAM_LIMIT_S = 20.0
"""The 60 minutes, where a bot outside keeps time at the world's pace."""


def with_own_bot(plan: Plan, bot: str) -> Plan:
    """The plan with that bot wherever the built-in one is called.

    Raises ConfigError for a day that is about what the built-in bot says.
    """
    faults: list[Fault] = list(plan.fault)
    flows = {}
    for name, flow in plan.flow.items():
        applets = {at: _aimed(at, applet, bot, faults) for at, applet in flow.applet.items()}
        flows[name] = msgspec.structs.replace(flow, applet=applets)
    return msgspec.structs.replace(
        plan,
        flow=flows,
        fault=tuple(faults),
        caller={name: _soon(caller) for name, caller in plan.caller.items()},
        behaviour={"stream_limit_s": _STREAM_LIMIT_S} | plan.behaviour,
    )


def suits(scenario: Scenario) -> bool:
    """Whether a day is also one for somebody's own bot."""
    try:
        with_own_bot(scenario.plan(Aim(passthru=NO_PASSTHRU)), "ws://127.0.0.1/")
    except ConfigError:
        return False
    return True


def _aimed(name: str, applet: Applet, bot: str, faults: list[Fault]) -> Applet:
    if not isinstance(applet, Voicebot | Stream):
        return applet
    inside = f"url={quote(BOT, safe='')}"
    if inside in applet.url:
        head, _, _ = applet.url.partition("url=")
        return msgspec.structs.replace(applet, url=f"{head}url={quote(bot, safe='')}")
    if not applet.url.startswith(BOT):
        return applet
    parts = urlsplit(applet.url)
    script = read_script(parts.path, dict(parse_qsl(parts.query)))
    assert isinstance(script, BotScript)
    faults += _faults(name, script)
    return msgspec.structs.replace(applet, url=bot)


def _faults(name: str, script: BotScript) -> list[Fault]:
    """What befalls the other bot where the built-in one would do it by itself."""
    if script.breach is not None:
        raise ConfigError(
            "this day is about what a bad bot says, so there is nothing in it for a bot of yours",
            key="--bot",
            hint="`emulate --bot` tells which rules yours breaks",
        )
    after = script.after or 0.0
    found = []
    if script.then == "crash":
        found.append(Fault(what="bot-crash", applet=name, seconds=after))
    elif script.code != 1000:
        found.append(Fault(what="bot-closes", applet=name, seconds=after, code=script.code))
    if script.fail_first:
        found.append(Fault(what="bot-refused-once", applet=name, count=script.fail_first))
    if script.reject is not None and not script.fail_first:
        found.append(Fault(what="bot-401", applet=name))
    if script.handshake:
        found.append(Fault(what="bot-slow-handshake", applet=name, seconds=script.handshake))
    return found


def _soon(caller: Caller) -> Caller:
    """One who says something, and leaves: a bot that waits for its caller would wait for long."""
    if caller.does:
        return caller
    does = (
        Act(after_s=2, says="Hello, I have a question about my order"),
        Act(after_s=_LEAVES_S, hangs_up=caller.patience_s <= 3600, says="Goodbye"),
    )
    return msgspec.structs.replace(caller, does=does)


def conduct(
    calls: Sequence[Call], bot: str, faults: Iterable[Fault] = ()
) -> tuple[list[str], list[str]]:
    """What was wrong with the bot on that day, and what is worth knowing of it, in words.

    `faults` are what was to befall it.
    """
    failures = [text for fault in faults for text in _not_befallen(calls, fault)]
    notes: list[str] = []
    for call in calls:
        failures += _not_reached(call, shown(bot))
        failures += _broken_off(call)
        for entry in call.trace.find("media"):
            if _talked(entry) and not call.trace.find("first_sound"):
                failures.append(f"the bot was not heard in {entry['seconds']:.0f} s")
        for entry in call.trace.find("breach"):
            text = f"{entry['rule']}: {entry['said']}; {entry['consequence']}"
            (failures if entry["rule"] in UNHEARD else notes).append(text)
    if not any(call.trace.find("dialled_bot") for call in calls) and not failures:
        notes.append(f"{shown(bot)} is not connected on this day")
    return list(dict.fromkeys(failures)), list(dict.fromkeys(notes))


def _not_befallen(calls: Iterable[Call], fault: Fault) -> Iterator[str]:
    """That no stream lasted until the fault, so that the day was not played."""
    if fault.what not in ("bot-crash", "bot-closes"):
        return
    lasted = [entry["seconds"] for call in calls for entry in call.trace.find("media")]
    if lasted and max(lasted) < fault.seconds:
        yield (
            f"{fault.what} did not strike: the stream was over after {max(lasted):.1f} s, and it"
            f" strikes after {fault.seconds:g} s; let the bot talk for longer"
        )


def _talked(entry: Entry) -> bool:
    """Whether a stream was long enough, and of the kind, for a bot to be heard."""
    return not entry.get("one_way") and entry["seconds"] > _SPEAKS_WITHIN_S


def _broken_off(call: Call) -> Iterator[str]:
    """Streams that the bot broke off by itself, where no fault of the plan's did it."""
    if any(entry["fault"].startswith("bot-") for entry in call.trace.find("fault")):
        return
    for entry in call.trace.find("bot_closed"):
        if entry["code"] not in _CLEAN:
            said = f": {entry['reason']}" if entry.get("reason") else ""
            yield f"the bot broke off its stream (close code {entry['code']}{said}): see its log"


def _not_reached(call: Call, bot: str) -> list[str]:
    """Its failed dials to the bot that were no fault of the plan's."""
    found, ours = [], False
    for entry in call.trace.entries:
        match entry["what"]:
            case "dial":
                ours = entry["url"] == bot
            case "fault" if entry["fault"].startswith("bot-"):
                ours = False
            case "dial_failed" if ours:
                found.append(f"not connected: {entry.get('advice') or entry['text']}")
    return found
