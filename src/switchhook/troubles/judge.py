"""Whether something fails now: by the evidence of each outcome, and by a short and a long window.

Two questions, asked of every outcome as it comes, at any traffic:

- Is it failing *just now*? Each failure is evidence for it, each success against it: a cumulative
  sum of log-likelihood ratios (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954)
  between what is usual here and half of all failing. A streak of five is enough where calls come
  one a minute, and seven where a thousand do; one odd failure never is. A trouble ends the same
  way, from the other side: by a few successes in a row, and a calm that they last.
- Does it burn its budget *slowly*? The share that fails in a long and in a short window both, as
  site reliability engineering does it (Google, "The Site Reliability Workbook", chapter 5, section
  "6: Multiwindow, Multi-Burn-Rate Alerts"), once there was traffic for a minute or two: of calls
  that began together the failed ones end first.

Times are Unix ms of the console's steady clock. Nothing here reads one.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

MONTH_MIN = 30 * 24 * 60
LAPSE_MS = DAY_MS
"""A trouble of which nothing was heard for so long is over."""

_FEWEST = 5  # failures that are more than a few
_STREAK = 10  # failures in a row that are bad, however it went before
_RECENT = 50  # outcomes of a trouble, the last, by which it is bad
_TURNED = 3.0  # evidence, as by five successes in a row, that it turned for the better
_RELAPSED = 9.0  # evidence, as by three failures in a row, that it did not last
_SELDOM = 1.5  # of evidence, by which that bound is too careful
_LATEST = 50  # outcomes whose pace is the traffic's
_MOST_CALLERS = 100_000
_MOST_TRAITS = 100  # of one kind that are told apart: hosts come from outside
_MOST_FAILED = 100  # failures, the last, that a slow burn is told by
_SETTLED_MS = 2 * MINUTE_MS  # after which what ended is like what began
_WEIGHT = 200  # outcomes that what is usual is believed to rest on from the start
_MEMORY = 5_000  # outcomes that it is made of at most
_FORGIVE_MS = 2 * HOUR_MS  # after which a return is a new trouble with a calm of its own
_LONGEST_CALM_MS = 16 * MINUTE_MS


class Burn(msgspec.Struct, frozen=True):
    """A share that fails in both windows, `times` the budget; of the long one's `least` or more."""

    long_ms: int
    short_ms: int
    times: float
    least: int = 30


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By what it is judged.

    `usual` is the share of failures that is expected before anything is known, and the least that
    is; `failing` the share that evidence weighs it against; `budget` what may fail in the long run.
    It is bad, and not only worth a warning, once `bad_share` of the last outcomes failed. `calm_s`
    is how long it must go well to be over; `first` whether one failure is worth a warning.
    """

    usual: float = 0.02
    failing: float = 0.5
    budget: float = 0.05
    bad_share: float = 0.4
    calm_s: int = 60
    first: bool = False
    burns: tuple[Burn, ...] = (
        Burn(HOUR_MS, 5 * MINUTE_MS, 6.0),
        Burn(6 * HOUR_MS, 30 * MINUTE_MS, 3.0),
    )


class Phase(StrEnum):
    """Where a trouble is: it fails, or goes well again for less time than the calm."""

    FAILING = "failing"
    RECOVERING = "recovering"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How one thing went. `caller` counts once, however often they try; `traits` say what was met.

    Traits are pairs of what is told of (`kind`, `host`, `went`) and a text.
    """

    at_ms: int
    failed: bool
    caller: Hashable = None
    traits: tuple[tuple[str, Hashable], ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A trouble as it stands. `since_ms` is the first failure's own time, and does not move.

    `failed` of `cases` count since then, `streak` the failures without a success at the end,
    `well` the successes since the last failure. `returns` is how often it came back.
    """

    phase: Phase
    bad: bool
    since_ms: int
    last_failed_ms: int
    last_ms: int
    failed: int
    cases: int
    streak: int
    well: int
    callers: int
    returns: int
    traits: tuple[tuple[str, tuple[tuple[Hashable, int], ...]], ...] = ()

    @property
    def share(self) -> float:
        return self.failed / self.cases

    def most(self, trait: str) -> tuple[tuple[Hashable, int], ...]:
        """What the failures met of one kind, the most frequent first."""
        return next((found for name, found in self.traits if name == trait), ())


class _Stretch:
    """What is counted from a first failure on."""

    def __init__(self, at_ms: int) -> None:
        self.since_ms = self.last_failed_ms = at_ms
        self.failed = self.cases = self.streak = 0
        self.callers: set[Hashable] = set()
        self.alone = 0  # failures of whom nobody knows who called
        self.traits: dict[str, Counter[Hashable]] = {}
        self._recent: deque[bool] = deque(maxlen=_RECENT)

    @classmethod
    def of_burn(cls, failures: Sequence[Outcome], well: int, recent: Iterable[bool]) -> _Stretch:
        """What burned: its failures, how many went well among them, and how the last went."""
        stretch = cls(failures[0].at_ms)
        for each in failures:
            stretch.take(each)
        stretch.cases += well
        stretch._recent.clear()
        for failed in recent:
            stretch._recent.append(failed)
            stretch.streak = stretch.streak + 1 if failed else 0
        return stretch

    def is_bad(self, share: float) -> bool:
        """Whether so many of the last ones failed, or all of the very last; never above 1."""
        failed = sum(self._recent)
        if failed < _FEWEST or share > 1:
            return False
        return failed >= share * len(self._recent) or self.streak >= _STREAK

    def take(self, outcome: Outcome) -> None:
        self.cases += 1
        self._recent.append(outcome.failed)
        self.streak = self.streak + 1 if outcome.failed else 0
        if not outcome.failed:
            return
        self.failed += 1
        self.last_failed_ms = outcome.at_ms
        if outcome.caller is None:
            self.alone += 1
        elif len(self.callers) < _MOST_CALLERS:
            self.callers.add(outcome.caller)
        for name, text in outcome.traits:
            counts = self.traits.setdefault(name, Counter())
            if text in counts or len(counts) < _MOST_TRAITS:
                counts[text] += 1


class _Windows:
    """Outcomes by the minute, as far back as the longest window."""

    def __init__(self, burns: Iterable[Burn]) -> None:
        self._longest_ms = max((burn.long_ms for burn in burns), default=0)
        self._minutes: deque[list[int]] = deque()  # begin, cases, failed

    def take(self, at_ms: int, *, failed: bool) -> None:
        begin = at_ms - at_ms % MINUTE_MS
        if not self._minutes or self._minutes[-1][0] < begin:
            self._minutes.append([begin, 0, 0])
        minute = self._minutes[-1]
        minute[1] += 1
        minute[2] += failed
        while self._minutes[0][0] <= at_ms - self._longest_ms - MINUTE_MS:
            self._minutes.popleft()

    @property
    def first_ms(self) -> int:
        """When the minute of its first outcome began."""
        return self._minutes[0][0]

    def share(self, since_ms: int) -> tuple[int, int]:
        """Failures and cases from a time on."""
        failed = cases = 0
        for begin, count, bad in reversed(self._minutes):
            if begin + MINUTE_MS <= since_ms:
                break
            failed, cases = failed + bad, cases + count
        return failed, cases


class Judge:
    """Judges one thing, outcome by outcome, in the order of time."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._usual_failed = terms.usual * _WEIGHT
        self._usual_cases = float(_WEIGHT)
        self._latest: deque[int] = deque(maxlen=_LATEST)
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._failures: deque[Outcome] = deque(maxlen=_MOST_FAILED)
        self._evidence = self._turned = 0.0
        self._turned_ms: int | None = None
        self._suspected: _Stretch | None = None
        self._trouble: _Stretch | None = None
        self._bad = False
        self._well = self._returns = 0
        self._ended_ms: int | None = None
        self._windows = _Windows(terms.burns)
        self._last_ms = 0

    @property
    def last_ms(self) -> int:
        """When the last outcome was."""
        return self._last_ms

    @property
    def usual(self) -> float:
        """The share of failures that is usual here."""
        return min(max(self._usual_failed / self._usual_cases, self.terms.usual), 0.2)

    def take(self, outcome: Outcome) -> None:
        """Weigh one more."""
        self.settle(outcome.at_ms)
        self._last_ms = outcome.at_ms
        self._latest.append(outcome.at_ms)
        self._recent.append(outcome.failed)
        self._well = 0 if outcome.failed else self._well + 1
        self._windows.take(outcome.at_ms, failed=outcome.failed)
        if self._trouble is None:
            self._suspect(outcome)
        else:
            self._trouble.take(outcome)
            self._bad = self._bad or self._trouble.is_bad(self.terms.bad_share)
            self._turn(outcome, self._trouble)

    def settle(self, now_ms: int) -> None:
        """Let a trouble be over that went well for long enough by now."""
        if self._trouble is None:
            return
        calm = self._turned_ms is not None and now_ms - self._turned_ms >= self._calm_ms()
        if calm or now_ms - self._last_ms >= LAPSE_MS:
            self._trouble = self._suspected = None
            self._evidence, self._ended_ms = 0.0, now_ms
            # What was told of is no evidence for what comes.
            self._windows = _Windows(self.terms.burns)
            self._failures.clear()

    def standing(self, now_ms: int) -> Standing | None:
        """The trouble as it stands; None where there is none."""
        self.settle(now_ms)
        trouble = self._trouble
        if trouble is None:
            return None
        turned = self._turned_ms is not None
        return Standing(
            phase=Phase.RECOVERING if turned else Phase.FAILING,
            bad=self._bad,
            since_ms=trouble.since_ms,
            last_failed_ms=trouble.last_failed_ms,
            last_ms=self._last_ms,
            failed=trouble.failed,
            cases=trouble.cases - self._well,
            streak=trouble.streak,
            well=self._well,
            callers=len(trouble.callers) + trouble.alone,
            returns=self._returns,
            traits=tuple((name, tuple(c.most_common())) for name, c in trouble.traits.items()),
        )

    # How a trouble begins.

    def _suspect(self, outcome: Outcome) -> None:
        if outcome.failed:
            self._failures.append(outcome)
        self._evidence = max(0.0, self._evidence + self._ratio(outcome, self.terms.failing))
        if not self._evidence:
            self._learn(outcome)
            return
        if self._suspected is None:
            self._suspected = _Stretch(outcome.at_ms)
        self._suspected.take(outcome)
        if self.terms.first or self._evidence >= self._enough():
            self._begin(self._suspected, outcome.at_ms)
        elif outcome.failed and (burn := self._burn(outcome.at_ms)) is not None:
            self._begin(self._burned(burn, outcome.at_ms), outcome.at_ms)

    def _begin(self, stretch: _Stretch, at_ms: int) -> None:
        lately = self._ended_ms is not None and at_ms - self._ended_ms < _FORGIVE_MS
        self._returns = self._returns + 1 if lately else 0
        self._trouble, self._turned, self._turned_ms = stretch, 0.0, None
        self._bad = stretch.is_bad(self.terms.bad_share)

    def _enough(self) -> float:
        """The evidence that chance brings together about once in a month of such traffic.

        By e to its power it bounds how seldom, and well: simulated it is several times as seldom.
        """
        first, count = self._latest[0], len(self._latest)
        minutes = max(self._last_ms - first, 1) / MINUTE_MS
        return math.log(max(count / minutes, 1.0) * MONTH_MIN) - _SELDOM

    def _learn(self, outcome: Outcome) -> None:
        """What came to nothing was usual, what was suspected among it."""
        suspected, self._suspected = self._suspected, None
        self._usual_failed += outcome.failed + (suspected.failed if suspected is not None else 0)
        self._usual_cases += 1 + (suspected.cases if suspected is not None else 0)
        if self._usual_cases > _MEMORY:
            self._usual_failed *= 0.5
            self._usual_cases *= 0.5

    def _burn(self, now_ms: int) -> Burn | None:
        """By which share it burns now; None where it doesn't."""
        return next((burn for burn in self.terms.burns if self._burns(burn, now_ms)), None)

    def _burns(self, burn: Burn, now_ms: int) -> bool:
        failed, cases = self._windows.share(now_ms - burn.long_ms)
        settled = now_ms - self._windows.first_ms >= _SETTLED_MS
        if not settled or cases < burn.least or failed < _FEWEST:
            return False
        shares = (failed, cases), self._windows.share(now_ms - burn.short_ms)
        most = burn.times * self.terms.budget
        return all(failed > 0 and failed >= most * cases for failed, cases in shares)

    def _burned(self, burn: Burn, now_ms: int) -> _Stretch:
        """All of the long window that it was seen by, from its first failure on."""
        failures = [each for each in self._failures if each.at_ms > now_ms - burn.long_ms]
        failed, cases = self._windows.share(failures[0].at_ms)
        return _Stretch.of_burn(failures, cases - failed, self._recent)

    # How it ends.

    def _turn(self, outcome: Outcome, trouble: _Stretch) -> None:
        if self._turned_ms is None:
            share = trouble.failed / (trouble.cases - self._well)
            failing = max(min(self.terms.failing, share), 2 * self.usual)
            self._turned = max(0.0, self._turned - self._ratio(outcome, failing))
            if self._turned >= _TURNED:
                self._turned_ms, self._evidence = outcome.at_ms, 0.0
            return
        self._evidence = max(0.0, self._evidence + self._ratio(outcome, self.terms.failing))
        if self._evidence >= _RELAPSED or (self.terms.first and outcome.failed):
            self._turned_ms, self._turned = None, 0.0

    def _calm_ms(self) -> int:
        """Each return doubles it: what flaps is told of less and less."""
        return min(self.terms.calm_s * 1000 << min(self._returns, 8), _LONGEST_CALM_MS)

    def _ratio(self, outcome: Outcome, failing: float) -> float:
        """The logarithm of how much likelier an outcome is where things fail than usually."""
        if outcome.failed:
            return math.log(failing / self.usual)
        return math.log((1 - failing) / (1 - self.usual))
