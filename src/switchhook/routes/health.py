"""How the members of pools are, by what three sources tell: their streams, the probe, their bots.

A stream is the member's whose address was given to its call; without a dynamic URL, of the one
member that has the host of its StreamUrl. A stream goes well or fails once: what fails counts, also
where it seemed to go well before. Pure: time is an argument, nothing is asked.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.times import MINUTE_MS
from switchhook.journal.bot_report import BotEvent
from switchhook.metrics import duration_text
from switchhook.routes.breaker import Outcome
from switchhook.routes.probe import Step
from switchhook.streams.recent import BOT_FAILED, BOT_WELL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.routes.probe import Probed
    from switchhook.rules.bot_pool import Pool

WINDOW_MS = 15 * MINUTE_MS
"""What is shown of streams, and of shares of calls, is of so long."""
SILENT_MS = 10_000
"""A bot that has said nothing for so long after its stream began is silent."""
LIVES_MS = 60 * MINUTE_MS
"""No stream lasts longer: Exotel ends it."""
PROBE_COUNTS_MS = 60_000
SETTLES_MS = 15_000
"""So long after it began the probe of a member has told how it is, if ever: two in a row do."""
LEAST_SILENT = 3
_MOST_CALLS, _MOST_OUTCOMES = 20_000, 400
_MOST_GIVEN = 200_000

Key = tuple[str, str]
"""A member, by its pool and name."""


class Source(StrEnum):
    """Who tells of a member's health."""

    STREAMS = "streams"
    PROBE = "probe"
    REPORTS = "reports"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a source tells of a member, in words.

    `good` is None where it tells nothing; `at_ms` is when it told last, None is never.
    """

    source: Source
    good: bool | None
    said: str
    at_ms: int | None = None


class _Call(msgspec.Struct):
    """A call that was given a member: when, and what is known since."""

    key: Key
    given_ms: int
    started_ms: int | None = None
    heard_ms: int | None = None
    """When the bot's first sound went out."""
    over: bool = False


class _Member:
    """What is known of one member."""

    def __init__(self) -> None:
        self.outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self.silent: OrderedDict[str, int] = OrderedDict()
        self.given: deque[int] = deque(maxlen=_MOST_GIVEN)
        self.live: dict[str, int] = {}
        self.probed: Probed | None = None
        self.network = ""
        """The network of our own that its name led into, when it was looked up last."""
        self.failing: list[int] = []
        """When the probe failed, since it reached the member last; at most two."""
        self.was_reached = False
        self.begun_ms: int | None = None
        """When it was first looked at."""
        self.settled = False
        self.reported_ms: int | None = None
        self.tells_of_sound = False

    def went(self, call: str, outcome: Outcome) -> None:
        before = self.outcomes.get(call)
        if before is not None and (before.failed or not outcome.failed):
            return
        self.outcomes[call] = outcome
        self.outcomes.move_to_end(call)
        if len(self.outcomes) > _MOST_OUTCOMES:
            self.outcomes.popitem(last=False)


class MemberHealth:
    """What is known of all members. One thread at a time may use it."""

    def __init__(self) -> None:
        self._members: dict[Key, _Member] = {}
        self._by_place: dict[str, Key | None] = {}
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._waiting: OrderedDict[str, int] = OrderedDict()
        """Calls whose bot has not been heard yet, since when."""

    def use(self, pools: Sequence[Pool]) -> None:
        """Go on for these members; of those that are gone everything is forgotten."""
        keys = {(pool.name, each.name): each.url for pool in pools for each in pool.members}
        self._members = {key: self._members.get(key) or _Member() for key in keys}
        self._by_place = {}
        for key, url in keys.items():
            for place in _places(url):
                self._by_place[place] = None if place in self._by_place else key

    # What happens.

    def given(self, call: str, key: Key, at_ms: int) -> None:
        """An address was given to a call."""
        member = self._members.get(key)
        if member is None:
            return
        self._over(call)
        self._calls[call] = _Call(key, at_ms)
        self._calls.move_to_end(call)
        if len(self._calls) > _MOST_CALLS:
            self._calls.popitem(last=False)
        member.given.append(at_ms)
        member.live[call] = at_ms

    def ended(
        self, call: str, url: str | None, cause: Cause, at_ms: int, lasted_s: int | None
    ) -> None:
        """A stream of a call ended, or a call never had one."""
        known = self._calls.get(call)
        self._over(call)
        key = known.key if known is not None else _key_of(self._by_place, url)
        member = None if key is None else self._members.get(key)
        if member is None or (cause not in BOT_FAILED and cause not in BOT_WELL):
            return
        given_ms = at_ms - (lasted_s or 0) * 1000 if known is None else known.given_ms
        member.went(call, Outcome(at_ms, given_ms, cause in BOT_FAILED))

    def reported(self, call: str, event: BotEvent, at_ms: int) -> None:
        """The bot of a call reported an event."""
        known = self._calls.get(call)
        member = None if known is None else self._members.get(known.key)
        if known is None or member is None:
            return
        member.reported_ms = max(at_ms, member.reported_ms or 0)
        match event:
            case BotEvent.STARTED:
                known.started_ms = at_ms
                if known.heard_ms is None and not known.over:
                    self._waiting[call] = at_ms
            case BotEvent.FIRST_IN:
                member.tells_of_sound = True
            case BotEvent.FIRST_OUT:
                member.tells_of_sound = True
                known.heard_ms = at_ms
                self._waiting.pop(call, None)
                member.went(call, Outcome(at_ms, known.given_ms, failed=False))
            case BotEvent.ERROR:
                member.went(call, Outcome(at_ms, known.given_ms, failed=True))
            case BotEvent.ENDED:
                self._over(call)
            case BotEvent.OTHER:
                pass

    def probed(self, key: Key, found: Probed) -> None:
        """A probe of a member ended."""
        member = self._members.get(key)
        if member is None:
            return
        member.probed = found
        if found.network or found.step is not Step.NAME:
            member.network = found.network  # else its name was not found: as before
        if found.reached:
            member.failing, member.was_reached = [], True
        else:
            member.failing = [*member.failing[:1], found.at_ms]
        if found.reached or found.network or len(member.failing) > 1:
            member.settled = True

    def look(self, now_ms: int) -> None:
        """See which bots have been silent for too long by now."""
        for each in self._members.values():
            if each.begun_ms is None:
                each.begun_ms = now_ms
        while self._waiting:
            call, since = next(iter(self._waiting.items()))
            if now_ms - since < SILENT_MS:
                return
            del self._waiting[call]
            known = self._calls.get(call)
            member = None if known is None else self._members.get(known.key)
            if known is None or member is None or not member.tells_of_sound:
                continue
            member.silent[call] = now_ms
            if len(member.silent) > _MOST_OUTCOMES:
                member.silent.popitem(last=False)
            member.went(call, Outcome(now_ms, known.given_ms, failed=True))

    # What is known.

    def outcomes(self, key: Key) -> list[Outcome]:
        """How a member's last streams went, in the order in which that became known."""
        return list(self._members[key].outcomes.values())

    def unreachable(self, key: Key, now_ms: int) -> str:
        """Why nobody can reach a member as far as its probe tells; empty where that is not said.

        Two probes in a row have to fail. What only we may fail at counts where it was reached
        before, and nothing counts beside a stream that was given since and went well.
        """
        member = self._members[key]
        found = member.probed
        if found is None or found.reached or found.network or len(member.failing) < 2:
            return ""
        if now_ms - found.at_ms > PROBE_COUNTS_MS or not (found.certain or member.was_reached):
            return ""
        since = member.failing[0]
        if any(not each.failed and each.given_ms > since for each in member.outcomes.values()):
            return ""
        return f"the probe: {found.problem}"

    def settled(self, key: Key, now_ms: int) -> bool:
        """Whether it is known how a member is: just after a start its probe has told nothing."""
        member = self._members[key]
        if member.begun_ms is None:
            return member.settled
        return member.settled or now_ms - member.begun_ms >= SETTLES_MS

    def network(self, key: Key) -> str:
        """The network of our own that a member's name leads into without leave; else empty."""
        return self._members[key].network

    def room(self, key: Key, limit: int | None, now_ms: int) -> int | None:
        """How many streams a member can still take; None where it has no limit."""
        if limit is None:
            return None
        live = self._members[key].live
        for call, since in list(live.items()):
            if now_ms - since > LIVES_MS:
                del live[call]
        return max(0, limit - len(live))

    def live(self, key: Key) -> list[int]:
        """When the calls that a member has were given to it: no end of them was told."""
        return list(self._members[key].live.values())

    def given_lately(self, key: Key, now_ms: int) -> int:
        """How many calls a member was given in the window."""
        given = self._members[key].given
        while given and now_ms - given[0] > WINDOW_MS:
            given.popleft()
        return len(given)

    def probe(self, key: Key) -> Probed | None:
        """What the last probe of a member found."""
        return self._members[key].probed

    def was_reached(self, key: Key) -> bool:
        """Whether a probe ever reached a member."""
        return self._members[key].was_reached

    def remember(self, key: Key, *, reached: bool = False, network: str = "") -> None:
        """Take over what was known before a restart: whether a probe reached it, and its network.

        The latter holds until its name is looked up again. Whoever is gone is passed over.
        """
        member = self._members.get(key)
        if member is not None:
            member.was_reached = member.was_reached or reached
            member.network = member.network or network

    def silent(self, key: Key, now_ms: int) -> int:
        """How many calls of the window had a bot that was connected and silent."""
        return sum(now_ms - at_ms <= WINDOW_MS for at_ms in self._members[key].silent.values())

    def evidence(self, key: Key, now_ms: int) -> tuple[Evidence, ...]:
        """What each source tells of a member."""
        member = self._members[key]
        return (
            _of_streams(member, now_ms),
            _of_probe(member.probed, now_ms),
            _of_reports(member, self.silent(key, now_ms)),
        )

    def _over(self, call: str) -> None:
        self._waiting.pop(call, None)
        known = self._calls.get(call)
        if known is not None:
            known.over = True
            if known.key in self._members:
                self._members[known.key].live.pop(call, None)


def _key_of(by_place: Mapping[str, Key | None], url: str | None) -> Key | None:
    if not url:
        return None
    found = (by_place.get(place) for place in _places(url))
    return next((key for key in found if key is not None), None)


def _places(url: str) -> tuple[str, ...]:
    """What tells a member by the address of its stream: host, port and path, else the host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ()
    if not host:
        return ()
    usual = 80 if parts.scheme == "ws" else 443
    return f"{host}:{port or usual}{parts.path.rstrip('/')}", host


def _of_streams(member: _Member, now_ms: int) -> Evidence:
    lately = [each for each in member.outcomes.values() if now_ms - each.at_ms <= WINDOW_MS]
    at_ms = max((each.at_ms for each in member.outcomes.values()), default=None)
    if not lately:
        said = f"no stream ended in {duration_text(WINDOW_MS / 1000)}"
        return Evidence(source=Source.STREAMS, good=None, said=said, at_ms=at_ms)
    failed = sum(each.failed for each in lately)
    said = f"{failed} of {len(lately)} streams failed in {duration_text(WINDOW_MS / 1000)}"
    last_failed = all(each.failed for each in lately[-LEAST_SILENT:]) and bool(failed)
    good = failed * 2 < len(lately) and not last_failed
    return Evidence(source=Source.STREAMS, good=good, said=said, at_ms=at_ms)


def _of_probe(found: Probed | None, now_ms: int) -> Evidence:
    if found is None:
        return Evidence(source=Source.PROBE, good=None, said="not probed yet")
    if not found.reached:
        return Evidence(source=Source.PROBE, good=False, said=found.problem, at_ms=found.at_ms)
    said = f"takes a WebSocket, in {found.ms:.0f} ms"
    left = found.days_left(now_ms)
    if left is not None:
        said += f"; certificate ends in {left} days" if left != 1 else "; certificate ends tomorrow"
    return Evidence(source=Source.PROBE, good=True, said=said, at_ms=found.at_ms)


def _of_reports(member: _Member, silent: int) -> Evidence:
    at_ms = member.reported_ms
    if at_ms is None:
        return Evidence(source=Source.REPORTS, good=None, said="its bot reports nothing")
    if silent:
        said = f"connected and silent in {silent} calls of the last 15 min"
        return Evidence(source=Source.REPORTS, good=False, said=said, at_ms=at_ms)
    said = "speaks" if member.tells_of_sound else "tells of no sound"
    good = True if member.tells_of_sound else None
    return Evidence(source=Source.REPORTS, good=good, said=said, at_ms=at_ms)


def shares_of_calls(given: Mapping[str, int]) -> dict[str, float]:
    """What share of a pool's calls each member was given; nothing where none was."""
    total = sum(given.values())
    return {name: count / total for name, count in given.items()} if total else {}
