"""Times as people type them: without a zone they are of the zone that times are shown in."""

from __future__ import annotations

import re

from switchhook.cli.output import own_zone
from switchhook.exotel.times import moment_of
from switchhook.web.moments import read_span

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
