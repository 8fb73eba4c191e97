"""Pools, members and settings as the commands print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.metrics import duration_text
from switchhook.routes.probe import not_given
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.routes.view import HandView, MemberView, PoolView, RoutesView


def print_pools(pools: Sequence[PoolView]) -> None:
    """A table of all members, and how their pools stand where that is not as usual."""
    if not pools:
        return
    output.print_table(
        ("POOL", "MEMBER", "STATE", "WEIGHT", "SHARE", "CALLS", "STREAMS", "ADDRESS"),
        (
            (
                pool.name,
                member.name,
                member.word,
                member.weight,
                f"{100 * member.draw_share:.0f} %",
                member.given,
                next((each.said for each in member.evidence), "–"),
                member.url,
            )
            for pool in pools
            for member in pool.members
        ),
    )
    for pool in pools:
        if said := standing(pool):
            output.out.print(f"pool {pool.name}{said}", style="yellow")
        for member in pool.members:
            if member.network:
                said = not_given(member.network)
                output.out.print(f"{pool.name}/{member.name}: {said}", style="yellow")


def print_counted(view: RoutesView) -> None:
    """Since when calls are counted, where figures lack some."""
    if view.counted_from_ms is not None:
        since = output.day_clock(time_of(view.counted_from_ms * 1000))
        output.out.print(f"calls are counted from {since}: a restart reads so far back")


def standing(pool: PoolView) -> str:
    """What is not as usual of a pool, after a colon; empty where nothing is."""
    said = [
        *([f"its calls go to {pool.to}"] if pool.to else []),
        *(["it is switched off"] if pool.off else []),
        *(["degraded: all its members have failed, and get calls"] if pool.degraded else []),
        *(["no member is in"] if pool.empty and not pool.off else []),
    ]
    return f": {'; '.join(said)}" if said else ""


def print_hands(hands: Sequence[HandView]) -> None:
    """A table of what people set, if anything."""
    if not hands:
        return
    output.out.print()
    output.print_table(
        ("ID", "SET BY HAND", "SINCE", "UNTIL", "BY", "REASON"),
        (
            (
                each.setting.id,
                each.words,
                output.day_clock(time_of(each.setting.since_ms * 1000)),
                "undone"
                if each.setting.until_ms is None
                else output.day_clock(time_of(each.setting.until_ms * 1000)),
                each.setting.by,
                each.setting.reason,
            )
            for each in hands
        ),
    )


def pairs(member: MemberView, now_ms: int, *, acts: bool) -> list[tuple[str, object]]:
    """All of a member, with the age of what each source told; `acts` is whether its breaker may."""

    def ago(at_ms: int | None) -> str:
        return "" if at_ms is None else f" ({duration_text(max(0, now_ms - at_ms) / 1000)} ago)"

    limit = "" if member.limit is None else f" of {member.limit}"
    return [
        ("address", member.url),
        ("state", member.state.value),
        ("weight", member.weight),
        ("share", f"{100 * member.draw_share:.0f} %"),
        ("has", f"{member.live}{limit} calls, {member.given} given in 15 min"),
        *((each.source.value, f"{each.said}{ago(each.at_ms)}") for each in member.evidence),
        *(
            ("breaker", f"{each.state.words(acts=acts)}: {each.why}{ago(each.at_ms)}")
            for each in member.history
        ),
    ]
