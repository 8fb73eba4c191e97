"""Tries rules on the receipts of a data folder, as a process of a back-test does: how fast.

`python -m benchmarks.backtesting DATA MOST` tries at most so many with each set of rules, and
prints one line of JSON. The journal is in the page cache by then: it was read once before.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from contextlib import closing
from pathlib import Path

from switchhook.journal import JournalReader
from switchhook.releases.backtest_engine import count_span
from switchhook.releases.spans import Span
from switchhook.releases.trial import Trial
from switchhook.rules.decide import Ruleset
from switchhook.rules.rules_file import BUILTIN, load_rules
from switchhook.streams.names import Names
from switchhook.system.data_folder import JOURNAL
from switchhook.system.priority import lower_priority, yield_cpu

TEN_RULES = Path(__file__).parent / "ten-rules.toml"
_PART = 2000


def measured(journal: JournalReader, ruleset: Ruleset, most: int) -> dict[str, float]:
    """Receipts that were decided again, and seconds of the clock and of the processor."""
    trial = Trial("rules/bench", ruleset.release, ruleset, None, Names())
    began, used = time.perf_counter(), time.process_time()
    decided = 0
    for first in range(1, most + 1, _PART):
        span = Span(first, min(first + _PART - 1, most))
        decided += count_span(trial, journal, span).decided
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - used
    return {"decided": decided, "seconds": seconds, "cpu_s": cpu_s, "per_s": decided / cpu_s}


def main() -> None:
    """Try, and print what came of it."""
    lower_priority()
    gc.freeze()
    gc.disable()  # as the processes of a back-test do
    data, most = Path(sys.argv[1]), int(sys.argv[2])
    rules = {"built-in": BUILTIN, "ten": load_rules(TEN_RULES.read_bytes(), file=str(TEN_RULES))}
    with closing(JournalReader(data / JOURNAL, yield_cpu=yield_cpu)) as journal:
        most = min(most, journal.last_seq())
        measured(journal, BUILTIN, most)
        found = {name: measured(journal, each, most) for name, each in rules.items()}
    json.dump(found, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
