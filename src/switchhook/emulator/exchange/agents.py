"""Connect: the people whom an applet rings, all at once or one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.call.parameters import Dialled, DialledLeg
from switchhook.emulator.plan.numbers import same_number

if TYPE_CHECKING:
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.plan.flow import Connect
    from switchhook.emulator.plan.plan import Agent

_CAUSES = {
    "yes": ("16", "NORMAL_CLEARING"),
    "busy": ("17", "USER_BUSY"),
    "no-answer": ("1003", "RING_TIMEOUT"),
    "failed": ("38", "NETWORK_OUT_OF_ORDER"),
}


async def connect(call: Call, applet: Connect) -> Dialled:
    """Ring, and let them talk; how it ended."""
    began = call.clock.now()
    numbers = [same_number(number) for number in applet.numbers]
    agents = [(number, call.network.agent(number)) for number in numbers]
    ring = _ring_together if applet.order == "parallel" else _ring_in_turn
    reached, legs = await ring(call, agents, applet.ring_s)
    if reached is not None:
        call.trace.note("connected", number=legs[-1].number)
        talking = call.clock.now()
        await call.spend(reached.talks_s)
        talk_s = int(call.clock.now() - talking)
        legs[-1] = msgspec.structs.replace(legs[-1], talk_s=talk_s)
    dialled = _dialled(call, applet, legs, began, answered=reached is not None)
    call.trace.note("dialled", status=dialled.status, legs=len(legs))
    return dialled


async def _ring_in_turn(
    call: Call, agents: list[tuple[str, Agent]], ring_s: float
) -> tuple[Agent | None, list[DialledLeg]]:
    legs: list[DialledLeg] = []
    for number, agent in agents:
        call.trace.note("ring", number=number)
        there = await call.spend(min(agent.rings_s, ring_s))
        late = agent.answers == "yes" and agent.rings_s > ring_s
        met = "no-answer" if late else agent.answers
        if there and met == "yes":
            return agent, [*legs, _leg(number, parallel=False, met="yes")]
        legs.append(_leg(number, parallel=False, met=met if there else "no-answer"))
        if not there:
            break
    return None, legs


async def _ring_together(
    call: Call, agents: list[tuple[str, Agent]], ring_s: float
) -> tuple[Agent | None, list[DialledLeg]]:
    for number, _ in agents:
        call.trace.note("ring", number=number)
    willing = [
        (agent.rings_s, at)
        for at, (_, agent) in enumerate(agents)
        if agent.answers == "yes" and agent.rings_s <= ring_s
    ]
    soonest = min(willing, default=None)
    there = await call.spend(soonest[0] if soonest else ring_s)
    winner = soonest[1] if soonest and there else None
    legs = [
        _leg(number, parallel=True, met="no-answer" if agent.answers == "yes" else agent.answers)
        for at, (number, agent) in enumerate(agents)
        if at != winner
    ]
    if winner is None:
        return None, legs
    return agents[winner][1], [*legs, _leg(agents[winner][0], parallel=True, met="yes")]


def _dialled(
    call: Call, applet: Connect, legs: list[DialledLeg], began: float, *, answered: bool
) -> Dialled:
    """What passthrus tell of it from now on."""
    last = legs[-1].cause_code if legs else ""
    status = {"USER_BUSY": "busy", "NETWORK_OUT_OF_ORDER": "failed"}.get(last, "no-answer")
    call_type = "incomplete"
    if answered:
        status, call_type = "completed", "completed"
    elif call.gone.is_set():
        status, call_type = "canceled", "client-hangup"
    return Dialled(
        status=status,
        seconds=int(call.clock.now() - began),
        legs=tuple(legs),
        call_type=call_type,
        recording_url=call.recording_url() if applet.record and answered else None,
    )


def _leg(number: str, *, parallel: bool, met: str) -> DialledLeg:
    cause, code = _CAUSES[met]
    return DialledLeg(number=number, parallel=parallel, talk_s=0, cause=cause, cause_code=code)
