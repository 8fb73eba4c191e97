"""How long answers took, by the buckets that the answer side counts them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import ANSWER_BOUNDS_MS, ANSWER_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class AnswerPercentiles(msgspec.Struct, frozen=True):
    """Upper bounds in ms for half and for 99 of 100 answers; None where there were none.

    `beyond` is whether the 99th was slower than the greatest bound, which is what it says then.
    """

    answers: int
    p50_ms: int | None
    p99_ms: int | None
    beyond: bool = False


def answer_times(counted: Mapping[str, int]) -> AnswerPercentiles:
    """The times by what was counted under `ANSWER_BUCKETS`."""
    buckets = [counted.get(name, 0) for name in ANSWER_BUCKETS]
    answers = sum(buckets)
    p50, p99 = _bound(buckets, answers, 50), _bound(buckets, answers, 99)
    most = ANSWER_BOUNDS_MS[-1]
    return AnswerPercentiles(
        answers=answers,
        p50_ms=None if p50 is None else min(p50, most),
        p99_ms=None if p99 is None else min(p99, most),
        beyond=p99 is not None and p99 > most,
    )


def _bound(buckets: Sequence[int], answers: int, percent: int) -> int | None:
    seen = 0
    for count, bound in zip(buckets, (*ANSWER_BOUNDS_MS, ANSWER_BOUNDS_MS[-1] + 1), strict=True):
        seen += count
        if answers and seen * 100 >= answers * percent:
            return bound
    return None
