"""`switchhook emulate run`: one bad day against a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.emulate.beside import (
    ACCOUNT,
    ADMIT,
    LISTEN,
    VENDOR,
    VOICEBOT,
    beside_of,
)
from switchhook.cli.emulate.loop import run_loop
from switchhook.cli.emulate.options import (
    ALLOW,
    BOT,
    LIMIT,
    PASSTHRU,
    SEED,
    check_bot,
    check_limit,
    passthru_to_ask,
)
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.emulator.runs.scenario import Result
    from switchhook.emulator.runs.scenarios.definition import Scenario


def run(
    name: str | None = None,
    *,
    list_: Annotated[
        bool, Parameter(name="--list", negative="", help="Print the scenarios' names.")
    ] = False,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Run all that need no URL of their own.")
    ] = False,
    bot: BOT = None,
    passthru: PASSTHRU = None,
    voicebot: VOICEBOT = None,
    admit: ADMIT = None,
    vendor: VENDOR = None,
    listen: LISTEN = None,
    account: ACCOUNT = None,
    expect: Annotated[
        Literal["A", "B"] | None,
        Parameter(name="--expect", help="The option that is right, where the default is not."),
    ] = None,
    select: Annotated[
        str | None, Parameter(name="--select", help="The keyword by which the server leads on.")
    ] = None,
    limit: LIMIT = 5.0,
    seed: SEED = None,
    trace: Annotated[
        str | None, Parameter(name="--trace", help="A file that gets the traces (JSON Lines).")
    ] = None,
    real_time: Annotated[
        bool, Parameter(name="--real-time", negative="", help="Wait as long as a caller would.")
    ] = False,
    allow: ALLOW = None,
) -> int:
    """Play one bad day against a server or a bot, and tell the story.

    Ends with 0 when the server answered as the scenario expects, with 1 when not. With --bot that
    bot is called where the built-in one would be, and has to be reached and heard; a passthru is
    judged only where one is named.

    Parameters
    ----------
    name
        A scenario; --list prints them.
    """
    from switchhook.emulator.runs.rush_hour import RUSH_HOUR
    from switchhook.emulator.runs.scenario import perform

    if list_:
        return _list()
    if name == RUSH_HOUR and not all_:
        said = bot or passthru or voicebot or admit or vendor or listen or account
        return _rush_hour(seed, by_itself=not (said or expect or select or trace or allow))
    chosen = _chosen(name, all_=all_, own_bot=bot is not None)
    check_bot(bot)
    check_limit(limit)
    url = passthru_to_ask(passthru, bot)
    beside = beside_of(chosen[0], voicebot, admit, vendor, listen, account)

    async def main() -> list[Result]:
        results = []
        for scenario in chosen:
            result = await perform(
                scenario,
                url,
                bot=bot,
                seed=seed,
                allow=allow or (),
                expect=expect,
                select=select,
                limit_s=limit,
                beside=beside,
            )
            _tell(result, brief=all_)
            results.append(result)
        return results

    results = run_loop(main(), virtual=not real_time and _may_jump(chosen))
    if trace is not None:
        lines = (call.trace.lines() for result in results for call in result.calls)
        Path(trace).write_bytes(b"".join(lines))
    failed = sum(not result.passed for result in results)
    if all_:
        _sum_up(results, failed)
    return 1 if failed else 0


def _list() -> int:
    from switchhook.emulator.runs.rush_hour import RUSH_HOUR
    from switchhook.emulator.runs.scenarios import SCENARIOS

    for each in (*SCENARIOS, RUSH_HOUR):
        output.out.out(each, highlight=False)
    return 0


def _rush_hour(seed: int | None, *, by_itself: bool) -> int:
    """The one that starts a server of its own, in real time."""
    from switchhook.cli.emulate.rush_hour import rush_hour
    from switchhook.emulator.runs.rush_hour import RushHour

    if not by_itself:
        raise ConfigError(
            "a rush hour has a server, a bot and an account of its own",
            key="rush-hour",
            hint="leave out all options but --seed",
        )
    return rush_hour(RushHour(), seed=seed)


def _may_jump(chosen: list[Scenario]) -> bool:
    """Whether time may: a pool's breaker, and a server that polls, keep it at the world's pace."""
    return all(scenario.mode != "route" for scenario in chosen)


def _chosen(name: str | None, *, all_: bool, own_bot: bool) -> list[Scenario]:
    """The scenarios to play; of all, those that need no URL of their own, and suit the bot."""
    from switchhook.emulator.runs.own_bot import suits
    from switchhook.emulator.runs.scenarios import SCENARIOS

    if not all_:
        return [_scenario(name)]
    if name is not None:
        raise ConfigError(f"which: {name!r}, or all?", key="--all", hint="give one of the two")
    every = [each for each in SCENARIOS.values() if each.mode == "decide"]
    return [each for each in every if not own_bot or suits(each)]


def _sum_up(results: list[Result], failed: int) -> None:
    from switchhook.emulator.runs.scenario import by_kind

    for bad, line in by_kind(results):
        output.out.print(output.plain(line), style="bold red" if bad else "yellow")
    output.out.print(f"{len(results) - failed} passed, {failed} failed")


def _scenario(name: str | None) -> Scenario:
    from switchhook.emulator.runs.scenarios import SCENARIOS

    hint = "--list prints their names"
    if name is None:
        raise ConfigError("which scenario?", key="run", hint=hint)
    if name not in SCENARIOS:
        raise ConfigError(f"there is no scenario {name!r}", key="run", hint=hint)
    return SCENARIOS[name]


def _tell(result: Result, *, brief: bool) -> None:
    from switchhook.emulator.call.narration import tell_all
    from switchhook.emulator.runs.summary import Summary

    scenario = result.scenario
    mark, style = ("pass", "green") if result.passed else ("FAIL", "bold red")
    if not brief:
        output.out.print(f"{scenario.name}: {scenario.summary}", style="bold")
        for call in result.calls[:3]:
            for line in tell_all(call.trace.entries):
                output.out.print(output.plain(line))
        if len(result.calls) > 3:
            output.out.print(f"… and {len(result.calls) - 3} more calls")
            summary = Summary()
            for call in result.calls:
                summary.count(call)
            for line in summary.lines():
                output.out.print(output.plain(line))
    output.out.print(f"{mark} {scenario.name}", style=style)
    if brief:
        return
    for text in result.failures[:10]:
        output.out.print(f"  {output.plain(text)}", style=style)
    for text in result.notes:
        output.out.print(f"  note: {output.plain(text)}", style="yellow")
