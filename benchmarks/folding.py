"""Makes the store of a data folder again, as `switchhook rebuild` does, and says how fast.

`python -m benchmarks.folding DATA SECONDS` folds for so long at most, and prints one line of JSON.
`python -m benchmarks.folding DATA SECONDS URL` folds into the PostgreSQL at a URL instead, as the
node does that leads; what is there is emptied first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from switchhook.journal import JournalReader
from switchhook.journal.source import JournalSource
from switchhook.store import PostgresqlStore, rebuild
from switchhook.streams.parsed_record import parse_records
from switchhook.system.data_folder import JOURNAL, STORE
from switchhook.system.priority import lower_priority, yield_cpu

_WINDOW = 0.1  # the share of all records whose rate is told as the rate at the end
_BATCH = 4000  # as a rebuild has them


class _Enough(Exception):  # noqa: N818 - no error
    """The time is over; the old store stays in use."""


def rates(marks: list[tuple[int, float]]) -> tuple[float, float]:
    """Records a second over all, and over the last tenth of what was folded.

    `marks` are records folded and seconds since the start, ascending; two at least.
    """
    count, seconds = marks[-1]
    since = next(mark for mark in reversed(marks[:-1]) if mark[0] <= (1 - _WINDOW) * count)
    return count / seconds, (count - since[0]) / (seconds - since[1])


def fold_all(url: str, journal: JournalSource, progress: Callable[[int, int], None]) -> None:
    """Fold the whole journal into the tables of a database, emptied first."""
    with closing(PostgresqlStore(url, journal)) as store:
        store.open()
        store.begin_again()
        position = 0
        while records := journal.read(position, _BATCH):
            store.fold(position, parse_records(records, yield_cpu))
            position = records[-1].seq
            progress(position, journal.last_seq())


def main() -> None:
    """Fold, and print what came of it."""
    lower_priority()
    data, most = Path(sys.argv[1]), float(sys.argv[2])
    began = time.perf_counter()
    marks = [(0, 0.0)]

    def progress(seq: int, _last: int) -> None:
        marks.append((seq, time.perf_counter() - began))
        if marks[-1][1] > most:
            raise _Enough

    whole = True
    with closing(JournalReader(data / JOURNAL, yield_cpu=yield_cpu)) as journal:
        try:
            if sys.argv[3:]:
                fold_all(sys.argv[3], journal, progress)
            else:
                rebuild(data / STORE, journal, progress)
        except _Enough:
            whole = False
    overall, at_end = rates(marks)
    found = {"folded": marks[-1][0], "seconds": marks[-1][1], "whole": whole}
    json.dump({**found, "per_s": overall, "per_s_at_end": at_end}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
