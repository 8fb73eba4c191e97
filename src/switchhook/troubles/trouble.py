"""What is wrong with bots, limits and callers, in words: since when, who was hit, what to do.

Made of how they stand by the judges. What goes well again is told after what goes on, until it is
over; of a bot that fails nothing else is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, cast

import msgspec

from switchhook.errors import sentence
from switchhook.exotel.cause import Cause
from switchhook.exotel.stream_error import ErrorKind
from switchhook.exotel.times import IST
from switchhook.metrics import duration_text
from switchhook.streams.issues.issues import Fingerprint
from switchhook.streams.recent import BOT_FAILED
from switchhook.streams.search.query import Condition, Moment, Query
from switchhook.streams.search.syntax import query_text
from switchhook.troubles.at_fault import AtFault
from switchhook.troubles.judge import Phase, Standing
from switchhook.troubles.outcomes import AT_ONCE_S, Measure, Subject, UsualTalk
from switchhook.troubles.text import (
    bot_text,
    callers_text,
    goes_on_text,
    hosts_text,
    name_text,
    streams_text,
    went_text,
)
from switchhook.troubles.together import fault_of_all, shared_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.capacity.status import CapacityNow
    from switchhook.streams.names import Names

Standings = Mapping[Subject, Standing]


class Level(StrEnum):
    """How it is; `unknown` is not well."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble; `order` is its place among those of its level, then who hit more callers.

    `key` tells it from every other and stays the same while it lasts; `covers` are the keys of
    those that it is told instead of. `bad` is whether many were hit, `over` whether it goes well
    again for now. `tell` names whose it is and how to reach them, in the operator's words.
    `streams` is a search for the streams that were hit, `issue` the id of what most are of; `page`
    is the console's page that shows more of it.
    """

    level: Level
    order: int
    key: str = ""
    covers: tuple[str, ...] = ()
    hit: int = 0
    what: str
    since_ms: int | None = None
    callers: str = ""
    went: str = ""
    fault: str = ""
    todo: str = ""
    tell: str = ""
    streams: str = ""
    issue: str = ""
    page: str = ""
    bad: bool = False
    over: bool = False


ORDER_OVER = 8
SEVERAL = "several-bots"


def troubles_of(
    standings: Standings,
    names: Names,
    capacity: Sequence[CapacityNow],
    now_ms: int,
    at_fault: Mapping[str, AtFault] = {},
) -> Iterable[Trouble]:
    """All that the judges found, in no order; `at_fault` is what fails of bots by their names."""
    of: dict[Measure, dict[str, Standing]] = {measure: {} for measure in Measure}
    for subject, standing in standings.items():
        of[subject.measure][subject.name] = standing
    for name, standing in of[Measure.LIMIT].items():
        yield _limit(name, standing, names, capacity, now_ms)
    bots = of[Measure.BOT_FAILS]
    failing = {name: each for name, each in bots.items() if each.phase is Phase.FAILING}
    group: Mapping[str, Standing] = failing or bots
    of_all = of[Measure.ANY_BOT].get("")
    if of_all is not None and (fault := fault_of_all(of_all)):
        group = bots
        yield _several([str(bot) for bot, _ in of_all.most("bot")], (of_all,), fault, names, now_ms)
    elif fault := shared_fault([_kind(each) for each in group.values()], len(group)):
        busiest = sorted(group, key=lambda name: (-group[name].callers, name))
        yield _several(busiest, tuple(group.values()), fault, names, now_ms)
    for name, standing in bots.items():
        if not (fault and name in group):
            yield _bot(name, standing, names, now_ms, at_fault.get(name, _ALL_OF_IT))
    leaving = of[Measure.BOT_LEAVES].keys() | of[Measure.CALLERS_LEAVE].keys()
    for measure, write in _QUIET.items():
        # Whoever leaves at once says why talks are short.
        said = leaving | failing.keys() if measure is Measure.TALKS_SHORT else failing.keys()
        for name, standing in of[measure].items():
            if name not in said:
                trouble = write(name, standing, names, now_ms)
                yield _told(trouble, Subject(measure, name), standing, names)


def _told(trouble: Trouble, of: Subject, standing: Standing, names: Names) -> Trouble:
    """A trouble with what is told of every one alike."""
    over = standing.phase is Phase.RECOVERING
    return msgspec.structs.replace(
        trouble,
        key=of.key,
        level=Level.BAD if standing.bad and not over else Level.WARN,
        order=ORDER_OVER if over else trouble.order,
        todo="" if over else trouble.todo,  # it was done
        tell="" if over or of.measure is Measure.LIMIT else _whom(of.name, names),
        what=sentence(trouble.what),
        bad=standing.bad,
        over=over,
        hit=standing.callers,
        since_ms=standing.since_ms,
        callers=f"{callers_text(standing.callers)} hit.",
        went=went_text(_went((standing,)), names),
        issue=_issue((standing,)),
    )


def _limit(
    name: str, standing: Standing, names: Names, capacity: Sequence[CapacityNow], now_ms: int
) -> Trouble:
    account = next((each for each in capacity if each.account == name), None)
    use = ""
    if account is not None and account.active is not None and account.allowed is not None:
        use = f" ({account.active} of {account.allowed} in use now)"
    of_account = f" of account {name_text(name)}" if name else ""
    endpoints = tuple(dict.fromkeys(endpoint for (endpoint, _), _ in _went((standing,))))
    found = f"{callers_text(standing.callers)} found no free stream"
    trouble = Trouble(
        level=Level.WARN,
        order=1,
        what=goes_on_text(found + use, found, standing, now_ms),
        fault=f"At fault: the limit{of_account}.",
        todo="Hold campaigns back, and ask Exotel to raise the limit.",
        streams=_search(standing.since_ms, cause=(Cause.THROTTLED.value,), endpoint=endpoints),
    )
    return _told(trouble, Subject(Measure.LIMIT, name), standing, names)


_ALL_OF_IT = AtFault()


def _bot(name: str, standing: Standing, names: Names, now_ms: int, at_fault: AtFault) -> Trouble:
    kind = _kind(standing)
    said = at_fault.name or bot_text(name)
    of_bot = f" of {name_text(name)}" if at_fault.name else ""
    of = f"{standing.failed} of {streams_text(standing.cases)}{of_bot}"
    meets = _MEETS.get(kind, "")
    fails = f"{said} fails: {of}{meets and '; ' + meets}"
    failed = f"{said} failed {of}"
    if at_fault.instead:
        fails = f"{said} failed: {of}; {at_fault.instead}"
        failed += f" ({at_fault.instead})"
    trouble = Trouble(
        level=Level.WARN,
        order=1,
        what=goes_on_text(fails, failed, standing, now_ms),
        fault=f"At fault: {_FAULT.get(kind, '')}{said}{hosts_text(name, standing)}.",
        todo=f"{_TODO.get(kind, _LOOK)} {at_fault.todo}".strip(),
        streams=_of_bots((name,), standing.since_ms),
        page=at_fault.page,
    )
    told = _told(trouble, Subject(Measure.BOT_FAILS, name), standing, names)
    if at_fault.instead:  # callers are well, and it is not
        bad = told.bad and told.over
        return msgspec.structs.replace(told, level=Level.WARN, bad=bad, order=2, todo=trouble.todo)
    return told


def _whom(name: str, names: Names) -> str:
    bot = next((each for each in names.bots if each.name == name), None)
    return ", ".join(part for part in (bot.owner, bot.contact) if part) if bot else ""


_MEETS = {
    ErrorKind.REFUSED.value: "it refuses connections",
    ErrorKind.TIMEOUT.value: "it does not answer in time",
    ErrorKind.DNS.value: "its name can't be looked up",
    ErrorKind.TLS.value: "TLS with it fails",
    ErrorKind.TLS_TO_PLAIN.value: "its port doesn't speak TLS",
    ErrorKind.PLAIN_TO_TLS.value: "its port speaks TLS, and its URL has ws://",
    ErrorKind.BAD_HANDSHAKE.value: "it refuses the WebSocket",
    ErrorKind.UNREACHABLE.value: "there is no route to it",
    ErrorKind.EOF.value: "it closes the connection",
    ErrorKind.CLOSED.value: "it closes the connection",
    ErrorKind.DEADLINE.value: "it takes more than 10 s to accept",
    Cause.BOT_DROPPED.value: "it drops talks",
}
_FAULT = {
    ErrorKind.TIMEOUT.value: "the network, or ",
    ErrorKind.UNREACHABLE.value: "the network before ",
    ErrorKind.DNS.value: "the DNS of ",
}
_LOOK = "Look in the bot's log."
_TODO = {
    ErrorKind.REFUSED.value: "Start the bot, and check its port.",
    ErrorKind.TIMEOUT.value: "See whether the bot is overloaded, or a firewall drops Exotel.",
    ErrorKind.DNS.value: "Check the bot's URL and its DNS record.",
    ErrorKind.TLS.value: "Check the bot's certificate: valid, with its chain, for this name.",
    ErrorKind.TLS_TO_PLAIN.value: "Put TLS before the bot's port, or give the port that has it.",
    ErrorKind.PLAIN_TO_TLS.value: "Write wss:// in the bot's URL.",
    ErrorKind.BAD_HANDSHAKE.value: "Check path and credentials of the bot's URL.",
    ErrorKind.UNREACHABLE.value: "Check the bot's address and the route to it.",
    ErrorKind.DEADLINE.value: "Let the bot accept at once, and load models afterwards.",
}


def _several(
    busiest: Sequence[str], all_of: Sequence[Standing], where: str, names: Names, now_ms: int
) -> Trouble:
    """Those that fail at once, or all go well again; `all_of` is how they stand, or all as one."""
    last = max(all_of, key=lambda each: each.last_failed_ms)
    over = last.phase is Phase.RECOVERING
    hit = sum(each.callers for each in all_of)
    named = ", ".join(map(name_text, busiest[:3]))
    failed, cases = sum(each.failed for each in all_of), sum(each.cases for each in all_of)
    more = f" and {len(busiest) - 3} more" if len(busiest) > 3 else ""
    since_ms = min(each.since_ms for each in all_of)
    return Trouble(
        level=Level.WARN if over else Level.BAD,
        bad=True,
        over=over,
        order=ORDER_OVER if over else 0,
        key=f"{SEVERAL}:",
        covers=tuple(Subject(Measure.BOT_FAILS, name).key for name in busiest),
        hit=hit,
        what=sentence(
            goes_on_text(
                f"{len(busiest)} bots fail at once ({named}{more}): {failed} of"
                f" {streams_text(cases)}",
                f"{len(busiest)} bots failed at once ({named}{more})",
                last,
                now_ms,
            )
        ),
        since_ms=since_ms,
        callers=f"{callers_text(hit)} hit.",
        went=went_text(_went(all_of), names),
        fault=f"At fault: {where}.",
        todo="" if over else "Try a bot's URL from outside your network, and ask Exotel's support.",
        streams=_of_bots(tuple(busiest), since_ms),
        issue=_issue(all_of),
    )


# What fails quietly: the talk stood, and nobody had anything of it.


def _leaves(name: str, standing: Standing, _names: Names, now_ms: int) -> Trouble:
    bot = bot_text(name)
    of = f"{standing.failed} of {streams_text(standing.cases)} ended by it within {AT_ONCE_S} s"
    return Trouble(
        level=Level.WARN,
        order=2,
        what=goes_on_text(
            f"{bot} hangs up at once: {of}", f"{bot} hung up at once", standing, now_ms
        ),
        fault=f"At fault: {bot}{hosts_text(name, standing)}.",
        todo="Look in the bot's log: does it fail after it has accepted? Call it, and listen.",
        streams=_search(
            standing.since_ms,
            cause=(Cause.BOT_DONE.value,),
            bot=(name,),
            duration=(f"<={AT_ONCE_S}",),
        ),
    )


def _left(name: str, standing: Standing, names: Names, now_ms: int) -> Trouble:
    bot = bot_text(name)
    of = f"{standing.failed} of {streams_text(standing.cases)} before it could speak"
    now, then = f"callers of {bot} leave early: {of}", f"callers of {bot} left early"
    # They mostly leave before there is a host by which the bot could be found.
    told = any(host for host, _ in standing.most("host"))
    named = any(each.name == name and (each.endpoints or each.exophones) for each in names.bots)
    endpoints = tuple(dict.fromkeys(endpoint for (endpoint, _), _ in _went((standing,))))
    whose = {"bot": (name,)} if told or named else {"endpoint": endpoints}
    return Trouble(
        level=Level.WARN,
        order=2,
        what=goes_on_text(now, then, standing, now_ms),
        fault=f"At fault: {bot}{hosts_text(name, standing)}, if it takes long to speak.",
        todo="Call it, and listen: how long is the silence before its first word?",
        streams=_search(standing.since_ms, cause=(Cause.CALLER_LEFT_EARLY.value,), **whose),
    )


def _nobody_ended(name: str, standing: Standing, _names: Names, now_ms: int) -> Trouble:
    of_bot = f" of {bot_text(name)}" if name else ""
    of = f"{standing.failed} of {streams_text(standing.cases)}{of_bot}"
    ended = f"neither caller nor bot ended {of}"
    return Trouble(
        level=Level.WARN,
        order=3,
        what=goes_on_text(ended, ended, standing, now_ms),
        fault="At fault: Exotel, or a limit on the length of calls.",
        todo="Check the 60-minute cap and the calls' time limit, then ask Exotel's support.",
        streams=_search(standing.since_ms, cause=(Cause.ENDED_BY_SYSTEM.value,), bot=(name,)),
    )


def _short(name: str, standing: Standing, _names: Names, now_ms: int) -> Trouble:
    bot = bot_text(name)
    usual = next((each for each, _ in standing.most("usual") if isinstance(each, UsualTalk)), None)
    short = f" lasted less than {usual.short_s} s" if usual else ""
    half = f", where half last {duration_text(usual.median_s)} at this hour" if usual else ""
    of = f"{standing.failed} of {streams_text(standing.cases)}{short}{half}"
    then = f"talks with {bot} were much shorter than usual"
    return Trouble(
        level=Level.WARN,
        order=2,
        what=goes_on_text(f"talks with {bot} are short: {of}", then, standing, now_ms),
        fault=f"At fault: {bot}{hosts_text(name, standing)}, if nobody changed what it says.",
        todo="Call it, and listen: does it speak, and does it understand?",
        streams=_search(
            standing.since_ms,
            cause=(Cause.BOT_DONE.value, Cause.CALLER_LEFT.value),
            bot=(name,),
            duration=(f"<{usual.short_s}",) if usual else (),
        ),
    )


_QUIET = {
    Measure.BOT_LEAVES: _leaves,
    Measure.CALLERS_LEAVE: _left,
    Measure.TALKS_SHORT: _short,
    Measure.NOBODY_ENDED: _nobody_ended,
}


# What its failures met, and where to look.


def _kind(standing: Standing) -> str:
    kinds = standing.most("kind")
    return str(kinds[0][0]) if kinds else ""


def _went(standings: Iterable[Standing]) -> list[tuple[tuple[str, str], int]]:
    """How many went by each endpoint and option, the most frequent first."""
    went: Counter[tuple[str, str]] = Counter()
    for standing in standings:
        for to, count in standing.most("went"):
            went[cast("tuple[str, str]", to)] += count
    return went.most_common()


def _of_bots(names: tuple[str, ...], since_ms: int) -> str:
    """A search for the streams in which these bots failed; empty where one has no name."""
    if not all(names):
        return ""
    return _search(since_ms, cause=tuple(sorted(BOT_FAILED)), bot=tuple(sorted(names)))


def _search(since_ms: int, **conditions: tuple[str, ...]) -> str:
    said = {key: tuple(filter(None, values)) for key, values in conditions.items()}
    asked = (Condition(key, values) for key, values in said.items() if values)
    moment = datetime.fromtimestamp(since_ms / 1000, UTC).astimezone(IST)
    since = Moment(moment.isoformat(timespec="seconds"), since_ms)
    return query_text(Query(tuple(asked), since))


def _issue(standings: Iterable[Standing]) -> str:
    """The id of the issue that most of the streams are of."""
    prints: Counter[Fingerprint] = Counter()
    for standing in standings:
        for found, count in standing.most("print"):
            if isinstance(found, Fingerprint):
                prints[found] += count
    return prints.most_common(1)[0][0].id if prints else ""
