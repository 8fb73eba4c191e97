"""All members of all pools, judged: their streams, probes and reports, and each one's breaker.

It decodes records and reckons; time is an argument, and nothing is asked or told. One thread at a
time may use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.journal.bot_report import read as read_report
from switchhook.journal.receipt import RecordKind, decode_address, decode_bot_report, read_passthru
from switchhook.journal.source import moment_of
from switchhook.routes.breaker import Breaker, BreakerState, Change, stepped
from switchhook.routes.health import Key, MemberHealth
from switchhook.routes.view import MemberKnown
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct, MemberFacts
from switchhook.streams.parsed_record import OtherRecord, PassthruRecord
from switchhook.streams.story import enters_stories

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.journal.source import JournalRecord
    from switchhook.routes.probe import Probed
    from switchhook.routes.routes_file import WrittenRoutes
    from switchhook.rules.bot_pool import Pool
    from switchhook.rules.routing import HandSetting
    from switchhook.streams.parsed_record import ParsedRecord

MOST_CHANGES = 20
RESUMED_MS = 6 * 3_600_000
"""For how long a breaker's state outlives the console."""


class Stepped(msgspec.Struct, frozen=True):
    """A breaker that changed its state; `acts` is whether calls go otherwise by it."""

    key: Key
    breaker: Breaker
    acts: bool


class JudgedMembers:
    """See above."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self._shown: Mapping[Key, str] = {}
        self._health = MemberHealth()
        self._breakers: dict[Key, Breaker] = {}
        self._history: dict[Key, tuple[Change, ...]] = {}

    def use(self, pools: Sequence[Pool], shown: Mapping[Key, str]) -> None:
        """Go on with these pools; `shown` are the members' addresses as they may be shown."""
        self.pools, self._shown = {pool.name: pool for pool in pools}, shown
        self._health.use(pools)
        keys = {(pool.name, each.name) for pool in pools for each in pool.members}
        self._breakers = {key: self._breakers.get(key, Breaker()) for key in keys}

    def resume(self, before: WrittenRoutes, now_ms: int) -> None:
        """Take over breakers, and whom the probe reached, from before a restart."""
        if now_ms - before.view.made_ms > RESUMED_MS:
            return
        for pool in before.view.pools:
            for each in pool.members:
                key = pool.name, each.name
                if key in self._breakers:
                    self._breakers[key], self._history[key] = each.breaker, each.history
                    self._health.remember(key, network=each.network)
        for key in before.reached:
            self._health.remember(key, reached=True)

    # What happens.

    def take(self, parsed: ParsedRecord, placed: Mapping[int, int]) -> None:
        """Hear of a record of the journal; `placed` is where in time some belong, by seq."""
        if isinstance(parsed, PassthruRecord):
            passthru, stream = parsed.passthru, parsed.passthru.stream
            cause = Cause(parsed.facet.cause)
            call = passthru.call_sid
            if not parsed.enters_stories or call is None or cause is Cause.RUNNING:
                return
            at_ms = placed.get(parsed.record.seq, moment_of(parsed.record))
            url = None if stream is None else stream.url
            lasted = None if stream is None else stream.duration_s
            self._health.ended(call, url, cause, at_ms, lasted)
        elif isinstance(parsed, OtherRecord):
            self._take_other(parsed.record)

    def _take_other(self, record: JournalRecord) -> None:
        if record.kind == RecordKind.VOICEBOT:
            given = decode_address(record.body)
            if not enters_stories(given):
                return  # a HEAD request, or a repeat, which got the first one's answer
            call = read_passthru(given).call_sid
            if call and given.route is not None and given.route.member and not given.fallback:
                self._health.given(call, (given.route.pool, given.route.member), moment_of(record))
        elif record.kind == RecordKind.BOT_REPORT:
            received = decode_bot_report(record.body)
            report = read_report(received.raw)
            if report is not None and report.call_sid:
                self._health.reported(report.call_sid, report.event, moment_of(record))

    def probed(self, key: Key, found: Probed) -> None:
        """Hear what a probe found."""
        self._health.probed(key, found)

    # What follows.

    def step(self, held: Sequence[HandSetting], now_ms: int) -> list[Stepped]:
        """Step all breakers; those that changed."""
        self._health.look(now_ms)
        found = []
        for pool in self.pools.values():
            for member in pool.members:
                key = pool.name, member.name
                before = self._breakers[key]
                why = self._health.unreachable(key, now_ms)
                if before.state is BreakerState.OPEN and not self._health.settled(key, now_ms):
                    # A probe that has not looked yet says nothing: all is as before the start.
                    why = why or before.why
                outcomes, under_way = self._health.outcomes(key), self._health.live(key)
                after = stepped(before, outcomes, why, pool.breaker, now_ms, under_way)
                self._breakers[key] = after
                if after.state is not before.state:
                    change = Change(now_ms, after.state, after.why)
                    self._history[key] = (change, *self._history.get(key, ())[: MOST_CHANGES - 1])
                    found.append(Stepped(key, after, self._acts(key, held)))
        return found

    def _acts(self, key: Key, held: Sequence[HandSetting]) -> bool:
        """Whether a breaker may act: it is enabled, and no person set the member in."""
        states = [
            each.state
            for each in held
            if each.act is HandAct.STATE and (each.pool, each.member) == key
        ]
        return self.pools[key[0]].breaker.enabled and states[-1:] != [MemberState.IN]

    def known(self, held: Sequence[HandSetting], now_ms: int) -> dict[Key, MemberKnown]:
        """What is known of each."""
        return {key: self._known(key, held, now_ms) for key in self._breakers}

    def _known(self, key: Key, held: Sequence[HandSetting], now_ms: int) -> MemberKnown:
        member = self.pools[key[0]].member(key[1])
        assert member is not None
        breaker, health = self._breakers[key], self._health
        share = breaker.share if self._acts(key, held) else 1.0
        probed = health.probe(key)
        return MemberKnown(
            facts=MemberFacts(
                share, health.room(key, member.limit, now_ms), network=health.network(key)
            ),
            breaker=breaker,
            history=self._history.get(key, ()),
            evidence=health.evidence(key, now_ms),
            given=health.given_lately(key, now_ms),
            live=len(health.live(key)),
            days_left=None if probed is None else probed.days_left(now_ms),
            silent=health.silent(key, now_ms),
            shown=self._shown.get(key, ""),
            settled=health.settled(key, now_ms),
        )

    def reached(self) -> tuple[Key, ...]:
        """Whom a probe ever reached."""
        return tuple(sorted(key for key in self._breakers if self._health.was_reached(key)))
