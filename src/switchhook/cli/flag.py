"""`switchhook flag`: named values that rules and bots read, changed without a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from switchhook.cli import output
from switchhook.cli.data import config_or_last, data_folder, steady_now_ms
from switchhook.cli.ledger import deed
from switchhook.cli.moments import length_said
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.told import until_told
from switchhook.errors import FlagError
from switchhook.flags.changes import (
    FlagAct,
    FlagWanted,
    change_of,
    flag_named,
    noted,
    words_of,
)
from switchhook.flags.json import change_json, flag_json
from switchhook.flags.ledger import LedgerFlags
from switchhook.flags.view import FlagsView, flags_view
from switchhook.flags.worker import undo_in
from switchhook.metrics import duration_text
from switchhook.rules.flag_values import read_text, value_words
from switchhook.server.places import ledger_of
from switchhook.server.told_in_ledger import flags_teller
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from switchhook.access.audit import Deed
    from switchhook.flags.changes import FlagChange
    from switchhook.flags.view import FlagView
    from switchhook.rules.flags import Flag
    from switchhook.rules.routing import RoutingFacts

app = App(name="flag", help="Named values that rules and bots read: show, set, reset, undo.")

REASON = Annotated[str, Parameter(name="--reason", help="Why, for those who read it tomorrow.")]
FOR = Annotated[
    str | None, Parameter(name="--for", help="Ends by itself: 2h, 90m, 1d. Without it: it stays.")
]
T = TypeVar("T")

_MOST_PAST = 50


@app.command(name="list")
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List all flags, with what each is set to and who reads it.

    Exit code 1 if one could go: nothing has read it for 90 days, or it was the same for as long.
    """
    folder = data_folder(config, data)
    view = _view(folder, config)
    if json:
        for flag in view.flags:
            output.print_json(flag_json(flag))
    elif view.flags:
        output.print_table(
            ("FLAG", "KIND", "IS", "SINCE", "BY", "UNTIL", "READ BY"),
            (_row(flag, steady_now_ms(folder)) for flag in view.flags),
        )
        for flag in view.flags:
            for said in filter(None, (flag.stale, flag.unused)):
                output.out.print(f"{flag.name}: {said}", style="yellow")
    else:
        output.out.print("no flag is declared: [flags.NAME] in the configuration declares one")
    return int(any(flag.stale for flag in view.flags))


@app.command
def show(name: str, *, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show one flag, with what was done to it.

    Parameters
    ----------
    name
        The flag, by the name of its [flags.NAME].
    """
    folder = data_folder(config, data)
    flag_named(name, _flags(folder, config))
    found = _view(folder, config).flag(name)
    assert found is not None
    past = with_flags(folder, lambda flags, _now_ms: flags.history(name, _MOST_PAST))
    if json:
        output.print_json(flag_json(found) | {"history": [change_json(each) for each in past]})
        return 0
    output.print_pairs(_pairs(found))
    if past:
        output.out.print()
        _print_changes(past)
    return 0


@app.command
def set(
    name: str,
    value: str,
    *,
    reason: REASON = "",
    for_: FOR = None,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Set a flag.

    Parameters
    ----------
    name
        The flag, by the name of its [flags.NAME].
    value
        true or false, a number, 5%, a text, a list as a,b, a window as 09:00-21:00.
    """
    folder = data_folder(config, data)
    flag = flag_named(name, _flags(folder, config))
    read, for_s = read_text(flag, value), length_said(for_)
    _check_reason(reason)
    return _do(folder, config, FlagWanted(flag=name, value=read, reason=reason, for_s=for_s))


@app.command
def reset(name: str, *, reason: REASON = "", config: CONFIG = None, data: DATA = None) -> int:
    """Set a flag back to its default.

    Parameters
    ----------
    name
        The flag, by the name of its [flags.NAME].
    """
    folder = data_folder(config, data)
    flag_named(name, _flags(folder, config))
    _check_reason(reason)
    return _do(folder, config, FlagWanted(flag=name, value=None, reason=reason))


@app.command
def undo(
    name: str,
    *,
    reason: Annotated[str, Parameter(name="--reason", help="Why, for the audit log.")] = "",
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Undo the last change of a flag.

    Parameters
    ----------
    name
        The flag, by the name of its [flags.NAME].
    """
    folder = data_folder(config, data)
    declared, by = _flags(folder, config), deed("").who
    change = with_flags(
        folder,
        lambda flags, now_ms: undo_in(flags, declared, name, reason, by, _deed, now_ms),
        declared,
    )
    output.out.print(f"undone: {words_of(change)}")
    return _told(folder, change)


@app.command
def history(
    name: str | None = None, *, config: CONFIG = None, data: DATA = None, json: JSON = False
) -> int:
    """List what was done to flags, the newest first.

    Parameters
    ----------
    name
        One flag alone.
    """
    folder = data_folder(config, data)
    past = with_flags(folder, lambda flags, _now_ms: flags.history(name, _MOST_PAST))
    if name is not None and not past:  # one that is declared no more has its past
        flag_named(name, _flags(folder, config))
    if json:
        for change in past:
            output.print_json(change_json(change))
    elif past:
        _print_changes(past)
    else:
        output.out.print("nobody has set a flag yet" if name is None else f"nobody has set {name}")
    return 0


def _check_reason(said: str) -> None:
    """After a name and a value, so that it hides nothing that is wrong with them."""
    if not said.strip():
        problem = "--reason is missing: why, for those who read it tomorrow"
        raise FlagError(problem, 'such as --reason "the new greeting works"')


def _do(folder: Path, config: str | None, wanted: FlagWanted) -> int:
    declared, by = _flags(folder, config), deed("").who
    change = with_flags(
        folder,
        lambda flags, now_ms: flags.change(
            lambda held, _named: change_of(wanted, declared, held, by, now_ms),
            lambda change: _deed(*noted(change)),
            now_ms,
        ),
        declared,
    )
    until = "" if wanted.for_s is None else f" for {duration_text(wanted.for_s)}"
    output.out.print(f"{words_of(change)}{until}; `switchhook flag undo {change.flag}` undoes it")
    return _told(folder, change)


def _told(folder: Path, change: FlagChange) -> int:
    """Wait until the answer processes are told. Exit code 1 where they are not."""
    now_ms = steady_now_ms(folder)
    wanted = change.setting.at(now_ms)

    def done(told: RoutingFacts) -> bool:
        found = told.flags.get(change.flag)
        return (None if found is None else found.at(now_ms)) == wanted

    def instead() -> str | None:
        last = with_flags(folder, lambda flags, _now_ms: flags.held().get(change.flag))
        if last is None or last.id == change.id:
            return None
        return f"{words_of(last)}, by {last.by}"

    return until_told(folder, done, instead)


def with_flags(
    folder: Path, act: Callable[[LedgerFlags, int], T], declared: Sequence[Flag] = ()
) -> T:
    """Do something with the flags of a data folder's ledger, and the time. Raises LedgerError.

    What changes is told to all nodes of a cluster, of those that are `declared`.
    """
    ledger = ledger_of(folder)
    try:
        now_ms = steady_now_ms(folder)
        return act(LedgerFlags(ledger, flags_teller(declared, now_ms)), now_ms)
    finally:
        ledger.close()


def _deed(what: str, subject: str, details: dict[str, str]) -> Deed:
    return deed(what, subject, **details)


def _flags(folder: Path, config: str | None) -> tuple[Flag, ...]:
    return config_or_last(folder, config).flags


def _view(folder: Path, config: str | None) -> FlagsView:
    declared = _flags(folder, config)
    return with_flags(
        folder,
        lambda flags, now_ms: flags_view(declared, flags.held(), flags.reads(), {}, now_ms),
    )


# How they are printed.


def _row(flag: FlagView, now_ms: int) -> tuple[str, ...]:
    change = flag.change
    return (
        flag.name,
        flag.kind.value,
        flag.words,
        "" if change is None else _time(change.at_ms),
        "" if change is None else change.by,
        "" if change is None or change.until_ms is None else _time(change.until_ms),
        _readers(flag, now_ms),
    )


def _readers(flag: FlagView, now_ms: int) -> str:
    said = [
        who
        if now_ms - at_ms < 3_600_000
        else f"{who} {duration_text((now_ms - at_ms) // 1000)} ago"
        for who, at_ms in (("rules", flag.rules_ms), ("bots", flag.bots_ms))
        if at_ms is not None
    ]
    return ", ".join(said) or "nobody"


def _pairs(flag: FlagView) -> list[tuple[str, object]]:
    change = flag.change
    return [
        ("flag", flag.name),
        ("kind", flag.kind.value),
        ("what for", flag.description),
        ("is", flag.words),
        ("default", flag.default_words),
        ("since", None if change is None else _time(change.at_ms)),
        ("by", None if change is None else change.by),
        ("why", None if change is None else change.reason),
        ("until", None if change is None or change.until_ms is None else _time(change.until_ms)),
        ("read by rules", None if flag.rules_ms is None else _time(flag.rules_ms)),
        ("read by bots", None if flag.bots_ms is None else _time(flag.bots_ms)),
        ("could go", flag.stale or flag.unused or None),
    ]


_ACTS = {FlagAct.SET: "set", FlagAct.RESET: "reset", FlagAct.UNDO: "undone"}


def _print_changes(changes: list[FlagChange]) -> None:
    output.print_table(
        ("WHEN", "FLAG", "", "TO", "UNTIL", "BY", "REASON"),
        (
            (
                _time(each.at_ms),
                each.flag,
                _ACTS[each.act],
                "its default" if each.value is None else value_words(each.kind, each.value),
                "" if each.until_ms is None else _time(each.until_ms),
                each.by,
                each.reason,
            )
            for each in changes
        ),
    )


def _time(ms: int) -> str:
    return output.day_clock(time_of(ms * 1000))
