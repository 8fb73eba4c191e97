"""`switchhook streams --export FILE`: all that a search finds, as the console's page exports it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.reads import noted
from switchhook.errors import ConfigError, SearchError
from switchhook.server.places import store_of
from switchhook.streams.export import FORMATS, rows_of
from switchhook.streams.export_asked import EXPORT, AskedExport, asked_export
from switchhook.streams.search.query import Query
from switchhook.web.parameters import RefusedParameter, read_filters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchhook.streams.export import Rows, Value
    from switchhook.streams.names import Names


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)  # which the library for command lines takes apart
class ExportOptions:
    """How an export is written; see docs/search.md."""

    export: Annotated[
        str | None,
        Parameter(help="Write all that the search finds to this file: .csv, .ndjson or .parquet."),
    ] = None
    columns: Annotated[
        str | None, Parameter(help="Of an export: names between commas, in the file's order.")
    ] = None
    headers: Annotated[
        str | None, Parameter(help="What they are called in the file; none for a CSV without.")
    ] = None
    numbers: Annotated[
        Literal["e164", "digits", "00", "national", "0"] | None,
        Parameter(help="For a dialler or a CRM: the form of numbers, without an apostrophe."),
    ] = None
    region: Annotated[
        str | None, Parameter(help="Whose numbers national and 0 shorten; IN if not said.")
    ] = None
    rows: Annotated[
        Literal["streams", "callers"] | None,
        Parameter(help="Every stream, or the newest of each caller."),
    ] = None
    bom: Annotated[
        bool | None, Parameter(help="Whether a CSV begins with a byte order mark, for Excel.")
    ] = None

    def said(self) -> dict[str, str]:
        """What is said of all but the file, as the API takes it."""
        said = {
            "columns": self.columns,
            "headers": self.headers,
            "numbers": self.numbers,
            "region": self.region,
            "rows": self.rows,
            "bom": None if self.bom is None else "yes" if self.bom else "no",
        }
        return {name: text for name, text in said.items() if text is not None}


def write_export(
    folder: Path,
    options: ExportOptions,
    query: Query | None,
    said: str,
    names: Names,
    others: Sequence[str],
) -> int:
    """Write a new file, with whole numbers; every column where none is named.

    `said` is the search as it was typed, for the audit log; `others` are filters beside it. Raises
    ConfigError for a name or filters that it can't do, OSError where it can't be written. What
    fails leaves no file.
    """
    assert options.export is not None, "who exports names a file"
    file = Path(options.export)
    if others:
        hint = "say it in the search, such as cause:throttled since:2h"
        option = others[0].replace("_", "-")
        raise ConfigError(f"an export takes no --{option}", key="--export", hint=hint)
    wanted = _wanted(file, options, query)
    whole = noted(folder, "streams --export", search=said, file=file.name, **options.said())
    if not whole and wanted.look.numbers is not None:
        problem = "numbers are masked, and a dialler can't use those"
        raise ConfigError(problem, key="--numbers", hint="nothing was exported: mend the ledger")
    look = msgspec.structs.replace(wanted.look, sees=lambda _call_sid: whole)
    store = store_of(folder)
    rows = _Counted(rows_of(store, wanted.query, names, look))
    try:
        _write(file, wanted.form.write(rows, look))
    except SearchError as error:
        hint = f"{error.hint}; nothing was exported"
        raise ConfigError(error.problem, key="the search", hint=hint) from None
    zone = datetime.now(wanted.look.zone).tzname()
    output.out.print(f"{file} is written: {rows.count:,} rows, times in {zone}")
    return 0


class _Counted:
    """Rows, and how many were taken."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> list[Value]:
        row = next(self._rows)
        self.count += 1
        return row


def _wanted(file: Path, options: ExportOptions, query: Query | None) -> AskedExport:
    """What is to be written; raises ConfigError where that can't be."""
    form = FORMATS.get(file.suffix.removeprefix("."))
    if form is None:
        known = ", ".join(f".{ending}" for ending in FORMATS)
        raise ConfigError(f"{file.name!r} ends in no form of export", key="--export", hint=known)
    said = options.said()
    if "columns" not in said and "numbers" not in said:
        said["columns"] = "all"
    try:
        values = read_filters([*said.items(), ("format", form.ending)], 0, EXPORT)
        asked = {**values, "q": query or Query()}
        return asked_export(asked, output.own_zone(), lambda _call_sid: True, sees_all=True)
    except RefusedParameter as refused:
        key = f"--{refused.parameter}"
        raise ConfigError(refused.problem, key=key, hint=refused.hint) from None


def _write(file: Path, parts: Iterator[bytes]) -> None:
    """Write a file that was not there; what fails leaves none."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    opened = os.open(file, flags, 0o600)
    try:
        with open(opened, "wb") as out:  # noqa: PTH123 - numbers are for the owner
            for part in parts:
                out.write(part)
    except BaseException:  # an interrupt too: half an export looks like a whole one
        file.unlink(missing_ok=True)
        raise
