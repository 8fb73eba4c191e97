"""`[bots]`: whose streams are whose, and the pools that calls are sent to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.config.accounts import (
    LONGEST_LABEL,
    LONGEST_NAME,
    label,
    named_tables,
)
from switchhook.config.basics import Secret
from switchhook.config.bot_address import (
    BotAddress,
    bare_url,
    check_length,
    member_address,
    network_problem,
    query_of,
    rates_hint,
    same_place,
    shown_address,
)
from switchhook.config.keys import (
    Problems,
    RefusedValue,
    Section,
    choice,
    flag,
    integer,
    number,
    phone_number,
    several,
    text,
)
from switchhook.exotel.wire.stream_url import RATES
from switchhook.rules.bot_pool import (
    BREAKER_BOUNDS,
    MOST_STREAMS,
    MOST_WEIGHT,
    BreakerSettings,
    Member,
    MemberState,
    Pool,
)
from switchhook.streams.names import Bot

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.config.secrets import Sources

MOST_BOTS, MOST_MEMBERS = 1_000, 100

_HOST = re.compile(r"[a-z0-9*?\[\]_.:-]{1,253}")
_PARAMETER = re.compile("[A-Za-z0-9_.-]{1,64}")


class BotsConfig(msgspec.Struct, frozen=True):
    """All of `[bots]`: who they are, those that are pools, and their members' addresses."""

    bots: tuple[Bot, ...] = ()
    pools: tuple[Pool, ...] = ()
    addresses: tuple[BotAddress, ...] = ()


class _Read(msgspec.Struct, frozen=True):
    """A pool as it was read, with what is not in `Pool`."""

    pool: Pool
    addresses: tuple[BotAddress, ...]


def read_bots(section: Section, sources: Sources, problems: Problems) -> BotsConfig:
    """`[bots]`, in the file's order: of two whose hosts match, the first has the stream."""
    bots: list[Bot] = []
    pools: list[_Read] = []
    for key, name in named_tables(section, problems, MOST_BOTS, "bot"):
        bot, pool = _bot(name, section.section(key), sources, problems)
        bots.append(bot)
        if pool is not None:
            pools.append(pool)
    return BotsConfig(
        tuple(bots),
        tuple(each.pool for each in pools),
        tuple(address for each in pools for address in each.addresses),
    )


def _bot(
    name: str, section: Section, sources: Sources, problems: Problems
) -> tuple[Bot, _Read | None]:
    before = len(problems.found)
    hosts = section.take("hosts", several(_host, 100), ())
    endpoints = section.take("endpoints", several(text(LONGEST_NAME), 1000), ())
    exophones = section.take("exophones", several(phone_number, 1000), ())
    owner = section.take("owner", label(LONGEST_LABEL), "")
    contact = section.take("contact", label(LONGEST_LABEL), "")
    pool = _pool(name, section, sources, problems)
    section.end()
    own = [_host_of(each.url) for each in pool.pool.members] if pool else []
    bot = Bot(
        name=name,
        hosts=tuple(dict.fromkeys((*hosts, *own))),
        endpoints=endpoints,
        exophones=exophones,
        owner=owner,
        contact=contact,
    )
    if len(problems.found) == before and not (bot.hosts or bot.endpoints or bot.exophones):
        section.complain("nothing says which streams are its", 'hosts = ["*.bot.example"]')
    return bot, pool


def _pool(name: str, section: Section, sources: Sources, problems: Problems) -> _Read | None:
    """The pool that a bot with members is."""
    keys = section.names()
    sticky = section.take("sticky", flag, False)
    breaker = section.take("breaker", _breaker(section, problems), BreakerSettings())
    below = section.section("members")
    if "members" not in keys:
        for key in ("sticky", "breaker"):
            if key in keys:
                hint = f"[{section.key}.members.NAME] with url, or remove {key}"
                section.complain(f"{key} is for a pool, and it has no members", hint)
        return None
    before = len(problems.found)
    named = named_tables(below, problems, MOST_MEMBERS, "member")
    read = [_member(name, each, below.section(key), sources) for key, each in named]
    members = tuple(member for member, _ in read)
    if len(problems.found) == before:
        _check_members(members, [address for _, address in read], below)
    pool = Pool(name=name, members=members, sticky=sticky, breaker=breaker)
    return _Read(pool, tuple(address for _, address in read))


def _member(pool: str, name: str, section: Section, sources: Sources) -> tuple[Member, BotAddress]:
    member = Member(
        name=name,
        url=section.take("url", bare_url, ""),
        weight=section.take("weight", integer(0, MOST_WEIGHT), 100),
        limit=section.take("limit", integer(1, MOST_STREAMS), None),
        state=section.take("state", choice(MemberState), MemberState.IN),
    )
    credentials = section.take("auth_file", sources.login, "")
    rate = section.take("sample_rate", _rate, None)
    parameters = section.take("parameters", _parameters, dict[str, str]())
    allow_private = section.take("allow_private", flag, False)
    section.end()
    if not member.url:
        if "url" not in section.names():
            section.complain("it has no url", 'url = "wss://bot.example/stream"')
    elif not allow_private:
        _check_network(member.url, section)
    whole = member_address(
        member.url, credentials=credentials, sample_rate=rate, parameters=parameters
    )
    return member, BotAddress(
        url=Secret(whole),
        shown=shown_address(whole),
        pool=pool,
        member=name,
        allow_private=allow_private,
    )


def _check_network(url: str, section: Section) -> None:
    problem, hint = network_problem(url)
    if problem:
        section.complain(problem, hint)


def _check_members(
    members: tuple[Member, ...], addresses: list[BotAddress], section: Section
) -> None:
    """What no member alone can tell."""
    if not members:
        section.complain("there is no member", f"[{section.key}.NAME] with url")
        return
    if not any(each.weight for each in members):
        section.complain("each member has weight 0, so that none takes a call", "raise one")
    seen: dict[str, str] = {}
    for address in addresses:
        first = seen.setdefault(same_place(address.url.reveal()), address.member)
        if first != address.member:
            problem = f"member {address.member!r} has the address of {first!r}"
            section.complain(problem, "remove one of them, and give the other its weight")


def _breaker(section: Section, problems: Problems) -> Callable[[object], BreakerSettings]:
    def check(value: object) -> BreakerSettings:
        if isinstance(value, bool):
            return BreakerSettings(enabled=value)
        if not isinstance(value, dict):
            hint = f"breaker = true, or [{section.key}.breaker] with enabled = true"
            raise RefusedValue("it is neither true, false nor a table", hint)
        default = BreakerSettings()
        table = Section(value, f"{section.key}.breaker", problems)
        share, window, cool_down = (
            number(*BREAKER_BOUNDS[key][:2]) for key in ("failure_share", "window_s", "cool_down_s")
        )
        least = integer(1, BREAKER_BOUNDS["least"][1])
        found = BreakerSettings(
            enabled=table.take("enabled", flag, default.enabled),
            failure_share=table.take("failure_share", share, default.failure_share),
            least=table.take("least", least, default.least),
            window_s=table.take("window_s", window, default.window_s),
            cool_down_s=table.take("cool_down_s", cool_down, default.cool_down_s),
        )
        table.end()
        return found

    return check


def _rate(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in RATES:
        return value
    raise RefusedValue(f"this sample rate is not known: {str(value)[:20]}", rates_hint())


def _parameters(value: object) -> dict[str, str]:
    hint = 'parameters = { lang = "hi" }'
    if not isinstance(value, dict):
        raise RefusedValue("it is not a table", hint)
    for name, said in value.items():
        if name.lower().replace("_", "-") == "sample-rate":
            raise RefusedValue(f"{name} is no custom parameter", "sample_rate = 16000")
        if not _PARAMETER.fullmatch(name):
            problem = f"no such parameter is possible: {name[:40]!r}"
            raise RefusedValue(problem, "1 to 64 of A-Z, a-z, 0-9, _, . and -")
        if not isinstance(said, str):
            raise RefusedValue(f"{name} is not a text", hint)
        if not said.isprintable():
            raise RefusedValue(f"{name} holds an invisible character", "remove it")
    check_length([(name, query_of({name: said})) for name, said in value.items()])
    return dict(value)


def _host(value: object) -> str:
    said = text(253)(value).lower()
    if not _HOST.fullmatch(said):
        raise RefusedValue(
            f"no host or pattern: {said[:60]!r}", 'such as "bot.example" or "*.example"'
        )
    return said


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""
