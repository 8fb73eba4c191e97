"""The pages about streams, as one part of the console."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from switchhook.calls.callback_page import CallbackCallsPage
from switchhook.calls.other_sources import SourceGatherer
from switchhook.calls.page import CallPage
from switchhook.calls.promised import PromisesOf, none_promised
from switchhook.calls.recording_page import RecordingPages
from switchhook.capacity.page import CapacityPage
from switchhook.overview.api import PageApi
from switchhook.overview.feed import Feed
from switchhook.overview.page import NowPage
from switchhook.reports.vendor_page import VendorReportPage
from switchhook.streams.endpoints_page import EndpointSource, EndpointsPage
from switchhook.streams.issues.page import CausesPage
from switchhook.streams.names import Names
from switchhook.streams.page import StreamsPage
from switchhook.streams.queries import StreamQueries
from switchhook.streams.refused_page import RefusedPage
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import query_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.routing import BaseRoute

    from switchhook.access.audit import Deed
    from switchhook.alerts.alert import Alert
    from switchhook.calls.recording_page import RecordingAccount
    from switchhook.calls.sources import KeptDetails
    from switchhook.capacity.page import CapacityKept, CapacityWatch, OfAccount
    from switchhook.journal.source import JournalSource
    from switchhook.overview.json import KeptPromises
    from switchhook.streams.fold import Folder
    from switchhook.streams.issues.issues import IssueHistory
    from switchhook.streams.search.saved_views import SavedViews
    from switchhook.streams.store import Store
    from switchhook.web.chart import Mark
    from switchhook.web.render import Renderer

FRESH_S = 0.3
"""How long a page waits for the fold."""


def _streams_of(account: str, names: Names) -> str:
    """The search for the streams of an account's endpoints; empty where none belongs to it."""
    theirs = tuple(name for name, known in names.accounts_of.items() if known == account)
    return query_text(Query((Condition("endpoint", theirs),))) if theirs else ""


class CallsShown(msgspec.Struct, frozen=True):
    """What pages of calls show beside what the journal tells of them.

    `details` gives what is kept of what Exotel's API said, None where it is not asked; `heard` the
    account of an endpoint whose recordings may be heard; `promised` the callbacks owed in a call.
    """

    details: Callable[[str], Sequence[KeptDetails]] | None = None
    heard: Callable[[str], RecordingAccount | None] = lambda _endpoint: None
    promised: PromisesOf = none_promised


class StreamPages:
    """Their routes, the feed's and those of the static files.

    What is None is not there: no account is watched, nothing can be kept. `alerts` gives those that
    fired in a time, `promises` how calling back goes. `note` puts a deed into the audit log.
    `close` lets the browsers go that listen to the feed: call it when the server is to end.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        journal: JournalSource,
        store: Store,
        folder: Folder,
        names: Callable[[], Names] = Names,
        capacity: CapacityWatch | None = None,
        history: CapacityKept | None = None,
        issue_history: IssueHistory | None = None,
        views: SavedViews | None = None,
        calls: CallsShown = CallsShown(),  # noqa: B008 - it is frozen
        endpoints: EndpointSource = EndpointSource(),  # noqa: B008 - it is frozen
        marks: Callable[[int, int], Sequence[Mark]] = lambda _since, _until: (),
        alerts: Callable[[int, int], Sequence[Alert]] = lambda _since, _until: (),
        note: Callable[[Deed], object] = lambda deed: None,
        admission: Callable[[], Sequence[OfAccount]] = list,
        promises: Callable[[], KeptPromises | None] = lambda: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._renderer, self._folder, self._journal = renderer, folder, journal
        now = NowPage(
            renderer=renderer,
            journal=journal,
            store=store,
            names=names,
            capacity=capacity,
            issue_history=issue_history,
            endpoints=endpoints.shown,
            marks=marks,
            freshen=self.freshen,
            promises=promises,
            now_ms=now_ms,
        )
        self.feed = Feed(now, time.monotonic, node=lambda: journal.node or 0, news=renderer.news)
        folder.observe(self.feed.take)
        causes = self._causes(store, names, issue_history, now_ms)
        self._pages = (
            now,
            StreamsPage(
                renderer=renderer,
                store=store,
                names=names,
                views=views,
                note=note,
                freshen=self.freshen,
                now_ms=now_ms,
            ),
            *self._calls(store, names, calls, note, now_ms),
            causes,
            RefusedPage(renderer=renderer, journal=journal, store=store, freshen=self.freshen),
            PageApi(
                issue_history=issue_history,
                views=views,
                freshen=self.freshen,
                now=now,
                causes=causes,
            ),
            CapacityPage(
                renderer=renderer,
                capacity=capacity,
                history=history,
                search=lambda account: _streams_of(account, names()),
                marks=marks,
                now_ms=now_ms,
                admission=admission,
            ),
            VendorReportPage(
                renderer=renderer,
                store=store,
                names=names,
                alerts=alerts,
                note=note,
                freshen=self.freshen,
                now_ms=now_ms,
            ),
            EndpointsPage(
                renderer=renderer,
                store=store,
                names=names,
                endpoints=endpoints,
                marks=marks,
                note=note,
                freshen=self.freshen,
                now_ms=now_ms,
            ),
        )

    def _calls(
        self,
        store: Store,
        names: Callable[[], Names],
        calls: CallsShown,
        note: Callable[[Deed], object],
        now_ms: Callable[[], int],
    ) -> tuple[CallbackCallsPage, CallPage, RecordingPages]:
        renderer, journal = self._renderer, self._journal
        return (
            CallbackCallsPage(
                renderer=renderer,
                journal=journal,
                store=store,
                note=note,
                now_ms=now_ms,
                freshen=self.freshen,
            ),
            CallPage(
                renderer=renderer,
                journal=journal,
                store=store,
                names=names,
                details=calls.details,
                freshen=self.freshen,
                heard=calls.heard,
                promised=calls.promised,
            ),
            RecordingPages(
                renderer=renderer,
                queries=StreamQueries(journal, store),
                gatherer=SourceGatherer(journal, store, calls.details),
                names=names,
                account_of=calls.heard,
                note=note,
                now_ms=now_ms,
            ),
        )

    def _causes(
        self,
        store: Store,
        names: Callable[[], Names],
        issue_history: IssueHistory | None,
        now_ms: Callable[[], int],
    ) -> CausesPage:
        return CausesPage(
            renderer=self._renderer,
            store=store,
            names=names,
            issue_history=issue_history,
            freshen=self.freshen,
            now_ms=now_ms,
        )

    def freshen(self) -> None:
        """Wait a little for the fold, so that what was answered before is shown."""
        self._folder.reach(self._journal.last_seq(), FRESH_S)

    def routes(self) -> list[BaseRoute]:
        parts = (self._renderer.assets, self.feed, *self._pages)
        return [route for part in parts for route in part.routes()]

    def close(self) -> None:
        self.feed.close()
