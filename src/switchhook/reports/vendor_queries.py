"""Making a vendor's report: the bot's streams from the store, its troubles from the alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.reports.vendor import BotTrouble, Counting
from switchhook.streams.names import Bot
from switchhook.streams.search.query import Condition, Moment, Query
from switchhook.web.parameters import RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from switchhook.alerts.alert import Alert
    from switchhook.reports.vendor import VendorReport
    from switchhook.reports.week import Stretch
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import StreamRow
    from switchhook.streams.store import Store

_PAGE = 500
_TOGETHER = "bots.failing_together"
_SHOWN = 12


class ReportSources(msgspec.Struct, frozen=True):
    """What a report is made of; `alerts` gives those that fired and lasted in a time, in ms."""

    store: Store
    names: Names
    alerts: Callable[[int, int], Iterable[Alert]]


def vendor_report(
    sources: ReportSources,
    bot: str,
    stretch: Stretch,
    zone: ZoneInfo,
    made_ms: int,
    *,
    whole: bool = False,
) -> VendorReport:
    """The report on a bot. Raises RefusedParameter where there is none of that name.

    `whole` leaves telephone numbers in full.
    """
    store, names = sources.store, sources.names
    named = bot_named(store, names, bot)
    counting = Counting(stretch, zone, whole=whole)
    for row in _rows(store, names, bot, stretch):
        counting.take(row)
    return counting.report(
        named,
        names,
        troubles_of(sources.alerts(stretch.since_ms, stretch.until_ms), bot),
        zone="IST" if zone.key == "Asia/Kolkata" else zone.key,
        made_ms=made_ms,
        oldest_ms=store.oldest_ms(),
    )


def known_bots(store: Store, names: Names) -> list[str]:
    """The names of bots: those that are configured, then hosts that streams told of."""
    configured = [bot.name for bot in names.bots]
    told = {
        names.bot_name(use.facet.host, use.facet.endpoint, use.facet.exophone)
        for use in store.uses()
    }
    return [*configured, *sorted(told - set(configured) - {""})]


def bot_named(store: Store, names: Names, bot: str) -> Bot:
    """The bot of a name, or one that is known by its host only. Raises RefusedParameter."""
    found = next((each for each in names.bots if each.name == bot), None)
    if found is not None:
        return found
    known = known_bots(store, names)
    if bot not in known:
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        hint = f"known: {', '.join(known[:_SHOWN])}{more}" if known else "no stream told of any yet"
        raise RefusedParameter("bot", f"there is no bot {bot[:60]!r}", hint)
    return Bot(bot, hosts=(bot,))


def troubles_of(alerts: Iterable[Alert], bot: str) -> Sequence[BotTrouble]:
    """The troubles of a bot among alerts, and those of several bots at once."""
    return [
        BotTrouble(
            alert.title,
            alert.severity.value,
            alert.since_ms,
            alert.resolved_ms,
            alert.figure == _TOGETHER,
        )
        for alert in alerts
        if alert.figure == _TOGETHER or ("bot", bot) in alert.labels
    ]


def _rows(store: Store, names: Names, bot: str, stretch: Stretch) -> Iterator[StreamRow]:
    """The bot's streams of the time, newest first; what was no stream is left out."""
    query = Query(
        (Condition("bot", (bot,)),),
        Moment("", stretch.since_ms),
        Moment("", stretch.until_ms),
    )
    before = store.position() + 1
    while True:
        found = store.search(query, names, before_seq=before, limit=_PAGE)
        for row in found.rows:
            facet = row.facet
            # The search takes any letter case, and `*` for anything.
            theirs = names.bot_name(facet.host, facet.endpoint, facet.exophone) == bot
            if theirs and facet.cause != "no_stream":
                yield row
        if found.next is None:
            return
        before = found.next
