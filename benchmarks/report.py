"""From the figures of a run to its table, with the targets beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from benchmarks import admission, emulator, hand_over, promises, two_copies
from benchmarks.figures import median_ratio, quantile
from benchmarks.plan import BROWSERS, BackTestRate, ConsoleResult, Fold, Run, Sizes, Starts

BEGIN, END = "<!-- the bench writes from here -->", "<!-- to here -->"

_SERVERS = {
    "bare": "bare ASGI app under uvicorn, does nothing",
    "by-hand": "written by hand: FastAPI, SQLAlchemy, SQLite",
    "by-hand-wal": "the same with WAL",
    "ours": "Switchhook, built-in rules",
    "ours-ten-rules": "Switchhook, ten CEL rules",
    "ours-voicebot": "Switchhook, a dynamic URL, a pool of four",
    "ours-admit": "Switchhook, an admission",
    "ours-many-endpoints": "Switchhook, built-in rules, 199 endpoints beside it",
    "ours-many-rules": "Switchhook, 200 CEL rules",
    "ours-large-bodies": "Switchhook, built-in rules, posts of 60 KB",
    "ours-long-journal": "Switchhook, built-in rules, on the longest journal",
}
_RULES = {"built-in": "the built-in", "ten": "ten CEL"}
_CONDITIONS = {
    "alone": "alone",
    "folding": "console folds",
    "everything": "console folds, rebuild, export",
}
_LEAST = {
    "bare": "bare ASGI app, does nothing",
    "synced": "the same, once a page is synced",
}
"""What the machine alone makes callers wait, in the open loop's results."""


class JournalResult(msgspec.Struct):
    """What was measured on a journal of one length."""

    start: Starts
    open: dict[str, list[Run]]
    fold: Fold


class Result(msgspec.Struct):
    """A whole run of the bench."""

    at: str
    machine: dict[str, object]
    sizes: Sizes
    seconds: int
    closed: dict[str, list[Run]]
    journals: dict[str, JournalResult]
    refused: list[str]
    emulator: emulator.EmulatorResult | None
    """None where the calls were more than a core takes."""
    console: ConsoleResult | None
    """On the longest journal whose store could be made whole in the time given."""
    admission: list[admission.Cell] = []
    promises: promises.PromisesResult | None = None
    backtest: dict[str, BackTestRate] = {}
    """By the rules that were tried, on one core."""
    hand_over: hand_over.HandOverResult | None = None
    two_copies: dict[str, two_copies.KeptAs] = {}
    """By how receipts are kept."""


class Target(msgspec.Struct, frozen=True):
    """A figure with what it should be. `most` tells whether it is an upper bound."""

    what: str
    value: float
    bound: float
    most: bool
    digits: int = 2

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.most else self.value >= self.bound


def targets(result: Result) -> list[Target]:
    """Every target that this run can say something about."""
    rates = {name: [run.rate for run in runs] for name, runs in result.closed.items()}
    found = [
        Target(
            "times the hand-written server",
            median_ratio(rates["ours"], rates["by-hand"]),
            25,
            most=False,
            digits=1,
        ),
        Target("of the bare app", median_ratio(rates["ours"], rates["bare"]), 0.55, most=False),
        Target(
            "of the bare app, ten rules",
            median_ratio(rates["ours-ten-rules"], rates["bare"]),
            0.5,
            most=False,
        ),
    ]
    found += [
        Target(f"of /passthru, {told}", median_ratio(rates[name], rates["ours"]), least, most=False)
        for name, told, least in (
            ("ours-voicebot", "/voicebot", 0.9),
            ("ours-admit", "admission", 0.9),
            ("ours-many-endpoints", "199 endpoints beside it", 0.95),
        )
        if name in rates  # results of before have none
    ]
    peaks = [run.memory["peak"] for runs in result.closed.values() for run in runs if _ours(run)]
    for length, journal in result.journals.items():
        told = f"{int(length):,} receipts"
        alone = [run.outcome.p99 for run in journal.open["alone"]]
        found.append(Target(f"ms p99 at 1,000/s, {told}", median(alone), 2, most=True))
        for condition in ("folding", "everything"):
            beside = [run.outcome.p99 for run in journal.open[condition]]
            found.append(
                Target(
                    f"times that: {_CONDITIONS[condition]}, {told}",
                    median_ratio(beside, alone),
                    1.5,
                    most=True,
                )
            )
        start = journal.start
        found.append(Target(f"s until ready, {told}", median(start.warm_ms) / 1000, 1, most=True))
        found.append(Target(f"s until ready, cold, {told}", start.cold_ms / 1000, 1, most=True))
        rate = journal.fold.per_s_at_end
        found.append(Target(f"folded a second, {told}", rate, 10_000, most=False, digits=0))
        runs = (run for each in journal.open.values() for run in each)
        peaks += [run.memory["peak"] for run in runs if _ours(run)]
    found += [
        Target(f"decided again a second a core, {told}", rate.per_s, 10_000, most=False, digits=0)
        for name, rate in result.backtest.items()
        for told in (f"{_RULES[name]} rules",)
    ]
    found += _console_targets(result.console)
    found.append(Target("MB of memory at most, answer process", max(peaks), 120, most=True))
    found += _emulator_targets(result.emulator)
    found += _admission_targets(result.admission) + _promises_targets(result.promises)
    return found + _hand_over_targets(result.hand_over)


def _emulator_targets(calls: emulator.EmulatorResult | None) -> list[Target]:
    if calls is None:
        return []
    return [
        Target(
            f"ms p99 lateness of frames, {calls.calls} calls on one core",
            median(run.p99 for run in calls.ours),
            5,
            most=True,
        ),
        Target(
            "whole calls without media a minute, virtual clock",
            median(calls.virtual_a_minute),
            10_000,
            most=False,
            digits=0,
        ),
    ]


def _hand_over_targets(found: hand_over.HandOverResult | None) -> list[Target]:
    if found is None:
        return []  # a result of before, or no PostgreSQL
    rate, least = median(found.rates), hand_over.LEAST_RATE
    return [Target("handed over a second, by one node", rate, least, most=False, digits=0)]


def _promises_targets(found: promises.PromisesResult | None) -> list[Target]:
    if found is None:
        return []  # a result of before
    told = f"{found.promises:,} open promises"
    page_ms = median(found.pages["/promises"])
    most_ms, most = promises.MOST_PAGE_MS, promises.MOST_IDLE
    return [
        Target(f"ms to the first byte of /promises, {told}", page_ms, most_ms, most=True, digits=1),
        Target(f"of a core that they cost when idle, {told}", found.cost, most, most=True),
    ]


def _admission_targets(cells: Sequence[admission.Cell]) -> list[Target]:
    """Of the worst cell, with start signals."""
    if not cells:
        return []
    ours = admission.OURS
    avoided = min(cell.avoided(ours) for cell in cells)
    fewer = max(cell.fewer(ours) for cell in cells)
    said = f"the worst of {len(cells)} cells"
    return [
        Target(f"of throttles avoided, {said}", avoided, admission.LEAST_AVOIDED, most=False),
        Target(
            f"of all callers fewer served than by an exact count, {said}",
            fewer,
            admission.MOST_FEWER,
            most=True,
            digits=3,
        ),
    ]


def _console_targets(console: ConsoleResult | None) -> list[Target]:
    if console is None:
        return []
    told = f"{console.receipts:,} streams"
    page_ms = {name: median(took) for name, took in console.pages.items()}
    pages = max(took for name, took in page_ms.items() if name.startswith("/"))
    searches = max(took for name, took in page_ms.items() if not name.startswith("/"))
    ratio = median_ratio(
        [pair.watched.outcome.p99 for pair in console.pairs],
        [pair.alone.outcome.p99 for pair in console.pairs],
    )
    seen = sorted(each for pair in console.pairs for each in (*pair.seen.first, *pair.seen.last))
    missed = sum(pair.seen.missed for pair in console.pairs)
    return [
        Target(f"ms to the first byte of the slowest page, {told}", pages, 50, most=True, digits=1),
        Target(f"ms to that of the slowest search, {told}", searches, 100, most=True, digits=1),
        Target("ms until a receipt is on a live page, p99", quantile(seen, 0.99), 500, most=True),
        Target("receipts missed by a live page", missed, 0, most=True, digits=0),
        Target(f"times quiet: p99 with {BROWSERS} browsers watching", ratio, 1.5, most=True),
        Target("MB of memory at most, console", console.memory["peak"], 250, most=True),
    ]


def table(result: Result) -> str:
    """All figures as Markdown."""
    machine = result.machine
    lines = [
        f"Measured {result.at[:10]} on {machine['cores']} cores of {machine['cpu']},"
        f" {machine['memory_gb']} GB, {machine['kernel']}, Python {machine['python']},"
        f" {'compiled' if machine['compiled'] else 'not compiled'},"
        f" {machine['file_system']}; fdatasync of a page {machine['fdatasync_us_p50']} µs"
        f" (p99 {machine['fdatasync_us_p99']} µs). {result.sizes.rounds} rounds;"
        f" {result.seconds} s in all.",
        "",
        *_closed_table(result),
        "",
        *_open_table(result),
        "",
        *_journal_table(result),
        "",
        *_console_table(result.console),
        "",
        *_backtest_table(result.backtest),
        *_emulator_table(result.emulator),
        *admission.table(result.admission),
        "",
        *promises.table(result.promises),
        *hand_over.table(result.hand_over),
        *two_copies.table(result.two_copies),
        *_rows(
            ("Target", "Measured", "", "Met"),
            (
                (
                    f"{'at most' if each.most else 'at least'} {each.bound:,g}",
                    f"{each.value:,.{each.digits}f}",
                    each.what,
                    "yes" if each.met else "**no**",
                )
                for each in targets(result)
            ),
        ),
        "",
        _refusals(result),
    ]
    return "\n".join(lines)


def _closed_table(result: Result) -> list[str]:
    bare = [run.rate for run in result.closed["bare"]]
    rows = []
    for name, told in _SERVERS.items():
        runs = result.closed.get(name, [])
        if not runs:
            continue  # a result of before
        rates = [run.rate for run in runs]
        rows.append(
            (
                told,
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}",
                f"{median_ratio(rates, bare):.3f}",
                f"{median(run.outcome.p99 for run in runs):,.0f}",
                f"{median(run.busy for run in runs):.0%}",
                f"{median(run.outcome.client_busy for run in runs):.0%}",
                f"{median(run.stolen for run in runs):.0%}",
                f"{median(run.memory['rss'] for run in runs):,.0f}",
            )
        )
    head = ("Closed loop, 128 connections", "requests/s", "range", "of bare", "p99 ms")
    return _rows((*head, "its core busy", "client busy", "core stolen", "RSS MB"), rows)


def _open_table(result: Result) -> list[str]:
    rows = []
    for length, journal in result.journals.items():
        alone = [run.outcome.p99 for run in journal.open["alone"]]
        for name, told in (_LEAST | _CONDITIONS).items():
            runs = journal.open.get(name)  # results of before have no least
            if runs is None:
                continue
            p99 = [run.outcome.p99 for run in runs]
            rows.append(
                (
                    f"{int(length):,}" if name in _CONDITIONS else "",
                    told,
                    f"{median(run.outcome.p50 for run in runs):.2f}",
                    f"{median(p99):.2f}",
                    f"{min(p99):.2f} to {max(p99):.2f}",
                    f"{median_ratio(p99, alone):.2f}",
                    f"{median(run.outcome.late_p99 for run in runs):.2f}",
                )
            )
    head = ("Open loop, 1,000/s: receipts in the journal", "beside it", "p50 ms", "p99 ms")
    return _rows((*head, "range of p99", "of alone", "of it the client's p99"), rows)


def _journal_table(result: Result) -> list[str]:
    rows = [
        (
            f"{int(length):,}",
            f"{median(journal.start.warm_ms):,.0f}",
            f"{journal.start.cold_ms:,.0f}",
            f"{journal.start.memory['rss']:.0f} / {journal.start.memory['pss']:.0f}",
            f"{journal.fold.per_s:,.0f}",
            f"{journal.fold.per_s_at_end:,.0f}",
            f"{journal.fold.folded:,}",
        )
        for length, journal in result.journals.items()
    ]
    head = ("Receipts in the journal", "ready in ms", "with a cold cache", "RSS / PSS MB")
    return _rows((*head, "folded/s", "at the end", "folded in the time given"), rows)


def _console_table(console: ConsoleResult | None) -> list[str]:
    if console is None:
        return ["No store was made whole in the time given, so the console was not measured."]
    rows: list[tuple[str, ...]] = []
    for name, took in console.pages.items():
        ordered = sorted(took)
        shown = f"`{name}`"
        figures = (ordered[0], quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1])
        rows.append((shown, *(f"{each:.1f}" for each in figures), str(len(took))))
    head = (f"First byte, {console.receipts:,} streams", "least ms", "p50", "p99", "most", "times")
    pages = _rows(head, rows)
    live: list[tuple[str, ...]] = []
    for number, pair in enumerate(console.pairs, 1):
        seen = sorted((*pair.seen.first, *pair.seen.last))
        live.append(
            (
                str(number),
                f"{pair.alone.outcome.p99:.2f}",
                f"{pair.watched.outcome.p99:.2f}",
                f"{quantile(seen, 0.5):.0f}",
                f"{quantile(seen, 0.99):.0f}",
                str(pair.seen.missed),
                str(pair.seen.dropped),
            )
        )
    watched = (
        "p99 ms alone",
        "watched",
        "on the page after ms",
        "p99",
        "missed",
        "browsers let go",
    )
    return [*pages, "", *_rows((f"500/s, {BROWSERS} browsers", *watched), live)]


def _backtest_table(found: Mapping[str, BackTestRate]) -> list[str]:
    if not found:
        return []  # a result of before
    rows = (
        (_RULES[name], f"{each.decided:,}", f"{each.per_s:,.0f}", f"{1e6 / each.per_s:.0f}")
        for name, each in found.items()
    )
    head = ("Back-test by one process, rules", "receipts", "decided again/s", "µs each")
    return [*_rows(head, rows), ""]


def _emulator_table(calls: emulator.EmulatorResult | None) -> list[str]:
    if calls is None:
        return []
    late = (f"{calls.calls} calls, 20 ms frames each way", "p50 ms late", "p99", "p99.9")
    head = (*late, "frames/s sent", "heard", "core busy")
    return [*_rows(head, emulator.rows(calls)), ""]


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    ruler = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(row)} |" for row in (head, ruler, *rows)]


def _refusals(result: Result) -> str:
    if not result.refused:
        return "Every run counted: answers equal receipts, and none overran its deadline."
    told = "\n".join(f"- {each}" for each in result.refused)
    return f"These runs did not count; those of answering were made again:\n\n{told}"


def _ours(run: Run) -> bool:
    return run.contestant.startswith("ours")


def put_between_marks(page: str, text: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """The page with the text in the place that is marked for it. ValueError where none is."""
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"the page has no marks {marks[0]} and {marks[1]}")
    return f"{before}{marks[0]}\n\n{text}\n\n{marks[1]}{after}"
