"""`switchhook rules`: which rules run, which ran, and back to the ones before."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

from cyclopts import App

from switchhook.cli import output
from switchhook.cli.check_routing import config_beside
from switchhook.cli.data import data_folder, found_config
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.config.live import SettingsKeeper
from switchhook.config.rules_terms import terms_of
from switchhook.rules.rules_file import BUILTIN

if TYPE_CHECKING:
    from switchhook.config.last_good import TakenOver

app = App(name="rules", help="Which rules run, which ran, and back to the ones before.")

_SHOWN = 12


@app.command(name="list")
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the endpoints that took rules over from a file, with those that run."""
    keeper = _keeper(config, data)
    rows = [(name, keeper.history(name)[-1]) for name in keeper.endpoints()]
    if json:
        for name, entry in rows:
            output.print_json({"endpoint": name, **_entry(entry)})
    elif rows:
        output.print_table(
            ("ENDPOINT", "RULES", "SINCE", "BY"),
            (
                (name, entry.hash[:_SHOWN], output.moment(entry.at), entry.by)
                for name, entry in rows
            ),
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
    history = () if builtin else _keeper(config, data).history(endpoint)
    text = history[-1].text if history else _builtin(endpoint, config, data)
    if not history and not builtin:
        output.err.print(f"endpoint {output.plain(endpoint)} has the built-in rules")
    output.out.out(text, end="" if text.endswith("\n") else "\n", highlight=False)
    return 0


@app.command
def history(
    endpoint: str = "default", *, config: CONFIG = None, data: DATA = None, json: JSON = False
) -> int:
    """List what an endpoint's rules were, oldest first; the last is what runs.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    """
    entries = _keeper(config, data).history(endpoint)
    if json:
        for entry in entries:
            output.print_json(_entry(entry))
    elif entries:
        output.print_table(
            ("NUMBER", "RULES", "SINCE", "BY"),
            (
                (each.number, each.hash[:_SHOWN], output.moment(each.at), each.by)
                for each in entries
            ),
        )
    else:
        output.err.print(f"endpoint {output.plain(endpoint)} has taken no rules over from a file")
    return 0


@app.command
def undo(endpoint: str = "default", *, config: CONFIG = None, data: DATA = None) -> int:
    """Go back to the rules before the running ones; a running server follows at once.

    The file stays as it is, and isn't taken over again until it changes.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    """
    entry = _keeper(config, data).undo(endpoint, getpass.getuser())
    output.out.print(f"endpoint {endpoint} runs rules {entry.hash[:_SHOWN]} again")
    return 0


def _keeper(config: str | None, data: str | None) -> SettingsKeeper:
    folder = data_folder(config, data)
    return SettingsKeeper(folder, found_config(config, data), environ=os.environ)


def _builtin(endpoint: str, config: str | None, data: str | None) -> str:
    """The built-in rules of an endpoint's kind; a passthru's where no configuration has it."""
    for each in config_beside(config, data):
        point = each.endpoint(endpoint)
        if point is not None:
            return terms_of(each, point).builtin.text
    return BUILTIN.text


def _entry(entry: TakenOver) -> dict[str, object]:
    return {
        "number": entry.number,
        "hash": entry.hash,
        "at": entry.at,
        "by": entry.by,
        "text": entry.text,
    }
