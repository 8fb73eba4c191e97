"""`[accounts]`, `[flows]`, `[exophones]`: what we have at Exotel, and what we call it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.callbacks.settings import CallbackSettings
from switchhook.config.basics import Secret
from switchhook.config.callbacks import NumberSet, read_callbacks
from switchhook.config.keys import (
    Problems,
    RefusedValue,
    Section,
    flag,
    integer,
    number,
    phone_number,
    text,
)
from switchhook.config.secrets import Sources, read_secrets, read_theirs
from switchhook.loopback import is_loopback
from switchhook.rules.outcome import class_complaint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


REGIONS = {"mumbai": "https://api.in.exotel.com", "singapore": "https://api.exotel.com"}
"""Exotel's hosts (exotel-platform D); an account exists in one of them only."""
COUNTRIES = {"mumbai": "IN", "singapore": "SG"}
MOST_ACCOUNTS, MOST_NAMES = 100, 10_000
MOST_A_MINUTE = 200
"""Questions that Exotel's voice API answers in a minute, for all that ask (exotel-platform E.5)."""
SLOWEST_S = 45
"""Rules take a figure for unknown after a minute: before that the next has to be there."""
LONGEST_NAME, LONGEST_LABEL = 64, 200
MOST_RESERVED = 100_000

_SID = re.compile("[A-Za-z0-9_-]{1,64}")
_FLOW_ID = re.compile("[A-Za-z0-9_-]{1,64}")
_BASE_PATH = re.compile("(?:/[A-Za-z0-9._~-]{1,64}){0,8}")
_JOINERS = "\u200c\u200d"  # Indian scripts need them; all other format characters can deceive


class WebhookSecrets(msgspec.Struct, frozen=True):
    """What lets StatusCallbacks and Heartbeats of an account in."""

    status: tuple[Secret, ...] = ()
    heartbeat: tuple[Secret, ...] = ()


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[accounts.NAME]`: an account at Exotel, and how it is watched.

    `url` is where its API is asked, without a slash at its end; `region` is empty where `url` was
    given. `key` and `token` are None for an account that is only named. `reserves` are the places
    that admission keeps free from a class of callers, by the class. `callbacks` is None where
    nobody is called back; `callback_bot` is the whole address of the bot that callbacks lead to,
    where they lead into no flow, and `do_not_call` whom a file says never to call.
    """

    name: str
    sid: str = ""
    region: str = ""
    url: str = ""
    key: Secret | None = None
    token: Secret | None = None
    poll: bool = True
    quiet_s: float = 10
    busy_s: float = 3
    rate_per_minute: int = 60
    call_details: bool = False
    recordings: bool = False
    webhook_secrets: WebhookSecrets = WebhookSecrets()
    reserves: dict[str, int] = {}
    callbacks: CallbackSettings | None = None
    callback_bot: Secret | None = None
    do_not_call: NumberSet = NumberSet()

    @property
    def country(self) -> str:
        """The CLDR region that its numbers without a country code are read in."""
        return COUNTRIES.get(self.region, "IN")


class OptionDestinations(msgspec.Struct, frozen=True):
    """`[endpoints.NAME.leads]`: where an option leads in the flow, in the operator's words."""

    A: str = ""
    B: str = ""


# Reading.


def label(longest: int) -> Callable[[object], str]:
    """A text to be shown, in any script: nothing in it that hides, reorders or breaks a line."""

    def check(value: object) -> str:
        said = text(longest)(value)
        for letter in said:
            if unicodedata.category(letter)[0] == "C" and letter not in _JOINERS:
                raise RefusedValue(
                    f"it holds the invisible character U+{ord(letter):04X}", "remove it"
                )
            if unicodedata.category(letter) in ("Zl", "Zp"):
                raise RefusedValue("it holds a line break", "keep it on one line")
        if said != said.strip():
            raise RefusedValue("it begins or ends with a blank", "remove it")
        return unicodedata.normalize("NFC", said)

    return check


def read_accounts(
    section: Section, sources: Sources, problems: Problems
) -> tuple[AccountConfig, ...]:
    """`[accounts]`."""
    names = named_tables(section, problems, MOST_ACCOUNTS, "account")
    accounts = tuple(_account(name, section.section(key), sources, problems) for key, name in names)
    seen: dict[tuple[str, str], str] = {}
    for account in accounts:
        twin = seen.setdefault((account.url, account.sid), account.name)
        if account.sid and twin != account.name:
            problem = f"it has the SID and place of account {twin!r}"
            problems.add(f"accounts.{account.name}", problem, "two would ask twice: remove one")
    return accounts


def _account(name: str, section: Section, sources: Sources, problems: Problems) -> AccountConfig:
    before = len(problems.found)
    default = AccountConfig(name=name)
    region = section.take("region", _region, "")
    url = section.take("url", _url, "")
    called = read_callbacks(section, sources, COUNTRIES.get(region, "IN"))
    account = AccountConfig(
        name=name,
        sid=section.take("sid", _sid, ""),
        region=region,
        url=url or REGIONS.get(region, ""),
        key=read_theirs(section, sources, "key"),
        token=read_theirs(section, sources, "token"),
        poll=section.take("poll", flag, default.poll),
        quiet_s=section.take("quiet_s", number(1, SLOWEST_S), default.quiet_s),
        busy_s=section.take("busy_s", number(1, SLOWEST_S), default.busy_s),
        rate_per_minute=section.take(
            "rate_per_minute", integer(1, MOST_A_MINUTE), default.rate_per_minute
        ),
        call_details=section.take("call_details", flag, default.call_details),
        recordings=section.take("recordings", flag, default.recordings),
        webhook_secrets=WebhookSecrets(
            status=read_secrets(section, sources, prefix="status_", plain=False),
            heartbeat=read_secrets(section, sources, prefix="heartbeat_", plain=False),
        ),
        reserves=_reserves(section.section("reserves")),
        callbacks=called.settings,
        callback_bot=called.bot,
        do_not_call=called.do_not_call,
    )
    section.end()
    if len(problems.found) == before:
        for problem, hint in _lacks(account, both=bool(region and url)):
            section.complain(problem, hint)
    return account


def _lacks(account: AccountConfig, *, both: bool) -> Iterable[tuple[str, str]]:
    """What no key of an account alone can tell."""
    if both:
        yield "it has a region and a url", "say one of them"
    if not account.sid:
        yield "it has no sid", 'sid = "…", as the API settings of Exotel\'s dashboard show it'
    if account.callbacks is not None and not account.poll:
        problem = "callbacks wait for free streams, and nothing is known of them without polls"
        yield problem, "poll = true, or remove callbacks"
    if not (account.poll or account.call_details or account.recordings or account.callbacks):
        return
    if not account.url:
        yield "nothing says where its API is", 'region = "mumbai" or "singapore"'
    if account.key is None or account.token is None:
        hint = "key_env or key_file, and token_env or token_file; or poll = false"
        yield "it has no API key, or no token", hint
    elif ":" in account.key.reveal():
        yield "its API key holds a colon, which no key does", "copy it again"
    if account.busy_s > account.quiet_s:
        yield "it is asked more rarely when busy than when quiet", "lower busy_s"
    if account.poll and 60 / account.busy_s > account.rate_per_minute:
        asks = f"asking every {account.busy_s:g} s takes {60 / account.busy_s:.0f} questions"
        yield f"{asks} a minute, rate_per_minute is {account.rate_per_minute}", "raise one of them"


def _reserves(section: Section) -> dict[str, int]:
    """`[accounts.NAME.reserves]`: class → places."""
    found: dict[str, int] = {}
    for name in section.names():
        places = section.take(name, integer(0, MOST_RESERVED), 0)
        if (wrong := class_complaint(name)) is not None:
            section.complain(*wrong)
        found[name] = places
    return found


def read_flows(section: Section, problems: Problems) -> dict[str, str]:
    """`[flows]`: flow_id → name."""

    def check(key: str) -> str:
        if not _FLOW_ID.fullmatch(key):
            raise RefusedValue("no such flow is possible", "the number in the flow's address")
        return key

    return _named(section, problems, check, "flow")


def read_exophones(section: Section, problems: Problems) -> dict[str, str]:
    """`[exophones]`: E.164 → name."""
    return _named(section, problems, phone_number, "ExoPhone")


def read_option_destinations(section: Section) -> OptionDestinations:
    """`[endpoints.NAME.leads]`."""
    destinations = OptionDestinations(
        A=section.take("A", label(LONGEST_LABEL), ""),
        B=section.take("B", label(LONGEST_LABEL), ""),
    )
    section.end()
    return destinations


def named_tables(
    section: Section, problems: Problems, most: int, what: str
) -> list[tuple[str, str]]:
    """The keys of a table whose keys are names in any script, each with its name."""
    found: dict[str, tuple[str, str]] = {}
    keys = section.names()
    if len(keys) > most:
        problems.add(section.key, f"{len(keys):,} of them; the most is {most:,}")
    for key in keys[:most]:
        where = f"{section.key}.{key[:LONGEST_NAME]!r}"
        try:
            name = _address_part(key)
        except RefusedValue as refused:
            problems.add(
                where, f"no such name is possible for this {what}: {refused}", refused.hint
            )
            continue
        twin = found.setdefault(name.casefold(), (key, name))
        if twin[0] != key:
            problems.add(where, f"{twin[0]!r} reads the same", "give one of them another name")
    return list(found.values())


def _address_part(key: str) -> str:
    if any(letter in "/\\?#" for letter in key):
        raise RefusedValue("it holds / \\ ? or #", "it becomes part of addresses")
    return label(LONGEST_NAME)(key)


def _named(
    section: Section, problems: Problems, check: Callable[[str], str], what: str
) -> dict[str, str]:
    """A table of tables that hold a name each, by the checked key."""
    found: dict[str, str] = {}
    keys = section.names()
    if len(keys) > MOST_NAMES:
        problems.add(section.key, f"{len(keys):,} of them; the most is {MOST_NAMES:,}")
    for key in keys[:MOST_NAMES]:
        where = f"{section.key}.{key[:LONGEST_NAME]!r}"
        below, before = section.section(key), len(problems.found)
        name = below.take("name", label(LONGEST_LABEL), "")
        below.end()
        try:
            checked = check(key)
        except RefusedValue as refused:
            problems.add(where, refused.problem, refused.hint)
            continue
        if checked in found:
            problems.add(where, f"this {what} has a name already", "remove one of them")
        if not name and len(problems.found) == before:
            below.complain("it has no name", 'name = "…", in any script')
        found[checked] = name
    return found


def _region(value: object) -> str:
    if isinstance(value, str) and value in REGIONS:
        return value
    raise RefusedValue("no such region", 'region = "mumbai" or "singapore"; or url = "https://…"')


def _sid(value: object) -> str:
    said = text(LONGEST_NAME)(value)
    if not _SID.fullmatch(said):
        raise RefusedValue("no such SID is possible", "A-Z, a-z, 0-9, _ and -, up to 64")
    return said


def _url(value: object) -> str:
    """The base address of an API: https, or http on this machine; nothing but host and path."""
    said = text(500)(value)
    hint = 'such as "https://api.in.exotel.com"'
    try:
        parts = urlsplit(said)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise RefusedValue("no URL", hint) from None
    if parts.scheme not in ("https", "http") or not host or not said.isascii():
        raise RefusedValue("no URL of an API", hint)
    if parts.username is not None or parts.password is not None:
        raise RefusedValue("credentials in a URL", "use key_env and token_env, or the files")
    if "?" in said or "#" in said:
        raise RefusedValue("a URL with a query or fragment", hint)
    path = parts.path.rstrip("/")
    if not _BASE_PATH.fullmatch(path):
        raise RefusedValue("a URL with a path that can't be its base", hint)
    if parts.scheme == "http" and not is_loopback(host):
        raise RefusedValue("http shows the API's key to the network", "use https")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"
