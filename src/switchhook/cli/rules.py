"""`switchhook rules`: which rules run, which ran, and back to the ones before."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

from cyclopts import App

from switchhook.cli import output
from switchhook.cli.check_routing import config_beside, refuse_unknown
from switchhook.cli.data import config_or_last, data_folder, found_config
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.release_parts import by, note, opened, said_subject
from switchhook.config.live import SettingsKeeper
from switchhook.config.rules_terms import terms_of
from switchhook.errors import ConfigError, LedgerError
from switchhook.releases.acts import ActWanted
from switchhook.releases.release import ReleaseAct
from switchhook.rules.rollout import subject_of
from switchhook.rules.rules_file import BUILTIN

if TYPE_CHECKING:
    from switchhook.config.kept_text import TakenOver

app = App(name="rules", help="Which rules run, which ran, and back to the ones before.")

_SHOWN = 12


@app.command(name="list")
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the endpoints that run rules from a file or a release, with those that run."""
    keeper = _keeper(config, data)
    found = [(name, keeper.runs(name)) for name in keeper.endpoints()]
    rows = [(name, entry) for name, entry in found if entry is not None]
    if json:
        for name, entry in rows:
            output.print_json({"endpoint": name, **_entry(entry)})
    elif rows:
        output.print_table(
            ("ENDPOINT", "RULES", "RELEASE", "SINCE", "BY"),
            ((name, *_row(entry)) for name, entry in rows),
        )
    else:
        output.err.print("every endpoint has the built-in rules: switchhook rules show --builtin")
    return 0


@app.command(name="show")
def show_(
    endpoint: str = "default",
    *,
    builtin: bool = False,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Print the text of an endpoint's running rules.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    builtin
        The built-in rules instead: a good beginning for one's own.
    """
    runs = None if builtin else _keeper_of(endpoint, config, data).runs(endpoint)
    text = _builtin(endpoint, config, data) if runs is None else runs.text
    if runs is None and not builtin:
        output.err.print(f"endpoint {output.plain(endpoint)} has the built-in rules")
    output.out.out(text, end="" if text.endswith("\n") else "\n", highlight=False)
    return 0


@app.command
def history(
    endpoint: str = "default", *, config: CONFIG = None, data: DATA = None, json: JSON = False
) -> int:
    """List what an endpoint's rules were, oldest first; the last is what runs.

    Rules of a file that the configuration names no more wait, and the built-in ones run.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    """
    keeper = _keeper_of(endpoint, config, data)
    entries = keeper.history(endpoint)
    if entries and keeper.runs(endpoint) is None:
        output.err.print(
            f"endpoint {output.plain(endpoint)} has the built-in rules: its configuration names "
            "no file"
        )
    if json:
        for entry in entries:
            output.print_json(_entry(entry))
    elif entries:
        output.print_table(
            ("NUMBER", "RULES", "RELEASE", "SINCE", "BY"),
            ((each.number, *_row(each)) for each in entries),
        )
    else:
        output.err.print(f"endpoint {output.plain(endpoint)} has taken no rules over from a file")
    return 0


@app.command
def undo(endpoint: str = "default", *, config: CONFIG = None, data: DATA = None) -> int:
    """Go back to the rules before the running ones; a running server follows at once.

    As `switchhook release rollback ENDPOINT` does where no canary is under way. The file stays as
    it is, and isn't taken over again until it changes.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    """
    try:
        hash = _rolled_back(endpoint, config, data)
    except LedgerError as error:
        # What runs is in the data folder: it goes back whatever becomes of the story.
        hash = _keeper(config, data).undo(endpoint, getpass.getuser()).hash
        output.err.print(f"not in the story of releases, nor in the audit log: {error}")
    output.out.print(f"endpoint {endpoint} runs rules {hash[:_SHOWN]} again")
    return 0


def _rolled_back(endpoint: str, config: str | None, data: str | None) -> str:
    """The hash of what runs again. Raises LedgerError before anything was changed."""
    with opened(config, data) as at:
        subject = said_subject(subject_of(endpoint), at.releasing.running.subjects())
        full = at.ledger.full(subject)
        if full is None:
            problem = f"endpoint {endpoint} has no rules that ran"
            raise ConfigError(problem, hint="is it the right name, and the right data folder?")
        wanted = ActWanted(act=ReleaseAct.ROLL_BACK, by=by())
        change = at.releasing.act(full.release.number, wanted, note)
    assert change.runs is not None
    return change.runs.hash


def _keeper(config: str | None, data: str | None) -> SettingsKeeper:
    folder = data_folder(config, data)
    return SettingsKeeper(folder, found_config(config, data), environ=os.environ)


def _keeper_of(endpoint: str, config: str | None, data: str | None) -> SettingsKeeper:
    """The same. Raises ConfigError where neither the configuration nor the past has an endpoint."""
    keeper = _keeper(config, data)
    if not keeper.history(endpoint):
        refuse_unknown(endpoint, (config_or_last(data_folder(config, data), config),))
    return keeper


def _builtin(endpoint: str, config: str | None, data: str | None) -> str:
    """The built-in rules of an endpoint's kind; a passthru's where no configuration has it."""
    for each in config_beside(config, data):
        point = each.endpoint(endpoint)
        if point is not None:
            return terms_of(each, point).builtin.text
    return BUILTIN.text


def _row(entry: TakenOver) -> tuple[str, str, str, str]:
    release = str(entry.release) if entry.release else "-"
    return entry.hash[:_SHOWN], release, output.moment(entry.at), entry.by


def _entry(entry: TakenOver) -> dict[str, object]:
    return {
        "number": entry.number,
        "hash": entry.hash,
        "at": entry.at,
        "by": entry.by,
        "release": entry.release or None,
        "text": entry.text,
    }
