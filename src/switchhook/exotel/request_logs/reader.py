"""Reads a log line by line, and what takes several: JSON, commands, pairs, tables.

For `tail -f`, each request is given as soon as it is whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.request_logs.curl import find_curl, goes_on, is_command
from switchhook.exotel.request_logs.entry import find_in_entry
from switchhook.exotel.request_logs.found import Found, is_own, is_passthru, known_pairs, of_pairs
from switchhook.exotel.request_logs.line import find_in_line, find_pairs
from switchhook.exotel.request_logs.tables import W3C, CsvTable, W3cTable, csv_table, is_open
from switchhook.exotel.wire.json_object import parse_value
from switchhook.exotel.wire.keys import ParameterKind, slot_of
from switchhook.exotel.wire.query import has_escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTAINER = re.compile(r"[a-z0-9][\w.-]{0,62}[ ]*[ ]\| ?")
"""What `docker compose logs` puts before each line."""
_PAIR = re.compile(r"\s*[\"']?([A-Za-z][\w.%]*(?:\[[^\]=\s]*\])*)[\"']?\s*(=>|[=:])\s*(.*)")
_BRACKETED = re.compile(r"\s*\[([^\]=]+(?:\[[^\]]*\])?)\]\s*=>\s*(.*)")
_URL_ALONE = re.compile(r"\s*(?:(?:GET|POST|HEAD)\s+)?(?:https?://|/)\S*[?&]\s*")
_STREAM = re.compile(r"Stream\s*=\s*(?=\{)", re.IGNORECASE)
_LONGEST = 64 * 1024 * 1024
"""Characters of one JSON value that is laid out over lines."""
_NEAR = 5
"""A request that is told again within so many lines, in another form, is the same."""


class LogReader:
    """`feed` each line, then `end`: the requests, and the lines without any in `left`."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self._number = 0
        self._begun = 0
        self._json: list[str] = []
        self._depth = 0
        self._size = 0
        self._command: list[str] = []
        self._pairs: list[tuple[str, str]] = []
        self._pair_lines: list[str] = []
        self._url: list[str] = []
        self._table: W3cTable | CsvTable | None = None
        self._row: list[str] = []
        self._last: Found | None = None

    def feed(self, line: str) -> Iterator[Found]:
        """What is whole by this line."""
        self._number += 1
        text = _COLOUR.sub("", line.rstrip("\r\n"))
        yield from self._told(self._take(_CONTAINER.sub("", text)))

    def end(self) -> Iterator[Found]:
        """What is whole, as nothing follows."""
        yield from self._told([*self._end_of_json(), *self._end_of_block()])

    def _told(self, found: Iterable[Found]) -> Iterator[Found]:
        for each in found:
            last, new = self._last, each
            if last is None or not _same(last, new):
                self._last = new
                yield new

    def _take(self, line: str) -> Iterator[Found]:
        if self._json:
            yield from self._more_json(line)
            return
        if self._command:
            yield from self._more_command(line)
            return
        if self._row:
            yield from self._more_of_row(line)
            return
        if not line.strip():
            return
        if self._belongs(line):
            return
        yield from self._end_of_block()
        yield from self._begin(line)

    def _begin(self, line: str) -> Iterator[Found]:
        """A line that goes on with nothing before it."""
        self._begun = self._number
        text = line.strip().removeprefix("\ufeff")
        if text.startswith(W3C):
            self._table = W3cTable(text)
        elif text.startswith("#"):
            return
        elif is_command(text):
            self._command = [text]
            if not goes_on(text):
                yield from self._end_of_command()
        elif _URL_ALONE.fullmatch(text):
            self._url = [text]
        elif (text.startswith(("{", "[")) or _STREAM.match(text)) and _opens(text) > 0:
            self._json, self._depth, self._size = [text], _opens(text), len(text)
        elif self._table is not None and is_open(text):
            self._row = [text]
        else:
            yield from self._one(text)

    def _one(self, text: str) -> Iterator[Found]:
        """A line by itself."""
        if self._table is not None and (row := self._table.row(text)) is not None:
            yield from self._placed(row)
            return
        self._table = None
        if several := next(find_pairs(text), None):
            yield from self._placed([several])
            return
        if pair := _pair(text):
            self._pairs, self._pair_lines = [pair], [text]
            return
        if table := csv_table(text):
            self._table = table
            return
        yield from self._placed(find_in_line(text))

    def _placed(self, found: list[Found]) -> Iterator[Found]:
        if not found:
            self.left.append(self._begun)
        for each in found:
            yield msgspec.structs.replace(each, line=self._begun)

    # What goes on over several lines.

    def _belongs(self, line: str) -> bool:
        """Whether a line goes on with a URL or with pairs, one a line."""
        text = line.strip()
        if self._url:
            if re.fullmatch(r"[^\s=&]+=[^&]*&?", text):
                self._url.append(text)
                return True
            return False
        pair = _pair(text)
        if not self._pairs or pair is None or pair[0] in {key for key, _ in self._pairs}:
            return False
        self._pairs.append(pair)
        self._pair_lines.append(text)
        return True

    def _end_of_block(self) -> Iterator[Found]:
        if self._url:
            text, self._url = "".join(self._url).rstrip("&"), []
            yield from self._placed(find_in_line(text))
        if self._pairs:
            yield from self._end_of_pairs()
        if self._command:
            yield from self._end_of_command()
        if self._row:
            text, self._row = "\n".join(self._row), []
            yield from self._one(text)

    def _end_of_pairs(self) -> Iterator[Found]:
        pairs, self._pairs = self._pairs, []
        if any(map(has_escape, self._pair_lines)):  # pieces of a query
            yield from self._placed(find_in_line("&".join(self._pair_lines)))
        else:
            whole = any(is_own(key, value) for key, value in pairs)
            yield from self._placed([of_pairs(pairs, "pairs")] if whole else [])

    def _more_json(self, line: str) -> Iterator[Found]:
        self._json.append(line)
        self._depth += _opens(line)
        self._size += len(line)
        if self._depth <= 0 or self._size > _LONGEST:
            yield from self._end_of_json()

    def _end_of_json(self) -> Iterator[Found]:
        lines, self._json = self._json, []
        if not lines:
            return
        if stream := _STREAM.match(lines[0]):
            said = "\n".join([lines[0][stream.end() :], *lines[1:]])
            yield from self._placed([of_pairs([("Stream", said)], "pairs")])
            return
        value = parse_value("\n".join(lines))
        if value is not None:
            yield from self._placed(find_in_entry(value, find_in_line))
            return
        text = " ".join(lines)
        if found := find_in_line(text):  # printed by another language
            yield from self._placed(found)
            return
        for at, line in enumerate(lines):
            self._begun = self._number - len(lines) + 1 + at
            if line.strip():
                yield from self._placed(find_in_line(line))

    def _more_command(self, line: str) -> Iterator[Found]:
        self._command.append(line)
        if not goes_on(line):
            yield from self._end_of_command()

    def _end_of_command(self) -> Iterator[Found]:
        text, self._command = "\n".join(self._command), []
        found = find_curl(text)
        yield from self._placed([found] if found is not None else find_in_line(text))

    def _more_of_row(self, line: str) -> Iterator[Found]:
        self._row.append(line)
        text = "\n".join(self._row)
        if not is_open(text):
            self._row = []
            yield from self._one(text)


def _pair(text: str) -> tuple[str, str] | None:
    """`CallSid=a1`, `CallSid: a1`, `[CallSid] => a1`, alone in its line; None for anything else."""
    match = _BRACKETED.fullmatch(text) or _PAIR.fullmatch(text)
    if match is None:
        return None
    key, value = match[1], match[match.lastindex or 1].strip().rstrip(",")
    if "&" in value or (match.re is _PAIR and match[2] == ":" and not is_own(key, value)):
        return None
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return (key, value) if _known(key) else None


def _known(key: str) -> bool:
    return slot_of(key).kind is not ParameterKind.EXTRA


def _opens(text: str) -> int:
    """How many brackets of JSON a line leaves open; those in strings don't count."""
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = letter == "\\"
            quoted = letter != '"' or escaped
        elif letter == '"':
            quoted = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
    return depth


def _same(last: Found, new: Found) -> bool:
    """Whether a request is told again in another form: by a program, then by its server."""
    if last.form == new.form or new.line - last.line > _NEAR or not is_passthru(new.request):
        return False
    one, other = set(known_pairs(last.request)), set(known_pairs(new.request))
    return one <= other or other <= one
