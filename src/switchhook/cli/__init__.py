"""The command line. Each command is loaded when it is called: `answer` has to start fast."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from cyclopts import App

from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import CycloptsError
    from rich.panel import Panel

_COMMANDS = {
    "init": ("init:init", "Write a first configuration, with rules and a secret."),
    "serve": ("run:serve", "Answer passthrus and run the console, both kept alive."),
    "answer": ("run:answer_side", "Run the public side alone."),
    "console": ("run:console_side", "Run the private side alone."),
    "shipper": ("run:shipper_side", "Run alone what hands the journal over to other nodes."),
    "check": ("check:check", "Check files, and what changed rules would have decided."),
    "rules": ("rules:app", "Which rules run, which ran, and back to the ones before."),
    "link": ("link:link", "Print the way in to the console, and URLs of endpoints of its own."),
    "doctor": ("doctor:doctor", "Look at everything, inside and outside: what to mend, and how."),
    "endpoint": ("endpoint:app", "List endpoints, try one, or print the URL that one is asked by."),
    "secret": ("secret:secret", "Make a secret, and the URL to paste into the applet."),
    "alerts": ("alerts:app", "What fires, and whether messages arrive."),
    "emulate": ("emulate:app", "Be Exotel: call your bot and your passthru, on bad days too."),
    "parse": ("parse:parse", "Say what requests mean: a text, mock logs, access logs."),
    "tail": ("records:tail", "Show the newest receipts, live with --follow."),
    "streams": ("records:streams", "List streams: why each one ended."),
    "now": ("now:now", "Show how things go, and what fails."),
    "causes": ("now:causes", "List failures by what they have in common."),
    "refused": ("refused:refused", "Show samples of requests that were not let in, and why."),
    "call": ("call:call", "Show one call, by its id, a stream's or a telephone number."),
    "report": ("report:report", "Report a bot's week, for whoever runs it."),
    "route": ("route:app", "Which bots get calls: move, drain, switch off, undo."),
    "release": ("release:app", "Ship a change of rules or pools: try it, by degrees, and back."),
    "promises": ("promises:app", "Callbacks owed to callers: list, make, steer, stop dialling."),
    "flag": ("flag:app", "Named values that rules and bots read: show, set, reset, undo."),
    "cluster": ("cluster:app", "Nodes that share a database: who leads, how each is, joining."),
    "capacity": ("capacity:capacity", "Show what each account has in use and left."),
    "users": ("users:app", "Who may sign in to the console."),
    "tokens": ("tokens:app", "What programs show at the API."),
    "mcp": ("mcp:mcp", "Let an assistant ask the console, by the Model Context Protocol."),
    "keep": ("keep:keep", "What is kept how long, and the oldest of it."),
    "forget": ("erasing:forget", "Erase everything about one phone number or call, with proof."),
    "person": ("person:person", "Report all that is held on one person, by their number."),
    "backup": ("backups:back_up", "Write all that must not be lost into one file, while it runs."),
    "restore": ("backups:restore", "Unpack a backup into an empty data folder."),
    "completion": ("shell:completion", "Let a shell complete commands and options."),
    "schema": ("shell:schema", "Print the JSON Schema of our files, for editors."),
    "rebuild": ("records:rebuild", "Make the store again from the journal."),
}


def make_app(words: Sequence[str]) -> App:
    """The command line; only the command that `words` call is loaded, and so has its whole help."""
    app = App(
        name="switchhook",
        help="The passthru backend for Exotel voice streams.",
        version=_version,
        version_format="plaintext",
        version_flags=["--version"],
        result_action="return_value",
        error_formatter=_panel_of,
    )
    for name, (place, summary) in _COMMANDS.items():
        module, _, attribute = f"switchhook.cli.{place}".partition(":")
        if words[:1] == [name]:
            app.command(getattr(import_module(module), attribute), name=name)
        else:
            app.command(f"{module}:{attribute}", name=name, help=summary)
    return app


def run(words: Sequence[str]) -> int:
    """Run a command and give its exit code; what the operator can mend is said on stderr, as 2."""
    try:
        return make_app(words)(list(words)) or 0
    except SwitchhookError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # Whoever read us has seen enough; Python must not try to flush again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{(error.strerror or str(error)).lower()}")
    except KeyboardInterrupt:
        return 130


def main() -> None:
    """The program `switchhook`."""
    sys.exit(run(sys.argv[1:]))


def _panel_of(error: CycloptsError) -> Panel:
    from switchhook.cli.values_refused import panel_of

    return panel_of(error)


def _version() -> str:
    from switchhook.server.release import version_text

    return version_text()


def _refuse(text: str) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"switchhook: {line}\n")
    return 2
