"""`switchhook streams --export FILE`: all that a search finds, as the console's page exports it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.cli.reads import noted
from switchhook.errors import ConfigError
from switchhook.exotel.times import IST
from switchhook.journal import JournalReader
from switchhook.store import SqliteStore
from switchhook.streams.export import COLUMNS, FORMATS, ExportFormat, rows_of
from switchhook.streams.search.query import Query
from switchhook.system.data_folder import JOURNAL, STORE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from switchhook.streams.names import Names


def write_export(
    folder: Path, file: Path, query: Query | None, said: str, names: Names, others: Sequence[str]
) -> int:
    """Write a new file, with every column and whole numbers.

    `said` is the search as it was typed, for the audit log; `others` are filters beside it. Raises
    ConfigError for a name or filters that it can't do, OSError where it can't be written.
    """
    form = FORMATS.get(file.suffix.removeprefix("."))
    if form is None:
        known = ", ".join(f".{ending}" for ending in FORMATS)
        raise ConfigError(f"{file.name!r} ends in no form of export", key="--export", hint=known)
    if others:
        hint = "say it in the search, such as cause:throttled since:2h"
        option = others[0].replace("_", "-")
        raise ConfigError(f"an export takes no --{option}", key="--export", hint=hint)
    store = SqliteStore(folder / STORE, JournalReader(folder / JOURNAL))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(file, flags, 0o600), "wb") as out:  # noqa: PTH123 - numbers are for the owner
        whole = noted(folder, "streams --export", search=said, file=file.name)
        look = ExportFormat(tuple(COLUMNS.values()), lambda _call_sid: whole, IST)
        for part in form.write(rows_of(store, query or Query(), names, look), look):
            out.write(part)
    output.out.print(f"{file} is written")
    return 0
