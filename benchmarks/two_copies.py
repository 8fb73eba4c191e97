"""What a second copy costs: a machine alone, a node that keeps one copy, and one that keeps two.

`python -m benchmarks.two_copies` measures it alone. Each node has a shipper of its own beside it,
and all share one PostgreSQL, whose commits wait for a standby. All of it runs on this machine, the
load generator too, so what the second copy costs in cores is in the figures, and no network is.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import plan
from benchmarks.accounts import Kept
from benchmarks.children import START_S, Child
from benchmarks.contestants import Contestant, Ours
from benchmarks.load import Order
from benchmarks.machine import Cores, share_cores
from benchmarks.postgresql import server
from switchhook.cluster.hand_over_state import read_state
from switchhook.cluster.joining import join_if_needed
from switchhook.config.live import SettingsKeeper
from switchhook.journal import JournalReader
from switchhook.journal.receipt import Keep
from switchhook.server import shipper_program
from switchhook.system.data_folder import JOURNAL

ALONE = "a machine alone"
_LOOK_S = 0.05
_ALARM_S = 1.2  # the answer side looks each second whether it would say something of copies


class KeptAs(msgspec.Struct):
    """Of one way to keep receipts, each round's figures.

    `rates` are answers a second of a closed loop, `p50` and `p99` ms at 1,000/s, `cpu_us` the
    answer process's own time for an answer of the closed loop; `one_copy` is how many of all
    `answers` were marked, `memory` in MB.
    """

    rates: list[float] = []
    p50: list[float] = []
    p99: list[float] = []
    cpu_us: list[float] = []
    one_copy: int = 0
    answers: int = 0
    memory: float = 0.0


class OursInCluster(Ours):
    """The answer process of a node, with its shipper beside it."""

    def __init__(self, work: Path, cores: Cores, url: str, keep: Keep) -> None:
        self.more = f'keep = "{keep}"\n[cluster]\ndatabase = "{url}"\n'
        super().__init__(work, cores, name=f"ours-{keep}")
        keeper = SettingsKeeper(self.data, str(self.config), environ={})
        join_if_needed(keeper.start().config.cluster, self.data, "bench")
        self.one_copy = 0

    def start_shipper(self) -> Child:
        """The shipper, once the answer process knows that it has all there is."""
        places = [self.cores.server, *self.cores.client]
        child = Child(shipper_program(self.data), self.work / f"{self.name}-shipper.log", places)
        try:
            self._wait_until_handed_over()
        except BaseException:
            child.stop()
            raise
        return child

    def kept(self) -> Kept | None:
        kept = super().kept()
        self.one_copy += 0 if kept is None else kept.one_copy
        return kept

    def _wait_until_handed_over(self) -> None:
        end, quiet_s = time.monotonic() + START_S, 0.0
        with closing(JournalReader(self.data / JOURNAL)) as journal:
            while quiet_s < _ALARM_S:
                if time.monotonic() > end:
                    raise RuntimeError(f"the hand-over did not begin: {self._problems()}")
                time.sleep(_LOOK_S)
                state = read_state(self.data)
                there = state is not None and state.kept_twice >= journal.last_seq()
                quiet_s = quiet_s + _LOOK_S if there and not self._problems() else 0.0

    def _problems(self) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        connection.request("GET", "/healthz")
        found: list[str] = json.loads(connection.getresponse().read())["problems"]
        connection.close()
        return found


def measure(bench: plan.Bench, work: Path) -> dict[str, KeptAs]:
    """Each way once in every round, each round beginning with another."""
    work.mkdir()
    with server(work, standby=True) as url:
        ours: list[Ours] = [
            Ours(work, bench.cores, name="ours-alone"),
            *(OursInCluster(work, bench.cores, url, keep) for keep in Keep),
        ]
        found = {_name(each): KeptAs([], [], [], []) for each in ours}
        for number in range(bench.sizes.rounds):
            turn = number % len(ours)
            for each in ours[turn:] + ours[:turn]:
                _take(bench, each, found[_name(each)])
                said = found[_name(each)]
                bench.say(
                    f"round {number + 1}: {_name(each)}: {said.rates[-1]:,.0f}/s,"
                    f" p99 {said.p99[-1]:.2f} ms at {plan.RATE:,.0f}/s"
                )
    return found


def _take(bench: plan.Bench, ours: Ours, into: KeptAs) -> None:
    """A closed and an open loop."""
    before = ours.one_copy if isinstance(ours, OursInCluster) else 0
    sizes = bench.sizes
    seconds = (sizes.closed_s, sizes.open_s)
    runs = [
        bench.counting(ours, partial(_run, bench, each, rate))
        for each, rate in zip(seconds, (0.0, plan.RATE), strict=True)
    ]
    closed, waiting = runs
    into.rates.append(closed.rate)
    into.cpu_us.append(1e6 * closed.busy / closed.rate)
    into.p50.append(waiting.outcome.p50)
    into.p99.append(waiting.outcome.p99)
    into.answers += sum(run.receipts or 0 for run in runs)
    into.memory = max(into.memory, *(run.memory["peak"] for run in runs))
    if isinstance(ours, OursInCluster):
        into.one_copy += ours.one_copy - before


def _run(bench: plan.Bench, seconds: float, rate: float, contestant: Contestant) -> plan.Run:
    order = Order(0, "", seconds, bench.sizes.warm_up_s, plan.CONNECTIONS, rate)
    beside = [contestant.start_shipper] if isinstance(contestant, OursInCluster) else []
    return bench.run(contestant, order, beside)


def _name(ours: Ours) -> str:
    return ours.name.removeprefix("ours-") if isinstance(ours, OursInCluster) else ALONE


def table(found: dict[str, KeptAs]) -> list[str]:
    """The figures as Markdown."""
    if not found:
        return []  # a result of before, or no PostgreSQL
    lines = [
        "| Receipts kept by | answers/s | range | µs of its core each | p50 ms at 1,000/s"
        " | p99 | range of p99 | with one copy | MB at most |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, kept in found.items():
        told = name if name == ALONE else f'a node, `keep = "{name}"`'
        lines.append(
            f"| {told} | {median(kept.rates):,.0f}"
            f" | {min(kept.rates):,.0f} to {max(kept.rates):,.0f} | {median(kept.cpu_us):.0f}"
            f" | {median(kept.p50):.2f} | {median(kept.p99):.2f}"
            f" | {min(kept.p99):.2f} to {max(kept.p99):.2f}"
            f" | {kept.one_copy:,} of {kept.answers:,} | {kept.memory:.0f} |"
        )
    return [*lines, ""]


def main() -> None:
    """Measure, and print what came of it."""
    sizes = plan.QUICK if "--quick" in sys.argv else plan.DEFAULT
    with tempfile.TemporaryDirectory(prefix="bench-two-copies-") as work:
        bench = plan.Bench(
            Path(work), share_cores(), sizes, lambda text: print(text, file=sys.stderr)
        )
        found = measure(bench, Path(work) / "cluster")
    print("\n".join(table(found)))
    print(json.dumps({"refused": bench.refused}), flush=True)


if __name__ == "__main__":
    main()
