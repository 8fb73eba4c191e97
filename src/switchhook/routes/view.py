"""How pools and their members stand, as page, API, commands and alerts tell it. Pure values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.routes.breaker import Breaker, BreakerState, Change
from switchhook.routes.hands import words_of
from switchhook.routes.health import Evidence
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import (
    HandAct,
    HandSetting,
    MemberFacts,
    RoutingFacts,
    eligible_of,
    route,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.rules.bot_pool import Member, Pool

NOT_GIVEN = "not given"
"""The word of a member whose name leads into a network of our own."""
LIVES_MS = 30_000
"""For how long a view tells how things are."""


class MemberKnown(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one member beside its configuration and what people set.

    `facts` is what answer processes are told; `breaker` what it would be told where its pool's
    breaker is enabled; `given` calls of the last quarter of an hour, `live` those it has now.
    `settled` is whether enough was heard of it since the start.
    """

    facts: MemberFacts = MemberFacts()
    breaker: Breaker = Breaker()
    history: tuple[Change, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    given: int = 0
    live: int = 0
    days_left: int | None = None
    silent: int = 0
    shown: str = ""
    settled: bool = True


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """One member as it stands.

    `state` and `weight` are those in force, `hand` the ids of settings that made them so. `share`
    is what it gets of its weight by its health, `draw_share` what it gets of the pool's calls now,
    `given_share` what it got of the last quarter of an hour's, None where there was none. `word` is
    all of it in a word or two. `network` is that of our own which its name leads into: it is not
    given then. `settled` is false just after a start, while it is not known yet how it is.
    """

    name: str
    url: str
    state: MemberState
    weight: int
    configured_state: MemberState
    configured_weight: int
    limit: int | None
    hand: tuple[int, ...]
    share: float
    draw_share: float
    given_share: float | None
    given: int
    live: int
    breaker: Breaker
    history: tuple[Change, ...]
    evidence: tuple[Evidence, ...]
    days_left: int | None
    silent: int
    word: str
    network: str = ""
    settled: bool = True


class PoolView(msgspec.Struct, frozen=True, kw_only=True):
    """One pool as it stands.

    `to` is where its calls go by hand, `off` whether it is switched off, `degraded` whether all
    that could take its calls have failed, `empty` whether nobody can.
    """

    name: str
    members: tuple[MemberView, ...]
    sticky: bool
    enabled: bool
    to: str = ""
    off: bool = False
    degraded: bool = False
    empty: bool = False


class HandView(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in force, with its words."""

    setting: HandSetting
    words: str


class RoutesView(msgspec.Struct, frozen=True, kw_only=True):
    """All pools and all that people set, as it was at `made_ms` of Unix time.

    `counted_from_ms` is since when calls are counted, where a start did not read as far back as
    figures go; None else.
    """

    made_ms: int
    pools: tuple[PoolView, ...] = ()
    hands: tuple[HandView, ...] = ()
    counted_from_ms: int | None = None
    problem: str = ""

    def fresh(self, now_ms: int) -> bool:
        """Whether it tells how things are, and not how they were."""
        return abs(now_ms - self.made_ms) <= LIVES_MS

    def pool(self, name: str) -> PoolView | None:
        """The pool of that name."""
        return next((each for each in self.pools if each.name == name), None)


def fails(member: MemberView) -> bool:
    """Whether a member is out by its breaker, or would be where that may not act; or not given."""
    return member.breaker.state is BreakerState.OPEN or bool(member.network)


def gist_of(view: RoutesView) -> object:
    """What tells two views apart that people need to see anew: all but ages and times of probes."""
    return (
        view.hands,
        view.problem,
        [
            (pool.name, pool.to, pool.off, pool.degraded, pool.empty, *map(_gist, pool.members))
            for pool in view.pools
        ],
    )


def _gist(member: MemberView) -> object:
    return (
        *(member.name, member.word, member.weight, member.live, member.given),
        *(each.good for each in member.evidence),
    )


def hands_view(held: Sequence[HandSetting]) -> tuple[HandView, ...]:
    """Settings with their words."""
    return tuple(HandView(setting=each, words=words_of(each)) for each in held)


def pool_view(
    pool: Pool,
    held: Sequence[HandSetting],
    known: Mapping[str, MemberKnown],
    pools: Mapping[str, Pool],
    now_ms: int,
) -> PoolView:
    """How a pool stands; `known` of its members by name, `pools` are all by name."""
    facts = {name: each.facts for name, each in known.items()}
    eligible, _, degraded = eligible_of(pool, facts, held)
    total = sum(each.weight for each in eligible)
    draws = {each.member: each.weight / total for each in eligible} if total else {}
    given = sum(each.given for each in known.values())
    to = _to(pool.name, held, pools, now_ms)
    off = any(s.act is HandAct.OFF and s.pool == pool.name for s in held)
    unused = f"no calls: moved to {to}" if to else "no calls: off" if off else ""
    members = tuple(
        _member_view(
            each,
            [s for s in held if s.pool == pool.name and s.member == each.name],
            known.get(each.name, MemberKnown()),
            draws.get(each.name, 0.0),
            given,
            unused,
        )
        for each in pool.members
    )
    return PoolView(
        name=pool.name,
        members=members,
        sticky=pool.sticky,
        enabled=pool.breaker.enabled,
        to=to,
        off=off,
        degraded=degraded,
        empty=not eligible,
    )


def _to(pool: str, held: Sequence[HandSetting], pools: Mapping[str, Pool], now_ms: int) -> str:
    """Where a pool's calls end up by hand; empty where they stay."""
    found = route(pools, pool, "", RoutingFacts(hands=tuple(held)), now_ms)
    return found.pool if found.asked else ""


def _member_view(
    member: Member,
    hands: Sequence[HandSetting],
    known: MemberKnown,
    draw_share: float,
    given: int,
    unused: str,
) -> MemberView:
    """`unused` says why its pool gets no calls, by hand; empty where it does."""
    states = [each for each in hands if each.act is HandAct.STATE and each.state is not None]
    weights = [each for each in hands if each.act is HandAct.WEIGHT and each.weight is not None]
    state = (states[-1].state if states else None) or member.state
    said = weights[-1].weight if weights else None
    weight = member.weight if said is None else said
    return MemberView(
        name=member.name,
        url=known.shown or member.url,
        state=state,
        weight=weight,
        configured_state=member.state,
        configured_weight=member.weight,
        limit=member.limit,
        hand=tuple(each.id for each in (*states[-1:], *weights[-1:])),
        share=known.facts.share,
        draw_share=0.0 if unused else draw_share,
        given_share=known.given / given if given else None,
        given=known.given,
        live=known.live,
        breaker=known.breaker,
        history=known.history,
        evidence=known.evidence,
        days_left=known.days_left,
        silent=known.silent,
        word=_word(state, known, draw_share, unused),
        network=known.facts.network,
        settled=known.settled,
    )


def _word(state: MemberState, known: MemberKnown, draw_share: float, unused: str) -> str:
    if state is not MemberState.IN:
        return state.value
    if known.facts.network:
        return NOT_GIVEN
    if known.breaker.state is BreakerState.OPEN:
        # The last of a pool that failed gets calls all the same; so do all where it only reports.
        out = not draw_share and not known.facts.share
        return "out by its breaker" if out else "failing"
    if unused:
        return unused
    if known.breaker.state is BreakerState.HALF_OPEN and known.facts.share < 1:
        return f"coming back, {100 * known.facts.share:.0f} %"
    return "in"
