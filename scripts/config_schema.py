"""Write src/switchhook/config/switchhook.schema.json from docs/configuration.md.

Each key's part of the page begins with its kind, its bounds and its default, in words that are the
same everywhere; what stands there becomes a JSON Schema, by which an editor completes, checks and
explains a configuration. A kind that is not known here ends it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/configuration.md"
FILE = ROOT / "src/switchhook/config/switchhook.schema.json"
NAMES = ("NAME", "ID", "NUMBER")
"""What stands for a name that the operator chooses."""
TEXTS = (
    *("Path", "Text", "URL", "Address", "Name of", "The name of", "CLDR region", "IANA time zone"),
    *("Time zone", "The same", "Each `[[alerts.rule]]`"),
)
"""How a part begins whose value is a text."""

_FLAG_OR_TABLE = "`true`, `false` or a table"

_PART = re.compile(r"^### `([^`]+)`\n+(.+?)(?=\n#|\n```|\Z)", re.MULTILINE | re.DOTALL)
_DEFAULT = re.compile(r'default `(true|false|[0-9.]+|"[^"]*"|\[[^`]*\])`')
_BOUNDS = re.compile(
    r"(?:Whole number|Number)[a-z ]*, ([0-9](?:[0-9.,]*[0-9])?) to ([0-9](?:[0-9.,]*[0-9])?)"
)
_LENGTH = re.compile(r"(?:of 1 to|at most) ([0-9,]+) characters")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def schema(page: str) -> dict[str, Any]:
    """The schema of a configuration, as the page describes it."""
    root = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of Switchhook",
        **_table(),
    }
    for key, told in _PART.findall(page):
        paragraph = " ".join(_LINK.sub(r"\1", told.split("\n\n")[0]).split())
        table = root
        *tables, name = key.split(".")
        for at, part in enumerate(tables):
            table = _below(table, part, several=f"[[{'.'.join(tables[: at + 1])}]]" in page)
        found = {"description": paragraph, **_value(key, paragraph)}
        if paragraph.startswith(_FLAG_OR_TABLE):
            found |= _table()
        table["properties"][name] = found
    return root


def _table() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "additionalProperties": False}


def _below(table: dict[str, Any], name: str, *, several: bool) -> dict[str, Any]:
    """The table under a name: one of the operator's, one that repeats, or just one."""
    found: dict[str, Any]
    if name in NAMES:
        if table["additionalProperties"] is False:
            table["additionalProperties"] = _table()
        found = table["additionalProperties"]
        return found
    fresh = {"type": "array", "items": _table()} if several else _table()
    found = table["properties"].setdefault(name, fresh)
    return found["items"] if several else found


def _value(key: str, told: str) -> dict[str, Any]:
    found = _kind(key, told)
    default = _DEFAULT.search(told.partition("`: ")[0] + "`")
    return {**found, "default": json.loads(default[1])} if default else found


def _kind(key: str, told: str) -> dict[str, Any]:
    first = told.partition(", default")[0].partition(": ")[0]
    if first.startswith(_FLAG_OR_TABLE):
        return {"type": ["boolean", "object"]}
    if first.startswith("A value of the kind"):
        return {"type": ["boolean", "string", "number", "object", "array"]}
    if first.startswith("`true` or `false`"):
        return {"type": "boolean"}
    if first.startswith("List of lists"):
        return {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
    if first.startswith("List of"):
        return {"type": "array", "items": _choice(first) or {"type": "string"}}
    if first.startswith("Table of whole numbers"):
        bounds = re.search(r", ([0-9,]+) to ([0-9,]+) each", first)
        assert bounds is not None
        low, high = (int(each.replace(",", "")) for each in bounds.groups())
        each = {"type": "integer", "minimum": low, "maximum": high}
        return {"type": "object", "additionalProperties": each}
    if first.startswith("Table"):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if first.startswith(("Whole number", "Number")):
        bounds = _BOUNDS.match(first)
        kind = {"type": "integer" if first.startswith("Whole") else "number"}
        if bounds is None:
            return kind
        low, high = (json.loads(each.replace(",", "")) for each in bounds.groups())
        return {**kind, "minimum": low, "maximum": high}
    if first.startswith(TEXTS):
        length = _LENGTH.search(first)
        longest = {"maxLength": int(length[1].replace(",", ""))} if length else {}
        return {"type": "string", **longest}
    if choice := _choice(first) or _numbers(first):
        return choice
    raise ValueError(f"{key}: no kind of value begins like this: {first!r}")


def _numbers(first: str) -> dict[str, Any] | None:
    """One of the whole numbers that are quoted before anything else is said."""
    quoted = re.match(r"`[0-9]+`(?:(?:, | or )`[0-9]+`)*", first)
    return {"enum": [int(each) for each in re.findall("[0-9]+", quoted[0])]} if quoted else None


def _choice(first: str) -> dict[str, Any] | None:
    """One of the texts that are quoted before anything else is said."""
    said = first.removeprefix("List of ")
    quoted = re.match(r'`"[^`]*"`(?:(?:, | or | and )`"[^`]*"`)*', said)
    return {"enum": re.findall(r'`"([^`]*)"`', quoted[0])} if quoted else None


def text(page: str) -> str:
    """The file, as it is kept."""
    return json.dumps(schema(page), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    FILE.write_text(text(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
