"""Times as people type them: without a zone they are of the zone that times are shown in."""

from __future__ import annotations

from switchhook.cli.output import own_zone
from switchhook.exotel.times import moment_of
from switchhook.web.moments import read_moment


def with_zone(text: str, now_ms: int) -> str:
    """A time with its zone, as the API wants it; what is no time, or how long ago, as it is."""
    if text[-1:].isalpha() or "-" not in text:
        return text
    found = read_moment(text, now_ms, own_zone())
    if found is None:
        return text
    return moment_of(found * 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z")
