"""`python -m benchmarks [--quick | --full]`: run everything, write the result and its table."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import msgspec

from benchmarks import admission, emulator, hand_over, plan, postgresql, promises, report
from benchmarks import two_copies as copies
from benchmarks.children import ROOT
from benchmarks.journals import BYTES_A_RECEIPT
from benchmarks.machine import Cores, describe, need_room, share_cores

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    """Run; 0 whether the targets are met or not, for a benchmark reports."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes, for a first look")
    parser.add_argument("--full", action="store_true", help="longer, and with 10 million receipts")
    parser.add_argument("--work", type=Path, default=ROOT / "build", help="a folder on a real disk")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    sizes = plan.FULL if options.full else plan.QUICK if options.quick else plan.DEFAULT
    options.work.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=options.work))
    try:
        result = run(work, sizes, share_cores())
    except RuntimeError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    name = "quick" if options.quick else "latest"
    RESULTS.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (RESULTS / f"{name}.json").write_bytes(text + b"\n")
    table = report.table(result)
    print(table)
    if not options.quick:
        PAGE.write_text(report.put_between_marks(PAGE.read_text(), table))
    return 0


def run(work: Path, sizes: plan.Sizes, cores: Cores) -> report.Result:
    """Measure everything, in this order."""
    began = time.perf_counter()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - began:6.0f} s  {text}\n")
        sys.stderr.flush()

    need_room(work, 2 * sum(sizes.journals) * BYTES_A_RECEIPT)
    bench = plan.Bench(work, cores, sizes, say)
    machine = describe(work)
    journals: dict[str, report.JournalResult] = {}
    long_journal = console = None
    for count in sizes.journals:
        ours = bench.journal(count)
        journals[str(count)] = report.JournalResult(
            start=bench.starts(ours),
            open=bench.waiting(ours, f"{count:,}"),
            fold=bench.fold(ours),
        )
        if count == sizes.journals[-1] and journals[str(count)].fold.whole:
            console = bench.console(ours, count)
        if long_journal is not None:
            shutil.rmtree(long_journal)
        long_journal = ours.data
    assert long_journal is not None
    tried = bench.backtest(long_journal)
    closed = bench.throughput(long_journal)
    calls = emulator.measure(cores, sizes.rounds, sizes.media_s, say, bench.refused)
    owed = promises.measure(work, cores, sizes.rounds, say)
    handed = _hand_over(work, cores, sizes, say)
    twice = {} if postgresql.binaries() is None else copies.measure(bench, work / "cluster")
    cells = admission.measure(*sizes.admission, say)
    return report.Result(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        sizes=sizes,
        seconds=round(time.perf_counter() - began),
        closed=closed,
        journals=journals,
        refused=bench.refused,
        emulator=calls,
        console=console,
        admission=cells,
        promises=owed,
        backtest=tried,
        hand_over=handed,
        two_copies=twice,
    )


def _hand_over(
    work: Path, cores: Cores, sizes: plan.Sizes, say: Callable[[str], None]
) -> hand_over.HandOverResult | None:
    """None where there is no PostgreSQL: whoever has one machine needs none."""
    if postgresql.binaries() is None:
        say("no PostgreSQL here: the hand-over is not measured")
        return None
    return hand_over.measure(work, cores, sizes.rounds, say, sizes.handed_over)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # runs every `finally`, so that nothing is left behind


if __name__ == "__main__":
    sys.exit(main())
