"""`switchhook emulate load`: many calls at once, measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from switchhook.cli import output
from switchhook.cli.emulate.loop import run_loop
from switchhook.cli.emulate.options import (
    ALLOW,
    BOT,
    PASSTHRU,
    SEED,
    check_bot,
    duration_of,
    only_without,
    passthru_or_here,
    plan_of,
    rate_of,
)
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.emulator.net.addresses import AddressAllowList
    from switchhook.emulator.runs.load import Figures


def load(
    file: str | None = None,
    *,
    calls: Annotated[int, Parameter(name="--calls", help="How many at once, at most.")] = 50,
    rate: Annotated[
        str, Parameter(name="--rate", help="New calls a second, such as 20/s.")
    ] = "5/s",
    for_: Annotated[str, Parameter(name="--for", help="How long, such as 90s or 5m.")] = "30s",
    passthru: PASSTHRU = None,
    bot: BOT = None,
    html: Annotated[
        str | None, Parameter(name="--html", help="A file that gets the page with plots.")
    ] = None,
    yes: Annotated[
        bool, Parameter(name="--yes", negative="", help="Begin without asking, on a terminal too.")
    ] = False,
    seed: SEED = None,
    allow: ALLOW = None,
) -> int:
    """Place many calls at once, and measure how the bot and the server bear it.

    Ends with 1 where an answer was not what it should have been.

    Parameters
    ----------
    file
        A plan (TOML); without it one flow: the bot, then the passthru.
    """
    from switchhook.emulator.net.addresses import AddressAllowList
    from switchhook.emulator.runs import load as runs
    from switchhook.emulator.runs.load_report import page
    from switchhook.emulator.runs.server import load_plan, running_emulator

    if calls < 1:
        raise ConfigError("nothing to do", key="--calls", hint="at least 1")
    only_without(file, bot=bot, passthru=passthru)
    check_bot(bot)
    how = runs.LoadPlan(calls=calls, rate_s=rate_of(rate), for_s=duration_of(for_))
    plan = plan_of(file) if file is not None else None
    url = passthru_or_here(passthru) if plan is None else ""

    async def main() -> int:
        async with running_emulator(
            plan,
            make=lambda own: load_plan(bot or own, url, calls),
            port=0,
            seed=seed,
            allow=allow or (),
        ) as running:
            exchange = running.exchange
            allowed = AddressAllowList([*exchange.plan.allow, *(allow or ())])
            await _check_targets(runs.targets(exchange.plan), allowed)
            for line in runs.announce(how, exchange.plan):
                output.err.print(output.plain(line))
            if not yes and sys.stdin.isatty() and not _agreed():
                return 2
            with _Bar(how.for_s) as bar:
                figures = await runs.run_load(exchange, how, on_progress=bar.update)
        _tell(figures)
        pages.append(page(figures, how, to=runs.hosts(exchange.plan), at=exchange.clock.date()))
        return 1 if figures.wrong else 0

    pages: list[str] = []
    code = run_loop(main(), virtual=False)
    if html is not None and pages:
        Path(html).write_text(pages[0])
    return code


async def _check_targets(urls: list[str], allowed: AddressAllowList) -> None:
    """Refuse to begin where an address is forbidden, or nobody listens."""
    from switchhook.emulator.runs.listening import check_listening
    from switchhook.emulator.runs.load import check_targets

    await check_targets(urls, allowed)
    await check_listening(urls, allowed)


def _tell(figures: Figures) -> None:
    from switchhook.emulator.runs.load import table

    output.print_table(("", "P50", "P99", "P99.9", "MOST", "COUNT"), table(figures))
    for name, count in figures.outcomes.most_common():
        output.out.print(f"{count:8,}  {name}")
    for counter, style in ((figures.wrong, "bold red"), (figures.problems, "yellow")):
        for name, count in counter.most_common(20):
            output.out.print(output.plain(f"{count:8,}  {name}"), style=style)
    wrong = sum(figures.wrong.values())
    output.out.print(f"{figures.right:,} answers as expected, {wrong:,} not")


class _Bar:
    """A progress bar with the figures of the moment; nothing in a pipe."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=output.err,
            disable=not output.err.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("calls", total=self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, figures: Figures) -> None:
        """Show where it stands."""
        answered = figures.passthru.at(0.99)
        late = figures.late.at(0.99)
        text = f"{figures.placed - figures.ended} calls, {figures.ended} ended"
        if answered is not None:
            text += f", passthru p99 {answered * 1000:.0f} ms"
        if late is not None:
            text += f", frames p99 {late * 1000:.1f} ms late"
        self._progress.update(
            self._task, completed=min(figures.seconds, self._seconds), description=text
        )


def _agreed() -> bool:
    return input("begin? [y/N] ").strip().lower() in ("y", "yes")
