"""`capacity`: how many streams the accounts have in use and left, and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from switchhook.capacity.api import now_json, span_json
from switchhook.capacity.facts_document import FILE, age_ms, read
from switchhook.capacity.forecast import forecast
from switchhook.capacity.ledger import READINGS_LIVE_MS, LedgerCapacity
from switchhook.capacity.readings import headroom
from switchhook.capacity.status import CapacityNow
from switchhook.cli import output
from switchhook.cli.by_itself import by_itself, say_last
from switchhook.cli.data import data_folder, steady_now_ms
from switchhook.cli.moments import with_zone
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.errors import ClusterError, ConfigError
from switchhook.server.places import has_ledger, ledger_of
from switchhook.system.data_folder import boot_id
from switchhook.web.parameters import STRETCH, RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from switchhook.capacity.readings import Reading
    from switchhook.cli.by_itself import ByItself

_OLD_S = 60.0


def capacity(
    *,
    account: str | None = None,
    since: str | None = None,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Show the streams in use and allowed, how old the figure is, and when none will be left.

    Read straight from the ledger, so it needs no console; only a console that runs asks Exotel.
    Exit code 1 if there is nothing to show. On a node whose cluster's database is away they are the
    figures that the node was told last, which is said above, with exit code 1.

    For example:

        switchhook capacity
        switchhook capacity --since 2h

    Parameters
    ----------
    account
        One account only.
    since
        The history instead, from a time with its zone, or from how long ago: 90s, 15m, 2h, 7d.
    """
    folder = data_folder(config, data)
    away = by_itself(folder)
    if away is not None:
        return _show_told(folder, away, account, json=json, history=since is not None)
    now_ms = steady_now_ms(folder)
    since_ms = None if since is None else _moment(since, now_ms)
    if not has_ledger(folder):
        return _nothing()
    ledger = ledger_of(folder)
    try:
        history = LedgerCapacity(ledger)
        names = [each for each in history.accounts() if account in (None, each)]
        if since_ms is not None:
            return _show_history(history, names, since_ms, now_ms, json)
        found = [
            _standing(name, history.recent(name, now_ms - READINGS_LIVE_MS), now_ms)
            for name in names
        ]
    finally:
        ledger.close()
    if not found:
        return _nothing()
    _show(found, json=json)
    return 0


def _show(found: Sequence[CapacityNow], *, json: bool) -> None:
    if json:
        for each in found:
            output.print_json(now_json(each))
        return
    output.print_table(
        ("ACCOUNT", "IN USE", "OF", "LEFT", "AGE", "LIMIT REACHED"), [_row(each) for each in found]
    )


def _show_told(
    folder: Path, away: ByItself, account: str | None, *, json: bool, history: bool
) -> int:
    """What the node was told last for its rules; raises ClusterError for a `history`."""
    if history:
        error, hint = away.error, "without --since it says what this node was told last"
        said = f"{error.hint}; the history of accounts is in that database alone: {hint}"
        raise ClusterError(error.database, error.problem, said)
    found = [each for each in _told(folder, away.state.heading) if account in (None, each.account)]
    if found:
        say_last(away, "these are the figures that this node was told last, with their age")
        _show(found, json=json)
    else:
        say_last(away, "this node was told no account's figures")
    return 1


def _told(folder: Path, problem: str) -> list[CapacityNow]:
    try:
        body = (folder / FILE).read_bytes()
    except OSError:  # nothing was told, or nobody may see it
        return []
    told, damage = read(body, boot_id())
    if damage is not None:
        output.err.print(output.plain(damage))
    now_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    return [
        CapacityNow(
            account=name,
            active=each.active,
            allowed=each.allowed,
            headroom=headroom(each.active, each.allowed),
            age_s=max(0, age_ms(each, now_ms, mono_ms)) / 1000,
            problem=problem,
            at_ms=each.at_ms,
        )
        for name, each in sorted(told.items())
    ]


def _nothing() -> int:
    output.err.print("no account was watched here yet: see docs/accounts.md")
    return 1


def _moment(text: str, now_ms: int) -> int:
    parameter = STRETCH["since"]
    try:
        found: int = parameter.read(parameter, with_zone(text, now_ms), now_ms)
    except RefusedParameter as refused:
        raise ConfigError(refused.problem, key="--since", hint=refused.hint) from None
    return found


def _standing(name: str, readings: Sequence[Reading], now_ms: int) -> CapacityNow:
    unread = 0
    for each in reversed(readings):
        if each.active is not None:
            break
        unread += 1
    last = readings[-1 - unread] if unread < len(readings) else None
    return CapacityNow(
        account=name,
        active=last.active if last else None,
        allowed=last.allowed if last else None,
        headroom=headroom(last.active, last.allowed) if last else None,
        age_s=max(0, now_ms - last.at_ms) / 1000 if last else None,
        problem=readings[-1].problem if unread else "",
        forecast=forecast(readings, now_ms),
        unread=unread,
        at_ms=last.at_ms if last else None,
    )


def _row(now: CapacityNow) -> tuple[object, ...]:
    if now.age_s is None or now.age_s > _OLD_S:
        outlook = now.problem or "nobody asks: does the console run?"
    else:
        outlook = now.forecast.words if now.forecast else "too little is known to say"
    return now.account, now.active, now.allowed, now.headroom, _age(now.age_s), outlook


def _age(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _show_history(
    history: LedgerCapacity, names: Sequence[str], since_ms: int, now_ms: int, json: bool
) -> int:
    rows: list[dict[str, Any]] = [
        {"account": name, **span_json(span)}
        for name in names
        for span in history.history(name, since_ms, now_ms + 1)
    ]
    if not rows:
        return _nothing()
    if json:
        for each in rows:
            output.print_json(each)
        return 0
    output.print_table(
        ("TIME", "ACCOUNT", "LOWEST", "MEAN", "HIGHEST", "OF", "UNREAD"),
        (
            (
                output.moment(each["at"]),
                each["account"],
                each["lowest"],
                each["mean"],
                each["highest"],
                each["allowed"],
                each["unread"] or "",
            )
            for each in rows
        ),
    )
    return 0
