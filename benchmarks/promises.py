"""A console that owes 100,000 callbacks: how soon its page is there, and what it costs when idle.

`python -m benchmarks.promises [COUNT]` measures it alone. All promises are open and due, and their
account may dial but has no place for a call: the console looks again and again for one.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

import msgspec
from sqlalchemy import insert

from benchmarks.by_link import cookie
from benchmarks.contestants import Ours
from benchmarks.figures import quantile
from benchmarks.machine import Cores, cpu_s, memory_mb, share_cores
from benchmarks.pages import LONGEST_S, first_byte_ms
from switchhook.access.audit import Deed
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.promise import (
    TOKEN_BYTES,
    Promise,
    PromiseEvent,
    PromiseOrigin,
    PromiseState,
    token_of,
)
from switchhook.callbacks.rows_ledger import EVENTS, PROMISES, promise_row
from switchhook.exotel.times import HOUR_MS
from switchhook.ledger.database import Ledger
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER

COUNT = 100_000
IDLE_S, SETTLE_S = 30.0, 10.0
MOST_PAGE_MS, MOST_IDLE = 50.0, 0.05
PAGES = {
    "/promises": "/promises",
    "those that are open, of one class": "/promises?state=open&class=gold",
    "those of a reason, of which there is none": "/promises?state=open&reason=none",
}
_STEP = 5_000
_CONFIG = """
[answer]
url = "https://calls.example"
[accounts.bench]
sid = "bench1"
url = "http://127.0.0.1:9"
key_file = "bench.key"
token_file = "bench.key"
[accounts.bench.callbacks]
exophone = "+918045601234"
flow = "1"
hours = "0:00-24:00"
"""


class PromisesResult(msgspec.Struct):
    """Of so many open promises: milliseconds to the first byte by page.

    `idle` is the share of a core that the console takes with them while nothing happens, `without`
    what it takes without any.
    """

    promises: int
    pages: dict[str, list[float]]
    idle: float
    without: float
    memory: dict[str, float]

    @property
    def cost(self) -> float:
        """The share of a core that they cost."""
        return max(self.idle - self.without, 0.0)


def rows(count: int, now_ms: int) -> Iterator[Promise]:
    """Open promises that are due, of three classes, in the order in which they were made."""
    for at in range(count):
        made_ms = now_ms - HOUR_MS + at
        yield Promise(
            id=at + 1,
            token=token_of(os.urandom(TOKEN_BYTES)),
            account="bench",
            number=f"+9198{at:08}",
            class_=("default", "gold", "sales")[at % 3],
            reason=("throttled", "failed")[at % 2],
            origin=PromiseOrigin.RULE,
            endpoint="bench",
            call_sid=f"{at:032x}",
            receipt=f"1-{at}",
            made_ms=made_ms,
            due_ms=made_ms + 60_000,
            until_ms=made_ms + 8 * HOUR_MS,
            state=PromiseState.OPEN,
            event=PromiseEvent.PROVEN,
            since_ms=made_ms,
        )


def fill(ledger: Ledger, count: int, now_ms: int) -> None:
    """Put promises into a ledger, each with the step that opened it."""
    batch: list[Promise] = []
    for promise in rows(count, now_ms):
        batch.append(promise)
        if len(batch) == _STEP or promise.id == count:
            _put(ledger, batch)
            batch = []


def _put(ledger: Ledger, batch: list[Promise]) -> None:
    steps = [
        {
            "promise": each.id,
            "at_ms": each.made_ms,
            "event": PromiseEvent.PROVEN.value,
            "state": each.state.value,
            "why": "",
            "attempt": 0,
            "by": "",
        }
        for each in batch
    ]
    with ledger.writing() as connection:
        connection.execute(insert(PROMISES), [{"id": p.id, **promise_row(p)} for p in batch])
        connection.execute(insert(EVENTS), steps)


def measure(
    work: Path, cores: Cores, rounds: int, say: Callable[[str], None], count: int = COUNT
) -> PromisesResult:
    """Make the promises, start a console over them, ask it, and leave it alone."""
    ours = Ours(work, cores, name="ours-promises")
    ours.config.write_text(ours.config.read_text() + _CONFIG)
    (work / "bench.key").write_text("bench")
    with ours.start():
        pass  # begins the journal
    with ours.start_console() as child:
        without = idle_share(child.pid)
    now_ms = time.time_ns() // 1_000_000
    with closing(open_ledger(ours.data / LEDGER)) as ledger:
        fill(ledger, count, now_ms)
        deed = Deed(who="bench", what="allowed an account to dial")
        LedgerDialling(ledger).allow("bench", deed, now_ms)
    with ours.start_console() as child:
        check(ours.console_port, count)
        connection = http.client.HTTPConnection("127.0.0.1", ours.console_port, timeout=LONGEST_S)
        pages = {
            name: [round(first_byte_ms(connection, address), 2) for _ in range(10 * rounds)]
            for name, address in PAGES.items()
        }
        idle = idle_share(child.pid)
        check(ours.console_port, count)
        memory = memory_mb(child.pid)
    slowest = max(median(took) for took in pages.values())
    say(f"{count:,} open promises: slowest page {slowest:.1f} ms, idle {idle:.1%} of a core")
    return PromisesResult(count, pages, idle, without, memory)


def idle_share(pid: int) -> float:
    """The share of a core that a process takes while nobody asks anything of it."""
    time.sleep(SETTLE_S)
    used, began = cpu_s(pid), time.monotonic()
    time.sleep(IDLE_S)
    return (cpu_s(pid) - used) / (time.monotonic() - began)


def table(found: PromisesResult | None) -> list[str]:
    """The figures as Markdown."""
    if found is None:
        return []  # a result of before
    lines = [
        f"| First byte, {found.promises:,} open promises | least ms | p50 | p99 | most | times |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, took in found.pages.items():
        ordered = sorted(took)
        figures = (ordered[0], quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1])
        told = " | ".join(f"{each:.1f}" for each in figures)
        lines.append(f"| {name} | {told} | {len(took)} |")
    lines += [
        "",
        f"With these promises the idle console takes {found.idle:.1%} of a core, without any"
        f" {found.without:.1%}; {found.memory['peak']:.0f} MB at most.",
        "",
    ]
    return lines


def check(port: int, count: int) -> None:
    """Nothing counts unless all are open. RuntimeError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    connection.request("GET", "/api/v1/promises/summary", headers=cookie())
    told = json.loads(connection.getresponse().read())
    connection.close()
    there = told["states"].get("open")
    if there != count:
        raise RuntimeError(f"{there} of {count} promises are open: {told}")


def main() -> None:
    """Measure, and print what came of it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(prefix="bench-promises-") as work:
        found = measure(
            Path(work), share_cores(), 3, lambda text: print(text, file=sys.stderr), count
        )
    print(json.dumps(msgspec.to_builtins(found), indent=1), flush=True)


if __name__ == "__main__":
    main()
