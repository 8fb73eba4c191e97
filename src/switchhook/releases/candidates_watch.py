"""All candidates under way, as they are watched: told of records, they give what is known. Pure.

Each hears of every record after those that were in what was kept of it, so that a restart neither
loses anything nor counts it twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import MINUTE_MS
from switchhook.journal.receipt import RecordKind, id_of
from switchhook.releases.measures import Decided, Throttled
from switchhook.releases.outcomes import Outcomes
from switchhook.releases.release import ReleaseState
from switchhook.releases.rollout_watch import RolloutState, RolloutWatch, watch_of
from switchhook.releases.shadow import Shadow, ShadowState
from switchhook.releases.stages_had import StageHad
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from switchhook.releases.measures import OfCaller
    from switchhook.releases.release import Standing
    from switchhook.releases.settings import RolloutSettings
    from switchhook.releases.trial import Trial
    from switchhook.streams.parsed_record import ParsedRecord

THROTTLED_MS = 10 * MINUTE_MS
"""For how long streams that a limit refused hold a rollout."""
_MOST_THROTTLED = 1_000
_DECIDED = (RecordKind.PASSTHRU, RecordKind.VOICEBOT, RecordKind.ADMISSION)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By what candidates are watched.

    `kinds` are those of the endpoints by name, `runs` the hashes of what runs by subject; `loaded`
    the candidates by release number, of those that check out.
    """

    settings: RolloutSettings
    kinds: Mapping[str, EndpointKind]
    runs: Mapping[str, str]
    loaded: Mapping[int, Trial]


class KeptOf(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one candidate; `foretold` is its back-test's mix, `had` the shares it had."""

    rollout: RolloutState | None = None
    shadow: ShadowState | None = None
    foretold: Mapping[str, float] = {}
    had: tuple[StageHad, ...] = ()


class CandidatesWatch:
    """See above. `node` is the journal's; one thread at a time may use it."""

    def __init__(self, settings: RolloutSettings, node: int) -> None:
        self._node = node
        self._outcomes = Outcomes(settings, node)
        self._loaded: Mapping[int, Trial] = {}
        self.rollouts: dict[int, RolloutWatch] = {}
        self.shadows: dict[int, Shadow] = {}
        self._by_subject: dict[str, int] = {}
        self._throttled: deque[Throttled] = deque(maxlen=_MOST_THROTTLED)

    def use(self, terms: Terms) -> None:
        """Go on by changed settings and endpoints."""
        self._outcomes.settings, self._loaded = terms.settings, terms.loaded

    @property
    def empty(self) -> bool:
        """Whether nothing is under way, so that no record tells anything."""
        return not self.rollouts and not self.shadows

    def knows(self, standing: Standing) -> bool:
        """Whether a candidate is watched in the state that it has."""
        number = standing.release.number
        watched = self.rollouts if standing.state is ReleaseState.CANARY else self.shadows
        return number in watched

    def begin(self, standing: Standing, terms: Terms, kept: KeptOf, seq: int, at_ms: int) -> None:
        """Watch a candidate; without anything kept from the record after `seq` on."""
        release = standing.release
        self._by_subject[release.subject] = release.number
        if standing.state is ReleaseState.CANARY:
            self.shadows.pop(release.number, None)
            kind = kind_of_subject(release.subject, terms.kinds)
            watch = watch_of(
                release,
                kind,
                terms.settings,
                control=terms.runs.get(release.subject, ""),
                kept=kept.rollout,
                foretold=kept.foretold,
                since_ms=standing.since_ms,
            )
            if kept.rollout is None:
                watch.heard(seq, at_ms)
            watch.went(kept.had or (StageHad(standing.share, standing.since_ms),))
            self.rollouts[release.number] = watch
            return
        self.rollouts.pop(release.number, None)
        state = kept.shadow
        if state is None:
            state = ShadowState(since_ms=standing.since_ms, through_seq=seq)
        self.shadows[release.number] = Shadow(release.number, state)

    def resume_at(self, number: int, seq: int, at_ms: int) -> None:
        """Of a candidate that begins anew, what happened meanwhile is not of it."""
        if number in self.rollouts:
            self.rollouts[number].heard(seq, at_ms)
        else:
            self.shadows[number].heard(seq)

    def end(self, number: int) -> None:
        """A candidate is none any more."""
        self.rollouts.pop(number, None)
        self.shadows.pop(number, None)
        self._by_subject = {s: n for s, n in self._by_subject.items() if n != number}

    @property
    def through(self) -> tuple[int, int] | None:
        """Up to which record, and up to when, the one that has heard least has heard."""
        heard = [(each.through_seq, each.through_ms) for each in self.rollouts.values()]
        heard += [(each.through_seq, 0) for each in self.shadows.values()]
        return min(heard) if heard else None

    def take(self, parsed: ParsedRecord, placed: Mapping[int, int]) -> None:
        """Hear of a record; raises whatever it can make its readers raise."""
        seq = parsed.record.seq
        if self.rollouts:
            for told in self._outcomes.take(parsed, placed):
                if isinstance(told, Throttled):
                    self._throttled.append(told)
                    continue
                self._tell(told, seq)
        if self.shadows:
            self._beside(parsed)

    def heard(self, seq: int, at_ms: int) -> None:
        """Everything up to a record was given."""
        for rollout in self.rollouts.values():
            rollout.heard(seq, at_ms)
        for shadow in self.shadows.values():
            shadow.heard(seq)

    def _beside(self, parsed: ParsedRecord) -> None:
        """Have candidates in shadow decide a receipt again."""
        record = parsed.record
        name = id_of(record, self._node)
        for number, shadow in self.shadows.items():
            if record.kind in _DECIDED and record.seq > shadow.through_seq:
                shadow.take(record, self._loaded.get(number), name)

    def look(self, at_ms: int) -> None:
        """Settle what time alone settles, once everything up to then was given."""
        for told in self._outcomes.look(at_ms) if self.rollouts else ():
            self._tell(told)

    def _tell(self, told: OfCaller, seq: int | None = None) -> None:
        """Tell the rollout of whose subject it is; not of what is in it already."""
        decided = told if isinstance(told, Decided) else told.decided
        watch = self.rollouts.get(self._by_subject.get(decided.subject, 0))
        if watch is not None and (seq is None or seq > watch.through_seq):
            watch.take(told)

    def throttled(self, endpoints: Iterable[str], now_ms: int) -> int:
        """How many streams of these endpoints' accounts a limit refused of late."""
        names = frozenset(endpoints)
        since = now_ms - THROTTLED_MS
        return sum(each.at_ms > since and each.endpoint in names for each in self._throttled)


def kind_of_subject(subject: str, kinds: Mapping[str, EndpointKind]) -> EndpointKind:
    """The kind of the endpoints that a subject decides."""
    if subject == POOLS:
        return EndpointKind.VOICEBOT
    return kinds.get(subject.removeprefix("rules/"), EndpointKind.PASSTHRU)
