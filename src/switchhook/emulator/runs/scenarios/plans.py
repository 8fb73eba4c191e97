"""The plan that most scenarios place their calls on, and what varies it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.emulator.plan.flow import Connect, Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Act, Agent, Caller, Fault, Number, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.plan.flow import Applet
    from switchhook.emulator.runs.scenarios.definition import Aim

ACCOUNT = "exotelt"
EXOPHONE = "+918047112233"
AGENT = "+919111100001"
BOT = "wss://bot.example.com"
"""The built-in bot, called in this process."""
BAD = "https://bad.example.com"
"""The server that misbehaves, in this process too."""
TALK = "/bot?after=29"
"""The path at which the built-in bot talks for 29 seconds and ends it."""


def usual_plan(
    aim: Aim,
    bot: str | None = f"{BOT}/bot",
    *,
    applets: dict[str, Applet] | None = None,
    first: str = "bot",
    caller: Caller | None = None,
    faults: tuple[Fault, ...] = (),
    streams: int = 100,
    record: bool = False,
    **behaviour: Any,
) -> Plan:
    """Voicebot, passthru, then A to the end and B to a person: the flow of most rows."""
    usual: dict[str, Applet] = {
        "told": Passthru(url=aim.passthru, a="end", b="people"),
        "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
        "end": Hangup(),
    }
    if bot is not None:
        usual["bot"] = Voicebot(url=bot, record=record, next="told")
    return Plan(
        account={ACCOUNT: Account(streams=streams)},
        number={EXOPHONE: Number(account=ACCOUNT, flow="flow")},
        flow={"flow": Flow(first=first, applet=usual | (applets or {}))},
        caller={"caller": caller or Caller()},
        agent={AGENT: Agent(rings_s=2, talks_s=5)},
        fault=faults,
        behaviour=behaviour,
    )


def with_bot(path: str, **more: Any) -> Callable[[Aim], Plan]:
    """The same with the built-in bot at `path`, which says how it behaves."""
    return lambda aim: usual_plan(aim, f"{BOT}{path}", **more)


def fault(what: Any, **more: Any) -> tuple[Fault, ...]:
    """One fault, for a plan."""
    return (Fault(what=what, **more),)


def hangs_up(at: str, after_s: float) -> Caller:
    """A caller who hangs up `after_s` seconds into an applet."""
    return Caller(does=(Act(at=at, after_s=after_s, hangs_up=True),))
