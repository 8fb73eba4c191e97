"""Answers of voicebot endpoints: which bot takes the call, as the applet's dynamic URL asks.

The rules choose a pool, `rules.routing` draws the member among those that can take the call. Where
there is none, or deciding failed, the endpoint's fallback is given, and without one no address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from switchhook.answer.choices import FALLBACK, number_of
from switchhook.answer.given import Given
from switchhook.answer.http.messages import Answer
from switchhook.journal.receipt import AddressGiven, RecordKind
from switchhook.rules.addressing import key_of_draw, with_address
from switchhook.rules.caller import key_of_caller
from switchhook.rules.rollout import POOLS, seen_by
from switchhook.rules.routing import Route, RoutingFacts, by_other_limits, drawn, standing

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from switchhook.answer.authentication import Endpoint
    from switchhook.answer.bots import BotAddress, BotPools
    from switchhook.answer.facts import CurrentFacts
    from switchhook.answer.given import Question
    from switchhook.answer.places import PlacesGiven
    from switchhook.exotel.passthru import Passthru
    from switchhook.rules.bot_pool import Pool
    from switchhook.rules.decide import Decision
    from switchhook.rules.rollout import RolloutSeen


_FOREVER_MS = 1 << 62


class _Answered(NamedTuple):
    """What goes out; `address` is None where no address does."""

    answer: Answer
    address: BotAddress | None
    fallback: bool


class _Known(NamedTuple):
    """How a pool stood, and what that rested on."""

    bots: BotPools
    facts: RoutingFacts
    from_ms: int
    until_ms: int
    route: Route

    def holds(self, bots: BotPools, facts: RoutingFacts, at_ms: int) -> bool:
        """Whether nothing has changed; the system's clock may step either way."""
        same = self.bots is bots and self.facts is facts
        return same and self.from_ms <= at_ms < self.until_ms


class _Side(NamedTuple):
    """The pools that a call is drawn among, and on which side of a rollout of them it is."""

    pools: Mapping[str, Pool]
    rollout: RolloutSeen | None = None

    @property
    def canary(self) -> bool:
        return self.rollout is not None and self.rollout.canary


class Voicebots:
    """Answers those who ask for an address."""

    def __init__(self, facts: CurrentFacts, places: PlacesGiven, counts: Counter[str]) -> None:
        self._facts, self._places, self._counts = facts, places, counts
        self._known: dict[tuple[str, bool], _Known] = {}

    def give(self, asked: Question) -> Given:
        """The address of a member, the fallback, or none."""
        endpoint, decision = asked.token.endpoint, asked.decision
        if asked.passthru is None:
            return self._given(asked, decision, None, self.instead(endpoint))
        if asked.first is not None:
            return self._again(asked, asked.first.option)
        side = self._side(asked, asked.passthru)
        sticky = decision.pool in side.pools and side.pools[decision.pool].sticky
        key = key_of_draw(asked.passthru, sticky=sticky)
        route = drawn(self._standing(asked, decision.pool, side), key)
        answered = self._address_of(endpoint, route)
        decision = with_address(
            decision, route, fallback=answered.fallback, status=answered.answer.status
        )
        return self._given(asked, decision, route, answered, side.rollout)

    def _side(self, asked: Question, passthru: Passthru) -> _Side:
        """Which pools are drawn among: those that run, or a candidate's."""
        bots = asked.token.endpoint.bots
        if bots.candidate is None:
            return _Side(bots.pools)
        rollout = self._facts.rollout_of(POOLS, asked.mono_ns)
        if rollout is None or rollout.hash != bots.candidate.hash:
            return _Side(bots.pools)
        seen = seen_by(rollout, key_of_caller(passthru))
        return _Side(bots.candidate.pools if seen.canary else bots.pools, seen)

    def instead(self, endpoint: Endpoint) -> _Answered:
        """What goes out where no member can: the fallback, else no address."""
        if endpoint.fallback is not None:
            return _Answered(endpoint.fallback.answer, endpoint.fallback, fallback=True)
        return _Answered(endpoint.no_address, None, fallback=False)

    def _address_of(self, endpoint: Endpoint, route: Route) -> _Answered:
        if route.off:
            # A pool that a person switched off: nobody is to get an address then.
            return _Answered(endpoint.no_address, None, fallback=False)
        address = endpoint.bots.addresses.get((route.pool, route.member or ""))
        if address is None:
            return self.instead(endpoint)
        return _Answered(address.answer, address, fallback=False)

    def _again(self, asked: Question, number: int) -> Given:
        endpoint = asked.token.endpoint
        choice = endpoint.choices.get(number)
        if choice is None or not choice.member:
            return self._given(asked, asked.decision, None, self.instead(endpoint))
        facts = self._facts.routing(asked.mono_ns).members.get(choice.pool, {})
        if choice.member in facts and facts[choice.member].network:
            return self._given(asked, asked.decision, None, self.instead(endpoint))
        route = Route(pool=choice.pool, key=asked.call, member=choice.member)
        return self._given(asked, asked.decision, route, self._address_of(endpoint, route))

    def _standing(self, asked: Question, name: str, side: _Side) -> Route:
        """How a pool stands, from before where nothing has changed since.

        That is for about a second, until other facts are told; with limits, by each call.
        """
        bots, facts = asked.token.endpoint.bots, self._facts.routing(asked.mono_ns)
        place = name, side.canary
        known = self._known.get(place)
        if known is not None and known.holds(bots, facts, asked.at_ms):
            return known.route
        with_room = self._with_room(facts)
        if side.canary:
            with_room = by_other_limits(with_room, side.pools, bots.pools)
        stands = standing(side.pools, name, with_room, asked.at_ms)
        limited = any(each.room is not None for each in facts.members.get(stands.pool, {}).values())
        ends = [each.until_ms for each in facts.hands if each.holds(asked.at_ms)]
        until_ms = min((each for each in ends if each is not None), default=_FOREVER_MS)
        if not limited:
            self._known[place] = _Known(bots, facts, asked.at_ms, until_ms, stands)
        return stands

    def _with_room(self, facts: RoutingFacts) -> RoutingFacts:
        """The facts with what was given since they were reckoned taken from the members' room."""
        changed = {}
        for pool, members in facts.members.items():
            limited = {
                name: msgspec.structs.replace(each, room=each.room - used)
                for name, each in members.items()
                if each.room is not None
                and (used := self._places.since((pool, name), each.through_seq))
            }
            if limited:
                changed[pool] = {**members, **limited}
        if not changed:
            return facts
        return msgspec.structs.replace(facts, members={**facts.members, **changed})

    def _given(
        self,
        asked: Question,
        decision: Decision,
        route: Route | None,
        answered: _Answered,
        rollout: RolloutSeen | None = None,
    ) -> Given:
        endpoint, address = asked.token.endpoint, answered.address
        member = route if address is not None and not answered.fallback else None
        if asked.takes_place:
            said = "address given" if member else "fallback given" if address else "no address"
            self._counts[said] += 1
        number, place = None, None
        if member is not None and member.member is not None:
            number = number_of(member.pool, member.member)
            place = (member.pool, member.member) if asked.takes_place else None
        elif address is not None and asked.passthru is not None:
            number = FALLBACK
        return Given(
            decision,
            answered.answer,
            number,
            RecordKind.VOICEBOT,
            AddressGiven,
            {
                "account": endpoint.account,
                "route": route,
                "address": address.shown if address is not None else "",
                "fallback": answered.fallback,
                "pools_rollout": rollout,
            },
            place,
            asked.call,
        )
