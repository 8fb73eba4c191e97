"""The parts of a trouble's sentences: bots, callers and streams, where they went, and silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.times import MINUTE_MS
from switchhook.metrics import duration_text
from switchhook.troubles.judge import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.names import Names
    from switchhook.troubles.judge import Standing

LONGEST_NAME = 40
_SILENT_MS = 10 * MINUTE_MS


def bot_text(name: str) -> str:
    """A bot in a sentence: the word is not said twice of one whose name has it."""
    if not name:
        return "the bot without a name"
    return name_text(name) if "bot" in name.casefold() else f"bot {name_text(name)}"


def hosts_text(name: str, standing: Standing) -> str:
    """Where a bot is, where its name does not say it."""
    hosts = [host for host, _ in standing.most("host") if host not in ("", name)]
    named = [name_text(str(host)) for host in hosts[:2]]
    more = f" and {len(hosts) - 2} more" if len(hosts) > 2 else ""
    return f" ({', '.join(named)}{more})" if named else ""


def went_text(went: Iterable[tuple[tuple[str, str], int]], names: Names) -> str:
    """Where the callers went: the two most frequent, and how many went elsewhere."""
    destinations: dict[str, int] = {}
    for (endpoint, option), count in went:
        destination = names.destination(endpoint, option) or f"Option {option or '?'} of {endpoint}"
        destinations[destination] = destinations.get(destination, 0) + count
    found = sorted(destinations.items(), key=lambda item: -item[1])
    if not found:
        return ""
    if len(found) == 1:
        return f"They went to {name_text(found[0][0])}."
    shown = ", ".join(f"{count} to {name_text(destination)}" for destination, count in found[:2])
    rest = sum(count for _, count in found[2:])
    return f"They went: {shown}{f', {rest} elsewhere' if rest else ''}."


def goes_on_text(now: str, then: str, standing: Standing, now_ms: int) -> str:
    """How it goes: `now` while it fails, else what was `then` and how it went since.

    That nothing has been heard for long is said, and that it comes and goes.
    """
    if standing.phase is Phase.RECOVERING:
        ago_ms = now_ms - standing.last_failed_ms
        # By the minute: what changes each second would be read aloud each second.
        ago = duration_text(ago_ms / 1000) if ago_ms >= 2 * MINUTE_MS else "less than 2 min"
        return f"{then}: last failure {ago} ago, {standing.well:,} well since"
    if (silent_ms := now_ms - standing.last_ms) >= _SILENT_MS:
        now += f"; no stream for {duration_text(silent_ms / 1000)}"
    elif standing.returns:
        now += f"; it comes and goes, {standing.returns + 1} times so far"
    return now


def callers_text(count: int) -> str:
    """So many callers."""
    return "1 caller" if count == 1 else f"{count:,} callers"


def streams_text(count: int) -> str:
    """So many streams."""
    return "1 stream" if count == 1 else f"{count:,} streams"


def name_text(text: str) -> str:
    """A name, cut where it is long."""
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
