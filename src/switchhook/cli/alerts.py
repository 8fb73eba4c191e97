"""`switchhook alerts`: what fires, and whether messages arrive."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

from cyclopts import App

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.alerts.book import KIND
from switchhook.alerts.engine import Alerting
from switchhook.alerts.json import alert_json
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.alerts.message import reading
from switchhook.alerts.notification import Recipient
from switchhook.alerts.notify import AppriseNotifier
from switchhook.alerts.sender import Destinations
from switchhook.cli import output
from switchhook.cli.by_itself import by_itself, say_last
from switchhook.cli.data import config_in, data_folder, found_config, steady_now_ms
from switchhook.cli.ledger import deed, now_us
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cluster.database_alarm import read_alarm
from switchhook.delivery.ledger import LedgerDeliveries
from switchhook.errors import ConfigError
from switchhook.metrics import duration_text
from switchhook.overview.verdict_file import read_verdict
from switchhook.server.places import ledger_of
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from switchhook.alerts.alert import Alert
    from switchhook.cli.by_itself import ByItself
    from switchhook.config import Config

app = App(name="alerts", help="What fires, and whether messages arrive.")


@app.default
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the alerts that are pending or fire, as the console knows them.

    Exit code 1 if one fires, or if it is not known, as no console has looked lately, or this node's
    cluster has lost its database: then those that it was told last are listed.
    """
    folder = data_folder(config, data)
    written, away = read_verdict(folder), by_itself(folder)
    now_ms = steady_now_ms(folder) if away is None else away.state.now_ms
    known = away is None and written is not None and written.fresh(now_ms)
    ago = "" if written is None else duration_text(written.age_s(now_ms))
    found: Sequence[Alert]
    if away is not None:
        _say_told(folder, away, ago)
        found = () if written is None else written.alerts
    elif written is not None and known:
        found = written.alerts
    else:
        found = _kept(folder)
        since = f" for {ago}" if ago else ""
        output.err.print(f"no console has looked{since}: this is what was kept; is one running?")
    alerts = sorted(found, key=lambda a: (not a.firing, -a.severity.rank, a.since_ms))
    failed = not known or any(alert.firing for alert in alerts)
    if json:
        for alert in alerts:
            output.print_json(alert_json(alert))
        return int(failed)
    if not alerts:
        output.out.print("nothing fires" if known else "nothing fired")
        return int(failed)
    output.print_table(
        ("ID", "STATE", "SEVERITY", "SINCE", "WHAT", "WORST", "ADVICE"),
        (
            (
                alert.id,
                _state(alert),
                alert.severity.value,
                output.day_clock(time_of(alert.since_ms * 1000)),
                _title(alert),
                reading(alert),
                alert.advice,
            )
            for alert in alerts
        ),
    )
    return int(failed)


def _say_told(folder: Path, away: ByItself, ago: str) -> None:
    """Whose alerts these are, and whom this node told of its database by itself."""
    what = f"these are the alerts of {ago} ago" if ago else "no alert was told here yet"
    told = ", ".join(read_alarm(folder).told)
    said = f"; this node told {told} that it is away" if told else ""
    say_last(away, f"nobody looks for new ones meanwhile, {what}{said}")


def _kept(folder: Path) -> Sequence[Alert]:
    """Those that the ledger has: of before, where no console runs."""
    ledger = ledger_of(folder)
    try:
        return tuple(LedgerAlerts(ledger).load(_now_ms()).alerts)
    finally:
        ledger.close()


@app.command(name="ack")
def acknowledge(alert: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Say that you are on it: nobody else is called for this alert and those of its cause.

    A console that runs hears of it within a second.

    Parameters
    ----------
    alert
        The alert, by its ID as `switchhook alerts` lists it.
    """
    ledger = ledger_of(data_folder(config, data))
    try:
        book = LedgerAlerts(ledger)
        found = next((each for each in book.load(_now_ms()).alerts if each.id == alert), None)
        if found is None:
            hint = "`switchhook alerts` lists those that go on"
            raise ConfigError(f"no alert {alert!r} goes on", key="alert", hint=hint)
        done = deed("acknowledged an alert", found.rule, **dict(found.labels))
        book.acknowledge(found.id, done.who, _now_ms())
        LedgerAudit(ledger).note(done, now_us())
    finally:
        ledger.close()
    output.out.print(f"{done.who} is on it: {_title(found)}")
    return 0


@app.command(name="test")
def send_test(name: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Send a test message, and say how it went. Exit code 1 if one was not taken.

    It needs no console that runs; the console's page shows it among what was sent.

    Parameters
    ----------
    name
        A destination, as named under [alerts.send.NAME] in the configuration, or all of a policy
        under [alerts.policy.NAME].
    """
    settings = config_in(found_config(config, data))
    tried = try_destinations(data_folder(config, data), settings, name)
    for to, problem in tried.items():
        if problem is None:
            output.out.print(f"the test to {to} was sent")
        else:
            output.err.print(f"the test to {to} was not sent: {output.plain(problem)}")
    return int(any(tried.values()))


def try_destinations(folder: Path, settings: Config, name: str) -> dict[str, str | None]:
    """Send a test to a destination or all of a policy: by name why it was not taken, or None.

    Raises ConfigError where there is no such name.
    """
    recipients = tuple(Recipient(each.name) for each in settings.alerts.destinations)
    notifier = AppriseNotifier(
        {each.name: each.url.reveal for each in settings.alerts.destinations},
        url=settings.console.url,
        zone=settings.alerts.quiet.zone,
    )
    destinations = Destinations(notifier, recipients, settings.alerts.policies)
    if not destinations.knows(name):
        known = ", ".join(destinations.names())
        hint = f"known: {known}" if known else "add one under [alerts.send.NAME]"
        raise ConfigError(f"there is no destination {name!r}", key="alerts.send", hint=hint)
    ledger = ledger_of(folder)
    try:
        book, table = LedgerAlerts(ledger), LedgerDeliveries(ledger, KIND)
        return Alerting(book, table, (), destinations).test(name, getpass.getuser())
    finally:
        ledger.close()


def _state(alert: Alert) -> str:
    """With who is on it."""
    by = alert.acknowledged
    return f"{alert.state.value}, {by} is on it" if by else alert.state.value


def _title(alert: Alert) -> str:
    of = ", ".join(text for _, text in alert.labels if text)
    return f"{alert.title} ({of})" if of else alert.title


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
