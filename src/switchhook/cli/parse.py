"""`switchhook parse`: what a request says, and what would be decided, from a line of text."""

from __future__ import annotations

import gzip
import re
import sys
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from rich.text import Text

from switchhook.cli import output
from switchhook.cli.check_routing import config_beside, kind_said
from switchhook.cli.options import JSON
from switchhook.errors import ConfigError
from switchhook.exotel.cause import judge
from switchhook.exotel.request_logs.found import is_passthru, shown_path
from switchhook.exotel.request_logs.reader import LogReader
from switchhook.exotel.request_logs.text import lines_of
from switchhook.exotel.wire.passthru import parse as parse_request
from switchhook.journal.receipt import Receipt
from switchhook.rules.decide import Ruleset, decide
from switchhook.rules.rules_file import BUILTIN, load_rules
from switchhook.rules.variables import AccountFacts
from switchhook.streams.json import receipt_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.exotel.request_logs.found import Found

_ZONE = "Asia/Kolkata"
_MOST_NAMED = 10
_MUST_BE_NAME = re.compile(r"(?=.*[./])[^\s=?&{%]{1,4096}")
"""What holds no parameter, and a point or a slash."""
_LEFT_OUT = ("id", "received_at", "endpoint", "mode", "auth", "repeat_of", "decided_in_ms")


def parse(
    source: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    *,
    rules: Annotated[str | None, Parameter(help="Rules file; the built-in rules without.")] = None,
    region: Annotated[str, Parameter(help="Of numbers without a country code.")] = "IN",
    json: JSON = False,
) -> int:
    """Say what requests mean and what would be decided, one a line.

    What is found in: access logs (nginx, Apache, load balancers, IIS and other servers), logs of
    programs as text or JSON, events of Lambda, HAR, curl commands, CSV, parameters as a program
    prints them or one a line, and a request or its query by itself; gzip and UTF-16, too. Exit
    code 1 if nothing of it is a passthru.

    For example:

        switchhook parse 'CallSid=a1&Stream[Status]=completed'
        switchhook parse access.log --rules my-rules.toml
        tail -f access.log | switchhook parse --json

    Parameters
    ----------
    source
        A request, a file of them, or - for standard input.
    """
    ruleset = BUILTIN if rules is None else _load(rules)
    reader, others = LogReader(), list[str]()
    options: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    many = source == "-" or _is_file(source)
    for found in _requests(reader, source):
        if isinstance(found, int):
            if json:
                output.print_json({"line": found, "problem": "no request in this line"})
            continue
        if not is_passthru(found.request):
            others.append(shown_path(found))
            if json:
                problem = f"no passthru: {others[-1]}"
                output.print_json({"line": found.line, "problem": problem})
            continue
        receipt = _understand(found, ruleset, region)
        options[receipt["decision"]["option"]] += 1
        forms[found.form] += 1
        if json:
            output.print_json({"line": found.line, "form": found.form, **receipt})
        elif many:
            number = Text(f"{found.line:>5}  ", style="dim")
            output.out.print(number + _line(receipt), soft_wrap=True)
        else:
            output.print_pairs(output.receipt_pairs(receipt))
    if many and not json and options:
        said = ", ".join(
            f"{count} take Option {option}" for option, count in sorted(options.items())
        )
        read = ", ".join(f"{count} as {form}" for form, count in forms.most_common())
        output.out.print(Text(f"{options.total()} requests: {said}", style="bold"))
        output.out.print(Text(f"read {read}", style="dim"))
    _say_left(reader.left, others, found=bool(options))
    return 0 if options else 1


def _requests(reader: LogReader, source: str) -> Iterator[Found | int]:
    """The requests, and the numbers of lines without any, in their order."""
    told = 0
    for line in source_lines(source):
        yield from reader.feed(line)
        yield from reader.left[told:]
        told = len(reader.left)
    yield from reader.end()
    yield from reader.left[told:]


def _say_left(lines: list[int], others: list[str], *, found: bool) -> None:
    """What was no passthru, and where it stands."""
    if not found:
        output.err.print("nothing in it looks like a passthru of Exotel's")
    if others:
        seen = ", ".join(output.plain(each) for each in dict.fromkeys(others[:_MOST_NAMED]))
        output.err.print(f"{len(others)} other requests are no passthru: {seen}")
    if lines:
        places = ", ".join(map(str, lines[:_MOST_NAMED])) + (
            " …" if len(lines) > _MOST_NAMED else ""
        )
        output.err.print(f"no request was found in {len(lines)} lines: {places}")


def _load(file: str) -> Ruleset:
    """Rules by themselves, of the kind that their keys tell. Raises RulesetError.

    Flags that they read are as the configuration that a command finds declares them.
    """
    content = Path(file).read_bytes()
    known = config_beside(None, None) if b"flags." in content else ()
    flags = known[0].flags if known and known[0].flags else None
    return load_rules(content, file=file, kind=kind_said(content), flags=flags)


def _understand(found: Found, ruleset: Ruleset, region: str) -> dict[str, Any]:
    request = found.request
    passthru = parse_request(request, region=region)
    now_us = time.time_ns() // 1000
    decision = decide(
        passthru, judge(passthru), AccountFacts(), now_us // 1000, ZoneInfo(_ZONE), ruleset
    )
    receipt = Receipt(
        received_us=now_us,
        endpoint="",
        method=request.method,
        raw=request.query,
        decision=decision,
        http_status=200 if decision.option == "A" else 302,
        body=request.body,
        content_type=request.content_type,
        region=region,
    )
    said = receipt_json("", receipt, passthru)
    beside = {"pool": decision.pool, "class": decision.class_}
    said["decision"] |= {key: value for key, value in beside.items() if value}
    return {key: value for key, value in said.items() if key not in _LEFT_OUT}


def _line(receipt: dict[str, Any]) -> Text:
    filled = {"received_at": None, "endpoint": receipt["dialect"], "repeat_of": None, **receipt}
    line = output.receipt_line(filled)
    return line[3:]  # no time of day: nothing was received


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):
        return False  # a request that is too long for a name


def source_lines(source: str) -> Iterator[str]:
    """The lines of standard input, of a file, or of the text itself.

    Of a damaged gzip those before the damage, which is said. Raises ConfigError for the name of a
    file that is not there.
    """
    if source == "-":
        yield from _readable(sys.stdin.buffer, "standard input")
    elif _is_file(source):
        with Path(source).open("rb") as file:
            yield from _readable(file, source)
    elif _MUST_BE_NAME.fullmatch(source):
        problem = "a folder, not a file" if Path(source).is_dir() else "no such file"
        hint = "a file, a request between quotes, or - for standard input"
        raise ConfigError(problem, file=source, hint=hint)
    else:
        yield from source.splitlines() or [""]


def _readable(file: BinaryIO, name: str) -> Iterator[str]:
    try:
        yield from lines_of(file)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        said = "its gzip is damaged or cut short; what stands before that was read"
        output.err.print(f"{output.plain(name)}: {said}")
