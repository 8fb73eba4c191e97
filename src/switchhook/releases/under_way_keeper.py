"""The candidates under way: what the ledger has, what the journal tells, and what is kept.

One thread hears what the journal tells, by which a canary harms callers, and waits for nothing
else. Another one reads and writes the ledger. `lock` is held by whoever looks at what both know,
and never while the ledger is asked. `folded` is the fold's.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.errors import LedgerError
from switchhook.releases.candidates_keeper import CandidatesKeeper
from switchhook.releases.candidates_watch import CandidatesWatch, KeptOf
from switchhook.releases.outcomes import LIVES_MS
from switchhook.releases.stages_had import as_it_went, stages_had
from switchhook.releases.view import RolloutView, ShadowView
from switchhook.streams.journal_feed import JournalFeed, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.releases.candidates_watch import Terms
    from switchhook.releases.judgement import Judgement
    from switchhook.releases.ledger import LedgerReleases
    from switchhook.releases.release import Standing
    from switchhook.releases.rollout_watch import RolloutWatch
    from switchhook.releases.stages import Volume
    from switchhook.streams.fold import Folded
    from switchhook.streams.parsed_record import ParsedRecord

log = logging.getLogger(__name__)

HEAR_S = 0.5
"""For how long the journal is read at once."""
KEEP_MS = 2_000


class Subjects(Protocol):
    """What runs, and by what candidates are watched."""

    def terms(self, candidates: Sequence[Standing]) -> Terms: ...
    def endpoints(self, subject: str) -> tuple[str, ...]:
        """All endpoints of the accounts whose callers a subject decides for."""

    def volume(self, subject: str) -> Volume | None:
        """How many callers came of late; None where nobody knows."""

    def foretold(self, number: int) -> Mapping[str, float]:
        """The mix that a release's back-test foretold; empty without one."""


class UnderWay:
    """See above. `now` gives the moment by both clocks."""

    def __init__(
        self,
        releases: LedgerReleases,
        journal: JournalSource,
        subjects: Subjects,
        *,
        node: int,
        now: Callable[[], Moment],
    ) -> None:
        self._releases, self._journal, self._subjects, self._now = releases, journal, subjects, now
        self._keeper = CandidatesKeeper(releases)
        self.lock = threading.RLock()
        self._feed = JournalFeed(journal)
        self.terms = subjects.terms(())
        self.watch = CandidatesWatch(self.terms.settings, node)
        self.standings: dict[int, Standing] = {}
        self.judged: dict[int, Judgement] = {}
        self.views: dict[int, RolloutView | ShadowView] = {}
        self._read: Moment | None = None
        self._keep_from = 0

    # What happens.

    def folded(self, folded: Folded) -> bool:
        """Observe the fold; whether somebody wants to hear of it."""
        self._feed.folded(folded)
        return not self.watch.empty

    def hear(self) -> bool:
        """Hear of what came, for a while; whether there is more. Raises JournalError."""
        now = self._now()
        with self.lock:
            self._feed.look(now)
            if self.watch.empty:
                return False
            more = self._feed.hear(self._take, HEAR_S)
            self.watch.heard(self._feed.through, self._feed.through_ms)
            self._feed.look(now)
            if not more and self._feed.as_of is not None:
                self.watch.look(self._feed.as_of.at_ms)
            return more

    def _take(self, parsed: ParsedRecord, placed: Mapping[int, int]) -> None:
        """Hear of a record; what one makes fail is said, and no other suffers for it."""
        try:
            self.watch.take(parsed, placed)
        except Exception as error:  # noqa: BLE001
            seq, kind = parsed.record.seq, type(error).__name__
            log.error("record %d told nothing of a release: %s", seq, kind)  # noqa: TRY400

    @property
    def as_of(self) -> Moment | None:
        """Up to when both journal and ledger were heard."""
        if self._feed.as_of is None or self._read is None:
            return None
        return min(self._feed.as_of, self._read, key=lambda each: each.mono_ms)

    @property
    def harmful(self) -> set[int]:
        """Those of which there is evidence that they harmed callers."""
        with self.lock:
            return {number for number, each in self.watch.rollouts.items() if each.evidence.harm}

    def judge(self) -> None:
        """What the evidence says of each canary; it takes a few milliseconds for each."""
        now_ms = self._now().at_ms
        with self.lock:
            for number, watch in self.watch.rollouts.items():
                if watch.unjudged or number not in self.judged:
                    self.judged[number] = watch.judged(now_ms)

    @property
    def canaries(self) -> list[tuple[Standing, RolloutWatch, Judgement]]:
        """Those that decide for callers, and what is known of them."""
        return [
            (self.standings[number], watch, self.judged[number])
            for number, watch in self.watch.rollouts.items()
            if number in self.standings and number in self.judged
        ]

    # What is under way, by the ledger.

    def read(self) -> None:
        """See what is under way. Raises LedgerError, JournalError."""
        now = self._now()
        found = {each.release.number: each for each in self._releases.candidates()}
        for number in self.standings.keys() - found.keys():
            self._end(number)
        begun = [each for each in found.values() if not self.watch.knows(each)]
        if begun:
            self.use(found)
            self._begin(begun)
        elif self._read is None:
            self._feed.start_at(self._journal.last_seq())
        had = {
            number: stages_had(self._releases.steps(number))
            for number in self.watch.rollouts
            if found[number] != self.standings.get(number)
        }
        with self.lock:
            for number, stages in had.items():
                self.watch.rollouts[number].went(stages)
            self.standings, self._read = found, now

    def use(self, standings: Mapping[int, Standing] | None = None) -> None:
        """Go on by what runs and is configured now."""
        known = self.standings if standings is None else standings
        self.terms = self._subjects.terms(tuple(known.values()))
        with self.lock:
            self.watch.use(self.terms)

    def _begin(self, begun: Sequence[Standing]) -> None:
        """Watch candidates: after a start from where that was left, else from now on."""
        first, now_ms = self._read is None, self._now().at_ms
        seq = self._journal.last_seq() if first else self._feed.through
        kept = {each.release.number: self._kept_of(each.release.number) for each in begun}
        with self.lock:
            for each in begun:
                number = each.release.number
                self.watch.begin(each, self.terms, kept[number], seq, now_ms)
                if not first:
                    self.watch.resume_at(number, seq, now_ms)
                self.judged.pop(number, None)
            if first:
                self._feed.begin(self._first_seq(seq))
            self._feed.listen(True)

    def _kept_of(self, number: int) -> KeptOf:
        return KeptOf(
            rollout=self._keeper.rollout(number),
            shadow=self._keeper.shadow(number),
            foretold=self._subjects.foretold(number),
            had=stages_had(self._releases.steps(number)),
        )

    def _first_seq(self, seq: int) -> int:
        """From where on to read again: calls of before tell what became of their callers."""
        through, at_ms = self.watch.through or (seq, 0)
        if not at_ms:
            return through
        before_ms = at_ms - LIVES_MS - self.terms.settings.again_within_ms
        return max(0, min(through, self._journal.seek(before_ms) - 1))

    def _end(self, number: int) -> None:
        """A candidate is none any more: how it did is kept."""
        now_ms, had = self._now().at_ms, stages_had(self._releases.steps(number))
        with self.lock:
            if (watch := self.watch.rollouts.get(number)) is not None:
                watch.went(had)
            elif (shadow := self.watch.shadows.get(number)) is not None:
                shadow.changed = True
            view, judged = self.views.get(number), self.judged.get(number)
        self._keep_one(number, now_ms)
        if isinstance(view, RolloutView):
            judged = judged or view.judged
            over = msgspec.structs.replace(view, judged=judged, told_share=0, ended_ms=now_ms)
            self._keeper.keep_view(as_it_went(over, had), now_ms)
        with self.lock:
            self.watch.end(number)
            self.judged.pop(number, None)
            self.views = {each: view for each, view in self.views.items() if each != number}
            if self.watch.empty:
                self._feed.listen(False)

    def _keep_one(self, number: int, now_ms: int) -> None:
        """Keep what one goes on from, where that changed."""
        rollout, shadow = None, None
        with self.lock:
            watch, beside = self.watch.rollouts.get(number), self.watch.shadows.get(number)
            if watch is not None and watch.changed:
                rollout, watch.changed = watch.state(), False
            if beside is not None and beside.changed:
                shadow, beside.changed = msgspec.msgpack.encode(beside.state()), False
        try:
            if rollout is not None:
                self._keeper.keep_rollout(number, rollout, now_ms)
            if shadow is not None:
                self._keeper.keep_shadow(number, shadow, now_ms)
        except LedgerError:
            for each in (watch, beside):
                if each is not None:
                    each.changed = True
            raise

    # What is kept.

    def keep(self, *, force: bool = False) -> None:
        """Keep what is known, so that a restart goes on from it. Raises LedgerError."""
        begun = self._now()
        if not force and begun.mono_ms < self._keep_from:
            return
        with self.lock:
            numbers = [*self.watch.rollouts, *self.watch.shadows]
        for number in numbers:
            self._keep_one(number, begun.at_ms)
        for view in self.views.values():
            if isinstance(view, RolloutView):
                self._keeper.keep_view(view, begun.at_ms)
        took_ms = self._now().mono_ms - begun.mono_ms
        self._keep_from = begun.mono_ms + max(KEEP_MS, 50 * took_ms)

    def shown(self, number: int) -> RolloutView | ShadowView | None:
        """How a candidate stands, or how it did when it was one. Raises LedgerError."""
        found = self.views.get(number)
        if found is not None:
            return found
        rollout, shadow = self.both(number)
        return rollout or shadow

    def both(self, number: int) -> tuple[RolloutView | None, ShadowView | None]:
        """How a release does or did in its canary, and in shadow. Raises LedgerError."""
        rollout, shadow = self._keeper.shown(number)
        match self.views.get(number):
            case RolloutView() as now:
                return now, shadow
            case ShadowView() as now:
                return rollout, now
            case _:
                return rollout, shadow
