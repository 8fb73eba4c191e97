"""Streams as metrics: by cause, bot and endpoint, with a ceiling on what outside values can make.

A stream whose outcome is told moves to another cause, so what runs is a gauge, and a counter has
only streams with an outcome. The few that are judged anew by a later receipt are kept from setting
a counter back.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switchhook.exotel.cause import FAILURES, Cause
from switchhook.metrics import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from switchhook.streams.facet import Use
    from switchhook.streams.names import Names

MOST_HOSTS = 50
"""Hosts without a configured bot that have a label of their own: those seen first."""
MOST_ENDPOINTS = 200
_UNSETTLED = {Cause.RUNNING.value, Cause.UNKNOWN.value}
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")
_IDENTIFIER = re.compile(r"[0-9]{5}|[0-9a-f]{12}")
_LONGEST_HOST = 100

Settled = dict[tuple[str, ...], int]


def settled_counts() -> Settled:
    """The greatest that each counter was, for `stream_families`; empty at first."""
    return {}


def stream_families(uses: Iterable[Use], names: Names, greatest: Settled) -> Iterator[Metric]:
    """The families; `greatest` is remembered from scrape to scrape and changed."""
    outcome = CounterMetricFamily(
        "switchhook_streams",
        "Streams by how they ended.",
        labels=("cause", "bot", "endpoint"),
    )
    answered = CounterMetricFamily(
        "switchhook_streams_answered",
        "Streams with an outcome, by the option that was answered.",
        labels=("endpoint", "option"),
    )
    unsettled = GaugeMetricFamily(
        "switchhook_streams_unsettled", "Streams whose outcome is not told.", labels=("cause",)
    )
    by_outcome: Counter[tuple[str, ...]] = Counter()
    by_option: Counter[tuple[str, ...]] = Counter()
    open_: Counter[tuple[str, ...]] = Counter()
    labels = _Labels(names)
    for use in sorted(uses, key=lambda use: (use.first_ms, use.facet)):
        facet = use.facet
        if facet.cause in _UNSETTLED:
            open_[facet.cause,] += use.streams
            continue
        endpoint = labels.endpoint(facet.endpoint)
        bot = labels.bot(facet.host, facet.endpoint, facet.exophone)
        by_outcome[facet.cause, bot, endpoint] += use.streams
        for failure in FAILURES:
            by_outcome[failure.value, bot, endpoint] += 0  # so that the first is an increase
        by_option[endpoint, facet.option] += use.streams
    for family, counts in ((outcome, by_outcome), (answered, by_option)):
        for values, count in sorted(counts.items()):
            greatest[values] = max(count, greatest.get(values, 0))
            family.add_metric(values, greatest[values])
    for cause in sorted(_UNSETTLED):
        unsettled.add_metric((cause,), open_[cause,])
    yield from (outcome, answered, unsettled)


class _Labels:
    """Gives labels to what comes from outside, to the first so many of each."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._hosts: set[str] = set()
        self._endpoints: set[str] = set()

    def endpoint(self, name: str) -> str:
        if name not in self._endpoints and len(self._endpoints) >= MOST_ENDPOINTS:
            return OTHER
        self._endpoints.add(name)
        return name

    def bot(self, host: str, endpoint: str, exophone: str) -> str:
        bot = self._names.bot(host, endpoint, exophone)
        if bot is not None:
            return bot.name
        if not host:
            return ""
        if not _tells_no_one(host):
            return OTHER
        if host not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            return OTHER
        self._hosts.add(host)
        return host


def _tells_no_one(host: str) -> bool:
    """Whether a host is a plain name: no address, and nothing that could be a number or an id."""
    low = host.lower()
    if len(low) > _LONGEST_HOST or not _HOST.fullmatch(low) or _IDENTIFIER.search(low):
        return False
    try:
        ipaddress.ip_address(low)
    except ValueError:
        return True
    return False
