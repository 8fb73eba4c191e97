"""`switchhook report`: what became of a bot's streams in a week, as a file for whoever runs it."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.cli import output
from switchhook.cli.by_itself import needs_all
from switchhook.cli.data import data_folder, steady_now_ms, store_in
from switchhook.cli.ledger import deed, now_us
from switchhook.cli.now import names_in
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.errors import ConfigError
from switchhook.reports.forms import FORMS
from switchhook.reports.vendor_page import ENDINGS, REPORTED, report_html, when_of
from switchhook.reports.vendor_queries import ReportSources, vendor_report
from switchhook.reports.week import stretch_of
from switchhook.server.places import has_ledger, ledger_of
from switchhook.web.parameters import RefusedParameter
from switchhook.web.render import Renderer, zone_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from switchhook.alerts.alert import Alert
    from switchhook.reports.vendor import VendorReport
    from switchhook.reports.week import Stretch


def report(
    *,
    bot: str,
    week: Annotated[str | bool, Parameter(negative="")] = "",
    since: str | None = None,
    until: str | None = None,
    out: str | None = None,
    numbers: Annotated[bool, Parameter(negative="")] = False,
    zone: str = "ist",
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Report what became of a bot's streams in a week, for whoever runs that bot.

    Calls and outcomes, each failure with its time and CallSid, whose it was and how sure that is,
    shares by day and hour, how long talks lasted, troubles. Numbers are masked. That it was made is
    in the audit log.

    For example:

        switchhook report --bot Asha
        switchhook report --bot Asha --week 2026-W47 --out asha.html
        switchhook report --bot asha.bots.example --since 2026-11-20 --until 2026-11-22

    Parameters
    ----------
    bot
        The bot's name in the configuration, or its host.
    week
        Such as 2026-W47, or this; without one, or without a time, the last whole week.
    since
        A time instead of a week, or how long ago: 2026-11-20, 2026-11-20T10:00, 3d.
    until
        Likewise; without it until now.
    out
        A new file: .md, .html, .csv (the failures) or .json. Without it Markdown is printed.
    numbers
        Leave telephone numbers in full.
    zone
        The zone of weeks, days and times: ist, utc or an IANA name.
    """
    ending = "json" if json else "md"
    if out is not None:
        ending = Path(out).suffix.removeprefix(".")
        if ending not in ENDINGS:
            hint = ", ".join(f".{each}" for each in ENDINGS)
            raise ConfigError(f"{Path(out).name!r} ends in no form", key="--out", hint=hint)
    shown, said = zone_named(zone), "" if isinstance(week, bool) else week
    folder = data_folder(config, data)
    needs_all(folder, "`switchhook streams` lists that, or run it once that is back")
    try:
        now_ms = steady_now_ms(folder)
        stretch = stretch_of(said, since or "", until or "", now_ms, shown)
        with _alerts(folder, bot, ending, stretch, whole=numbers) as alerts:
            sources = ReportSources(store_in(folder), names_in(folder, config), alerts)
            made = vendor_report(sources, bot, stretch, shown, now_ms, whole=numbers)
    except RefusedParameter as error:
        raise ConfigError(str(error), key=f"--{error.parameter}", hint=error.hint) from None
    body = _written(made, ending, shown)
    if out is None:
        sys.stdout.write(body.decode())
        return 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(out, flags, 0o600), "wb") as file:  # noqa: PTH123 - it is for its owner
        file.write(body)
    output.out.print(f"{out} is written")
    return 0


@contextmanager
def _alerts(
    folder: Path, bot: str, form: str, stretch: Stretch, *, whole: bool
) -> Iterator[Callable[[int, int], Sequence[Alert]]]:
    """Where alerts are read from; that the report is made is noted there before."""
    if not has_ledger(folder):
        output.err.print("there is no ledger here: no trouble is known, and nothing is noted")
        yield lambda _since, _until: ()
        return
    ledger = ledger_of(folder)
    try:
        numbers = "whole" if whole else "masked"
        LedgerAudit(ledger).note(
            deed(REPORTED, bot, form=form, numbers=numbers, **when_of(stretch)), now_us()
        )
        yield LedgerAlerts(ledger).fired_between
    finally:
        ledger.close()


def _written(made: VendorReport, ending: str, zone: ZoneInfo) -> bytes:
    if ending == "html":
        return report_html(Renderer(), made, zone)
    return FORMS[ending].write(made, zone)
