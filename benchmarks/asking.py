"""Asks a store what the pages ask of it, again and again, and says how long each answer took.

`python -m benchmarks.asking DATA SECONDS [URL]` asks the store of a data folder, or that in the
PostgreSQL at a URL, which `benchmarks.folding` made; it prints one line of JSON: least, middle and
99th percentile in milliseconds by question.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.pages import SEARCHES
from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal import JournalReader
from switchhook.store import PostgresqlStore, SqliteStore
from switchhook.streams.names import Names
from switchhook.streams.search.syntax import parse_query
from switchhook.streams.store import Store, StreamFilter
from switchhook.system.data_folder import JOURNAL, STORE


def questions(store: Store) -> Mapping[str, Callable[[], object]]:
    """What is asked, by the name it has in the report."""
    rows = store.search(parse_query("", 0), Names()).rows
    now, some = rows[0].at_ms, rows[-1].story
    number = next((row.story.said("from_") for row in rows if row.story.said("from_")), "")
    call = some.call_sid
    assert number is not None
    assert call is not None, "the bench's receipts name their callers"
    found: dict[str, Callable[[], object]] = {
        "minutes of an hour": partial(store.tallies, now - HOUR_MS, now),
        "hours of a month": partial(store.tallies, now - 30 * DAY_MS, now, hours=True),
        "facets in use": store.uses,
        "counts of an hour": partial(store.counts, now - HOUR_MS, now),
        "hits of rules": partial(store.rule_hits, now - DAY_MS, now),
        "newest receipts": partial(store.receipts, StreamFilter()),
        "receipts of a call": partial(store.receipts, StreamFilter(call_sid=call)),
        "notes of a call": partial(store.notes, call),
        "seqs of a day": partial(store.seqs_between, now - DAY_MS, now),
    }
    for search in ("", *SEARCHES):
        said = search.format(call=call, number=number, start=number[-10:-5],
                             end=number[-4:])  # fmt: skip
        asked = parse_query(said, now)
        name = search.format(call="…", number="+91…", start="98765", end="3210")
        found[name or "newest streams"] = partial(store.search, asked, Names(), counted=True)
    return found


def ask(store: Store, seconds: float) -> dict[str, tuple[float, float, float]]:
    """Milliseconds by question; each is asked in turn, five times at least."""
    asked = questions(store)
    took: dict[str, list[float]] = {name: [] for name in asked}
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(next(reversed(took.values()))) < 5:
        for name, question in asked.items():
            began = time.perf_counter()
            question()
            took[name].append(1000 * (time.perf_counter() - began))
    return {name: _summary(sorted(each)) for name, each in took.items()}


def _summary(took: list[float]) -> tuple[float, float, float]:
    middle, late = took[len(took) // 2], took[len(took) * 99 // 100]
    return round(took[0], 2), round(middle, 2), round(late, 2)


def main() -> None:
    """Ask, and print what came of it."""
    data, seconds = Path(sys.argv[1]), float(sys.argv[2])
    with closing(JournalReader(data / JOURNAL)) as journal:
        if sys.argv[3:]:
            with closing(PostgresqlStore(sys.argv[3], journal)) as store:
                found = ask(store, seconds)
        else:
            found = ask(SqliteStore(data / STORE, journal), seconds)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
