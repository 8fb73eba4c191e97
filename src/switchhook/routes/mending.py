"""The one press that mends a bot that fails: which it is, by how its pool and the others stand."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from switchhook.routes.view import fails
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct

if TYPE_CHECKING:
    from collections.abc import Container

    from switchhook.routes.view import PoolView, RoutesView


class Mend(msgspec.Struct, frozen=True, kw_only=True):
    """A press: its words, and what it sets by hand."""

    words: str
    act: HandAct
    pool: str
    to: str = ""
    member: str = ""
    endpoint: str = ""


def command_of(mend: Mend) -> str:
    """The command that does the same as the press."""
    match mend.act:
        case HandAct.MOVE:
            words: tuple[str, ...] = ("move", mend.pool, mend.to)
        case HandAct.SAFE:
            words = ("safe", mend.endpoint)
        case _:
            words = ("out", f"{mend.pool}/{mend.member}")
    return shlex.join(("switchhook", "route", *words, "--reason", "it fails"))


def uncalled(view: RoutesView, reached: Container[str]) -> set[str]:
    """The pools that no running rules and no hand send calls to: there are none to move.

    `reached` are the pools that running rules send calls to.
    """
    moved_to = {pool.to for pool in view.pools}
    return {each.name for each in view.pools if each.name not in reached} - moved_to


def mends(view: RoutesView, reached: Container[str]) -> dict[str, Mend]:
    """The press for each bot that is a pool, if there is one, by the bot's name.

    Where one member fails beside others that don't, and gets calls all the same, it is taken out.
    Where its breaker has it out already nothing is left to do. Else all calls are moved to the
    first other pool that is well. What only a canary calls is mended by ending the canary, and what
    nobody calls need not be.
    """
    idle = uncalled(view, reached)
    found = {pool.name: _mend(pool, view) for pool in view.pools if pool.name not in idle}
    return {name: mend for name, mend in found.items() if mend is not None}


def _mend(pool: PoolView, view: RoutesView) -> Mend | None:
    if pool.to or pool.off:
        return None  # somebody has acted
    used = [each for each in pool.members if each.state is MemberState.IN]
    failing = [each for each in used if fails(each)]
    gone = any(each.hand and each.state is not MemberState.IN for each in pool.members)
    if gone and used and not failing:
        return None  # somebody took out the one that failed
    if failing and len(failing) < len(used):
        worst = next((each for each in failing if each.draw_share > 0), None)
        if worst is None:
            return None
        words = f"Take {worst.name} out"
        return Mend(words=words, act=HandAct.STATE, pool=pool.name, member=worst.name)
    other = next((each for each in view.pools if each.name != pool.name and _is_well(each)), None)
    if other is None:
        return None
    words = f"Move its calls to {other.name}"
    return Mend(words=words, act=HandAct.MOVE, pool=pool.name, to=other.name)


def _is_well(pool: PoolView) -> bool:
    """Whether a pool can take another's calls."""
    acted = bool(pool.to or pool.off or pool.empty or pool.degraded)
    used = [each for each in pool.members if each.state is MemberState.IN]
    return not acted and any(not fails(each) for each in used)
