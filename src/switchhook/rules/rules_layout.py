"""Where the tables of a rules file stand in its text, which a parsed document doesn't tell."""

from __future__ import annotations

import re
import tomllib

# Quoted texts and comments first, so that no header is seen inside them.
_HEADER = re.compile(
    r"""\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*"""
    r"""|^[ \t]*(?P<header>\[[^\r\n]*)""",
    re.MULTILINE | re.DOTALL,
)


def table_names(whole: str) -> list[str]:
    """The names of the tables in the order of the file, which a parsed document doesn't tell."""
    lines = [match["header"] for match in _HEADER.finditer(whole.removeprefix("\ufeff"))]
    return [_table(line) for line in lines if line]


_WHEN = re.compile(r"""^[ \t]*"?when"?[ \t]*=[ \t]*(?P<below>(?:\"{3}|'{3})\r?\n)?""", re.MULTILINE)


def rule_lines(whole: str) -> list[tuple[int, int]]:
    """The lines of the file that begin each rule, and its expression; for rules with a header."""
    whole = whole.removeprefix("\ufeff")
    headers = [found for found in _HEADER.finditer(whole) if found["header"]]
    ends = [found.start() for found in headers[1:]] + [len(whole)]
    found = []
    for header, end in zip(headers, ends, strict=False):
        if _table(header["header"]) != "rule":
            continue
        line = whole.count("\n", 0, header.start("header")) + 1
        when = _WHEN.search(whole, header.end(), end)
        expression = whole.count("\n", 0, when.end()) + 1 if when else line
        found.append((line, expression))
    return found


def _table(header: str) -> str:
    try:
        return next(iter(tomllib.loads(header)))
    except (tomllib.TOMLDecodeError, StopIteration):
        return ""  # a line of an array: no table, and no key of ours is an array of arrays
