"""`[accounts.NAME.callbacks]`: from where, into what, when and how often people are called back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.callbacks.numbers import exophone_problem
from switchhook.callbacks.settings import (
    DAYS,
    HOURS,
    CallbackSettings,
    CallingHours,
    VoicemailCounts,
)
from switchhook.config.basics import Secret
from switchhook.config.bot_address import member_address, network_problem, whole_url
from switchhook.config.keys import (
    RefusedValue,
    Section,
    choice,
    flag,
    integer,
    number,
    phone_number,
    several,
    text,
    zone,
)
from switchhook.exotel.asked_number import whole_number
from switchhook.exotel.wire.connect import LONGEST_CALL_S, LONGEST_STREAM_URL
from switchhook.rules.outcome import class_complaint

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.config.secrets import Sources

MOST_MONEY, MOST_CALLS_AN_HOUR, MOST_WEIGHT = 1_000_000, 12_000, 1_000
"""An account's voice API takes 200 questions a minute (exotel-platform E.5)."""
_DAY_S, _WEEK_S, _DAY_MINUTES = 86_400, 7 * 86_400, 24 * 60
_MOST_CLASSES, _MOST_TOLD, _MOST_SHOWN = 100, 50, 5

_FLOW = re.compile("[A-Za-z0-9_-]{1,64}")
_MOBILE = re.compile(r"(\+91|0|)([6-9][0-9]{9})")
_HOURS = re.compile("([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")


class NumberSet(frozenset[str]):
    """Telephone numbers, which are shown nowhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"NumberSet({len(self)} of them)"


class CallbacksConfig(msgspec.Struct, frozen=True):
    """All of the table: `bot` is the whole address, with its credentials."""

    settings: CallbackSettings | None = None
    bot: Secret | None = None
    do_not_call: NumberSet = NumberSet()


def read_callbacks(account: Section, sources: Sources, country: str) -> CallbacksConfig:
    """The table of an account; `country` is that of its numbers which name none."""
    there = "callbacks" in account.names()
    section = account.section("callbacks")
    if not there:
        return CallbacksConfig()
    bot = _bot(section, sources)
    settings = CallbackSettings(
        exophone=section.take("exophone", _exophone(country), ""),
        flow=section.take("flow", _flow, ""),
        has_bot=bot is not None,
        hours=_calling_hours(section),
        zone=section.take("zone", zone, CallbackSettings().zone),
        voicemail=section.take("voicemail", choice(VoicemailCounts), VoicemailCounts.ATTEMPT),
        classes=_classes(section.section("classes")),
        tell=section.take("tell", several(text(64), _MOST_TOLD), ()),
        **{
            name: section.take(name, check, getattr(CallbackSettings(), name))
            for name, check in _PLAIN.items()
        },
    )
    numbers = section.take("do_not_call_file", _numbers(sources, country), NumberSet())
    section.end()
    _check(settings, section)
    return CallbacksConfig(settings, bot, numbers)


_PLAIN: dict[str, Callable[[object], Any]] = {
    "delay_s": integer(0, _DAY_S),
    "within_s": integer(1, _WEEK_S),
    "attempts": integer(1, 10),
    "gap_s": integer(1, _WEEK_S),
    "declined_gap_s": integer(1, _WEEK_S),
    "a_day": integer(1, 20),
    "ring_s": integer(5, 120),
    "longest_s": integer(10, LONGEST_CALL_S),
    "served_s": integer(1, 3600),
    "campaigns": flag,
    "reserve": integer(0, 100_000),
    "calls_an_hour": integer(1, MOST_CALLS_AN_HOUR),
    "spend_an_hour": number(0, MOST_MONEY),
    "spend_a_number": number(0, MOST_MONEY),
    "price": number(0, MOST_MONEY),
    "check_whitelist": flag,
}
"""The keys whose values are taken as they are."""


def _check(settings: CallbackSettings, section: Section) -> None:
    """What no key alone can tell."""
    said = section.names()
    if "exophone" not in said:
        hint = 'exophone = "…", the ExoPhone that they are called from'
        section.complain("nothing says which number calls", hint)
    ways = [name for name in ("flow", "bot") if name in said]
    if not ways:
        hint = 'flow = "…", the number in the flow\'s address; or bot = "wss://…"'
        section.complain("nothing says where a callback leads", hint)
    elif len(ways) > 1:
        section.complain("a callback leads into a flow or to a bot", "remove flow, or bot")
    if settings.delay_s >= settings.within_s:
        problem = f"delay_s {settings.delay_s:,} is not below within_s {settings.within_s:,}"
        section.complain(f"{problem}: each promise is over before it is due", "lower delay_s")
    for name in ("spend_an_hour", "spend_a_number"):
        most = getattr(settings, name)
        if settings.price > most:
            problem = f"a call counts {settings.price:g}, above {name} {most:g}: nobody is called"
            section.complain(problem, f"raise {name}, or lower price")


# Values.


def _exophone(country: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        found = phone_number(value, country)
        if problem := exophone_problem(found):
            raise RefusedValue(problem, "one of the account's ExoPhones, in E.164")
        return found

    return check


def _flow(value: object) -> str:
    found = text(64)(value)
    if not _FLOW.fullmatch(found):
        raise RefusedValue("no such flow is possible", "the number in the flow's address")
    return found


def _bot(section: Section, sources: Sources) -> Secret | None:
    """The bot's address as Exotel is given it."""
    url = section.take("bot", _bot_url, "")
    login = section.take("bot_auth_file", sources.login, "")
    allow_private = section.take("allow_private", flag, False)
    if not url:
        for key in ("bot_auth_file", "allow_private"):
            if key in section.names() and "bot" not in section.names():
                section.complain(f"{key} is for bot, and there is none", f"remove {key}")
        return None
    problem, hint = network_problem(url)
    if problem and not allow_private:
        section.complain(f"bot: {problem}", hint)
    whole = member_address(url, credentials=login)
    if len(whole) > LONGEST_STREAM_URL:
        problem = f"bot: {len(whole)} characters with its credentials"
        section.complain(problem, f"Exotel takes {LONGEST_STREAM_URL} for a call to a bot")
    return Secret(whole)


def _bot_url(value: object) -> str:
    return whole_url(value, "into a file: bot_auth_file")


def _calling_hours(section: Section) -> CallingHours:
    hours = section.take("hours", _hours, HOURS["default"])
    days = section.take("days", several(_day, 7), hours.days)
    if not days:
        section.complain("there is no day, so that nobody is ever called", 'days = ["mon", …]')
    return CallingHours(hours.from_minute, hours.until_minute, tuple(sorted(set(days))))


def _hours(value: object) -> CallingHours:
    said = text(20)(value)
    if said in HOURS:
        return HOURS[said]
    hint = f'such as "9:00-21:00", or {" or ".join(HOURS)}'
    found = _HOURS.fullmatch(said)
    if found is None:
        raise RefusedValue(f"no such hours are possible: {said!r}", hint)
    begin, end = (60 * int(found[n]) + int(found[n + 1]) for n in (1, 3))
    if int(found[2]) > 59 or int(found[4]) > 59 or max(begin, end) > _DAY_MINUTES:
        raise RefusedValue(f"no such hours are possible: {said!r}", hint)
    if begin >= end:
        problem = "they never open: they end before they begin, and don't pass midnight"
        raise RefusedValue(problem, hint)
    return CallingHours(begin, end)


def _day(value: object) -> int:
    said = text(20)(value)
    if said not in DAYS:
        raise RefusedValue(f"no such day: {said!r}", ", ".join(DAYS))
    return DAYS.index(said)


def _classes(section: Section) -> dict[str, int]:
    """`[accounts.NAME.callbacks.classes]`: class → weight."""
    found: dict[str, int] = {}
    names = section.names()
    if len(names) > _MOST_CLASSES:
        section.complain(f"{len(names):,} classes; the most is {_MOST_CLASSES}")
    for name in names[:_MOST_CLASSES]:
        weight = section.take(name, integer(1, MOST_WEIGHT), 1)
        if (wrong := class_complaint(name)) is not None:
            section.complain(*wrong)
        found[name] = weight
    return found


def _numbers(sources: Sources, country: str) -> Callable[[object], NumberSet]:
    hint = "one telephone number a line; # begins a remark"

    def check(value: object) -> NumberSet:
        said = sources.all_lines(value, hint)
        if not any(said):
            raise RefusedValue(f"{value!r} is empty", "was it cut short? If not: a line # nobody")
        lines = [each.partition("#")[0].strip() for each in said]
        read = [(at, _number(line, country)) for at, line in enumerate(lines, 1) if line]
        wrong = [at for at, found in read if found is None]
        if wrong:
            raise RefusedValue(f"no telephone number in {_lines(wrong)} of {value!r}", hint)
        return NumberSet(found for _, found in read if found is not None)

    return check


def _number(line: str, country: str) -> str | None:
    found = _MOBILE.fullmatch(line)
    if found is not None and (found[1] == "+91" or country == "IN"):
        return f"+91{found[2]}"  # what `whole_number` says too, forty times as fast
    return whole_number(line, country)


def _lines(numbers: list[int]) -> str:
    shown = ", ".join(str(each) for each in numbers[:_MOST_SHOWN])
    more = f" and {len(numbers) - _MOST_SHOWN:,} more" if len(numbers) > _MOST_SHOWN else ""
    return f"{'line' if len(numbers) == 1 else 'lines'} {shown}{more}"
