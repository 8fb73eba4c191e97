"""The first line of every page: how things are, in words that are read in five seconds.

"All well" is said only while every figure behind it is fresh; else it is unknown.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.alert_messages import duration_text
from switchhook.alerts import Alert, Severity
from switchhook.capacity import CapacityNow
from switchhook.cause import Cause, ErrorKind
from switchhook.facet import Tally
from switchhook.figures import KNOWN, Figure
from switchhook.names import Names
from switchhook.recent import WINDOW_MS, Recent, Told, attributed, by_account, by_bot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST = 160
_LONGEST_NAME = 40
_BAD_SHARE, _WARN_SHARE = 0.8, 0.3
_LEAST, _ALL_OF = 5, 3
_MANY = 5
_SYSTEM_SHARE, _SYSTEM_LEAST = 0.5, 10


class Level(StrEnum):
    """How it is; `unknown` is not well."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict: sentences, each empty where there is nothing to say.

    `what` is at most 160 characters. `since_us` is Unix time; `stale` says which figures are too
    old to rely on.
    """

    level: Level
    what: str
    since_us: int | None = None
    callers: str = ""
    went: str = ""
    fault: str = ""
    todo: str = ""
    stale: tuple[str, ...] = ()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict is made of. `tallies` are of the minutes of the last three hours.

    `last_ms` is when a stream was last told of, None where there never was one.
    """

    figures: Sequence[Figure] = ()
    capacity: Sequence[CapacityNow] = ()
    tallies: Sequence[Tally] = ()
    alerts: Sequence[Alert] = ()
    names: Names = Names()
    last_ms: int | None = None


class _Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble; `order` is its place among those of its level."""

    level: Level
    order: int
    what: str
    since_ms: int | None = None
    callers: str = ""
    went: str = ""
    fault: str = ""
    todo: str = ""


def verdict(seen: Seen, now_ms: int) -> State:
    """How things are now."""
    told = attributed(seen.tallies, seen.names)
    troubles = sorted(_troubles(seen, told, now_ms), key=lambda t: (_ORDER[t.level], t.order))
    stale = tuple(_stale(seen, now_ms))
    if troubles and troubles[0].level is not Level.UNKNOWN:
        return _of(troubles, stale)
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
        return _of(troubles, stale)
    return State(level=Level.GOOD, what=_all_well(seen, told, now_ms))


_ORDER = {Level.BAD: 0, Level.WARN: 1, Level.UNKNOWN: 2, Level.GOOD: 3}


def _of(troubles: Sequence[_Trouble], stale: tuple[str, ...]) -> State:
    worst, more = troubles[0], len(troubles) - 1
    rest = "" if not more else " And one more trouble." if more == 1 else f" And {more} more."
    return State(
        level=worst.level,
        what=_cut(worst.what, LONGEST - len(rest)) + rest,
        since_us=None if worst.since_ms is None else worst.since_ms * 1000,
        callers=worst.callers,
        went=worst.went,
        fault=worst.fault,
        todo=worst.todo,
        stale=stale,
    )


def _nothing_yet(stale: tuple[str, ...]) -> State:
    return State(
        level=Level.UNKNOWN,
        what="Nothing received yet: no stream has been told of.",
        todo="Put a Passthru applet directly after the Voicebot or Stream applet, with the URL that"
        " `switchhook secret` prints.",
        stale=stale,
    )


# What may be wrong.


def _troubles(seen: Seen, told: Sequence[Told], now_ms: int) -> Iterable[_Trouble]:
    covered: set[str] = set()
    for recent in by_account(told, now_ms):
        if recent.failed and recent.goes_on(now_ms):
            covered.add("limit")
            yield _limit(recent, seen, now_ms)
    failing = [each for each in by_bot(told, now_ms) if _fails(each) and each.goes_on(now_ms)]
    if failing:
        covered.add("bot")
    if len(failing) > 1 and (where := _common_fault(failing)):
        yield _several(failing, where, seen)
    else:
        yield from (_bot(each, seen, now_ms) for each in failing)
    yield from _ended_by_system(told, now_ms)
    for alert in seen.alerts:
        if alert.firing and (alert.topic or alert.rule) not in covered:
            trouble = _alerted(alert)
            if trouble is not None:
                yield trouble


def _limit(recent: Recent, seen: Seen, now_ms: int) -> _Trouble:
    account = next((c for c in seen.capacity if c.account == recent.name), None)
    use = ""
    if account is not None and account.active is not None and account.allowed is not None:
        use = f" ({account.active} of {account.allowed} in use)"
    many = recent.failed >= _MANY or (recent.share or 0) >= _BAD_SHARE
    of_account = f" of account {_name(recent.name)}" if recent.name else ""
    return _Trouble(
        level=Level.BAD if many else Level.WARN,
        order=1,
        what=f"{_callers(recent.hit)} found no free stream{use}{_silence(recent, now_ms)}.",
        since_ms=recent.since_ms,
        callers=f"{_callers(recent.hit)} hit.",
        went=_went(recent.went, seen.names),
        fault=f"At fault: the limit{of_account}.",
        todo="Hold campaigns back, and ask Exotel to raise the limit.",
    )


def _fails(recent: Recent) -> bool:
    share = recent.share or 0.0
    if recent.cases >= _LEAST:
        return share >= _WARN_SHARE
    return recent.cases >= _ALL_OF and recent.failed == recent.cases


def _bot(recent: Recent, seen: Seen, now_ms: int) -> _Trouble:
    kind = recent.kinds[0][0] if recent.kinds else ""
    name = _name(recent.name) or "without a name"
    bot = next((b for b in seen.names.bots if b.name == recent.name), None)
    contact = ", ".join(part for part in (bot.owner, bot.contact) if part) if bot else ""
    whom = f" Tell {contact}." if contact else ""
    bad = (recent.share or 0) >= _BAD_SHARE and recent.cases >= _LEAST
    of = f"{recent.failed} of {_streams(recent.cases)}"
    meets = _MEETS.get(kind, "")
    return _Trouble(
        level=Level.BAD if bad else Level.WARN,
        order=2,
        what=f"Bot {name} fails: {of}{meets and ', ' + meets}{_silence(recent, now_ms)}.",
        since_ms=recent.since_ms,
        callers=f"{_callers(recent.hit)} hit.",
        went=_went(recent.went, seen.names),
        fault=f"At fault: {_FAULT.get(kind, 'bot')} {name}.",
        todo=_TODO.get(kind, "Look in the bot's log.") + whom,
    )


_MEETS = {
    ErrorKind.REFUSED.value: "it refuses connections",
    ErrorKind.TIMEOUT.value: "it does not answer in time",
    ErrorKind.DNS.value: "its name can't be looked up",
    ErrorKind.TLS.value: "TLS with it fails",
    ErrorKind.BAD_HANDSHAKE.value: "it refuses the WebSocket",
    ErrorKind.UNREACHABLE.value: "there is no route to it",
    ErrorKind.EOF.value: "it closes the connection",
    ErrorKind.DEADLINE.value: "it takes more than 10 s to accept",
    Cause.BOT_DROPPED.value: "it drops talks",
}
_FAULT = {
    ErrorKind.TIMEOUT.value: "the network, or bot",
    ErrorKind.UNREACHABLE.value: "the network before bot",
    ErrorKind.DNS.value: "the DNS of bot",
}
_TODO = {
    ErrorKind.REFUSED.value: "Start the bot, and check its port.",
    ErrorKind.TIMEOUT.value: "See whether the bot is overloaded, or a firewall drops Exotel.",
    ErrorKind.DNS.value: "Check the bot's URL and its DNS record.",
    ErrorKind.TLS.value: "Check the bot's certificate: valid, with its chain, for this name.",
    ErrorKind.BAD_HANDSHAKE.value: "Check path and credentials of the bot's URL.",
    ErrorKind.UNREACHABLE.value: "Check the bot's address and the route to it.",
    ErrorKind.DEADLINE.value: "Let the bot accept at once, and load models afterwards.",
}
_OF_NETWORK = {ErrorKind.TIMEOUT.value, ErrorKind.UNREACHABLE.value, ErrorKind.DNS.value}


def _common_fault(failing: Sequence[Recent]) -> str:
    """Whose fault it must be that several bots fail at once; empty where it may be each's own."""
    kinds = [each.kinds[0][0] for each in failing if each.kinds]
    if kinds and all(kind in _OF_NETWORK for kind in kinds):
        return "the network between Exotel and your bots"
    if len(failing) > 2 and len(set(kinds)) == 1:
        return "Exotel or the network, as they all meet the same"
    return ""


def _several(failing: Sequence[Recent], where: str, seen: Seen) -> _Trouble:
    hit = sum(each.hit for each in failing)
    went: dict[tuple[str, str], int] = {}
    for each in failing:
        for to, count in each.went:
            went[to] = went.get(to, 0) + count
    named = ", ".join(_name(each.name) for each in failing[:3])
    failed, cases = sum(each.failed for each in failing), sum(each.cases for each in failing)
    more = f" and {len(failing) - 3} more" if len(failing) > 3 else ""
    return _Trouble(
        level=Level.BAD,
        order=0,
        what=f"{len(failing)} bots fail at once ({named}{more}): {failed} of {_streams(cases)}.",
        since_ms=min(each.since_ms or 0 for each in failing),
        callers=f"{_callers(hit)} hit.",
        went=_went(sorted(went.items(), key=lambda item: -item[1]), seen.names),
        fault=f"At fault: {where}.",
        todo="Try a bot's URL from outside your network, and ask Exotel's support.",
    )


def _ended_by_system(told: Sequence[Told], now_ms: int) -> Iterable[_Trouble]:
    late = [each for each in told if now_ms - each.at_ms < WINDOW_MS]
    ended = [each for each in late if each.facet.cause == Cause.ENDED_BY_SYSTEM]
    cases = sum(each.streams for each in late)
    count = sum(each.streams for each in ended)
    if cases >= _SYSTEM_LEAST and count >= _SYSTEM_SHARE * cases:
        yield _Trouble(
            level=Level.WARN,
            order=3,
            what=f"Neither caller nor bot ended {count} of {_streams(cases)}.",
            since_ms=ended[0].at_ms,
            callers=f"{_callers(count)} hit.",
            fault="At fault: Exotel, or a limit on the length of calls.",
            todo="Check the 60-minute cap and the calls' time limit, then ask Exotel's support.",
        )


class _Blame(msgspec.Struct, frozen=True):
    order: int
    fault: str


_BLAMES = {
    "answering": _Blame(0, "Switchhook itself"),
    "keeping": _Blame(0, "Switchhook's disk"),
    "disk": _Blame(4, "Switchhook's disk"),
    "limit": _Blame(1, "the limit"),
    "bot": _Blame(2, "the bot"),
    "polls-unreadable": _Blame(3, "Exotel's API, or the account's key"),
    "wrong-secrets": _Blame(3, "the applet's URL"),
    "share-shifted": _Blame(5, "the rules, or what Exotel sends"),
    "rules-refused": _Blame(6, "a file of yours"),
    "fold-stalled": _Blame(4, "Switchhook itself"),
}
_LEVELS = {Severity.CRITICAL: Level.BAD, Severity.WARNING: Level.WARN}
_TELLING = {"no-traffic"}
"""Rules whose information keeps "all well" from being said."""


def _alerted(alert: Alert) -> _Trouble | None:
    if alert.severity is Severity.INFO and alert.rule not in _TELLING:
        return None
    blame = _BLAMES.get(alert.topic or alert.rule, _Blame(7, ""))
    of = ", ".join(_name(text) for _, text in alert.labels if text)
    return _Trouble(
        level=_LEVELS.get(alert.severity, Level.UNKNOWN),
        order=blame.order,
        what=f"{alert.title}{f' ({of})' if of else ''}.",
        since_ms=alert.since_ms,
        fault=f"At fault: {blame.fault}." if blame.fault else "",
        todo=f"{alert.advice[:1].upper()}{alert.advice[1:]}." if alert.advice else "",
    )


# What is fresh.

_STREAMS = "the figure of streams"
_PARTS = {
    "streams": _STREAMS,
    "endpoint": _STREAMS,
    "answer": "the figure of answering",
    "receipts": "the figure of answering",
    "disk": "the figure of the disk",
    "rules": "the figure of the rules files",
    "fold": "the figure of the fold",
}


def _stale(seen: Seen, now_ms: int) -> Iterable[str]:
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
        part = f"the figure of streams in use of account {_name(each.account)}"
        if each.age_s is None:
            yield f"{part} is not known{': ' + each.problem if each.problem else ''}"
        elif each.age_s > limit:
            yield f"{part} is {_age(each.age_s)} old"


def _all_well(seen: Seen, told: Sequence[Told], now_ms: int) -> str:
    late = [each for each in told if now_ms - each.at_ms < WINDOW_MS]
    count = sum(each.streams for each in late)
    failed = sum(
        each.streams
        for each in late
        if each.facet.cause in (Cause.THROTTLED, Cause.CONNECT_FAILED, Cause.BOT_DROPPED)
    )
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
        parts.append(f"{_streams(count)} in 15 minutes, {ended}")
    elif seen.last_ms is not None:
        ago = duration_text(max(0, now_ms - seen.last_ms) / 1000)
        parts.append(f"nobody calls, the last stream came {ago} ago")
    return _cut(f"All well: {'; '.join(parts)}.")


# Words.


def _went(went: Iterable[tuple[tuple[str, str], int]], names: Names) -> str:
    leads: dict[str, int] = {}
    for (endpoint, option), count in went:
        lead = names.lead(endpoint, option) or f"Option {option or '?'} of {endpoint}"
        leads[lead] = leads.get(lead, 0) + count
    found = sorted(leads.items(), key=lambda item: -item[1])
    if not found:
        return ""
    if len(found) == 1:
        return f"They went to {_name(found[0][0])}."
    shown = ", ".join(f"{count} to {_name(lead)}" for lead, count in found[:2])
    rest = sum(count for _, count in found[2:])
    return f"They went: {shown}{f', {rest} elsewhere' if rest else ''}."


def _silence(recent: Recent, now_ms: int) -> str:
    """That nothing has been heard since, where it is so."""
    last = max(recent.last_failed_ms or 0, recent.last_well_ms or 0)
    if now_ms - last < WINDOW_MS:
        return ""
    return f"; no stream for {duration_text((now_ms - last) / 1000)}"


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else duration_text(seconds)


def _callers(count: int) -> str:
    return "1 caller" if count == 1 else f"{count:,} callers"


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count:,} streams"


def _name(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
