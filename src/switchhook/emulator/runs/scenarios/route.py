"""Scenarios of a pool behind a dynamic URL, of admission before the stream, and of a select.

They need more of the server under test than a passthru, take their time, and hold for any server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from switchhook.emulator.plan.flow import Passthru, SwitchCase, Voicebot
from switchhook.emulator.plan.plan import Agent, Foreign
from switchhook.emulator.runs import release_steps, route_steps
from switchhook.emulator.runs.scenarios.definition import Scenario
from switchhook.emulator.runs.scenarios.plans import ACCOUNT, AGENT, BOT, usual_plan
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.scenarios.definition import Aim

_SOON: dict[str, Any] = {"handshake_limit_s": 2.0, "retries": 0}
"""Streams that fail do so within seconds, or a trial would take an hour."""


def _pool(aim: Aim) -> Plan:
    bot = Voicebot(url=aim.voicebot, next="told")
    return _brisk(usual_plan(aim, applets={"bot": bot}, **_SOON))


def _brisk(plan: Plan) -> Plan:
    """Agents who are there at once: nobody waits for them to be tried."""
    return replace(plan, agent={AGENT: Agent(rings_s=0.2, talks_s=0.2)})


def _admitted(aim: Aim, streams: int, **more: Any) -> Plan:
    gate = Passthru(url=aim.admit, a="bot", b="people")
    bot = Voicebot(url=aim.voicebot or f"{BOT}/bot?after=8", next="told")
    plan = usual_plan(
        aim, applets={"gate": gate, "bot": bot}, first="gate", streams=streams, **_SOON
    )
    return replace(_brisk(plan), **more)


def _selected(aim: Aim) -> Plan:
    keyword = aim.select or "people"
    return usual_plan(
        aim,
        f"ws://{aim.refused}/media",
        applets={
            "told": Passthru(url=aim.passthru, a="switch", b="end"),
            "switch": SwitchCase(cases={keyword: "people"}, otherwise="end"),
        },
    )


ROWS = (
    Scenario(
        name="vendor-dies",
        summary="of a pool's bots one dies under its calls, and returns; --voicebot tells where to",
        plan=_pool,
        judged={},
        mode="route",
        needs=("voicebot",),
        drive=route_steps.vendor_fails("bot-dies"),
    ),
    Scenario(
        name="vendor-hangs",
        summary="of a pool's bots one hangs: silence, no handshake; then it is back",
        plan=_pool,
        judged={},
        mode="route",
        needs=("voicebot",),
        drive=route_steps.vendor_fails("bot-hangs"),
    ),
    Scenario(
        name="vendor-slow-handshake",
        summary="of a pool's bots one accepts after the time that it has; then it is back",
        plan=_pool,
        judged={},
        mode="route",
        needs=("voicebot",),
        drive=route_steps.vendor_fails("bot-slow-handshake", seconds=5.0),
    ),
    Scenario(
        name="pool-drains",
        summary="all of a pool's bots die: each caller is led to a person; then they are back",
        plan=_pool,
        judged={},
        mode="route",
        needs=("voicebot",),
        drive=route_steps.pool_drains,
    ),
    Scenario(
        name="release-harms",
        summary="a release sends some callers to a bot that drops them: it has to be taken back",
        plan=_pool,
        judged={},
        mode="route",
        needs=("voicebot",),
        drive=release_steps.release_harms,
    ),
    Scenario(
        name="release-is-well",
        summary="a release sends some callers to another bot that works: more have to get it",
        plan=_pool,
        judged={},
        mode="route",
        needs=("voicebot",),
        drive=release_steps.release_is_well,
    ),
    Scenario(
        name="burst-with-admission",
        summary="24 calls in 3 seconds where 8 streams are allowed, with --admit asked before",
        plan=lambda aim: _admitted(aim, 8),
        judged={},
        mode="route",
        needs=("admit", "api"),
        drive=route_steps.burst(24, over_s=3.0, least=7),
    ),
    Scenario(
        name="foreign-streams",
        summary="24 calls where 4 of 10 streams are taken by others, with --admit asked before",
        plan=lambda aim: _admitted(
            aim, 10, foreign=(Foreign(account=ACCOUNT, streams=4, lasts_s=36_000.0),)
        ),
        judged={},
        mode="route",
        needs=("admit", "api"),
        drive=route_steps.burst(24, over_s=3.0, least=3),
    ),
    Scenario(
        name="lost-passthru",
        summary="passthrus after streams are lost: the places of these come back all the same",
        plan=lambda aim: _admitted(aim, 6),
        judged={},
        mode="route",
        needs=("admit", "api"),
        drive=route_steps.lost_passthrus(6, least=4),
    ),
    Scenario(
        name="select-people",
        summary='the bot refuses; --passthru answers 200 and {"select": "people"} for a SwitchCase',
        plan=_selected,
        judged={"told": Cause.CONNECT_FAILED},
        mode="select",
        keyword="people",
    ),
)
