"""What is wrong with pools and members, in words: which fails, where its calls go, what mends it.

Pure. `reached` are the endpoints whose running rules send calls to a pool, by the pool; `canaries`
those whose canaries do, or did until they were taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import sentence
from switchhook.routes.breaker import BreakerState
from switchhook.routes.health import LEAST_SILENT, Source
from switchhook.routes.mending import Mend, command_of, mends, uncalled
from switchhook.routes.probe import not_given
from switchhook.routes.view import fails
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct
from switchhook.troubles.at_fault import AtFault, Canary
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import name_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchhook.routes.view import MemberView, PoolView, RoutesView

    Reached = Mapping[str, Sequence[str]]
    Canaries = Mapping[str, Canary]

_FAILS_CALLERS, _HELPED, _NOBODY_CALLS = 1, 2, 6


def has_calls(pool: PoolView, reached: Reached) -> bool:
    """Whether a pool had calls in a quarter of an hour, or may have where nobody could get them."""
    if pool.empty and pool.name in reached:
        return True
    return any(map(_has_calls, pool.members))


def _has_calls(member: MemberView) -> bool:
    ended = (each for each in member.evidence if each.source is Source.STREAMS)
    return bool(member.given or member.live) or any(each.good is not None for each in ended)


def at_fault(view: RoutesView, reached: Reached, canaries: Canaries) -> dict[str, AtFault]:
    """What fails of each bot that is a pool, should it fail, by the bot's name."""
    found, idle = mends(view, reached), uncalled(view, reached)
    return {
        pool.name: _of_idle(canaries.get(pool.name))
        if pool.name in idle
        else _at_fault(pool, found.get(pool.name), reached)
        for pool in view.pools
    }


def _of_idle(canary: Canary | None) -> AtFault:
    """Of a pool that no running rules send calls to."""
    if canary is None:
        return AtFault(instead="no rules send it calls")
    number, page = canary.number, f"/releases/{canary.number}"
    if canary.taken_back:
        said = f"release {number}, which sent it calls, was taken back"
        return AtFault(instead=said, page=page)
    return AtFault(
        todo=f"Only the canary of release {number} sends it calls; end that:"
        f" `switchhook release stop {number}`.",
        page=page,
    )


def _at_fault(pool: PoolView, mend: Mend | None, reached: Reached) -> AtFault:
    taking = [each for each in pool.members if each.state is MemberState.IN or _has_calls(each)]
    bad = [each for each in taking if fails(each)] or [each for each in taking if _went_bad(each)]
    some = len(bad) < len(taking)
    name = f"{pool.name}/{', '.join(each.name for each in bad)}"
    name = f"member{'s' * (len(bad) > 1)} {name}" if bad and some else ""
    instead = _instead(pool, bad if some else [])
    return AtFault(name=name, instead=instead, todo="" if instead else _todo(pool, mend, reached))


def _went_bad(member: MemberView) -> bool:
    return any(each.source is not Source.PROBE and each.good is False for each in member.evidence)


def _instead(pool: PoolView, bad: Sequence[MemberView]) -> str:
    """What becomes of the calls of those that fail beside others; empty where they fail on."""
    if pool.to:
        return f"its calls go to {pool.to}, by hand"
    if pool.off:
        return "its pool is switched off, by hand"
    others = [each.name for each in pool.members if each.draw_share > 0 and each not in bad]
    if not bad or not others or not all(each.draw_share == 0 or _returns(each) for each in bad):
        return ""
    back = next((each for each in bad if each.draw_share > 0), None)
    if back is not None:
        return f"its breaker lets it back in, with {back.share:.0%} of its weight"
    why = "it is not given" if bad[0].network else "its breaker has it out"
    if bad[0].state is not MemberState.IN:
        why = f"it is {bad[0].state.value}{', by hand' if bad[0].hand else ''}"
    return f"{why}, and its calls go to {', '.join(others)}"


def _returns(member: MemberView) -> bool:
    return member.breaker.state is BreakerState.HALF_OPEN and member.share < 1


def _todo(pool: PoolView, mend: Mend | None, reached: Reached) -> str:
    """The command that mends it, with its names."""
    if mend is not None:
        return f"{mend.words}: `{command_of(mend)}`."
    safe = [
        command_of(Mend(words="", act=HandAct.SAFE, pool=pool.name, endpoint=each))
        for each in reached.get(pool.name, ())
    ]
    if not safe:
        return ""
    return f"Nothing else can take its calls; send callers on: {', '.join(f'`{c}`' for c in safe)}."


# What alerts tell.


def pool_troubles(view: RoutesView, reached: Reached, canaries: Canaries) -> Iterable[Trouble]:
    """Each is told once an alert of its key fires."""
    found, idle = at_fault(view, reached, canaries), uncalled(view, reached)
    for pool in view.pools:
        of = found[pool.name]
        over = pool.name in idle and bool(of.instead)
        yield msgspec.structs.replace(_degraded(pool, of, reached), over=over)
        for member in pool.members:
            if fails(member):
                yield _out(pool, member, of)
            if member.silent >= LEAST_SILENT:
                yield _silent(pool, member)


def _degraded(pool: PoolView, of: AtFault, reached: Reached) -> Trouble:
    name, called = name_text(pool.name), has_calls(pool, reached)
    fail = f"all members of {name} fail" if len(pool.members) > 1 else f"{name} fails"
    what = f"no member of pool {name} is in" if pool.empty else fail
    failing = [name_text(each.name) for each in pool.members if fails(each)]
    why = next((_why(each) for each in pool.members if fails(each)), "")
    also = of.instead or ("" if called else "nobody called it in 15 min")
    return Trouble(
        level=Level.BAD if called and not of.instead else Level.WARN,
        order=_order(called=called, helped=bool(of.instead)),
        key=key_of("pool.degraded", (("pool", pool.name),)),
        hit=sum(each.given for each in pool.members),
        what=sentence("; ".join(filter(None, (f"{what}{why and f' ({why})'}", also)))),
        callers=_given(sum(each.given for each in pool.members)),
        fault=f"At fault: {name}/{', '.join(failing)}." if failing and not pool.empty else "",
        todo=of.todo,
        page=of.page or "/routes",
    )


def _out(pool: PoolView, member: MemberView, of: AtFault) -> Trouble:
    name, called = _name(pool, member), _has_calls(member)
    helped = bool(of.instead) and called
    also = of.instead if called else "nobody called it in 15 min"
    verb = "failed" if helped else "fails"
    return Trouble(
        level=Level.WARN,
        order=_order(called=called, helped=helped),
        key=key_of("member.out", (("member", member.name), ("pool", pool.name))),
        hit=member.given,
        what=sentence("; ".join(filter(None, (f"{name} {verb}: {_why(member)}", also)))),
        callers=_given(member.given),
        fault=f"At fault: {name}.",
        todo=of.todo or "Mend it: the page Routes says what streams, probe and bot tell.",
        page=of.page or "/routes",
    )


def _silent(pool: PoolView, member: MemberView) -> Trouble:
    name = _name(pool, member)
    out = Mend(words="", act=HandAct.STATE, pool=pool.name, member=member.name)
    acted = member.state is not MemberState.IN or pool.off or bool(pool.to)
    take_out = "" if acted else f"Take it out: `{command_of(out)}`, and look"
    return Trouble(
        level=Level.WARN if acted else Level.BAD,
        order=_order(called=True, helped=acted),
        over=acted,
        key=key_of("member.silent_calls", (("member", member.name), ("pool", pool.name))),
        hit=member.silent,
        what=sentence(f"{name} was connected and silent in {member.silent} calls of 15 min"),
        fault=f"At fault: {name}.",
        todo=f"{take_out or 'Look'} in its log: does its voice work?",
        page="/routes",
    )


def _name(pool: PoolView, member: MemberView) -> str:
    return f"member {name_text(pool.name)}/{name_text(member.name)}"


def _why(member: MemberView) -> str:
    return not_given(member.network) if member.network else member.breaker.why


def _order(*, called: bool, helped: bool) -> int:
    return _NOBODY_CALLS if not called else _HELPED if helped else _FAILS_CALLERS


def _given(count: int) -> str:
    calls = "1 call" if count == 1 else f"{count:,} calls"
    return f"It got {calls} in 15 min." if count else ""
