"""`capacity`: how many streams the accounts have in use and left, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.capacity.api import now_json, span_json
from switchhook.capacity.forecast import forecast
from switchhook.capacity.ledger import READINGS_LIVE_MS, LedgerCapacity
from switchhook.capacity.readings import headroom
from switchhook.capacity.status import CapacityNow
from switchhook.cli import output
from switchhook.cli.data import data_folder, steady_now_ms
from switchhook.cli.moments import with_zone
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.errors import ConfigError
from switchhook.ledger.sqlite import FILE
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER
from switchhook.web.parameters import STRETCH, RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.capacity.readings import Reading

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
    Exit code 1 if there is nothing to show.

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
    now_ms = steady_now_ms(folder)
    since_ms = None if since is None else _moment(since, now_ms)
    if not (folder / LEDGER / FILE).exists():
        return _nothing()
    ledger = open_ledger(folder / LEDGER)
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
    if json:
        for each in found:
            output.print_json(now_json(each))
        return 0
    output.print_table(
        ("ACCOUNT", "IN USE", "OF", "LEFT", "AGE", "LIMIT REACHED"), [_row(each) for each in found]
    )
    return 0


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
