"""Times as people type them: without a zone they are of the zone that times are shown in."""

from __future__ import annotations

import re

from switchhook.cli.output import own_zone
from switchhook.errors import HandError
from switchhook.exotel.times import moment_of
from switchhook.web.moments import read_length, read_span

_AS_IT_IS = re.compile(r"[0-9]{1,6}[smhdw]|[0-9T:.-]+[Zz]")


def with_zone(text: str, now_ms: int, *, end: bool = False) -> str:
    """A time with its zone, as the API wants it; what is no time, or how long ago, as it is.

    Of a day its `end` is meant or its beginning.
    """
    found = None if _AS_IT_IS.fullmatch(text) else read_span(text, now_ms, own_zone())
    if found is None:
        return text
    at = moment_of((found.until if end else found.since) * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def length_said(said: str | None) -> int | None:
    """Whole seconds; without a unit nobody knows whether minutes were meant. Raises HandError."""
    if said is None:
        return None
    number = said.strip()
    if number.isascii() and number.isdigit():
        hint = f"say {number}m, {number}h or {number}d"
        raise HandError(f"{number} of what? a length of time has a unit", hint)
    found = read_length(said)
    if not found:
        raise HandError(f"{said!r} is no length of time", "such as 5m, 2h or 1d")
    return found
