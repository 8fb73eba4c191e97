"""Requests in tables: W3C extended logs (IIS, CloudFront), and comma-separated values."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from switchhook.exotel.request_logs.found import Found, is_own, of_pairs
from switchhook.exotel.request_logs.line import find_in_line, of_target
from switchhook.exotel.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

W3C = "#Fields:"
_TARGETS = {"url", "uri", "request", "request_uri", "requesturi", "path", "target", "message"}
_QUERIES = {"query", "query_string", "querystring", "args", "params", "parameters"}
_DELIMITERS = ",;\t"


class W3cTable:
    """Lines below `#Fields:`, as https://www.w3.org/TR/WD-logfile has them."""

    def __init__(self, header: str) -> None:
        self._names = header.removeprefix(W3C).split()

    def row(self, line: str) -> list[Found] | None:
        """What a line says; None where it is none of this table."""
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) != len(self._names):
            return None
        said = dict(zip(self._names, cells, strict=True))
        query, path = said.get("cs-uri-query", "-"), said.get("cs-uri-stem", "")
        request = Request(
            b"" if query == "-" else query.encode(errors="surrogateescape"),
            said.get("cs-method", "GET"),
        )
        return [Found(request, "W3C log", path=path)]


class CsvTable:
    """Rows below a header that names requests or their parameters."""

    def __init__(self, header: str, delimiter: str) -> None:
        self._delimiter = delimiter
        self._names = _cells(header, delimiter)

    def row(self, line: str) -> list[Found] | None:
        """What a line says; None where it is none of this table."""
        cells = _cells(line, self._delimiter)
        if len(cells) != len(self._names) or cells == self._names:
            return None  # another table may begin
        pairs = [(name, cell) for name, cell in zip(self._names, cells, strict=True) if cell != ""]
        if any(is_own(name, cell) for name, cell in pairs):
            return [of_pairs(pairs, "CSV")]
        for name, cell in pairs:
            if name.lower() in _QUERIES and "=" in cell:
                query = cell.removeprefix("?").encode(errors="surrogateescape")
                return [Found(Request(query), "CSV")]
            if name.lower() in _TARGETS:
                if cell.startswith(("/", "http")) and "?" in cell:
                    return [of_target(cell, "CSV", "GET")]
                if found := find_in_line(cell):
                    return found
        return []


def csv_table(line: str) -> CsvTable | None:
    """A table by its header; None where the line is none."""
    for delimiter in _DELIMITERS:
        names = _cells(line, delimiter)
        if len(names) < 2 or not all(name and "=" not in name for name in names):
            continue
        if any(is_own(name, "{") for name in names) or (_TARGETS | _QUERIES) & _lower(names):
            return CsvTable(line, delimiter)
    return None


def is_open(line: str) -> bool:
    """Whether a cell in quotes goes on in the next line."""
    return line.count('"') % 2 == 1


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # a control character, or a cell that is too long
        return []


def _lower(names: Sequence[str]) -> set[str]:
    return {name.lower() for name in names}
