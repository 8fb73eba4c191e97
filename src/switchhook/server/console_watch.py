"""What the console says of its own files while it runs, and to who starts it."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from switchhook.errors import LedgerError
from switchhook.server.own_files import LOOK_S

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.ledger.database import Ledger
    from switchhook.server.own_files import OwnFiles
    from switchhook.web.sign_in import ConsoleAccess

log = logging.getLogger("switchhook")

_NOTE_S = 1.0


async def watch_ledger(ledger: Ledger) -> None:
    """Note how far the ledger has come, and say when it is taken away under us; for ever."""
    said: str | None = None
    while True:
        await asyncio.sleep(_NOTE_S)
        try:
            await asyncio.to_thread(ledger.keep_note)
            failing = ledger.problem
        except LedgerError as error:
            failing = error
        problem = None if failing is None else str(failing)
        if problem is not None and problem != said:
            log.error("%s", problem)
        said = problem


async def watch_files(files: OwnFiles) -> None:
    """See whether our own small files are as they were at the first look; for ever."""
    while True:
        await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(files.look)


async def greet(access: ConsoleAccess, folder: Path) -> None:
    """While nobody has an account, show the way in to a terminal, and to no log."""
    try:
        if sys.stdout.isatty():
            welcome = await asyncio.to_thread(access.welcome)
            if welcome is not None:
                print(welcome, flush=True)  # noqa: T201 - to whoever started it
        elif await asyncio.to_thread(access.nobody_yet):
            command = f"switchhook link --data {folder}"
            log.warning("nobody has an account yet: `%s` prints the way in", command)
    except LedgerError as error:
        log.warning("there is no way in until a restart: %s", error)
