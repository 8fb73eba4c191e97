"""What ends a rollout besides its measures, each with a part of the same false alarms. Pure.

| Fuse | Trips when |
| --- | --- |
| split | the candidate decides for more, fewer or none of the callers than its share says |
| sudden | failures come close together for canary callers, however long it went well before |
| rule_error, deadline_missed | the candidate can't decide, or not in time, more often |
| mix | the candidate decides otherwise than its back-test foretold |

No fuse is a fixed number of failures in a row: at a base rate of 20 % five in a row are common, and
what fails for everybody fails for canary callers too. All but the last compare the two sides of the
same moment (risk.py), so that the number needed follows from the base rate by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

import msgspec

from switchhook.releases.risk import Failures, RiskTest

FAULTS = ("rule_error", "deadline_missed")
"""What can go wrong with an answer itself."""
MIX_TOLERATED = 0.1
"""How much more of the callers may get a decision than was foretold."""
_SPLIT_GRID = (1e-9, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
"""How many times as likely a caller may be a canary caller; the first is never."""
_FAULT_GRID = (1.5, 3.0, 8.0, 20.0, 60.0, 1000.0)
_SUDDEN_GRID = (8.0, 20.0, 60.0)
_BEGIN_AGAIN = 0.25
_STEPS = (0.1, 0.3, 0.6, 0.9)
"""How far from tolerated to always a part may be, by which likelihoods are averaged."""


def split_test(callers: Sequence[Failures] = ()) -> RiskTest:
    """Whether as many callers are canary callers as should be: all callers, not those who fail."""
    return RiskTest(callers, grid=_SPLIT_GRID)


def fault_test(faults: Sequence[Failures] = ()) -> RiskTest:
    """Whether the candidate fails to answer as it should more often."""
    return RiskTest(faults, grid=_FAULT_GRID)


class SuddenState(msgspec.Struct, frozen=True):
    """How often the test was begun, and what the newest run has."""

    runs: int = 1
    failures: tuple[Failures, ...] = ()


class Sudden:
    """Failures close together: the test, begun anew whenever nothing speaks for harm.

    A long good time weighs down the test over the whole rollout; this one has forgotten it. Run j
    has the 1/(j (j + 1))th part of the false alarms, which is all of them together.
    """

    def __init__(self, state: SuddenState | None = None) -> None:
        state = state or SuddenState()
        self._runs = state.runs
        self._test = RiskTest(state.failures, grid=_SUDDEN_GRID)

    def failed(self, rho: float, canary: bool) -> float:
        """A caller failed; the e-value of all runs, as much as it is now."""
        self._test.failed(rho, canary)
        e = self._test.e
        if e < _BEGIN_AGAIN:
            self._runs += 1
            self._test = RiskTest(grid=_SUDDEN_GRID)
            e = 1.0
        return e / (self._runs * (self._runs + 1))

    @property
    def state(self) -> SuddenState:
        """To go on from."""
        return SuddenState(self._runs, self._test.failures)


class Mix:
    """Whether canary callers get decisions that the back-test foretold for far fewer of them.

    `foretold` is the part of all callers for each decision, 0 to 1; those not named there were
    foretold for nobody. Holds as long as no decision's true part exceeds what was foretold by more
    than `MIX_TOLERATED`, however it moves below that.
    """

    def __init__(
        self, foretold: Mapping[str, float], counts: Mapping[str, int] | None = None
    ) -> None:
        self._foretold = foretold
        self.counts = dict(counts or {})
        self.callers = sum(self.counts.values())

    def decided(self, decision: str) -> float:
        """A canary caller got a decision; the e-value against its part, as one of them all."""
        known = decision if decision in self._foretold else ""
        self.counts[known] = self.counts.get(known, 0) + 1
        self.callers += 1
        return self._e_of(known)

    def _e_of(self, decision: str) -> float:
        most = min(0.99, self._foretold.get(decision, 0.0) + MIX_TOLERATED)
        got = self.counts[decision]
        total = 0.0
        for step in _STEPS:
            part = most + (1 - most) * step
            ratio = got * log(part / most) + (self.callers - got) * log((1 - part) / (1 - most))
            total += exp(min(ratio, 690.0))
        return total / len(_STEPS) / (len(self._foretold) + 1)

    def furthest(self) -> tuple[str, float, float] | None:
        """The decision furthest above what was foretold, its part, and the part foretold."""
        if not self.callers:
            return None
        parts = {each: count / self.callers for each, count in self.counts.items()}
        far = max(parts, key=lambda each: parts[each] - self._foretold.get(each, 0.0))
        return far, parts[far], self._foretold.get(far, 0.0)
