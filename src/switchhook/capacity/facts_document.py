"""What the facts file holds, how its bytes are read, and how old what is in it may be. Pure.

A figure's age goes by the monotonic clock, which both processes share while `boot`, the start of
the machine, is the same; else by the system's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole
from switchhook.rules.flags import FlagSetting
from switchhook.rules.rollout import Rollout
from switchhook.rules.routing import (
    AdmissionBudget,
    HandSetting,
    MemberFacts,
    RoutingFacts,
    lasting_members,
)
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "facts.json"
VERSION = 2
LARGEST = 256 * 1024
LIVES_MS = 60_000
"""How long a figure may be used after it was learnt, and a member's health after it was told."""
BUDGETS_LIVE_MS = 5_000
"""How long a budget may be used after it was told."""
ROLLOUTS_LIVE_MS = 300_000
"""How long a rollout goes on after the moment up to which the console had followed the journal."""
SKEW_MS = 2_000
"""How far ahead of our clock a figure may be; both processes share it, but it may be stepped."""


class AccountFigures(msgspec.Struct, frozen=True):
    """Streams in use and allowed at `at_ms`, of one account; what is None isn't known.

    `mono_ms` is the same moment by the monotonic clock, which both processes share: their ages go
    by it, as the system's clock may step.
    """

    at_ms: int
    active: int
    allowed: int | None = None
    mono_ms: int | None = None


class Moment(msgspec.Struct, frozen=True):
    """When something was told, by both clocks."""

    at_ms: int = 0
    mono_ms: int | None = None


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one answer process is told alone: members by pool, budgets by account."""

    members: dict[str, dict[str, MemberFacts]] = {}
    members_told: Moment = Moment()
    budgets: dict[str, AdmissionBudget] = {}
    budgets_told: Moment = Moment()


NO_NODE = Node()


class GoesBy(msgspec.Struct, frozen=True):
    """Up to when a node goes by what it was told, in ms of the monotonic clock of who tells it.

    Its journal had the records up to `through` then: no later one was by what it was told before.
    """

    members_ms: int
    budgets_ms: int
    through: int = 0


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it; `written_ms` is the last writing, `nodes` by number, `flags` by name.

    `rollouts_told` is the moment up to which the console had followed the journal when it told
    `rollouts`.
    """

    version: int
    written_ms: int
    accounts: dict[str, AccountFigures]
    boot: str = ""
    hands: tuple[HandSetting, ...] = ()
    nodes: dict[int, Node] = {}
    flags: dict[str, FlagSetting] = {}
    rollouts: tuple[Rollout, ...] = ()
    rollouts_told: Moment = Moment()


class _Head(msgspec.Struct, frozen=True):
    """What every version begins with."""

    version: int


_MOST_NAMED = 5
_DAMAGED = "it is damaged; the console replaces it by its next figure"
NOTHING = Document(VERSION, 0, {})


def read(body: bytes, boot: str = "") -> tuple[dict[str, AccountFigures], str | None]:
    """The figures in a file's bytes, or none and what is wrong with it.

    Monotonic times of another start of the machine than `boot` are left out.
    """
    document, damage = decode(body, boot)
    return document.accounts, damage


def decode(body: bytes, boot: str) -> tuple[Document, str | None]:
    """What is in a file's bytes, or nothing and what is wrong with it."""
    if len(body) > LARGEST:
        return NOTHING, said(f"it has more than {LARGEST:,} bytes")
    if not is_whole(body):
        return NOTHING, said(_DAMAGED)
    try:
        version = msgspec.json.decode(body, type=_Head).version
        if version > VERSION:
            problem = f"it has version {version}, this release knows version {VERSION}"
            return NOTHING, said(f"{problem}; run one release for both programs")
        document = msgspec.json.decode(body, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOTHING, said(_DAMAGED)
    return (document if boot and document.boot == boot else by_the_system_clock(document)), None


def by_the_system_clock(document: Document) -> Document:
    """The same without monotonic times, which are of another start of the machine."""
    replace = msgspec.structs.replace
    return replace(
        document,
        accounts={name: replace(each, mono_ms=None) for name, each in document.accounts.items()},
        rollouts_told=replace(document.rollouts_told, mono_ms=None),
        nodes={
            number: replace(
                each,
                members_told=replace(each.members_told, mono_ms=None),
                budgets_told=replace(each.budgets_told, mono_ms=None),
            )
            for number, each in document.nodes.items()
        },
    )


def routing_at(
    document: Document, number: int, now_ms: int, mono_ms: int | None = None
) -> RoutingFacts:
    """What the answer process with that node number may route by at a time."""
    node = document.nodes.get(number, NO_NODE)
    told, budgets_told = node.members_told, node.budgets_told
    known = lives(told, LIVES_MS, now_ms, mono_ms)
    watched = lives(document.rollouts_told, ROLLOUTS_LIVE_MS, now_ms, mono_ms)
    return RoutingFacts(
        hands=document.hands,
        flags=document.flags,
        members=node.members if known else lasting_members(node.members),
        budgets=node.budgets if lives(budgets_told, BUDGETS_LIVE_MS, now_ms, mono_ms) else {},
        rollouts={each.subject: each for each in document.rollouts} if watched else {},
    )


def lives(told: Moment, lives_ms: int, now_ms: int, mono_ms: int | None) -> bool:
    """Whether what was told may still be used, by how long it lives."""
    return -SKEW_MS <= age_ms(told, now_ms, mono_ms) <= lives_ms


def facts_at(
    figures: AccountFigures, now_ms: int, mono_ms: int | None = None
) -> AccountFacts | None:
    """What rules may see of figures at a time; None before them, or when they are too old."""
    age = age_ms(figures, now_ms, mono_ms)
    if not -SKEW_MS <= age <= LIVES_MS or figures.active < 0:
        return None
    allowed = figures.allowed if figures.allowed is None or figures.allowed >= 0 else None
    headroom = None if allowed is None else max(0, allowed - figures.active)
    return AccountFacts(figures.active, allowed, headroom, max(0, age) / 1000)


def age_ms(figures: AccountFigures | Moment, now_ms: int, mono_ms: int | None) -> int:
    """How long ago it was, negative for what is yet to come."""
    if mono_ms is None or figures.mono_ms is None:
        return now_ms - figures.at_ms
    return mono_ms - figures.mono_ms


def unusable(
    figures: Mapping[str, AccountFigures],
    known: Mapping[str, AccountFacts],
    now_ms: int,
    mono_ms: int | None,
) -> str | None:
    """Why figures are not used, of each account that lacks them, by name."""
    lacking = sorted(figures.keys() - known.keys())
    if not lacking:
        return None
    ages = [age_ms(figures[name], now_ms, mono_ms) for name in lacking]
    parts = [
        f"account {name} are {'from the future' if age < -SKEW_MS else f'{age // 1000:,} s old'}"
        for name, age in zip(lacking[:_MOST_NAMED], ages, strict=False)
    ]
    more = f", and of {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    asked = ["was the clock set?"] if min(ages) < -SKEW_MS else []
    asked += ["can the console ask Exotel?"] if max(ages) >= -SKEW_MS else []
    return said(f"the figures of {', of '.join(parts)}{more}; {' '.join(asked)}")


def ran_out(
    document: Document, number: int, routing: RoutingFacts, now_ms: int, mono_ms: int | None
) -> str | None:
    """What is said of budgets that are too old, or from the future."""
    node = document.nodes.get(number)
    if node is None or not node.budgets or routing.budgets:
        return None
    age = age_ms(node.budgets_told, now_ms, mono_ms)
    when = "in the future" if age < -SKEW_MS else f"{age // 1000:,} s ago"
    return said(f"what may be admitted was told {when}; does the console run?")


def unwatched(
    document: Document, routing: RoutingFacts, now_ms: int, mono_ms: int | None
) -> str | None:
    """What is said where rollouts are under way that nobody watches any more."""
    lost = [each for each in document.rollouts if each.share and not routing.rollouts]
    if not lost:
        return None
    numbers = ", ".join(str(each.number) for each in lost)
    age = age_ms(document.rollouts_told, now_ms, mono_ms)
    when = "in the future" if age < -SKEW_MS else f"{age // 1000:,} s ago"
    return (
        f"the console watched the canary of release {numbers} {when}; does it run? (what was full "
        "before decides for all callers until then)"
    )


def said(problem: str) -> str:
    """A complaint about the file."""
    return f"{FILE}: {problem} (rules see the account as unknown until then)"
