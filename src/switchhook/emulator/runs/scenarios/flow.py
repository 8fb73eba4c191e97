"""Scenarios whose flow is not the usual one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.plan.flow import Greeting, Passthru, Stream, SwitchCase, Voicebot
from switchhook.emulator.runs.scenarios.definition import Scenario
from switchhook.emulator.runs.scenarios.plans import BOT, usual_plan
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.scenarios.definition import Aim


def _two_streams(aim: Aim) -> Plan:
    again = Passthru(url=aim.passthru, a="second", b="people")
    return usual_plan(
        aim,
        applets={
            "first": Voicebot(url=f"{BOT}/bot?say=1", next="told-first"),
            "told-first": again,
            "second": Voicebot(url=f"{BOT}/bot?say=2", next="told"),
        },
        first="first",
    )


def _fork(aim: Aim) -> Plan:
    return usual_plan(
        aim,
        None,
        applets={
            "start": Stream(action="start", url=f"{BOT}/bot/silent", next="beside"),
            "beside": Passthru(url=aim.passthru, a="music", b="music"),
            "music": Greeting(seconds=8, next="stop"),
            "stop": Stream(action="stop", next="told"),
        },
        first="start",
    )


def _switchcase(aim: Aim) -> Plan:
    keyword = aim.select or "agent"
    return usual_plan(
        aim,
        applets={
            "told": Passthru(url=aim.passthru, a="switch", b="people"),
            "switch": SwitchCase(cases={keyword: "end"}, otherwise="people"),
        },
    )


def _async(aim: Aim) -> Plan:
    passthru = Passthru(url=aim.passthru, mode="async", next="people")
    return usual_plan(aim, applets={"told": passthru})


ROWS = (
    Scenario(
        name="async",
        summary="an async passthru: the flow does not wait; --passthru is an async endpoint",
        plan=_async,
        judged={"told": Cause.BOT_DONE},
        mode="async",
    ),
    Scenario(
        name="switchcase",
        summary='a SwitchCase follows; --passthru answers 200 and {"select": …}',
        plan=_switchcase,
        judged={"told": Cause.BOT_DONE},
        mode="select",
    ),
    Scenario(
        name="two-streams",
        summary="two streams in one call, each told",
        plan=_two_streams,
        judged={"told-first": Cause.BOT_DONE, "told": Cause.BOT_DONE},
    ),
    Scenario(
        name="stream-start-stop",
        summary="a unidirectional stream, told while it runs and after it was stopped",
        plan=_fork,
        judged={"beside": Cause.RUNNING, "told": Cause.ENDED_BY_SYSTEM},
    ),
)
