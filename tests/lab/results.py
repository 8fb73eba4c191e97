"""What was measured, kept beside the lab and shown by docs/many-nodes.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lab.judge import Verdict

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).parent / "results" / "latest.json"
PAGE = ROOT / "docs/many-nodes.md"
_NAME = re.compile(r"\bworld\.play\(\s*\"([^\"]+)\"")
BEGIN, END = "<!-- the lab writes from here -->", "<!-- to here -->"


class Played(msgspec.Struct, frozen=True):
    """One fault: who asked, who heard nothing or late, and what of receipts is gone; times in ms.

    `lost_twice` are receipts of the endpoint that keeps two copies, `lost_local` of the one that
    keeps one.
    """

    fault: str
    asked: int
    silent: int
    late: int
    p50: float
    p99: float
    longest: float
    marked: int
    lost_twice: int
    lost_local: int

    @classmethod
    def of(cls, fault: str, all_: Verdict, twice: Verdict, marked: int) -> Played:
        lost = len(twice.lost)
        return cls(
            fault=fault,
            asked=all_.asked,
            silent=all_.silent,
            late=all_.late,
            p50=round(all_.p50, 1),
            p99=round(all_.p99, 1),
            longest=round(all_.longest, 1),
            marked=marked,
            lost_twice=lost,
            lost_local=len(all_.lost) - lost,
        )


class Cost(msgspec.Struct, frozen=True):
    """A figure alone and with several nodes; `bound` is what was allowed."""

    what: str
    alone: float
    several: float
    bound: str


class Results(msgspec.Struct):
    """A run of the lab: when, where, and each fault in the order in which it was played."""

    measured: str
    machine: str
    faults: list[Played]
    costs: list[Cost]


_faults: list[Played] = []
_costs: list[Cost] = []


def note(played: Played) -> None:
    """Add a fault to those of this run."""
    _faults.append(played)


def note_cost(cost: Cost) -> None:
    _costs.append(cost)


def of_this_run() -> Results:
    now = datetime.now(UTC)
    machine = (
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )
    return Results(f"{now:%Y-%m-%d}", machine, _faults, _costs)


def names() -> list[str]:
    """What the lab plays, in its order."""
    tests = sorted(Path(__file__).parent.glob("test_lab_*.py"))
    return [name for each in tests for name in _NAME.findall(each.read_text())]


def write() -> None:
    """Keep what this run played, in the place of what was played of it before, and show it."""
    fresh = of_this_run()
    if FILE.exists():
        before = read()
        played = {each.fault: each for each in (*before.faults, *fresh.faults)}
        fresh.faults = [played[name] for name in names() if name in played]
        costs = {each.what: each for each in (*before.costs, *fresh.costs)}
        fresh.costs = [*costs.values()]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(fresh), indent=1) + b"\n")
    PAGE.write_text(shown(PAGE.read_text(), fresh))


def shown(page: str, results: Results) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{rest.partition(END)[2]}"


def read() -> Results:
    return msgspec.json.decode(FILE.read_bytes(), type=Results)


def table(results: Results) -> str:
    """As the page shows it."""
    head = [
        "What happens",
        "callers",
        "not answered",
        "after 1 s",
        "p50 ms",
        "p99 ms",
        "longest ms",
    ]
    head += ["with one copy", "lost, `two-copies`", "lost, `local`"]
    rows = [_row(each) for each in results.faults]
    rule = ["---", *["---:"] * 9]
    lines = [f"| {' | '.join(each)} |" for each in (head, rule, *rows)]
    said = f"Measured {results.measured} on one machine of {results.machine}, which ran all of it."
    lines += ["", "| Cost | alone | several | at most |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {each.what} | {each.alone:,.0f} | {each.several:,.0f} | {each.bound} |"
        for each in results.costs
    ]
    return "\n".join([said, "", *lines])


def _row(each: Played) -> Sequence[str]:
    counts = (each.asked, each.silent, each.late)
    times = (each.p50, each.p99, each.longest)
    gone = (each.marked, each.lost_twice, each.lost_local)
    numbers = [*(f"{n:,}" for n in counts), *(f"{ms:,.0f}" for ms in times)]
    return [each.fault, *numbers, *(f"{n:,}" for n in gone)]
