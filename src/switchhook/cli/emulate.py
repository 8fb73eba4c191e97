"""`switchhook emulate`: an Exotel on this machine, and its bad days by name."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

import msgspec
from cyclopts import App, Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from switchhook.cli import show
from switchhook.emulator.exchange import Watcher
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from switchhook.emulator.call import Call
    from switchhook.emulator.load import Figures
    from switchhook.emulator.parameters import StreamTold
    from switchhook.emulator.perform import Result
    from switchhook.emulator.station import Station
    from switchhook.emulator.trace import Entry, Trace

app = App(name="emulate", help="An Exotel on this machine: it calls your bot and your passthru.")

PASSTHRU = Annotated[
    str, Parameter(name="--passthru", help="The passthru URL of the server that is called.")
]
SEED = Annotated[
    int | None, Parameter(name="--seed", help="Makes chance repeat; without it all is new.")
]
ALLOW = Annotated[
    list[str] | None,
    Parameter(
        name="--allow",
        negative="",
        help="A host, address or network that may be dialled beside loopback; may be repeated.",
    ),
]
LIMIT = Annotated[
    float, Parameter(name="--limit", help="Seconds that a caller waits for the answer.")
]
_T = TypeVar("_T")
_HERE = "http://127.0.0.1:8080/passthru/default"


@app.default
def emulate(
    file: str | None = None,
    *,
    passthru: PASSTHRU = _HERE,
    listen: Annotated[
        str, Parameter(name="--listen", help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:8090",
    calls: Annotated[
        int | None, Parameter(name="--calls", help="End after this many; without it go on.")
    ] = None,
    seed: SEED = None,
    virtual: Annotated[
        bool, Parameter(name="--virtual", negative="", help="Let time jump where nobody waits.")
    ] = False,
    traces: Annotated[
        str | None, Parameter(name="--traces", help="A folder that gets a trace of each call.")
    ] = None,
    allow: ALLOW = None,
) -> int:
    """Be Exotel: place calls by a plan, serve its API, and show what happens.

    Without FILE it has a demo account, a number, a flow, a bot and a mix of callers and bad luck.

    Parameters
    ----------
    file
        A plan (TOML): accounts, numbers, flows, callers, agents, faults.
    """
    host, port = _address(listen)
    plan = _plan(file) if file is not None else None
    if plan is not None and not plan.number:
        raise ConfigError("no number rings here", file=file or "", hint="add a [number.…] table")
    folder = Path(traces) if traces is not None else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)

    if plan is None:
        _check_url(passthru)

    async def main() -> int:
        from switchhook.emulator.station import arrive, station

        _end_at_sigterm()
        async with station(
            plan,
            passthru=passthru,
            host=host,
            port=port,
            seed=seed,
            allow=allow or (),
            keep_media=folder is not None,
        ) as running:
            _introduce(running, passthru if plan is None else None)
            running.exchange.watchers.append(_Ticker(folder))
            if plan is None or plan.arrivals is not None or calls is not None:
                await arrive(running.exchange, most=calls)
                await running.exchange.drain()
                return 0
            await asyncio.Event().wait()
        return 0

    try:
        return _run(main(), virtual=virtual)
    except asyncio.CancelledError:
        return 0


@app.command
def check(
    file: str, *, json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> int:
    """Check a plan, and say of its flows what an expert would.

    Ends with 1 where something is questionable, with 2 where the file can't be used.

    Parameters
    ----------
    file
        A plan (TOML).
    """
    from switchhook.emulator.lint import lint

    plan = _plan(file)
    count = 0
    for name, flow in plan.flow.items():
        for found in lint(flow):
            count += 1
            if json:
                show.print_json({"flow": name, **msgspec.structs.asdict(found)})
            else:
                place = show.plain(f"flow.{name}.{found.place}")
                show.out.print(f"{file}: {place}: {found.problem}; {found.advice}")
    if not count and not json:
        flows = len(plan.flow)
        show.out.print(f"{file}: {flows} flow{'s' * (flows != 1)}, nothing to say against")
    return 1 if count else 0


@app.command
def run(
    name: str | None = None,
    *,
    list_: Annotated[
        bool, Parameter(name="--list", negative="", help="Print the scenarios' names.")
    ] = False,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Run all that need no URL of their own.")
    ] = False,
    passthru: PASSTHRU = _HERE,
    expect: Annotated[
        Literal["A", "B"] | None,
        Parameter(name="--expect", help="The option that is right, where the default is not."),
    ] = None,
    select: Annotated[
        str | None, Parameter(name="--select", help="The keyword that the server selects.")
    ] = None,
    limit: LIMIT = 5.0,
    seed: SEED = None,
    trace: Annotated[
        str | None, Parameter(name="--trace", help="A file that gets the traces (JSON Lines).")
    ] = None,
    real_time: Annotated[
        bool, Parameter(name="--real-time", negative="", help="Wait as long as a caller would.")
    ] = False,
    allow: ALLOW = None,
) -> int:
    """Play one bad day against a server, and tell the story.

    Ends with 0 when the server answered as the scenario expects, with 1 when not.

    Parameters
    ----------
    name
        A scenario; --list prints them.
    """
    from switchhook.emulator.perform import perform
    from switchhook.emulator.scenarios import SCENARIOS

    if list_:
        for each in SCENARIOS:
            show.out.out(each, highlight=False)
        return 0
    if all_:
        chosen = [each for each in SCENARIOS.values() if each.mode == "decide"]
    elif name is None:
        raise ConfigError("which scenario?", key="run", hint="--list prints their names")
    elif name not in SCENARIOS:
        raise ConfigError(
            f"there is no scenario {name!r}", key="run", hint="--list prints their names"
        )
    else:
        chosen = [SCENARIOS[name]]

    _check_url(passthru)

    async def main() -> list[Result]:
        results = []
        for scenario in chosen:
            result = await perform(
                scenario,
                passthru,
                seed=seed,
                allow=allow or (),
                expect=expect,
                select=select,
                limit_s=limit,
            )
            _tell(result, brief=all_)
            results.append(result)
        return results

    results = _run(main(), virtual=not real_time)
    if trace is not None:
        lines = (call.trace.lines() for result in results for call in result.calls)
        Path(trace).write_bytes(b"".join(lines))
    failed = sum(not result.passed for result in results)
    if all_:
        show.out.print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


@app.command
def load(
    file: str | None = None,
    *,
    calls: Annotated[int, Parameter(name="--calls", help="How many at once, at most.")] = 50,
    rate: Annotated[
        str, Parameter(name="--rate", help="New calls a second, such as 20/s.")
    ] = "5/s",
    for_: Annotated[str, Parameter(name="--for", help="How long, such as 90s or 5m.")] = "30s",
    passthru: PASSTHRU = _HERE,
    bot: Annotated[
        str | None, Parameter(name="--bot", help="The bot's WebSocket URL; without: the built-in.")
    ] = None,
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
    from switchhook.emulator.addresses import Gate
    from switchhook.emulator.load import (
        LoadPlan,
        announce,
        check_targets,
        run_load,
        table,
        targets,
    )
    from switchhook.emulator.load_report import page
    from switchhook.emulator.station import load_plan, station

    if calls < 1:
        raise ConfigError("nothing to do", key="--calls", hint="at least 1")
    how = LoadPlan(calls=calls, rate_s=_rate(rate), for_s=_duration(for_))
    plan = _plan(file) if file is not None else None
    if plan is None:
        _check_url(passthru)

    async def main() -> int:
        async with station(
            plan,
            make=lambda own: load_plan(bot or own, passthru, calls),
            port=0,
            seed=seed,
            allow=allow or (),
        ) as running:
            exchange = running.exchange
            await check_targets(
                targets(exchange.plan), Gate([*exchange.plan.allow, *(allow or ())])
            )
            for line in announce(how, exchange.plan):
                show.err.print(show.plain(line))
            if not yes and sys.stdin.isatty() and not _agreed():
                return 2
            with _Bar(how.for_s) as bar:
                figures = await run_load(exchange, how, on_progress=bar.update)
        rows = table(figures)
        show.print_table(("", "P50", "P99", "P99.9", "MOST", "COUNT"), rows)
        for name, count in figures.outcomes.most_common():
            show.out.print(f"{count:8,}  {name}")
        for counter, style in ((figures.wrong, "bold red"), (figures.problems, "yellow")):
            for name, count in counter.most_common(20):
                show.out.print(show.plain(f"{count:8,}  {name}"), style=style)
        wrong = sum(figures.wrong.values())
        show.out.print(f"{figures.right:,} answers as expected, {wrong:,} not")
        pages.append(page(figures, how))
        return 1 if wrong else 0

    pages: list[str] = []
    code = _run(main(), virtual=False)
    if html is not None and pages:
        Path(html).write_text(pages[0])
    return code


@app.command
def replay(
    file: str, *, passthru: PASSTHRU = _HERE, limit: LIMIT = 5.0, allow: ALLOW = None
) -> int:
    """Send the passthrus of a trace again, and compare the answers.

    Ends with 1 where an answer leads to another option than it did.

    Parameters
    ----------
    file
        A trace, as `run --trace` and `emulate --traces` write it.
    """
    entries = _entries(file)
    _check_url(passthru)

    async def main() -> int:
        from switchhook.emulator.addresses import Gate
        from switchhook.emulator.replay import replay_passthrus
        from switchhook.emulator.web import Web

        web = Web(Gate(allow or ()))
        differ = 0
        try:
            async for again in replay_passthrus(web, passthru, entries, limit_s=limit):
                differ += again.differs
                style = "red" if again.differs else None
                show.out.print(show.plain(str(again)), style=style)
        finally:
            await web.close()
        return 1 if differ else 0

    return _run(main(), virtual=False)


# Showing.


class _Ticker(Watcher):
    """Prints a line for each call that ended, and keeps its trace where a folder is given."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._hinted = False

    def on_entry(self, trace: Trace, entry: Entry) -> None:
        """Say at once what an operator must know."""
        if entry["what"] == "refused_to_dial":
            show.err.print(show.plain(entry["text"]), style="red")
        elif entry["what"] == "no_answer" and entry["kind"] == "refused" and not self._hinted:
            self._hinted = True
            show.err.print(
                "nobody listens at the passthru's address, so callers take Option B: start your"
                " server, or `switchhook serve`"
            )

    def on_end(self, call: Call) -> None:
        """One call, one line."""
        show.out.print(_line(call), style=_style(call))
        if self._folder is not None:
            (self._folder / f"{call.facts.sid}.jsonl").write_bytes(call.trace.lines())


def _line(call: Call) -> str:
    at = call.clock.date().strftime("%H:%M:%S")
    number = f"{call.facts.from_[:6]}…{call.facts.from_[-2:]}"
    stream = _stream(call.told)
    answers = " ".join(_answer(entry) for entry in call.trace.entries if _answer(entry))
    ended = {"caller": "caller hung up", "flow": "flow ended"}.get(str(call.ending), call.ending)
    return show.plain(f"{at}  {number}  {stream:38}  {answers or 'not told':32}  {ended}")


def _stream(told: StreamTold | None) -> str:
    if told is None:
        return "no stream"
    if told.detailed_status is not None:
        return f"{told.status}: {told.detailed_status}"
    if told.error is not None:
        # Its end says what happened: "connect: connection refused".
        return f"{told.status}: {told.error.rpartition(': ')[2]}"
    lasted = f" after {told.duration_s} s" if told.duration_s is not None else ""
    return f"{told.status} by {told.disconnected_by}{lasted}"


def _answer(entry: Entry) -> str:
    match entry["what"]:
        case "answer":
            option = "A" if entry["status"] == 200 else "B"
            return f"{entry['status']} {option} ({entry['seconds'] * 1000:.0f} ms)"
        case "no_answer":
            return f"no answer: {entry['kind']}, so B"
        case _:
            return ""


def _style(call: Call) -> str | None:
    if call.trace.find("no_answer"):
        return "bold red"
    return "yellow" if call.told is not None and call.told.status == "failed" else None


def _introduce(running: Station, passthru: str | None) -> None:
    exchange = running.exchange
    show.out.print(f"exotel {running.url}")
    sid, line = next(iter(exchange.lines.items()), ("–", None))
    if line is not None:
        show.out.print(f"account {sid} key {line.account.key} token {line.account.token}")
    show.out.print(f"control {running.url}/control key {running.control_key}")
    if passthru is not None:
        show.out.print(f"passthru {show.plain(passthru)}")


def _tell(result: Result, *, brief: bool) -> None:
    from switchhook.emulator.tale import tell_all

    scenario = result.scenario
    mark, style = ("pass", "green") if result.passed else ("FAIL", "bold red")
    if not brief:
        show.out.print(f"{scenario.name}: {scenario.summary}", style="bold")
        for call in result.calls[:3]:
            for line in tell_all(call.trace.entries):
                show.out.print(show.plain(line))
        if len(result.calls) > 3:
            show.out.print(f"… and {len(result.calls) - 3} more calls")
    show.out.print(f"{mark} {scenario.name}", style=style)
    for text in result.failures[:10]:
        show.out.print(f"  {show.plain(text)}", style=style)
    for text in result.notes:
        show.out.print(f"  note: {show.plain(text)}", style="yellow")


class _Bar:
    """A progress bar with the figures of the moment; nothing in a pipe."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=show.err,
            disable=not show.err.is_terminal,
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


def _rate(text: str) -> float:
    number, _, unit = text.partition("/")
    each = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}.get(unit)
    try:
        value = float(number) / each if each else 0.0
    except ValueError:
        value = 0.0
    if not 0 < value <= 10_000:
        raise ConfigError(f"{text!r} is no rate", key="--rate", hint='write "20/s" or "300/m"')
    return value


def _duration(text: str) -> float:
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:])
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86_400:
        raise ConfigError(f"{text!r} is no duration", key="--for", hint='write "90s" or "5m"')
    return value


# Starting.


def _check_url(url: str) -> None:
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https") or not rest.strip("/"):
        raise ConfigError(
            f"{url!r} is no URL",
            key="--passthru",
            hint='write "http://127.0.0.1:8080/passthru/default"',
        )


def _end_at_sigterm() -> None:
    """End like after Ctrl-C, so that bots hear of it."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _run(main: Coroutine[Any, Any, _T], *, virtual: bool) -> _T:
    if virtual:
        from switchhook.emulator.clock import VirtualLoop

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _plan(file: str) -> Any:
    from switchhook.emulator.plan_file import read_plan

    return read_plan(Path(file).read_text(), file=file)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{text!r} is no address", key="--listen", hint='write "127.0.0.1:8090"')
    return host.strip("[]"), int(port)


def _entries(file: str) -> list[dict[str, Any]]:
    found = []
    for at, line in enumerate(Path(file).read_bytes().splitlines(), 1):
        try:
            entry = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise ConfigError(f"not JSON: {error}", file=file, key=f"line {at}") from None
        if not isinstance(entry, dict):
            raise ConfigError("not an entry of a trace", file=file, key=f"line {at}")
        found.append(entry)
    return found
