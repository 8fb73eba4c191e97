"""Figures of pools and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import Figure
from switchhook.routes.health import LEAST_SILENT
from switchhook.routes.health import Source as Teller
from switchhook.routes.pool_troubles import has_calls
from switchhook.routes.view import fails
from switchhook.rules.bot_pool import MemberState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.metrics import Source
    from switchhook.routes.view import MemberView, PoolView, RoutesView


def routes_figures(
    view: Callable[[], RoutesView], reached: Callable[[], Mapping[str, Sequence[str]]] = dict
) -> Source:
    """What is known of those members that should take calls; what nobody tells is left out.

    A pool without calls is not degraded, nor one whose calls a person sent elsewhere. `reached` are
    the endpoints that send calls to a pool. Just after a start, what is not known to go well is
    unknown: it may have failed all along.
    """

    def read(_now_ms: int) -> Iterable[Figure]:
        seen = view()
        for pool in seen.pools:
            used = [each for each in pool.members if each.state is MemberState.IN]
            failed = bool(used) and all(map(fails, used))
            bad = pool.degraded or failed or (pool.empty and not pool.off)
            may = bad or (bool(used) and all(map(_may_fail, used)))
            sent = bool(pool.to or pool.off)
            called = has_calls(pool, reached())
            value: float | None = float(bad and called and not sent)
            if may and not (value or sent) and (called or seen.counted_from_ms is not None):
                value = None
            yield Figure("pool.degraded", value, seen.made_ms, (("pool", pool.name),))
            for member in used:
                yield from _of(pool, member, seen)

    return read


def _may_fail(member: MemberView) -> bool:
    return fails(member) or not member.settled


def _of(pool: PoolView, member: MemberView, seen: RoutesView) -> Iterable[Figure]:
    labels, at_ms = (("pool", pool.name), ("member", member.name)), seen.made_ms
    out = float(fails(member)) if fails(member) or member.settled else None
    yield Figure("member.out", out, at_ms, labels)
    if member.days_left is not None:
        yield Figure("member.certificate_days", float(member.days_left), at_ms, labels)
    reports = (each for each in member.evidence if each.source is Teller.REPORTS)
    if any(each.at_ms is not None for each in reports):
        few = seen.counted_from_ms is not None and member.silent < LEAST_SILENT
        yield Figure("member.silent_calls", None if few else float(member.silent), at_ms, labels)
