"""How fast a node hands its journal over, and how long one receipt takes to be kept twice.

`python -m benchmarks.hand_over [RECEIPTS]` measures it alone: a backlog by the real shipper, the
same records by a plain COPY without any check of ours, then single receipts, one after the other.
"""

from __future__ import annotations

import json
import queue
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.children import Child
from benchmarks.figures import quantile
from benchmarks.journals import make_journal
from benchmarks.machine import Cores, cpu_s, memory_mb, share_cores
from benchmarks.postgresql import server
from switchhook.cluster.joining import join_if_needed
from switchhook.cluster.partitions import make_days
from switchhook.config.live import SettingsKeeper
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import RecordKind
from switchhook.postgresql_server import connect
from switchhook.server import shipper_program
from switchhook.system.data_folder import JOURNAL, read_identity
from switchhook.system.hand_over_socket import Seqs, address_in, pack

RECEIPTS = 100_000
LEAST_RATE = 5_000
_BATCH = 500
_PATIENCE_S = 120.0
_COLUMNS = "node, seq, at, segment, kind, mono, asked, option, body, damage, hash"


class HandOverResult(msgspec.Struct):
    """Of so many receipts: rows a second by the shipper, and by a plain COPY, without a standby.

    `waited` has the milliseconds from where a receipt is durable here until it is known to be kept
    twice, by whether commits wait for a standby. `cpu_us` is the shipper's time for a row.
    """

    receipts: int
    rates: list[float]
    copy_rates: list[float]
    waited: dict[str, list[float]]
    cpu_us: float
    memory: dict[str, float]


def measure(
    work: Path, cores: Cores, rounds: int, say: Callable[[str], None], count: int = RECEIPTS
) -> HandOverResult:
    """Hand over a backlog `rounds` times, and single receipts with and without a standby."""
    rates, copied, waited, cpu = [], [], {}, []
    memory: dict[str, float] = {}
    singly = max(count // 200, 50)
    with _world(work / "alone", standby=False) as (folder, url):
        make_journal(folder, count)
        for _ in range(rounds):
            _forget(url)
            with _shipper(work, folder, cores) as (child, line):
                began, used = time.perf_counter(), cpu_s(child.pid)
                line.wait(_last(folder))
                rates.append(count / (time.perf_counter() - began))
                cpu.append(1e6 * (cpu_s(child.pid) - used) / count)
                memory = memory_mb(child.pid)
            copied.append(count / _copy(url, folder))
        waited["no standby"] = _one_by_one(work, folder, cores, singly)
    say(f"handed over: {median(rates):,.0f} rows/s, by a plain COPY {median(copied):,.0f}")
    with _world(work / "with-standby", standby=True) as (folder, _):
        waited["a standby"] = _one_by_one(work, folder, cores, singly)
    return HandOverResult(count, rates, copied, waited, median(cpu), memory)


def table(found: HandOverResult | None) -> list[str]:
    """The figures as Markdown."""
    if found is None:
        return []  # a result of before
    rates, copied = sorted(found.rates), sorted(found.copy_rates)
    lines = [
        f"| Hand-over to PostgreSQL, {found.receipts:,} receipts | rows/s | range |",
        "| --- | ---: | ---: |",
        f"| the shipper | {median(rates):,.0f} | {rates[0]:,.0f} to {rates[-1]:,.0f} |",
        f"| a plain COPY | {median(copied):,.0f} | {copied[0]:,.0f} to {copied[-1]:,.0f} |",
        "",
        "| One receipt, from durable here to kept twice | p50 ms | p99 | times |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, took in found.waited.items():
        ordered = sorted(took)
        figures = f"{quantile(ordered, 0.5):.2f} | {quantile(ordered, 0.99):.2f}"
        lines.append(f"| the commit waits for {name} | {figures} | {len(took)} |")
    lines += [
        "",
        f"The shipper takes {found.cpu_us:.0f} µs of its core a row, and"
        f" {found.memory['peak']:.0f} MB at most.",
        "",
    ]
    return lines


class _Line:
    """The answer side's end of the socket."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seqs, self.told = folder, Seqs(), -1
        self._socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with address_in(folder) as address:
                    self._socket.connect(address)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def wait(self, seq: int) -> None:
        """Until so much is kept twice. RuntimeError where it takes too long."""
        while self.told < seq:
            if not select.select([self._socket], [], [], _PATIENCE_S)[0]:
                raise RuntimeError(f"nothing was handed over after record {self.told}")
            found = self._seqs.feed(self._socket.recv(4096))
            self.told = self.told if found is None else found

    def hint(self, seq: int) -> None:
        self._socket.sendall(pack(seq))

    def close(self) -> None:
        self._socket.close()


@contextmanager
def _world(work: Path, *, standby: bool) -> Iterator[tuple[Path, str]]:
    """A data folder that has joined a cluster of its own, and the database's URL."""
    work.mkdir()
    with server(work, standby=standby) as url:
        config, folder = work / "switchhook.toml", work / "data"
        config.write_text(f'[cluster]\ndatabase = "{url}"\n')
        keeper = SettingsKeeper(folder, str(config), environ={})
        join_if_needed(keeper.start().config.cluster, folder, "bench")
        yield folder, url


@contextmanager
def _shipper(work: Path, folder: Path, cores: Cores) -> Iterator[tuple[Child, _Line]]:
    """The program, once it says how far the database is."""
    with (
        Child(shipper_program(folder), work / "shipper.log", [cores.server]) as child,
        closing(_Line(folder)) as line,
    ):
        line.wait(0)
        yield child, line


def _forget(url: str) -> None:
    """Have the database know nothing of any receipt."""
    with closing(connect(url)) as database:
        database.execute("TRUNCATE cluster_receipt, cluster_receipt_undated, cluster_handed")


def _last(folder: Path) -> int:
    with closing(JournalReader(folder / JOURNAL)) as journal:
        return journal.last_seq()


def _copy(url: str, folder: Path) -> float:
    """The seconds that the same records take by COPY, one transaction a batch."""
    _forget(url)
    with closing(connect(url)) as database, closing(JournalReader(folder / JOURNAL)) as journal:
        make_days(database, {each.at // 86_400_000 for each in journal.read_back(None, 1)})
        into = f"COPY cluster_receipt ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
        kinds = [
            "int8",
            "int8",
            "int8",
            "text",
            "int2",
            "int8",
            "int8",
            "int8",
            "bytea",
            "text",
            "int8",
        ]
        began, seq = time.perf_counter(), 0
        while found := journal.read(seq, _BATCH):
            with database.transaction(), database.cursor().copy(into.encode()) as copy:
                copy.set_types(kinds)
                for each in found:
                    numbers = (each.mono, each.asked, each.option)
                    row = (1, each.seq, each.at, "", each.kind, *numbers, each.body, "", 0)
                    copy.write_row(row)
            seq = found[-1].seq
        took = time.perf_counter() - began
    _forget(url)
    return took


def _one_by_one(work: Path, folder: Path, cores: Cores, count: int) -> list[float]:
    """How long each of some receipts takes to be kept twice, in ms."""
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    writer = JournalWriter(
        folder / JOURNAL,
        node=read_identity(folder).node,
        notify=calls.put,
        observe=lambda event: None,
    )
    took = []
    try:
        with _shipper(work, folder, cores) as (_, line):
            line.wait(writer.next_seq - 1)
            for _ in range(count):
                at = time.time_ns() // 1_000_000
                seq = writer.append(RecordKind.PASSTHRU, at, b"x" * 900, mono=at, asked=1, option=1)
                if seq is None or not writer.flush(_PATIENCE_S):
                    raise RuntimeError(f"the journal could not be written: {writer.last_error}")
                began = time.perf_counter()
                line.hint(seq)
                line.wait(seq)
                took.append(1000 * (time.perf_counter() - began))
    finally:
        writer.close()
    return [round(each, 3) for each in took]


def main() -> None:
    """Measure, and print what came of it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECEIPTS
    with tempfile.TemporaryDirectory(prefix="bench-hand-over-") as work:
        found = measure(
            Path(work), share_cores(), 3, lambda text: print(text, file=sys.stderr), count
        )
    print("\n".join(table(found)))
    print(json.dumps({"rates": [round(each) for each in found.rates]}), flush=True)


if __name__ == "__main__":
    main()
