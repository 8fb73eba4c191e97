"""How streams went of late, by bot and by account.

What few streams tell counts longer: of a bot or an account with fewer than `LEAST` streams in the
last quarter of an hour, the last ones of three hours are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.times import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.streams.facet import Facet, Tally
    from switchhook.streams.names import Names

WINDOW_MS = 15 * MINUTE_MS
LONGEST_MS = 180 * MINUTE_MS
LEAST = 10

BOT_FAILED = frozenset({Cause.CONNECT_FAILED, Cause.BOT_DROPPED})
BOT_WELL = frozenset({Cause.BOT_DONE, Cause.CALLER_LEFT, Cause.ENDED_BY_SYSTEM})
_THROTTLED = frozenset({Cause.THROTTLED})
FAILED = BOT_FAILED | _THROTTLED
_OF_BOTS = BOT_FAILED | BOT_WELL
_NO_STREAM = frozenset({Cause.NO_STREAM})


class AttributedTally(msgspec.Struct, frozen=True):
    """A tally with whose it is, in the operator's words; empty where nothing is known."""

    at_ms: int
    account: str
    bot: str
    facet: Facet
    streams: int


class Recent(msgspec.Struct, frozen=True):
    """How the streams of one bot or account went.

    `failed` of `cases` are those of the stretch that is looked at, `late_failed` of `late` those of
    the last quarter of an hour.
    """

    name: str
    failed: int
    cases: int
    late_failed: int
    late: int

    @property
    def share(self) -> float | None:
        return self.failed / self.cases if self.cases else None


class Recently(msgspec.Struct, frozen=True):
    """How bots did, and accounts by what their limits refused.

    `late` are the streams of the last quarter of an hour, oldest first.
    """

    bots: tuple[Recent, ...] = ()
    accounts: tuple[Recent, ...] = ()
    late: tuple[AttributedTally, ...] = ()


def attributed(tallies: Iterable[Tally], names: Names) -> list[AttributedTally]:
    """Tallies with their bot and account, oldest first; what had no stream is left out."""
    owners: dict[Facet, tuple[str, str]] = {}
    found: list[AttributedTally] = []
    for tally in tallies:
        facet = tally.facet
        if facet.cause in _NO_STREAM:
            continue
        owner = owners.get(facet)
        if owner is None:
            bot = names.bot_name(facet.host, facet.endpoint, facet.exophone)
            owner = owners[facet] = account_of(facet.endpoint, names), bot
        found.append(AttributedTally(tally.at_ms, owner[0], owner[1], facet, tally.streams))
    found.sort(key=lambda told: (told.at_ms, told.facet, told.streams))
    return found


def account_of(endpoint: str, names: Names) -> str:
    """The account of an endpoint; the only one where there is one."""
    only = names.accounts[0].name if len(names.accounts) == 1 else ""
    return names.accounts_of.get(endpoint, only)


def recently(told: Sequence[AttributedTally], now_ms: int) -> Recently:
    """How bots and accounts did, by what `attributed` gave.

    Streams that run, were throttled, or whose caller hung up before the bot could speak say
    nothing of the bot.
    """
    bots: dict[str, list[AttributedTally]] = {}
    accounts: dict[str, list[AttributedTally]] = {}
    for each in told:
        accounts.setdefault(each.account, []).append(each)
        if each.facet.cause in _OF_BOTS:
            bots.setdefault(each.bot, []).append(each)
    since = now_ms - now_ms % MINUTE_MS - WINDOW_MS
    late = len(told)
    while late and told[late - 1].at_ms >= since:
        late -= 1
    return Recently(
        tuple(_recent(name, group, BOT_FAILED, now_ms) for name, group in bots.items()),
        tuple(_recent(name, group, _THROTTLED, now_ms) for name, group in accounts.items()),
        tuple(told[late:]),
    )


def _recent(
    name: str, told: Sequence[AttributedTally], bad: frozenset[Cause], now_ms: int
) -> Recent:
    since_late = now_ms - now_ms % MINUTE_MS - WINDOW_MS
    failed = cases = late_failed = late = 0
    for each in reversed(told):
        is_bad = each.facet.cause in bad
        is_late = each.at_ms >= since_late
        if not is_late and cases >= LEAST:
            break
        cases += each.streams
        failed += each.streams if is_bad else 0
        late += each.streams if is_late else 0
        late_failed += each.streams if is_bad and is_late else 0
    return Recent(name, failed, cases, late_failed, late)
