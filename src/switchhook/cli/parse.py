"""`switchhook parse`: what a request says, and what would be decided, from a line of text."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from rich.text import Text

from switchhook.cli import output
from switchhook.cli.options import JSON
from switchhook.exotel.cause import judge
from switchhook.exotel.wire.access_log import Found, find_request
from switchhook.exotel.wire.passthru import parse as parse_request
from switchhook.journal.receipt import Receipt
from switchhook.rules.decide import Ruleset, decide
from switchhook.rules.rules_file import BUILTIN, load_rules
from switchhook.rules.variables import AccountFacts
from switchhook.streams.json import receipt_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ZONE = "Asia/Kolkata"
_LEFT_OUT = ("id", "received_at", "endpoint", "mode", "auth", "repeat_of", "decided_in_ms")


def parse(
    source: str = "-",
    *,
    rules: Annotated[str | None, Parameter(help="Rules file; the built-in rules without.")] = None,
    region: Annotated[str, Parameter(help="Of numbers without a country code.")] = "IN",
    json: JSON = False,
) -> int:
    """Say what requests mean and what would be decided, one a line.

    A line is a query, a URL, a request line, a line of a web server's access log, or a JSON
    object with query, method, content_type and body. Exit code 1 if no line holds a request.

    For example:

        switchhook parse 'CallSid=a1&Stream[Status]=completed'
        switchhook parse access.log --rules my-rules.toml
        tail -f access.log | switchhook parse --json

    Parameters
    ----------
    source
        A request, a file of them, or - for standard input.
    """
    ruleset = BUILTIN if rules is None else load_rules(Path(rules).read_bytes(), file=rules)
    lines = _lines(source)
    shown: list[dict[str, Any]] = []
    strange: list[int] = []
    options: Counter[str] = Counter()
    many = source == "-" or _is_file(source)
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = find_request(line)
        if found is None:
            strange.append(number)
            if json:
                output.print_json({"line": number, "problem": "no request in this line"})
            continue
        receipt = _understand(found, ruleset, region)
        options[receipt["decision"]["option"]] += 1
        if json:
            output.print_json({"line": number, "form": found.form, **receipt})
        elif many:
            output.out.print(Text(f"{number:>5}  ", style="dim") + _line(receipt), soft_wrap=True)
        else:
            shown.append(receipt)
    for receipt in shown:
        output.print_pairs(output.receipt_pairs(receipt))
    if many and not json and options:
        said = ", ".join(
            f"{count} take Option {option}" for option, count in sorted(options.items())
        )
        output.out.print(Text(f"{options.total()} requests: {said}", style="bold"))
    if strange:
        places = ", ".join(map(str, strange[:10])) + (" …" if len(strange) > 10 else "")
        output.err.print(f"no request was found in {len(strange)} lines: {places}")
    return 0 if options else 1


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


def _lines(source: str) -> Iterable[str]:
    if source == "-":
        return _decoded(sys.stdin.buffer)
    if _is_file(source):
        return _of_file(source)
    return source.splitlines() or [""]


def _of_file(source: str) -> Iterator[str]:
    with Path(source).open("rb") as file:
        yield from _decoded(file)


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        yield line.decode(errors="surrogateescape").rstrip("\r\n")
