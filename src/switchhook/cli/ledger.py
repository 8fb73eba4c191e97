"""What the commands about users and tokens share: the ledger, who they are, passwords."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from switchhook.access.audit import Deed
from switchhook.access.ledger import LedgerAccess
from switchhook.cli.data import config_for, data_folder, there_for_deed, there_or_last
from switchhook.config.own_links import address
from switchhook.errors import ConfigError, DataFolderError
from switchhook.server.places import has_ledger, ledger_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.access.users import AccessLedger


@contextmanager
def opened(
    config: str | None, data: str | None, *, to_look: bool = False
) -> Iterator[AccessLedger]:
    """The ledger of a data folder, beside a console that may run.

    A file that is refused stands in the way of all that is done; not of who only looks.
    """
    folder = there_or_last(config, data) if to_look else there_for_deed(config, data)
    owner = folder.stat().st_uid
    if not has_ledger(folder) and owner != os.geteuid():
        problem = "it has no ledger yet, and belongs to another user"
        raise DataFolderError(str(folder), problem, "run this as the user that owns it")
    ledger = ledger_of(folder)
    try:
        yield LedgerAccess(ledger)
    finally:
        ledger.close()


def now_us() -> int:
    """The time, in Unix microseconds."""
    return time.time_ns() // 1_000


def deed(what: str, subject: str = "", **details: str) -> Deed:
    """A deed of whoever runs the command: the user of the machine, whatever the environment says.

    By sudo that is root; who it was before is told as sudo tells it.
    """
    number = os.getuid()
    try:
        who = pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user needs no name
        who = f"uid {number}"
    before = os.environ.get("SUDO_USER")
    if number == 0 and before:
        details = {**details, "by sudo of": before}
    return Deed(who=who, what=what, subject=subject, origin="command line", details=details)


def ask_password() -> str:
    """A new password, typed twice at a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Once more: "):
        raise ConfigError("the two passwords differ", key="password")
    return password


def address_of_console(config: str | None, data: str | None, url: str | None = None) -> str:
    """How people reach the console: as said, as configured, as it listens, or as it would."""
    if url is not None:
        return url.rstrip("/")
    folder = data_folder(config, data)
    said = config_for(folder, config).console
    return said.url or address(folder, "console", said.listen)


def refuse(problem: str, hint: str, *, key: str) -> ConfigError:
    """What can't be done, as a sentence for standard error."""
    return ConfigError(problem, key=key, hint=hint)
