"""Whether failures are likelier on one side of a rollout: a test that bears any looking. Pure.

Only failures are looked at. If the release changes nothing, a caller who fails is a canary caller
with the chance that anybody was one, `rho`, whatever the failure rate is and however it moves over
the day. Where it multiplies the risk by r, the chance is `rho r / (rho r + 1 - rho)`. The ratio of
the two likelihoods, averaged over a grid of r, is an e-value: it reaches 1/alpha with a chance of
at most alpha, however often one looks (Ville's inequality). After Lindon and Malek, Anytime-Valid
Inference for Multinomial Count Data, NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p, sqrt

import msgspec

GRID = (1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 35.0, 60.0)
"""How many times as likely a failure may have become, by which the likelihoods are averaged."""
_BISECTIONS = 30
_MOST_RISK = 1000.0


def chance(risk: float, rho: float) -> float:
    """That a caller who fails is a canary caller, if failing is `risk` times as likely there."""
    return rho * risk / (rho * risk + 1 - rho)


class Failures(msgspec.Struct, frozen=True):
    """Callers who failed, of those that were canary callers with the same chance `rho`."""

    rho: float
    canary: int
    control: int


class RiskTest:
    """The e-value of one measure, and what is needed to say how far off it may be."""

    def __init__(
        self,
        failures: Sequence[Failures] = (),
        *,
        tolerated: float = 1.0,
        grid: Sequence[float] = GRID,
    ) -> None:
        self.tolerated = tolerated
        self._grid = grid
        self._counts = {each.rho: [each.canary, each.control] for each in failures}
        self._steps: dict[float, tuple[tuple[float, float], ...]] = {}
        self._e: float | None = None

    def failed(self, rho: float, canary: bool) -> None:
        """A caller failed, who was a canary caller with the chance `rho`, 0 < rho < 1."""
        counts = self._counts.setdefault(rho, [0, 0])
        counts[0 if canary else 1] += 1
        self._e = None

    @property
    def e(self) -> float:
        """The e-value by now; the same for the same failures in any order, to the last bit."""
        if self._e is None:
            self._e = self._reckoned()
        return self._e

    def _reckoned(self) -> float:
        logs = [0.0] * len(self._grid)
        for rho, (canary, control) in sorted(self._counts.items()):
            steps = self._steps.get(rho) or self._steps_of(rho)
            logs = [
                have + canary * up + control * down
                for have, (up, down) in zip(logs, steps, strict=True)
            ]
        return mean_of_exp(logs)

    def _steps_of(self, rho: float) -> tuple[tuple[float, float], ...]:
        """What a failure adds to each logarithm: of a canary caller, of a control caller."""
        none = chance(self.tolerated, rho)
        thetas = [chance(self.tolerated * each, rho) for each in self._grid]
        steps = tuple((log(theta / none), log((1 - theta) / (1 - none))) for theta in thetas)
        self._steps[rho] = steps
        return steps

    @property
    def failures(self) -> tuple[Failures, ...]:
        """All that is known, to go on from."""
        return tuple(Failures(rho, *counts) for rho, counts in sorted(self._counts.items()))

    def interval(self, alpha: float) -> tuple[float, float | None]:
        """Between which bounds the risk ratio lies, with confidence 1 - alpha at any look.

        The lower is 0 and the upper None where nothing bounds it. A ratio lies outside where the
        e-value against it reaches 2/alpha; both bounds are found by bisection.
        """
        enough = log(2 / alpha)
        return self._low(enough), self._high(enough)

    def _low(self, enough: float) -> float:
        """The evidence for greater ratios falls as the ratio grows: the likelihood is concave."""
        low, high = 1 / _MOST_RISK, _MOST_RISK
        if self._against(low, above=True) < enough:
            return 0.0
        for _ in range(_BISECTIONS):
            middle = sqrt(low * high)
            out = self._against(middle, above=True) >= enough
            low, high = (middle, high) if out else (low, middle)
        return low

    def _high(self, enough: float) -> float | None:
        low, high = 1 / _MOST_RISK, _MOST_RISK
        if self._against(high, above=False) < enough:
            return None
        for _ in range(_BISECTIONS):
            middle = sqrt(low * high)
            out = self._against(middle, above=False) >= enough
            low, high = (low, middle) if out else (middle, high)
        return high

    def estimate(self) -> float | None:
        """The risk ratio that explains the failures best; None without failures on both sides."""
        canary = sum(counts[0] for counts in self._counts.values())
        if canary in (0, sum(map(sum, self._counts.values()))):
            return None
        expected = self._expected
        low, high = 1 / _MOST_RISK, _MOST_RISK
        for _ in range(_BISECTIONS):
            middle = sqrt(low * high)
            low, high = (middle, high) if expected(middle) < canary else (low, middle)
        return sqrt(low * high)

    def _expected(self, risk: float) -> float:
        return sum(sum(counts) * chance(risk, rho) for rho, counts in self._counts.items())

    def _log_likelihood(self, risk: float) -> float:
        """Up to what is the same for every ratio."""
        total = log(risk) * sum(canary for canary, _ in self._counts.values())
        for rho, (canary, control) in self._counts.items():
            total -= (canary + control) * log1p(rho * (risk - 1))
        return total

    def _against(self, risk: float, *, above: bool) -> float:
        """The logarithm of the e-value against a risk ratio, for greater ones or smaller ones."""
        here = self._log_likelihood(risk)
        others = [risk * each if above else risk / each for each in self._grid]
        return log_mean_exp([self._log_likelihood(other) - here for other in others])


def log_mean_exp(logs: Sequence[float]) -> float:
    """The logarithm of the mean of what these are the logarithms of."""
    most = max(logs)
    return most + log(sum(exp(each - most) for each in logs) / len(logs))


def mean_of_exp(logs: Sequence[float]) -> float:
    """The mean of what these are the logarithms of; at most 1e300."""
    if max(logs) > 690:
        return 1e300
    return sum(map(exp, logs)) / len(logs)
