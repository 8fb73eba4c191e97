"""What looks after candidates: hears of their callers, tells answer processes, and acts by itself.

Two threads, from `start` to `stop`. One hears of callers as they are folded, and tells of harm at
once: it waits for no ledger. The other looks four times a second what people did, acts, and keeps:

    worker = ReleasesWorker(releasing, facts_file, journal, subjects, node=node, now_ms=…)
    worker.begin()                 # what a restart would have forgotten
    folder.observe(worker.folded)  # before folder.start()

What is told of shares is true up to the moment that the journal and the ledger were heard up to,
and runs out by itself: a console that hangs, lags or is gone takes no canary further, and lets it
go in the end. Where evidence of harm is found the share is told as 0 first, and all else follows.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from switchhook.access.audit import Deed
from switchhook.errors import ReleaseError, SwitchhookError
from switchhook.exotel.times import HOUR_MS
from switchhook.releases.acts import ActWanted, state_words, subject_words
from switchhook.releases.doubts import SWITCHHOOK
from switchhook.releases.reconcile import DAMAGED
from switchhook.releases.release import ReleaseAct
from switchhook.releases.release_troubles import ReleasesSeen, TakenBack
from switchhook.releases.rollout_step import Following, Seen, following, rollout_view
from switchhook.releases.shares_told import SharesTold
from switchhook.releases.under_way_keeper import UnderWay
from switchhook.releases.view import RolloutView
from switchhook.streams.journal_feed import Moment
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.journal.source import JournalSource
    from switchhook.releases.ledger import LedgerReleases
    from switchhook.releases.release import Standing, Step
    from switchhook.releases.releasing import Releasing
    from switchhook.releases.shares_told import Facts
    from switchhook.releases.under_way_keeper import Subjects
    from switchhook.releases.view import ShadowView
    from switchhook.streams.fold import Folded

log = logging.getLogger(__name__)

LOOK_S = 0.25
RECONCILE_MS = 1_000
AGAIN_MS = 10_000
"""When an act that failed is tried again."""
HARMED_MS = 6 * HOUR_MS
"""For how long people are told that a release was taken back."""
_MOST_STEPS = 200


class ReleasesWorker:
    """See above. Any thread may ask it for views."""

    def __init__(
        self,
        releasing: Releasing,
        facts: Facts,
        journal: JournalSource,
        subjects: Subjects,
        *,
        node: int,
        now_ms: Callable[[], int],
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._releasing, self._subjects = releasing, subjects
        self.now_ms, self._mono_ms = now_ms, mono_ms
        self._now: Callable[[], Moment] = lambda: Moment(now_ms(), mono_ms())
        self._looking, self._telling = threading.Lock(), threading.Lock()
        self._under_way = UnderWay(releasing.releases, journal, subjects, node=node, now=self._now)
        self._shares = SharesTold(facts)
        self._follows: dict[int, Following] = {}
        self._failed: dict[int, tuple[int, str]] = {}
        self._reconciled_ms = -RECONCILE_MS
        self._known_harmful: set[int] = set()
        self._taken_back: tuple[TakenBack, ...] = ()
        self._problems = {"hear": "", "look": ""}
        self._hearing = self._repeating("callers", self.hear)
        self._looks = self._repeating("releases", self.look)

    # Its life.

    def begin(self) -> None:
        """Take over what was known before the start. Touches the disk; a failure is tried again."""
        try:
            self._under_way.read()
        except SwitchhookError as error:
            log.error("the candidates under way are not known yet: %s", error)  # noqa: TRY400

    def start(self) -> None:
        for each in (self._hearing, self._looks):
            each.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """It waits, and keeps what is known."""
        for each in (self._hearing, self._looks):
            each.stop(timeout_s)
        try:
            self._under_way.keep(force=True)
        except SwitchhookError as error:
            log.warning("what is known of canaries will be read from the journal: %s", error)

    def _repeating(self, name: str, step: Callable[[], bool]) -> Repeating:
        """Does a step when woken, four times a second, at once where it has more."""

        def failed(error: Exception) -> None:
            # What was told of shares runs out meanwhile.
            if not self.problem:
                log.error("releases can't be looked after; it is tried again", exc_info=error)
            problem = f"releases can't be looked after: {type(error).__name__}"
            self._problems[step.__name__] = problem

        return Repeating(name, lambda: 0.0 if step() else None, every_s=LOOK_S, failed=failed)

    @property
    def problem(self) -> str:
        """Why they can't be looked after; empty where they can."""
        return "; ".join(dict.fromkeys(filter(None, self._problems.values())))

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        if self._under_way.folded(folded):
            self._hearing.wake()

    # What it does.

    def hear(self) -> bool:
        """Hear of callers, and tell at once where some were harmed; whether there is more."""
        try:
            more = self._under_way.hear()
            problem = self._tell()
        except SwitchhookError as error:
            more, problem = False, f"releases can't be looked after: {error}"
        self._problems["hear"] = problem
        if self._under_way.harmful - self._known_harmful:
            self._looks.wake()
        return more

    def look(self) -> bool:
        """See what people did, act, show and keep; there is never more at once."""
        with self._looking:
            self._known_harmful = self._under_way.harmful
            try:
                self._read()
                problem = self._tell()
                self._under_way.judge()
                if self._act():
                    self._reconciled_ms = -RECONCILE_MS
                    self._read()
                    problem = self._tell()
                    self._under_way.judge()
                self._show()
                self._under_way.keep()
            except SwitchhookError as error:  # what was told runs out, unless this goes again
                problem = f"releases can't be looked after: {error}"
            self._problems["look"] = problem
        return False

    def _read(self) -> None:
        """See what is under way, and at times what else there is. Raises SwitchhookError."""
        now = self._now()
        if now.mono_ms - self._reconciled_ms >= RECONCILE_MS:
            for each in self._releasing.reconcile():
                name = f"release {each.release.number} of {subject_words(each.release.subject)}"
                log.info("%s is %s", name, state_words(each))
            self._taken_back = _taken_back_since(
                self._releasing.releases, now.at_ms - HARMED_MS, self._taken_back
            )
            self._under_way.use()
            self._reconciled_ms = now.mono_ms
        self._under_way.read()

    def _tell(self) -> str:
        """Tell answer processes: whoever harmed callers decides for none. Why it failed, if so."""
        under_way = self._under_way
        with self._telling:  # what was harmful before another told is so now
            standings, stopped = under_way.standings.values(), under_way.harmful
            try:
                self._shares.tell(standings, stopped, under_way.as_of, self.now_ms())
            except OSError as error:
                why = (error.strerror or "error").lower()
                return f"answer processes can't be told of canaries: {why}"
        return ""

    def _act(self) -> bool:
        """Do what follows from the evidence; whether something was done. Raises SwitchhookError."""
        acted = False
        for standing, watch, judged in self._under_way.canaries:
            number, seen = standing.release.number, self._seen_of(standing)
            with self._under_way.lock:
                follows = following(watch, standing, judged, seen, self._under_way.terms.settings)
            self._follows[number] = follows
            if follows.act is not None:
                acted |= self._does(standing, follows)
        return acted

    def _seen_of(self, standing: Standing) -> Seen:
        now, as_of = self._now(), self._under_way.as_of
        subject = standing.release.subject
        endpoints = self._subjects.endpoints(subject)
        with self._under_way.lock:
            throttled = self._under_way.watch.throttled(endpoints, now.at_ms)
        failed_ms, problem = self._failed.get(standing.release.number, (0, ""))
        return Seen(
            now_ms=now.at_ms,
            as_of_ms=None if as_of is None else as_of.at_ms,
            volume=self._subjects.volume(subject),
            throttled=throttled,
            problem=problem if now.mono_ms - failed_ms < AGAIN_MS else "",
        )

    def _does(self, standing: Standing, follows: Following) -> bool:
        """Act on a canary as Switchhook itself, once what that rests on is kept."""
        number, act = standing.release.number, follows.act
        assert act is not None
        self._show()
        self._under_way.keep(force=True)
        wanted = ActWanted(
            act=act,
            by=SWITCHHOOK,
            share=follows.share,
            evidence=follows.evidence,
            seen_ms=None if act is ReleaseAct.FREEZE else standing.since_ms,
        )
        try:
            change = self._releasing.act(number, wanted, _deed)
        except ReleaseError as error:  # a person was quicker, or it doesn't check out any more
            self._failed[number] = self._mono_ms(), str(error)
            log.warning("%s", error)
            return False
        log.warning("%s: %s", change.said, follows.evidence)
        return True

    # What is shown.

    def _show(self) -> None:
        under_way = self._under_way
        views: dict[int, RolloutView | ShadowView] = {}
        with under_way.lock:
            for number, shadow in under_way.watch.shadows.items():
                views[number] = shadow.view()
        for standing, watch, judged in under_way.canaries:
            number, seen = standing.release.number, self._seen_of(standing)
            with under_way.lock:
                views[number] = rollout_view(
                    watch,
                    standing,
                    judged,
                    self._follows.get(number, Following()),
                    seen,
                    under_way.terms.settings,
                    told=self._shares.share_of(number),
                )
        under_way.views = views

    def seen(self) -> ReleasesSeen:
        """All that are under way, and how they stand; and what was taken back of late."""
        standings, views = self._under_way.standings, self._under_way.views
        as_of = self._under_way.as_of
        return ReleasesSeen(
            candidates=tuple((standings[n], each) for n, each in views.items() if n in standings),
            frozen=tuple(each for each in self._taken_back if not _is_damage(each.step)),
            damaged=tuple(each for each in self._taken_back if _is_damage(each.step)),
            behind_ms=None if as_of is None else self._mono_ms() - as_of.mono_ms,
        )

    def view(self, number: int) -> RolloutView | ShadowView | None:
        """How a candidate stands, or how it did when it was one. Raises LedgerError."""
        return self._under_way.shown(number)

    def views(self, number: int) -> tuple[RolloutView | None, ShadowView | None]:
        """How a release does or did in its canary, and in shadow. Raises LedgerError."""
        return self._under_way.both(number)

    def gist(self) -> object:
        """What tells two looks apart that people need to see anew."""
        return (
            self.problem,
            self._taken_back,
            [
                (number, view.share, view.plan, view.unwatched, view.judged and view.judged.words)
                if isinstance(view, RolloutView)
                else (number, view.seen, view.different)
                for number, view in self._under_way.views.items()
            ],
        )


def _taken_back_since(
    releases: LedgerReleases, since_ms: int, known: tuple[TakenBack, ...]
) -> tuple[TakenBack, ...]:
    """The canaries that were ended by themselves of late. Raises LedgerError.

    One whose copy was damaged is left out once somebody did anything about its subject.
    """
    steps = [each for each in releases.steps(limit=_MOST_STEPS) if each.at_ms >= since_ms]
    before = {each.step: each for each in known}
    shares: dict[int, int] = {}
    found = []
    for step in steps:
        if step.act is ReleaseAct.CANARY:
            shares[step.number] = step.share
        elif _is_damage(step) or step.act is ReleaseAct.FREEZE:
            ended = before.get(step) or _ended(releases, step, shares.get(step.number, 0))
            if ended is not None and not (_is_damage(step) and _acted_on(releases, ended)):
                found.append(ended)
    return tuple(found)


def _is_damage(step: Step) -> bool:
    return step.by == SWITCHHOOK and step.evidence == DAMAGED


def _ended(releases: LedgerReleases, step: Step, share: int) -> TakenBack | None:
    standing = releases.standing(step.number)
    if standing is None:
        return None
    return TakenBack(step.number, standing.release.subject, share, step)


def _acted_on(releases: LedgerReleases, ended: TakenBack) -> bool:
    return any(each.since_ms > ended.step.at_ms for each in releases.standings(ended.subject))


def _deed(what: str, subject: str, details: dict[str, str]) -> Deed:
    return Deed(who=SWITCHHOOK, what=what, subject=subject, details=details)
