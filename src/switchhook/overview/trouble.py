"""What may be wrong, as the verdict tells it: since when, who was hit, whose fault, what to do.

The limit and the bots are judged by their streams, whatever rules of alerts there are; everything
else by the alerts that fire.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert, Severity
from switchhook.capacity.status import CapacityNow
from switchhook.errors import sentence
from switchhook.exotel.cause import Cause, ErrorKind
from switchhook.exotel.times import IST
from switchhook.journal.steady_time import Step, step_text
from switchhook.metrics import Figure
from switchhook.overview.trouble_text import (
    bot_text,
    callers_text,
    hosts_text,
    name_text,
    silence_text,
    streams_text,
    went_text,
)
from switchhook.streams.names import Names
from switchhook.streams.recent import BOT_FAILED, Recent, Recently
from switchhook.streams.search.query import Condition, Moment, Query
from switchhook.streams.search.syntax import query_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.streams.recent import AttributedTally

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


class Failing(msgspec.Struct, frozen=True):
    """A part of the console that fails: what is wrong, and how to mend it, each a sentence's part.

    Neither names a file of this machine.
    """

    problem: str
    hint: str


class VerdictInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict is made of.

    `last_ms` is when a stream was last told of, None where there never was one; `failing` are the
    parts of the console that fail now, `step` a step of the system's clock that goes on, or was
    over only lately.
    """

    figures: Sequence[Figure] = ()
    capacity: Sequence[CapacityNow] = ()
    recently: Recently = Recently()
    alerts: Sequence[Alert] = ()
    names: Names = Names()
    last_ms: int | None = None
    failing: Sequence[Failing] = ()
    step: Step | None = None


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble; `order` is its place among those of its level, then who hit more callers.

    `streams` is a search for the streams that were hit, `issue` the id of what most are of.
    """

    level: Level
    order: int
    hit: int = 0
    what: str
    since_ms: int | None = None
    callers: str = ""
    went: str = ""
    fault: str = ""
    todo: str = ""
    streams: str = ""
    issue: str = ""


def find_troubles(seen: VerdictInput, now_ms: int) -> Iterable[Trouble]:
    """All that is wrong, in no order."""
    limits = [each for each in seen.recently.accounts if each.failed and each.goes_on(now_ms)]
    yield from (_limit(each, seen, now_ms) for each in limits)
    failing = [each for each in seen.recently.bots if _fails(each) and each.goes_on(now_ms)]
    if len(failing) > 1 and (where := _common_fault(failing)):
        yield _several(failing, where, seen)
    else:
        yield from (_bot(each, seen, now_ms) for each in failing)
    yield from _ended_by_system(seen.recently.late)
    yield from map(_ourselves, seen.failing)
    if seen.step is not None:
        yield _clock(seen.step)
    for alert in seen.alerts:
        told = alert.figure in _JUDGED or (limits and alert.topic == "limit")
        if alert.firing and alert.clear_ms is None and not told:
            yield from _alerted(alert)


_JUDGED = {
    "streams.failed",
    "streams.failed_share",
    "streams.throttled",
    "streams.throttled_share",
    "clock.step_s",
}
"""What is judged by the streams and the clocks themselves, which know more than an alert."""


def _clock(step: Step) -> Trouble:
    """While it goes on, rules that ask for the hour decide by a wrong one."""
    return Trouble(
        level=Level.BAD if step.lasted_ms is None else Level.WARN,
        order=4,
        what=sentence(step_text(step)),
        since_ms=step.at_ms,
        fault="At fault: the machine's clock.",
        todo="See why: is time synchronised, was the machine suspended? Rules decide by the hour"
        " that it says; figures and ages don't.",
    )


def _limit(recent: Recent, seen: VerdictInput, now_ms: int) -> Trouble:
    account = next((c for c in seen.capacity if c.account == recent.name), None)
    use = ""
    if account is not None and account.active is not None and account.allowed is not None:
        use = f" ({account.active} of {account.allowed} in use now)"
    many = recent.failed >= _MANY or (recent.share or 0) >= _BAD_SHARE
    of_account = f" of account {name_text(recent.name)}" if recent.name else ""
    return Trouble(
        level=Level.BAD if many else Level.WARN,
        order=1,
        hit=recent.hit,
        what=f"{callers_text(recent.hit)} found no free stream{use}{silence_text(recent, now_ms)}.",
        since_ms=recent.since_ms,
        callers=f"{callers_text(recent.hit)} hit.",
        went=went_text(recent.went, seen.names),
        fault=f"At fault: the limit{of_account}.",
        todo="Hold campaigns back, and ask Exotel to raise the limit.",
        streams=_search(
            recent.since_ms,
            cause=(Cause.THROTTLED.value,),
            endpoint=tuple(dict.fromkeys(print_.endpoint for print_, _ in recent.prints)),
        ),
        issue=_issue((recent,)),
    )


def _fails(recent: Recent) -> bool:
    share = recent.share or 0.0
    if recent.cases >= _LEAST:
        return share >= _WARN_SHARE
    return recent.cases >= _ALL_OF and recent.failed == recent.cases


def _bot(recent: Recent, seen: VerdictInput, now_ms: int) -> Trouble:
    kind = recent.kinds[0][0] if recent.kinds else ""
    name = bot_text(recent.name)
    bot = next((b for b in seen.names.bots if b.name == recent.name), None)
    contact = ", ".join(part for part in (bot.owner, bot.contact) if part) if bot else ""
    whom = f" Tell {contact}." if contact else ""
    bad = (recent.share or 0) >= _BAD_SHARE and recent.cases >= _LEAST
    of = f"{recent.failed} of {streams_text(recent.cases)}"
    meets = _MEETS.get(kind, "")
    return Trouble(
        level=Level.BAD if bad else Level.WARN,
        order=1,
        hit=recent.hit,
        what=sentence(f"{name} fails: {of}{meets and '; ' + meets}{silence_text(recent, now_ms)}"),
        since_ms=recent.since_ms,
        callers=f"{callers_text(recent.hit)} hit.",
        went=went_text(recent.went, seen.names),
        fault=f"At fault: {_FAULT.get(kind, '')}{name}{hosts_text(recent)}.",
        todo=_TODO.get(kind, "Look in the bot's log.") + whom,
        streams=_of_bots((recent,)),
        issue=_issue((recent,)),
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
    ErrorKind.TIMEOUT.value: "the network, or ",
    ErrorKind.UNREACHABLE.value: "the network before ",
    ErrorKind.DNS.value: "the DNS of ",
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


def _several(failing: Sequence[Recent], where: str, seen: VerdictInput) -> Trouble:
    hit = sum(each.hit for each in failing)
    went: dict[tuple[str, str], int] = {}
    for each in failing:
        for to, count in each.went:
            went[to] = went.get(to, 0) + count
    named = ", ".join(name_text(each.name) for each in failing[:3])
    failed, cases = sum(each.failed for each in failing), sum(each.cases for each in failing)
    of = f"{failed} of {streams_text(cases)}"
    more = f" and {len(failing) - 3} more" if len(failing) > 3 else ""
    return Trouble(
        level=Level.BAD,
        order=0,
        what=f"{len(failing)} bots fail at once ({named}{more}): {of}.",
        since_ms=min(each.since_ms or 0 for each in failing),
        callers=f"{callers_text(hit)} hit.",
        went=went_text(sorted(went.items(), key=lambda item: -item[1]), seen.names),
        fault=f"At fault: {where}.",
        todo="Try a bot's URL from outside your network, and ask Exotel's support.",
        streams=_of_bots(failing),
        issue=_issue(failing),
    )


def _ended_by_system(late: Sequence[AttributedTally]) -> Iterable[Trouble]:
    ended = [each for each in late if each.facet.cause == Cause.ENDED_BY_SYSTEM]
    cases = sum(each.streams for each in late)
    count = sum(each.streams for each in ended)
    if cases >= _SYSTEM_LEAST and count >= _SYSTEM_SHARE * cases:
        yield Trouble(
            level=Level.WARN,
            order=3,
            what=f"Neither caller nor bot ended {count} of {streams_text(cases)}.",
            since_ms=ended[0].at_ms,
            callers=f"{callers_text(count)} hit.",
            fault="At fault: Exotel, or a limit on the length of calls.",
            todo="Check the 60-minute cap and the calls' time limit, then ask Exotel's support.",
            streams=_search(ended[0].at_ms, cause=(Cause.ENDED_BY_SYSTEM.value,)),
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
    "unreadable": _Blame(3, "what stands between Exotel and the public port"),
    "share-shifted": _Blame(5, "the rules, or what Exotel sends"),
    "rules-refused": _Blame(6, "a file of yours"),
    "fold-stalled": _Blame(4, "Switchhook itself"),
    "retention-held": _Blame(4, "the machine's clock"),
}
_LEVELS = {Severity.CRITICAL: Level.BAD, Severity.WARNING: Level.WARN}
_TELLING = {"no-traffic"}
"""Rules whose information keeps "all well" from being said."""


def _alerted(alert: Alert) -> Iterable[Trouble]:
    if alert.severity is Severity.INFO and alert.rule not in _TELLING:
        return
    blame = _BLAMES.get(alert.topic or alert.rule, _Blame(7, ""))
    of = ", ".join(name_text(text) for _, text in alert.labels if text)
    yield Trouble(
        level=_LEVELS.get(alert.severity, Level.UNKNOWN),
        order=blame.order,
        what=f"{alert.title}{f' ({of})' if of else ''}.",
        since_ms=alert.since_ms,
        fault=f"At fault: {blame.fault}." if blame.fault else "",
        todo=sentence(alert.advice),
    )


def _ourselves(part: Failing) -> Trouble:
    return Trouble(
        level=Level.WARN,
        order=4,
        what=sentence(part.problem),
        callers="Callers are answered all the same.",
        fault="At fault: Switchhook itself, or its disk.",
        todo=sentence(part.hint),
    )


# Where to look.


def _of_bots(failing: Sequence[Recent]) -> str:
    """A search for the streams in which these bots failed; empty where one has no name."""
    names = tuple(each.name for each in failing)
    if not all(names):
        return ""
    since = min((each.since_ms for each in failing if each.since_ms is not None), default=None)
    return _search(since, cause=tuple(sorted(BOT_FAILED)), bot=names)


def _search(since_ms: int | None, **conditions: tuple[str, ...]) -> str:
    said = {key: tuple(filter(None, values)) for key, values in conditions.items()}
    asked = (Condition(key, values) for key, values in said.items() if values)
    since = None
    if since_ms is not None:
        moment = datetime.fromtimestamp(since_ms / 1000, UTC).astimezone(IST)
        since = Moment(moment.isoformat(timespec="minutes"), since_ms)
    return query_text(Query(tuple(asked), since))


def _issue(failing: Iterable[Recent]) -> str:
    """The id of the issue that most of the streams are of."""
    prints = [found for each in failing for found in each.prints]
    return max(prints, key=lambda found: found[1])[0].id if prints else ""
