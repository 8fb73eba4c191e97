"""Which pool and member a call goes to, from the rules' choice and what is known: pure.

What a person set stands above the rules, then comes what is known of the members' health, then the
configuration. A pool never runs dry by health alone: where every member that a person and the
configuration leave in has failed, all of them are drawn among, and the pool is degraded. Whose
name leads into a network of our own is never drawn among.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.rules.bot_pool import Eligible, MemberState, draw
from switchhook.rules.flags import FlagSetting
from switchhook.rules.rollout import Rollout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.rules.bot_pool import Member, Pool


class HandAct(StrEnum):
    """What a person can set by hand."""

    MOVE = "move"
    """All calls of `pool` go to the pool `to`."""
    STATE = "state"
    """The member `member` of `pool` has `state`."""
    WEIGHT = "weight"
    """The member `member` of `pool` has `weight`."""
    OFF = "off"
    """`pool` answers no address."""
    SAFE = "safe"
    """All callers of `endpoint` get its safe option (a voicebot endpoint: its fallback)."""


class HandSetting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person set, above rules and releases until it ends. Times in ms of Unix time."""

    id: int
    act: HandAct
    pool: str = ""
    member: str = ""
    to: str = ""
    state: MemberState | None = None
    weight: int | None = None
    endpoint: str = ""
    by: str = ""
    reason: str = ""
    since_ms: int = 0
    until_ms: int | None = None

    def holds(self, now_ms: int) -> bool:
        """Whether it is in force; its end is not."""
        return self.until_ms is None or now_ms < self.until_ms


class MemberFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a member's health and load.

    `share` 0 to 1 is what the breaker lets it have of its weight; `room` how many streams it can
    still take up to its limit beyond those that were sent to it up to the journal's number
    `through_seq`, None where it has none; that is a part of it where `nodes` share it. `network` is
    that of our own which its name leads into without leave, in words, empty where it does not:
    nobody is then given it, whatever is set.
    """

    share: float = 1.0
    room: int | None = None
    through_seq: int = 0
    nodes: int = 1
    network: str = ""


class AdmissionBudget(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many streams one answer process may admit for an account until the next version.

    `room` is what may be admitted beyond those admitted up to the journal's number `through_seq`
    of that process; of a class it is lessened by its reserve, `reserves` by class. `unknown` says
    why nothing is known, in words; then the safe option applies.
    """

    room: int
    through_seq: int = 0
    reserves: dict[str, int] = {}
    unknown: str = ""


class RoutingFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the answer process knows beside the accounts: what people set, members by pool, budgets.

    `hands` and `flags` (by name) stay in force by themselves, and so does a member's `network`;
    else `members` run out 60 s and `budgets` (by account) 5 s after they were told. `rollouts` (by
    subject) run out 300 s after the moment up to which the console had followed the journal: one
    that nobody watches goes back to the running release.
    """

    hands: tuple[HandSetting, ...] = ()
    members: dict[str, dict[str, MemberFacts]] = {}
    budgets: dict[str, AdmissionBudget] = {}
    flags: dict[str, FlagSetting] = {}
    rollouts: dict[str, Rollout] = {}

    def lasting(self) -> RoutingFacts:
        """What holds by itself: settings, and whose name leads into a network of our own."""
        members = lasting_members(self.members)
        return RoutingFacts(hands=self.hands, members=members, flags=self.flags)


def by_other_limits(
    facts: RoutingFacts, now: Mapping[str, Pool], then: Mapping[str, Pool]
) -> RoutingFacts:
    """The facts with the members' room as the limits of the pools `now` leave it.

    They were reckoned by those of `then`. Of a member that had no limit then no room is known, so
    that it has none to keep to.
    """
    changed: dict[str, dict[str, MemberFacts]] = {}
    for name, members in facts.members.items():
        limits, before = _limits(now.get(name)), _limits(then.get(name))
        if limits != before:
            changed[name] = {
                each: msgspec.structs.replace(
                    known, room=_room(known, before.get(each), limits.get(each))
                )
                for each, known in members.items()
            }
    return msgspec.structs.replace(facts, members={**facts.members, **changed})


def _limits(pool: Pool | None) -> dict[str, int | None]:
    return {} if pool is None else {each.name: each.limit for each in pool.members}


def _room(known: MemberFacts, before: int | None, limit: int | None) -> int | None:
    if known.room is None or before is None or limit is None:
        return None
    return known.room + (limit - before) // known.nodes


def lasting_members(
    members: Mapping[str, Mapping[str, MemberFacts]],
) -> dict[str, dict[str, MemberFacts]]:
    """Of what is known of members that which does not run out: who must not be given."""
    kept = {
        pool: {name: MemberFacts(network=each.network) for name, each in of.items() if each.network}
        for pool, of in members.items()
    }
    return {pool: of for pool, of in kept.items() if of}


NOTHING_KNOWN = RoutingFacts()


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a call goes, and everything that this rests on, so that it can be drawn again.

    `member` is None where nobody could take it; `problem` says why, in words. `key` is what was
    drawn by; `asked` the pool that the rules chose where a person moved its calls to `pool`;
    `hands` the settings that counted; `degraded` whether all its members had failed; `off` whether
    a person switched the pool off; `withheld` whose name leads into a network of our own.
    """

    pool: str
    key: str
    member: str | None = None
    eligible: tuple[Eligible, ...] = ()
    asked: str = ""
    hands: tuple[int, ...] = ()
    degraded: bool = False
    off: bool = False
    withheld: tuple[str, ...] = ()
    problem: str = ""


def route(
    pools: Mapping[str, Pool], asked: str, key: str, facts: RoutingFacts, now_ms: int
) -> Route:
    """Draw the member of the pool `asked` that takes the call of `key`; never raises."""
    return drawn(standing(pools, asked, facts, now_ms), key)


def drawn(stands: Route, key: str) -> Route:
    """Draw the member that takes the call of `key` from how a pool stands."""
    return msgspec.structs.replace(stands, key=key, member=draw(key, stands.eligible))


def standing(pools: Mapping[str, Pool], asked: str, facts: RoutingFacts, now_ms: int) -> Route:
    """How the pool `asked` stands: who can take a call, whoever's it is; without key and member."""
    hands = [each for each in facts.hands if each.holds(now_ms)]
    name, used = _moved(asked, hands)
    before = asked if name != asked else ""
    pool = pools.get(name)
    if pool is None:
        problem = f"there is no pool {name}"
        return Route(pool=name, key="", asked=before, hands=tuple(used), problem=problem)
    off = next((each for each in hands if each.act is HandAct.OFF and each.pool == name), None)
    if off is not None:
        problem = f"pool {name} is switched off"
        return Route(
            pool=name, key="", asked=before, hands=(*used, off.id), off=True, problem=problem
        )
    known = facts.members.get(name, {})
    eligible, counted, degraded = eligible_of(pool, known, hands)
    withheld = tuple(each.name for each in pool.members if _network(each, known))
    return Route(
        pool=name,
        key="",
        eligible=eligible,
        asked=before,
        hands=(*used, *counted),
        degraded=degraded,
        withheld=withheld,
        problem="" if eligible else _nobody(pool, known, withheld),
    )


def _network(member: Member, known: Mapping[str, MemberFacts]) -> str:
    facts = known.get(member.name)
    return "" if facts is None else facts.network


def _nobody(pool: Pool, known: Mapping[str, MemberFacts], withheld: tuple[str, ...]) -> str:
    if not withheld:
        return f"no member of pool {pool.name} is in"
    name = withheld[0]
    return (
        f"no member of pool {pool.name} is in and may be given: the name of {name} is an address "
        f"of {known[name].network}"
    )


def eligible_of(
    pool: Pool, known: Mapping[str, MemberFacts], hands: Iterable[HandSetting]
) -> tuple[tuple[Eligible, ...], tuple[int, ...], bool]:
    """Who of a pool can take a call, the settings that counted, and whether it is degraded."""
    states, weights, counted = _set_by_hand(pool, hands)
    in_use = [
        (each, weights.get(each.name, each.weight))
        for each in pool.members
        if states.get(each.name, each.state) is MemberState.IN
        and weights.get(each.name, each.weight) > 0
        and not _network(each, known)
    ]
    nothing = MemberFacts()
    well = [(m, w, known.get(m.name, nothing)) for m, w in in_use]
    healthy = [each for each in well if each[2].share > 0]
    degraded = bool(well) and not healthy
    taken = healthy or [(m, w, MemberFacts(1.0, facts.room)) for m, w, facts in well]
    # A limit is ours to count, not the bot's to keep: over it is better than no bot at all.
    with_room = [each for each in taken if each[2].room is None or each[2].room > 0] or [
        (m, w, MemberFacts(facts.share)) for m, w, facts in taken
    ]
    eligible = tuple(
        Eligible(m.name, w * facts.share * (1.0 if pool.sticky else _headroom(m, facts)))
        for m, w, facts in with_room
    )
    return eligible, tuple(counted), degraded


def _headroom(member: Member, facts: MemberFacts) -> float:
    if facts.room is None or not member.limit:
        return 1.0
    return min(1.0, facts.room * facts.nodes / member.limit)


def _moved(asked: str, hands: Iterable[HandSetting]) -> tuple[str, list[int]]:
    """Where the calls of a pool go, by what people moved; a circle of moves ends where it began."""
    moves = {each.pool: each for each in hands if each.act is HandAct.MOVE}
    name, used = asked, list[int]()
    while name in moves and len(used) < len(moves):
        used.append(moves[name].id)
        name = moves[name].to
    return name, used


def _set_by_hand(
    pool: Pool, hands: Iterable[HandSetting]
) -> tuple[dict[str, MemberState], dict[str, int], list[int]]:
    """The states and weights that people set, the last of each, and which settings those are."""
    states: dict[str, tuple[MemberState, int]] = {}
    weights: dict[str, tuple[int, int]] = {}
    for each in hands:
        if each.pool != pool.name:
            continue
        if each.act is HandAct.STATE and each.state is not None:
            states[each.member] = each.state, each.id
        elif each.act is HandAct.WEIGHT and each.weight is not None:
            weights[each.member] = each.weight, each.id
    counted = [number for _, number in (*states.values(), *weights.values())]
    return (
        {name: state for name, (state, _) in states.items()},
        {name: weight for name, (weight, _) in weights.items()},
        counted,
    )
