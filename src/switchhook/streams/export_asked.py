"""What may be asked of an export, for the API, the page and the command line alike."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec
import phonenumbers

from switchhook.exotel.number_forms import NumberForm
from switchhook.exotel.phone_numbers import hint_of
from switchhook.streams.export import COLUMNS, FORMATS, ExportFormat, columns_named
from switchhook.streams.parameters import SEARCH
from switchhook.streams.search.query import Query
from switchhook.web.parameters import (
    TEXT_SCHEMA,
    Parameter,
    RefusedParameter,
    read_choice,
    read_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from switchhook.streams.export import ExportColumn, Format

_LONGEST_HEADER = 80
NO_HEADER = "none"
OF_NUMBERS = ("customer",)
"""The columns of an export for programs that names none."""

_COLUMN = "|".join(COLUMNS)


def _region(parameter: Parameter, text: str, now_ms: int) -> str:
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise parameter.refuse("no such country", "two letters, such as IN or SG")
    return text.upper()


EXPORT = {
    parameter.name: parameter
    for parameter in (
        SEARCH,
        Parameter(
            "format",
            "the form of the file",
            {"type": "string", "enum": list(FORMATS), "default": "csv"},
            read_choice,
        ),
        Parameter(
            "columns",
            "names between commas, in the order of the file, or `all`",
            {"type": "string", "pattern": f"^(all|({_COLUMN})(,({_COLUMN}))*)$"},
            read_text,
        ),
        Parameter(
            "headers",
            "the columns' names in the file, between commas; `none` for a CSV without",
            TEXT_SCHEMA,
            read_text,
        ),
        Parameter(
            "numbers",
            "for a dialler or a CRM: the form of whole numbers, without an apostrophe",
            {"type": "string", "enum": [form.value for form in NumberForm]},
            read_choice,
        ),
        Parameter(
            "region",
            "whose numbers `national` and `0` shorten",
            {"type": "string", "pattern": "^[A-Za-z]{2}$", "default": "IN"},
            _region,
        ),
        Parameter(
            "rows",
            "every stream, or the newest one of each caller who told a number",
            {"type": "string", "enum": ["streams", "callers"], "default": "streams"},
            read_choice,
        ),
        Parameter(
            "bom",
            "whether a CSV begins with a byte order mark, which Excel needs; not with `numbers`",
            {"type": "string", "enum": ["yes", "no"]},
            read_choice,
        ),
        Parameter("tz", "the zone of times: ist, utc, or an IANA name", TEXT_SCHEMA, read_text),
    )
}
"""The parameters of an export."""


class AskedExport(msgspec.Struct, frozen=True):
    """An export that can be made: what is looked for, and how it is written."""

    query: Query
    form: Format
    look: ExportFormat

    def details(self) -> dict[str, str]:
        """What the audit log says of it: nothing of what was looked for but by which keys."""
        look = self.look
        said = {
            "form": self.form.ending,
            "columns": ",".join(column.name for column in look.columns),
            "conditions": ",".join(each.key for each in self.query.conditions) or "none",
        }
        if look.numbers is not None:
            said["numbers"] = look.numbers.value
        if look.once:
            said["rows"] = "callers"
        return said


def asked_export(
    values: Mapping[str, Any], zone: tzinfo, sees: Callable[[str], bool], *, sees_all: bool
) -> AskedExport:
    """An export by the values of its parameters; RefusedParameter for what can't be made.

    `sees` says of a call whether its numbers may be seen, `sees_all` whether those of all may.
    """
    form = FORMATS[values.get("format", "csv")]
    numbers = NumberForm(values["numbers"]) if "numbers" in values else None
    if numbers is not None and not sees_all:
        hint = "reveal all numbers first, and export then; nothing was exported"
        raise RefusedParameter("numbers", "numbers are masked for you now", hint)
    usual = "" if numbers is None else ",".join(OF_NUMBERS)
    columns, wrong = columns_named(values.get("columns", usual))
    if wrong is not None:
        close = get_close_matches(wrong.lower(), COLUMNS, 1)
        hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(COLUMNS)}, or all"
        raise RefusedParameter("columns", f"there is no column {hint_of(wrong)}", hint)
    bom = values.get("bom", "yes" if numbers is None else "no") == "yes"
    look = ExportFormat(
        columns=columns,
        sees=sees,
        zone=zone,
        numbers=numbers,
        region=values.get("region", "IN"),
        headers=_headers(values.get("headers"), columns, form),
        bom=bom,
        once=values.get("rows") == "callers",
    )
    return AskedExport(values.get("q", Query()), form, look)


def _headers(
    text: str | None, columns: tuple[ExportColumn, ...], form: Format
) -> tuple[str, ...] | None:
    if text is None:
        return None
    if text == NO_HEADER:
        if form.ending != "csv":
            raise RefusedParameter("headers", "only a CSV can be without names", "leave it out")
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != len(columns):
        hint = f"as many as columns: {','.join(column.name for column in columns)}"
        raise RefusedParameter("headers", f"{len(names)} for {len(columns)} columns", hint)
    if len(set(names)) < len(names) or not all(names):
        raise RefusedParameter("headers", "a name is empty, or said twice", "each its own")
    if any(len(name) > _LONGEST_HEADER or re.search(r"[\x00-\x1f\x7f]", name) for name in names):
        hint = f"at most {_LONGEST_HEADER} characters, none of them a line's end"
        raise RefusedParameter("headers", "a name can't be one", hint)
    return names
