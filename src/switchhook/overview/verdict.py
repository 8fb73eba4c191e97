"""The first line of every page: how things are, in words that are read in five seconds.

"All well" is said only while every figure behind it is fresh; else it is unknown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.metrics import KNOWN, duration_text
from switchhook.overview.trouble import Failing, Press, VerdictInput, find_troubles
from switchhook.streams.recent import FAILED
from switchhook.troubles.text import name_text, streams_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Failing", "Level", "Press", "State", "VerdictInput", "verdict"]

LONGEST = 160
MOST_MORE = 2


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict: sentences, each empty where there is nothing to say.

    `what` is at most 160 characters; `tell` is in the operator's words, with a number to call that
    is no caller's and never masked. `since_us` is Unix time; `stale` says which figures are too
    old to rely on, `more` what else is wrong, the worst first. `streams` is a search that finds
    exactly the streams that were hit, `issue` the id of the issue that most of them are of, `page`
    the console's page that shows more. `press` mends what it reports, for those who may.
    """

    level: Level
    what: str
    since_us: int | None = None
    callers: str = ""
    went: str = ""
    fault: str = ""
    todo: str = ""
    tell: str = ""
    stale: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    streams: str = ""
    issue: str = ""
    page: str = ""
    press: Press | None = None

    @property
    def page_words(self) -> str:
        """What the way to `page` is called."""
        one = _ONE_OF_MANY.fullmatch(self.page)
        return f"{one[1].title()} {one[2]}" if one else _PAGES.get(self.page, "Look at it")


_PAGES = {
    "/capacity": "Capacity",
    "/endpoints": "Endpoints",
    "/endpoints/refused": "Refused requests",
    "/nodes": "Nodes",
    "/promises": "Promises",
    "/releases": "Releases",
    "/routes": "Routes",
}
_ONE_OF_MANY = re.compile("/(release|promise)s/([0-9]+)")


def verdict(seen: VerdictInput, now_ms: int) -> State:
    """How things are now."""
    troubles = sorted(find_troubles(seen, now_ms), key=lambda t: (_ORDER[t.level], t.order, -t.hit))
    stale = tuple(_stale(seen, now_ms))
    if not seen.figures and not seen.failing:
        return State(level=Level.UNKNOWN, what="Unknown: nothing has been looked at yet.")
    if troubles and troubles[0].level is not Level.UNKNOWN:
        return _of(troubles, stale, seen)
    if seen.last_ms is None and not any(part.startswith(_STREAMS) for part in stale):
        return _nothing_yet(stale)
    if stale:
        more = f", and {len(stale) - 1} more" if len(stale) > 1 else ""
        return State(
            level=Level.UNKNOWN,
            what=_cut(f"Unknown: {stale[0]}{more}."),
            todo="Look at /healthz on the console, and at its log.",
            stale=stale,
        )
    if troubles:
        return _of(troubles, stale, seen)
    return _well(seen, now_ms)


_ORDER = {Level.BAD: 0, Level.WARN: 1, Level.UNKNOWN: 2, Level.GOOD: 3}


def _of(troubles: Sequence[Trouble], stale: tuple[str, ...], seen: VerdictInput) -> State:
    worst, others = troubles[0], troubles[1:]
    more = [_cut(each.what) for each in others[:MOST_MORE]]
    if len(others) > MOST_MORE:
        more.append(f"{len(others) - MOST_MORE} more.")
    return State(
        level=worst.level,
        what=_cut(worst.what),
        since_us=None if worst.since_ms is None else worst.since_ms * 1000,
        callers=worst.callers,
        went=worst.went,
        fault=worst.fault,
        todo=worst.todo,
        tell=f"Tell {worst.tell}." if worst.tell else "",
        stale=stale,
        more=tuple(more),
        streams=worst.streams,
        issue=worst.issue,
        page=worst.page,
        press=None if worst.over else seen.presses.get(worst.key),
    )


_NOTHING_YET = "Nothing received yet: no stream has been told of."


def is_known(state: State) -> bool:
    """Whether it is known how things are; that nothing has come yet is."""
    return state.level is not Level.UNKNOWN or (state.what == _NOTHING_YET and not state.stale)


def _nothing_yet(stale: tuple[str, ...]) -> State:
    return State(
        level=Level.UNKNOWN,
        what=_NOTHING_YET,
        todo="Put a Passthru applet directly after the Voicebot or Stream applet, with the URL that"
        " `switchhook endpoint url` prints.",
        stale=stale,
    )


# What is fresh.

_STREAMS = "the figure of streams"
_PARTS = {
    "streams": _STREAMS,
    "bot": _STREAMS,
    "bots": _STREAMS,
    "endpoint": _STREAMS,
    "pool": "the figure of the pools",
    "member": "the figure of the pools",
    "answer": "the figure of answering",
    "receipts": "the figure of answering",
    "disk": "the figure of the disk",
    "rules": "the figure of the rules files",
    "files": "the figure of our own files",
    "fold": "the figure of the fold",
}


def _stale(seen: VerdictInput, now_ms: int) -> Iterable[str]:
    """The figures that are too old or not known, each in a sentence without its full stop."""
    oldest: dict[str, int] = {}
    for figure in seen.figures:
        known = KNOWN.get(figure.name)
        if known is None or known.fresh_s is None or figure.name.startswith("account."):
            continue
        part = _PARTS.get(figure.name.partition(".")[0], f"the figure of {figure.name}")
        if figure.value is None and figure.cases is None:
            yield f"{part} is not known"
            continue
        if now_ms - figure.at_ms > known.fresh_s * 1000:
            oldest[part] = min(oldest.get(part, figure.at_ms), figure.at_ms)
    if not any(figure.name.startswith("streams.") for figure in seen.figures):
        yield f"{_STREAMS} is not known"
    for part, at_ms in oldest.items():
        yield f"{part} is {_age((now_ms - at_ms) / 1000)} old"
    limit = KNOWN["account.active"].fresh_s or 0
    for each in seen.capacity:
        part = f"the figure of streams in use of account {name_text(each.account)}"
        if each.age_s is None:
            yield f"{part} is not known{': ' + each.problem if each.problem else ''}"
        elif each.age_s > limit:
            yield f"{part} is {_age(each.age_s)} old"


def _well(seen: VerdictInput, now_ms: int) -> State:
    """Nothing asks for anybody; that is not to say that nothing failed."""
    late = seen.late
    count = sum(each.streams for each in late)
    failed = sum(each.streams for each in late if each.facet.cause in FAILED)
    parts: list[str] = []
    if len(seen.capacity) == 1:
        one = seen.capacity[0]
        allowed = f" of {one.allowed}" if one.allowed is not None else ""
        parts.append(f"{one.active}{allowed} streams in use")
    elif seen.capacity:
        active = sum(each.active or 0 for each in seen.capacity)
        parts.append(f"{active} streams in use in {len(seen.capacity)} accounts")
    if count:
        ended = "none failed" if not failed else f"{failed} failed"
        parts.append(f"{streams_text(count)} in 15 minutes, {ended}")
    elif seen.last_ms is not None:
        ago = duration_text(max(0, now_ms - seen.last_ms) / 1000)
        parts.append(f"nobody calls, the last stream came {ago} ago")
    return State(
        level=Level.GOOD,
        what=_cut(f"{'No alarm' if failed else 'All well'}: {'; '.join(parts)}."),
        streams="is:failed since:15m" if failed else "",
    )


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else duration_text(seconds)


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
