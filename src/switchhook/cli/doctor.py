"""`switchhook doctor`: everything looked at from inside and outside, and what to do about it."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from switchhook.cli import output
from switchhook.cli.alerts import try_destinations
from switchhook.cli.data import found_config, public_url
from switchhook.cli.options import CONFIG, DATA, JSON, SECONDS
from switchhook.config import Config
from switchhook.config.live import find_data_folder
from switchhook.config.own_links import running_config
from switchhook.doctor.checkup_worker import Checkup
from switchhook.doctor.file_queries import check_configuration
from switchhook.doctor.finding import Finding, Level, exit_code, unchecked
from switchhook.doctor.worker import run_all
from switchhook.errors import SwitchhookError
from switchhook.system.data_folder import read_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SIGNS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✕", Level.UNCHECKED: "?"}
_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.UNCHECKED: "dim"}
_WIDTH = 28


def doctor(
    *,
    url: Annotated[str | None, Parameter(help="How Exotel reaches us; else answer.url.")] = None,
    bot: Annotated[
        list[str] | None, Parameter(negative="", help="A bot's wss:// address to try.")
    ] = None,
    send: Annotated[bool, Parameter(name="--send", negative="")] = False,
    within: Annotated[float, Parameter(validator=SECONDS, help="Seconds for all of it.")] = 60,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Look at everything, from inside and outside, and say what to do about what is not right.

    Files and who may read them, secrets, both programs, the disk and the clock, the name, the
    certificate and the proxy that Exotel comes through, its API, bots, and who is told of trouble.
    It asks the endpoints with requests that are marked as tests: answered and kept as callers' are,
    but in no figure, list or alert. Nothing is changed.

    Exit code 0 where all is well, 1 where something is to be mended, 2 where all that could be
    looked at is well, and some could not.

    For example:

        switchhook doctor
        switchhook doctor --url https://hooks.example.com --bot wss://bot.example.com/media --send

    Parameters
    ----------
    send
        Send a test message to each destination of alerts.
    """
    file = found_config(config, data)
    folder = find_data_folder(file, data)  # a file that is missing is a finding
    checked, found = check_configuration(file, folder, os.environ)
    settings, problem = _settings(folder) if checked is None else (checked.config, None)
    if problem is not None:
        found = [*found, problem]
    checkup = Checkup(
        folder=folder,
        key=_key(folder),
        config=settings,
        checked=checked,
        url=public_url(url) or settings.answer.url,
        bots=bot or (),
        send=partial(_send, folder, settings) if send else None,
    )
    until = time.monotonic() + within
    shown = _show([*found], _checked(checkup, until), json=json)
    if not json:
        sum_up(shown)
    return exit_code(shown)


def _checked(checkup: Checkup, until: float) -> Iterator[Finding]:
    yield from run_all(checkup.first(), max(until - time.monotonic(), 1.0))
    yield from run_all(checkup.last(), max(until - time.monotonic(), 5.0))


def _settings(folder: Path) -> tuple[Config, Finding | None]:
    """The configuration that ran last; the defaults where none did or it can't be read."""
    try:
        return running_config(folder), None
    except (SwitchhookError, OSError) as error:
        todo = "give the one that the server runs with by --config"
        said = f"what ran last can't be read, so this is by the defaults: {error}"
        return Config(), unchecked("configuration", said.splitlines()[0], todo)


def _key(folder: Path) -> bytes | None:
    try:
        return read_identity(folder).key
    except SwitchhookError:
        return None


def _send(folder: Path, config: Config, name: str) -> str | None:
    """Send a test message to a destination; why it was not taken, if it was not."""
    return try_destinations(folder, config, name).get(name)


def _show(known: Iterable[Finding], coming: Iterator[Finding], *, json: bool) -> list[Finding]:
    """Print what is found, as it is found."""
    shown: list[Finding] = []
    live = output.out.is_terminal and not json
    with output.out.status("looking …") if live else nullcontext():
        for finding in chain(known, coming):
            print_finding(finding, json=json)
            shown.append(finding)
    return shown


def print_finding(finding: Finding, *, json: bool) -> None:
    """A line of what was found, and one of what mends it."""
    if json:
        output.print_json(_json(finding))
        return
    line = Text()
    line.append(f"{_SIGNS[finding.level]} ", style=_STYLES[finding.level])
    line.append(f"{output.plain(finding.check):<{_WIDTH}}  ", style="bold")
    line.append(output.plain(finding.said))
    output.out.print(line, soft_wrap=True)
    if finding.todo and finding.level is not Level.OK:
        output.out.print(Text(f"  → {output.plain(finding.todo)}", style="cyan"), soft_wrap=True)


def _json(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "level": finding.level.value,
        "said": finding.said,
        "todo": finding.todo or None,
    }


def sum_up(shown: list[Finding]) -> None:
    """How many there are, and how many are to be mended."""
    count = {level: sum(each.level is level for each in shown) for level in Level}
    mend = count[Level.FAIL] + count[Level.WARN]
    said = f"{mend} to mend" if mend else "nothing to mend"
    if count[Level.UNCHECKED]:
        said += f", {count[Level.UNCHECKED]} not checked"
    style = "bold red" if count[Level.FAIL] else "yellow" if mend else "green"
    output.out.print(Text(f"{len(shown)} looked at: {said}", style=style))
