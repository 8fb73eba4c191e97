"""Carries a back-test out: hands its parts to processes, and keeps where it stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from switchhook.releases.backtest import Counting
from switchhook.releases.backtest_engine import Counters
from switchhook.releases.spans import joined, left_s, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.releases.backtest import BackTest
    from switchhook.releases.backtest_engine import Work

KEEP_S = 1.0
"""How often it is kept where a back-test stands."""


def carry_out(
    found: BackTest,
    work: Work,
    *,
    cores: int,
    keep: Callable[[BackTest], None],
    say: Callable[[BackTest], None] = lambda found: None,
    stop: Callable[[], bool] = lambda: False,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    mono_s: Callable[[], float] = time.monotonic,
) -> bool:
    """Count what is left to count; whether that is all, as it ends early when `stop` says so.

    `say` is told after each part how far it is, `keep` now and then, and at the end. Raises
    ReleaseError, JournalError and what `keep` raises; what was kept can be gone on with.
    """
    counting, began_s, spent_s = Counting(found.tally), mono_s(), found.spent_s
    before, kept_s = found.counted, began_s
    found.cores = cores
    parts = parts_of(found.whole, found.done, cores)
    with Counters(work, min(cores, len(parts))) as counters:
        for part, tally in counters.count(parts, stop):
            counting.add(tally)
            found.done = joined([*found.done, part])
            took_s = mono_s() - began_s
            found.spent_s = spent_s + took_s
            found.left_s = left_s(found.counted - before, found.whole.records - before, took_s)
            say(found)
            if mono_s() - kept_s >= KEEP_S:
                kept_s, found.tally = mono_s(), counting.tally()
                keep(found)
    found.tally = counting.tally()
    if found.counted >= found.whole.records:
        found.ended_ms, found.left_s = now_ms(), None
    keep(found)
    return found.complete
