"""What one run of the bench does, in which order, and how long each part takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.accounts import refusal
from benchmarks.children import Child, load
from benchmarks.contestants import (
    Bare,
    ByHand,
    ByHandWal,
    Contestant,
    Ours,
    OursAdmit,
    OursLargeBodies,
    OursManyEndpoints,
    OursManyRules,
    OursTenRules,
    OursVoicebot,
    Synced,
)
from benchmarks.journals import make_journal
from benchmarks.load import Order, Outcome
from benchmarks.machine import PYTHON, Cores, cpu_s, drop_cache, memory_mb, stolen_s
from benchmarks.watching import Watched

CONNECTIONS = 128
RATE = 1000.0
WATCHED_RATE, BROWSERS = 500.0, 50
CONDITIONS = ("alone", "folding", "everything")
"""The answer process by itself; a console that folds beside it; that, a rebuild and an export."""
_TRIES = 3
_MOST_TRIED = 100_000


class Sizes(msgspec.Struct, frozen=True):
    """How much is measured. Times in seconds."""

    rounds: int
    closed_s: float
    open_s: float
    warm_up_s: float
    fold_s: float
    starts: int
    journals: tuple[int, ...]
    media_s: float
    pages_s: float
    admission: tuple[float, int] = (2.0, 1)
    """Hours of the virtual clock, and seeds."""
    handed_over: int = 100_000
    """Receipts of a backlog."""


QUICK = Sizes(2, 1.5, 2.0, 0.4, 10.0, 2, (10_000, 100_000), 5.0, 3.0, (0.3, 1), 20_000)
DEFAULT = Sizes(5, 3.0, 3.0, 0.5, 200.0, 5, (10_000, 1_000_000), 10.0, 15.0)
FULL = Sizes(5, 5.0, 8.0, 1.0, 2500.0, 5, (10_000, 1_000_000, 10_000_000), 20.0, 40.0, (3.0, 3))


class Run(msgspec.Struct):
    """One run of one contestant that counts; `busy` is the share of its core that it used.

    `stolen` is the share of that core that the hypervisor gave to others meanwhile.
    """

    contestant: str
    rate: float
    outcome: Outcome
    receipts: int | None
    busy: float
    stolen: float
    memory: dict[str, float]


class Starts(msgspec.Struct):
    """Milliseconds until the process says that it answers; cold is with nothing in the page cache.

    `memory` is in MB, right after a start.
    """

    warm_ms: list[float]
    cold_ms: float
    memory: dict[str, float]


class Fold(msgspec.Struct):
    """Records folded; the rate at the end is that of the last tenth of them."""

    folded: int
    seconds: float
    whole: bool
    per_s: float
    per_s_at_end: float


class BackTestRate(msgspec.Struct):
    """Receipts decided again by one process; `per_s` by the time that the processor took."""

    decided: int
    seconds: float
    cpu_s: float
    per_s: float


class Watching(msgspec.Struct):
    """One pair: answering alone, and with a console that browsers watch."""

    alone: Run
    watched: Run
    seen: Watched


class ConsoleResult(msgspec.Struct):
    """A console on a whole store: milliseconds to the first byte by page, MB, and the pairs."""

    receipts: int
    pages: dict[str, list[float]]
    memory: dict[str, float]
    ready_ms: float
    pairs: list[Watching]


class Bench:
    """Runs everything in a folder of its own; `say` hears what goes on."""

    def __init__(self, work: Path, cores: Cores, sizes: Sizes, say: Callable[[str], None]) -> None:
        self.work, self.cores, self.sizes, self.say = work, cores, sizes, say
        self.refused: list[str] = []

    # The closed loop: how many requests a second.

    def throughput(self, long_journal: Path) -> dict[str, list[Run]]:
        """Every contestant once in every round, each round beginning with another."""
        work, cores = self.work, self.cores
        contestants: list[Contestant] = [
            Bare(work, cores),
            Ours(work, cores),
            OursTenRules(work, cores),
            OursVoicebot(work, cores),
            OursAdmit(work, cores),
            OursManyEndpoints(work, cores),
            OursManyRules(work, cores),
            OursLargeBodies(work, cores),
            Ours(work, cores, name="ours-long-journal", data=long_journal),
            ByHand(work, cores),
            ByHandWal(work, cores),
        ]
        found: dict[str, list[Run]] = {each.name: [] for each in contestants}
        for number in range(self.sizes.rounds):
            turn = number % len(contestants)
            for each in contestants[turn:] + contestants[:turn]:
                run = self.counting(each, self._closed)
                found[each.name].append(run)
                self.say(f"round {number + 1}: {each.name} {run.rate:,.0f}/s")
        return found

    def _closed(self, contestant: Contestant) -> Run:
        order = Order(
            0,
            "",
            self.sizes.closed_s,
            self.sizes.warm_up_s,
            CONNECTIONS,
            before_stream=contestant.before_stream,
            body_bytes=contestant.body_bytes,
        )
        return self.run(contestant, order, ())

    # The open loop: how long a caller waits.

    def waiting(self, ours: Ours, journal: str) -> dict[str, list[Run]]:
        """Every condition once in every round, and those that show what the machine takes."""
        least = Bare(self.work, self.cores), Synced(self.work, self.cores)
        turns: list[tuple[str, Contestant]] = [(each.name, each) for each in least]
        turns += [(condition, ours) for condition in CONDITIONS]
        found: dict[str, list[Run]] = {name: [] for name, _ in turns}
        for number in range(self.sizes.rounds):
            for name, contestant in turns:
                run = self.counting(contestant, partial(self._open, name))
                found[name].append(run)
                p99 = run.outcome.p99
                self.say(f"round {number + 1}: {journal} receipts, {name}: p99 {p99:.2f} ms")
        return found

    def _open(self, condition: str, contestant: Contestant) -> Run:
        sizes = self.sizes
        order = Order(0, "", sizes.open_s, sizes.warm_up_s, CONNECTIONS, RATE, seed=sizes.rounds)
        beside: list[Callable[[], Child]] = []
        if isinstance(contestant, Ours) and condition != "alone":
            beside.append(contestant.start_console)
            if condition == "everything":
                beside.append(lambda: self._rebuilding(contestant))
                beside.append(lambda: self._exporting(contestant))
        return self.run(contestant, order, beside)

    def _rebuilding(self, ours: Ours) -> Child:
        words = [PYTHON, "-m", "benchmarks.folding", str(ours.data), "3600"]
        return Child(words, self.work / "rebuild.log", [self.cores.server])

    def _exporting(self, ours: Ours) -> Child:
        words = [PYTHON, "-m", "benchmarks.exporting", str(ours.console_port)]
        return Child(words, self.work / "export.log", self.cores.client, nice=19)

    # What both do.

    def run(
        self,
        contestant: Contestant,
        order: Order,
        beside: list[Callable[[], Child]] | tuple[()],
        *,
        at_end: Callable[[], int] = lambda: 0,
    ) -> Run:
        """`at_end` waits for what ran beside, and says how many answers that had."""
        core = self.cores.server
        with ExitStack() as stack:
            child = stack.enter_context(contestant.start())
            for start in beside:
                stack.enter_context(start())
            order = msgspec.structs.replace(
                order,
                port=contestant.port,
                path=contestant.path,
                cpus=list(self.cores.client),
            )
            began, used, stolen = time.perf_counter(), cpu_s(child.pid), stolen_s(core)
            outcome = load(order, self.work / "load.log")
            took = time.perf_counter() - began
            used, stolen = cpu_s(child.pid) - used, stolen_s(core) - stolen
            memory = memory_mb(child.pid)
            others = at_end()
        kept = contestant.kept()
        if kept is not None:
            kept = msgspec.structs.replace(kept, receipts=kept.receipts - others)
        problem = refusal(outcome, kept, contestant.deadline_ms)
        if problem is not None:
            raise Refused(f"{contestant.name}: {problem}")
        return Run(
            contestant.name,
            outcome.measured / outcome.seconds,
            outcome,
            None if kept is None else kept.receipts,
            used / took,
            stolen / took,
            memory,
        )

    def counting(self, contestant: Contestant, run: Callable[[Contestant], Run]) -> Run:
        """A run that counts; one that doesn't is told, kept in the result, and made again."""
        for _ in range(_TRIES):
            try:
                return run(contestant)
            except Refused as refused:
                self.refused.append(str(refused))
                self.say(f"does not count: {refused}")
        raise RuntimeError(f"{_TRIES} runs of {contestant.name} did not count: {self.refused[-1]}")

    # Journals of some length: start, memory, fold.

    def journal(self, count: int) -> Ours:
        """Make a journal, and a contestant that goes on writing it."""
        self.say(f"writing a journal of {count:,} receipts")
        data = self.work / f"journal-{count}"
        make_journal(data, count)
        return Ours(self.work, self.cores, name=f"ours-{count}", data=data)

    def starts(self, ours: Ours) -> Starts:
        """Milliseconds from starting the process until it says that it answers, and its memory."""
        drop_cache(ours.data)
        with ours.start():
            cold = ours.ready_ms
        warm = []
        for _ in range(self.sizes.starts):
            with ours.start() as child:
                warm.append(ours.ready_ms)
                memory = memory_mb(child.pid)
        self.say(f"{ours.name}: ready in {sorted(warm)[len(warm) // 2]:.0f} ms, cold {cold:.0f} ms")
        return Starts(warm, cold, memory)

    def console(self, ours: Ours, count: int) -> ConsoleResult:
        """Pages of a console whose store is whole, and how answering bears those who watch it."""
        with ours.start_console(everywhere=True) as child:
            ready_ms = 1000 * (time.perf_counter() - child.began)
            words = [PYTHON, "-m", "benchmarks.pages", str(ours.console_port)]
            with Child(
                [*words, str(self.sizes.pages_s)], self.work / "pages.log", self.cores.client
            ) as asking:
                pages = msgspec.json.decode(
                    asking.read_line(self.sizes.pages_s + 300), type=dict[str, list[float]]
                )
            memory = memory_mb(child.pid)
        slowest = max(pages, key=lambda name: median(pages[name]))
        self.say(f"{count:,} receipts: slowest page {slowest}, {median(pages[slowest]):.1f} ms")
        return ConsoleResult(count, pages, memory, ready_ms, self._pairs(ours))

    def _pairs(self, ours: Ours) -> list[Watching]:
        pairs = []
        for number in range(self.sizes.rounds):
            alone = self.counting(ours, self._at_half_rate)
            seen: list[Watched] = []
            watched = self.counting(ours, partial(self._watched, seen))
            pairs.append(Watching(alone, watched, seen[-1]))
            both = f"{alone.outcome.p99:.2f} and {watched.outcome.p99:.2f} ms"
            self.say(f"round {number + 1}: {BROWSERS} browsers: p99 alone and watched {both}")
        return pairs

    def _at_half_rate(self, contestant: Contestant) -> Run:
        return self.run(contestant, self._half_rate(), ())

    def _half_rate(self) -> Order:
        sizes = self.sizes
        return Order(0, "", sizes.open_s, sizes.warm_up_s, CONNECTIONS, WATCHED_RATE)

    def _watched(self, seen: list[Watched], contestant: Contestant) -> Run:
        assert isinstance(contestant, Ours)
        watchers: list[Child] = []

        def watch() -> Child:
            seconds = self.sizes.open_s + self.sizes.warm_up_s
            words = [PYTHON, "-m", "benchmarks.watching", str(contestant.console_port)]
            words += [str(contestant.port), contestant.path, str(BROWSERS), str(seconds)]
            watchers.append(Child(words, self.work / "watching.log", self.cores.client))
            return watchers[-1]

        def end() -> int:
            seen.append(msgspec.json.decode(watchers[-1].read_line(60), type=Watched))
            return seen[-1].asked

        console = partial(contestant.start_console, everywhere=True, folded=True)
        return self.run(contestant, self._half_rate(), [console, watch], at_end=end)

    def fold(self, ours: Ours) -> Fold:
        """How fast the whole journal is folded, with nothing beside it."""
        words = [PYTHON, "-m", "benchmarks.folding", str(ours.data), str(self.sizes.fold_s)]
        with Child(words, self.work / "fold.log", [self.cores.server]) as child:
            line = child.read_line(2 * self.sizes.fold_s + 60)
        found = msgspec.json.decode(line, type=Fold)
        self.say(f"{ours.name}: folded {found.per_s:,.0f}/s")
        return found

    def backtest(self, data: Path) -> dict[str, BackTestRate]:
        """How fast one process tries rules on receipts, by the rules, with nothing beside it."""
        words = [PYTHON, "-m", "benchmarks.backtesting", str(data), str(_MOST_TRIED)]
        with Child(words, self.work / "backtest.log", [self.cores.server]) as child:
            line = child.read_line(600)
        found = msgspec.json.decode(line, type=dict[str, BackTestRate])
        for name, rate in found.items():
            self.say(f"back-test, {name} rules: {rate.per_s:,.0f}/s a core")
        return found


class Refused(Exception):  # noqa: N818 - a verdict
    """A run that does not count."""
