"""Failures of one kind as one issue: open, acknowledged, resolved, and open again.

What fails alike has one fingerprint. How often and when comes from the store; what people said of
it, from the ledger.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.cause import FAILURES
from switchhook.exotel.times import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.access.audit import Deed
    from switchhook.streams.facet import Facet, Tally, Use

TREND_HOURS = 24
LONGEST_NOTE = 500
MOST_ISSUES = 2_000
"""Issues that are listed; the rest, those seen longest ago, are counted."""


class Fingerprint(msgspec.Struct, frozen=True, order=True):
    """What failures of one kind have in common; an empty text is what was not said."""

    cause: str
    kind: str
    host: str
    endpoint: str

    @property
    def id(self) -> str:
        """A short name for addresses and the ledger; it never changes."""
        text = msgspec.json.encode([self.cause, self.kind, self.host, self.endpoint])
        return hashlib.sha256(text).hexdigest()[:16]


def fingerprint(facet: Facet) -> Fingerprint | None:
    """The fingerprint of a facet; None where its streams did not fail."""
    if facet.cause not in FAILURES:
        return None
    return Fingerprint(facet.cause, facet.kind, facet.host, facet.endpoint)


class IssueState(StrEnum):
    """How an issue stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class IssueAction(StrEnum):
    """What somebody does about an issue, or the failures themselves."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    RETURNED = "returned"
    """A stream failed so again after the issue was resolved."""


NEXT = {
    (IssueState.OPEN, IssueAction.ACKNOWLEDGE): IssueState.ACKNOWLEDGED,
    (IssueState.OPEN, IssueAction.RESOLVE): IssueState.RESOLVED,
    (IssueState.ACKNOWLEDGED, IssueAction.RESOLVE): IssueState.RESOLVED,
    (IssueState.ACKNOWLEDGED, IssueAction.REOPEN): IssueState.OPEN,
    (IssueState.RESOLVED, IssueAction.REOPEN): IssueState.OPEN,
    (IssueState.RESOLVED, IssueAction.RETURNED): IssueState.OPEN,
}
"""Every move there is."""

SAID = {
    IssueAction.ACKNOWLEDGE: "acknowledged an issue",
    IssueAction.RESOLVE: "resolved an issue",
    IssueAction.REOPEN: "opened an issue again",
}
"""How the audit log puts it."""


class IssueNote(msgspec.Struct, frozen=True):
    """What somebody said of an issue, and how it stood from then on."""

    issue: str
    at_ms: int
    state: IssueState
    by: str
    note: str = ""


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """All failures of one fingerprint.

    `last_note` is what was said last; `reopened` whether it came back since. `trend` counts the
    last `TREND_HOURS` hours, oldest first.
    """

    fingerprint: Fingerprint
    state: IssueState
    first_ms: int
    last_ms: int
    streams: int
    trend: tuple[int, ...] = ()
    last_note: IssueNote | None = None
    reopened: bool = False

    @property
    def id(self) -> str:
        return self.fingerprint.id

    @property
    def recent(self) -> int:
        """How many streams failed so in the time of the trend."""
        return sum(self.trend)

    @property
    def acts(self) -> tuple[IssueAction, ...]:
        """What somebody may do about it now."""
        return tuple(
            act for (state, act) in NEXT if state is self.state and act is not IssueAction.RETURNED
        )


def issues(
    uses: Iterable[Use], tallies: Iterable[Tally], notes: Mapping[str, IssueNote], now_ms: int
) -> list[Issue]:
    """All issues, those that need somebody first: open ones, then by how often they come now.

    `tallies` are of hours, `notes` what was said last of each issue by its id.
    """
    seen: dict[Fingerprint, tuple[int, int, int]] = {}
    for use in uses:
        print_ = fingerprint(use.facet)
        if print_ is not None:
            first, last, streams = seen.get(print_, (use.first_ms, use.last_ms, 0))
            seen[print_] = min(first, use.first_ms), max(last, use.last_ms), streams + use.streams
    trends = _trends(tallies, now_ms)
    found = [
        _issue(print_, *seen[print_], trends.get(print_, ()), notes.get(print_.id))
        for print_ in seen
    ]
    found.sort(key=lambda each: (_ORDER[each.state], -each.recent, -each.last_ms))
    return found


_ORDER = {IssueState.OPEN: 0, IssueState.ACKNOWLEDGED: 1, IssueState.RESOLVED: 2}


def _issue(
    print_: Fingerprint,
    first_ms: int,
    last_ms: int,
    streams: int,
    trend: tuple[int, ...],
    last_note: IssueNote | None,
) -> Issue:
    state = last_note.state if last_note is not None else IssueState.OPEN
    returned = last_note is not None and state is IssueState.RESOLVED and last_ms > last_note.at_ms
    return Issue(
        fingerprint=print_,
        state=NEXT[state, IssueAction.RETURNED] if returned else state,
        first_ms=first_ms,
        last_ms=last_ms,
        streams=streams,
        trend=trend or (0,) * TREND_HOURS,
        last_note=last_note,
        reopened=returned,
    )


def _trends(tallies: Iterable[Tally], now_ms: int) -> dict[Fingerprint, tuple[int, ...]]:
    start = trend_start(now_ms)
    trends: dict[Fingerprint, list[int]] = {}
    for tally in tallies:
        print_, hour = fingerprint(tally.facet), (tally.at_ms - start) // HOUR_MS
        if print_ is not None and 0 <= hour < TREND_HOURS:
            trends.setdefault(print_, [0] * TREND_HOURS)[hour] += tally.streams
    return {print_: tuple(trend) for print_, trend in trends.items()}


def trend_start(now_ms: int) -> int:
    """When the first hour of a trend begins; the last is the one that runs."""
    return now_ms - now_ms % HOUR_MS - (TREND_HOURS - 1) * HOUR_MS


class IssueHistory(Protocol):
    """What people said of issues, kept by the ledger. Raises LedgerError."""

    def latest(self) -> dict[str, IssueNote]:
        """What was said last of each, by the issue's id."""
        ...

    def history(self, issue: str) -> list[IssueNote]:
        """Everything that was said of one, newest first."""
        ...

    def add(self, last_note: IssueNote, deed: Deed) -> None:
        """Keep what somebody said, and note it in the audit log."""
        ...
