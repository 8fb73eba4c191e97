"""What the private port answers with: pages and API of all topics, behind the sign-in."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from switchhook.access.ledger import LedgerAccess
from switchhook.alerts.on_it_page import OnItPage
from switchhook.alerts.page import AlertPages
from switchhook.callbacks.api import PromisesApi
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.page import PromisesPage
from switchhook.calls.api import CallsApi
from switchhook.calls.other_sources import SourceGatherer
from switchhook.capacity.api import CapacityApi
from switchhook.cluster.acts import NodeActs
from switchhook.cluster.api import NodesApi
from switchhook.cluster.page import NodesPage
from switchhook.config import EndpointConfig
from switchhook.config.own_links import applet_urls
from switchhook.flags.api import FlagsApi
from switchhook.flags.page import FlagsPage
from switchhook.overview.health import NodeHealth, NodesHealth
from switchhook.overview.health_page import HealthPage
from switchhook.overview.verdict_api import VerdictApi
from switchhook.releases.api import ReleasesApi
from switchhook.releases.backtest_api import BackTestApi
from switchhook.releases.evidence_api import EvidenceApi
from switchhook.releases.page import ReleasesPage
from switchhook.retention.api import RetentionApi
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.person_api import PersonApi
from switchhook.retention.person_search import PersonSearch
from switchhook.routes.admission_api import AdmissionApi
from switchhook.routes.api import RoutesApi
from switchhook.routes.page import RoutesPage
from switchhook.routes.view import gist_of, hands_view
from switchhook.server.api_document import describe_all
from switchhook.server.pages import CallsShown, StreamPages
from switchhook.server.plot_marks import PlotMarks
from switchhook.server.promise_desk import PromiseDesk
from switchhook.server.promise_stories import PromiseStories
from switchhook.server.release import release
from switchhook.streams.api import StreamsApi, StreamsApiParts
from switchhook.streams.counts_api import StoreApi
from switchhook.streams.endpoints_page import EndpointSource
from switchhook.streams.issues.ledger import LedgerIssueHistory
from switchhook.streams.kept_call import masked_numbers
from switchhook.streams.queries import StreamQueries
from switchhook.streams.search.saved_views_ledger import LedgerViews
from switchhook.system.folder_lock import holder_pid
from switchhook.telemetry.prometheus import MetricSources, MetricsPage, Traces
from switchhook.web.api_page import ApiPage
from switchhook.web.app import create_app
from switchhook.web.render import Renderer
from switchhook.web.sign_in import ConsoleAccess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.access.audit import Deed
    from switchhook.calls.other_sources import OtherSources
    from switchhook.cluster.view import ClusterView
    from switchhook.config import Config
    from switchhook.journal.closed import ClosedJournal
    from switchhook.ledger.database import Ledger
    from switchhook.overview.health_keeper import HealthKeeper
    from switchhook.releases.backtest_keeper import BackTests
    from switchhook.releases.releasing import Releasing
    from switchhook.retention.retention_worker import RetentionWorker
    from switchhook.routes.admission_view import AdmissionView
    from switchhook.server.accounts import Accounts
    from switchhook.server.alerting import Monitoring
    from switchhook.server.console_status import ConsoleStatus
    from switchhook.server.flagging import Flagging
    from switchhook.server.keeping import KeptJournal, KeptStore
    from switchhook.server.promising import Promising
    from switchhook.server.rollouts import Rollouts
    from switchhook.server.routing import Routing
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.streams.fold import Folder
    from switchhook.streams.names import Names
    from switchhook.system.data_folder import DataFolder
    from switchhook.telemetry.traces import Tracer
    from switchhook.web.sign_in.middleware import WithoutLedger


class AppParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the console that pages and API show and use.

    `config` and `names` give what the configuration says now, `address` is where the private port
    listens, `note` puts a deed into the audit log, `audit_seq` is the number of its newest entry.
    `cluster` gives the nodes as they are, None on one machine; `without_ledger` answers where the
    ledger fails, in place of a sentence about it.
    """

    held: DataFolder
    address: str
    config: Callable[[], Config]
    names: Callable[[], Names]
    journal: KeptJournal
    sealed: ClosedJournal
    store: KeptStore
    folder: Folder
    ledger: Ledger
    clock: SteadyClock
    accounts: Accounts
    monitoring: Monitoring
    routing: Routing
    releasing: Releasing
    rollouts: Rollouts
    flagging: Flagging
    backtests: BackTests
    promising: Promising
    admission: Callable[[], Sequence[AdmissionView]]
    keeper: RetentionWorker
    tracer: Tracer | None
    status: ConsoleStatus
    health: HealthKeeper
    audit_seq: Callable[[], int]
    note: Callable[[Deed], None]
    cluster: Callable[[], ClusterView | None] = lambda: None
    without_ledger: WithoutLedger | None = None


class ConsoleApp:
    """`app` is what answers, `routes` the table that it answers by."""

    def __init__(self, parts: AppParts) -> None:
        self._parts = parts
        self._queries = StreamQueries(parts.journal, parts.store, parts.names)
        self._promises = PromiseDesk(
            parts.ledger, parts.config, parts.accounts, parts.clock, parts.promising.worker
        )
        renderer = Renderer(
            parts.monitoring.verdicts.now,
            hands=lambda: hands_view(parts.routing.worker.held),
            news=self._news,
            now_us=parts.clock.now_us,
            link_hosts=lambda: parts.config().console.link_hosts,
            clustered=parts.cluster() is not None,
        )
        threading.Thread(target=renderer.warm, name="warm", daemon=True).start()
        keeping = RetentionApi(parts.keeper, away=partial(_away, parts.cluster))
        self.access = self._access(renderer, keeping)
        self.pages = self._stream_pages(renderer)
        now = parts.clock.now_ms
        pages = (
            self.pages,
            AlertPages(renderer, parts.monitoring.alerting, parts.note),
            OnItPage(renderer, parts.monitoring.alerting, parts.held.key, parts.note),
            HealthPage(renderer, parts.health.now, parts.status.unused, now, self._nodes_health),
            ApiPage(renderer, lambda: describe_all(release())),
            VerdictApi(parts.monitoring.verdicts.now),
            keeping,
            self._person_api(renderer),
            CapacityApi(parts.accounts.watch, parts.accounts.history, now),
            RoutesApi(parts.routing.worker),
            AdmissionApi(parts.admission),
            FlagsApi(parts.flagging.worker, lambda: parts.flagging.url),
            FlagsPage(renderer, parts.flagging.worker, lambda: parts.flagging.url),
            ReleasesApi(parts.releasing),
            EvidenceApi(parts.rollouts.worker.views),
            self._releases_page(renderer),
            BackTestApi(parts.backtests, lambda: parts.journal.node, parts.note),
            RoutesPage(renderer, parts.routing.worker),
            PromisesApi(self._promises.queries, self._promises.steering, parts.note),
            PromisesPage(renderer, self._promises.queries, self._promises.steering, parts.note),
            CallsApi(self._other_sources(), self._queries.call_named),
            StoreApi(parts.store, parts.names, now, freshen=self.pages.freshen, note=parts.note),
            MetricsPage(self._metric_sources()),
            *self._nodes(renderer),
            self.access,
            # The last: `/api/v1/streams/export` is no stream of that name.
            self._streams_api(),
        )
        app = create_app(pages)
        self.routes = app.routes
        self.app = self.access.wrap(app)

    def _news(self) -> dict[str, str]:
        """How far each topic is that pages renew themselves by."""
        parts = self._parts
        capacity = [
            (each.active, each.allowed, each.problem)
            for each in parts.accounts.watch.now(parts.clock.now_ms())
        ]
        said = {
            "streams": parts.folder.position,
            "audit": parts.audit_seq(),
            "alerts": parts.monitoring.alerting.alerts,
            "capacity": (capacity, [each.gist for each in parts.admission()]),
            "health": parts.health.now().gist,
            "routes": gist_of(parts.routing.worker.view()),
            "releases": (parts.rollouts.worker.gist(), parts.backtests.looks()),
            "flags": parts.flagging.worker.news(),
            "promises": self._promises.news(),
            "nodes": _nodes_news(parts.cluster()),
        }
        return {topic: f"{crc32(repr(what).encode()):x}" for topic, what in said.items()}

    def _nodes_health(self) -> NodesHealth | None:
        """The nodes of the cluster, as each said last."""
        view, own = self._parts.cluster(), self._parts.held.node
        if view is None:
            return None
        others = [each for each in view.here if each.node != own]
        return NodesHealth(
            view.label(own),
            tuple(
                NodeHealth(
                    each.node, view.label(each.node), each.away, each.seen_ago_s, each.problems
                )
                for each in others
            ),
        )

    def _nodes(self, renderer: Renderer) -> tuple[NodesPage, NodesApi]:
        """The machines that this one shares everything with."""
        parts, now = self._parts, self._parts.clock.now_ms
        acts = None if parts.cluster() is None else NodeActs(parts.ledger, now)
        return (
            NodesPage(renderer, parts.cluster, acts, now),
            NodesApi(parts.cluster, acts, now),
        )

    def _access(self, renderer: Renderer, keeping: RetentionApi) -> ConsoleAccess:
        parts, queries = self._parts, self._queries

        def call_named(name: str) -> tuple[str, dict[str, str]]:
            call_sid = queries.call_named(name)
            return call_sid, masked_numbers(queries.kept_call(call_sid))

        return ConsoleAccess(
            LedgerAccess(parts.ledger),
            parts.config().console.access,
            renderer,
            key=parts.held.key,
            address=parts.address,
            sections=keeping.context,
            now_us=parts.clock.now_us,
            call_named=call_named,
            without_ledger=parts.without_ledger,
        )

    def _releases_page(self, renderer: Renderer) -> ReleasesPage:
        parts = self._parts

        def zone_of(endpoint: str) -> str:
            found = parts.config().endpoint(endpoint)
            return EndpointConfig(endpoint).zone if found is None else found.zone

        return ReleasesPage(
            renderer,
            parts.releasing,
            parts.rollouts.worker.view,
            parts.clock.now_ms,
            backtests=parts.backtests,
            note=parts.note,
            node=lambda: parts.journal.node,
            zone_of=zone_of,
            stages=parts.rollouts.stages,
        )

    def _stream_pages(self, renderer: Renderer) -> StreamPages:
        parts = self._parts
        return StreamPages(
            renderer=renderer,
            journal=parts.journal,
            store=parts.store,
            folder=parts.folder,
            names=parts.names,
            capacity=parts.accounts.watch,
            history=parts.accounts.history,
            issue_history=LedgerIssueHistory(parts.ledger, parts.monitoring.issue_noted),
            views=LedgerViews(parts.ledger),
            calls=CallsShown(
                parts.accounts.calls.details,
                parts.accounts.recordings_of,
                PromiseStories(parts.ledger).of,
            ),
            endpoints=EndpointSource(
                parts.status.endpoints,
                parts.status.config_refused,
                lambda name: applet_urls(parts.held.path, parts.config(), name, parts.held.key),
            ),
            admission=parts.admission,
            marks=PlotMarks(
                parts.journal, parts.store, parts.monitoring.alerting, parts.clock.now_ms
            ).between,
            alerts=parts.monitoring.alerting.book.fired_between,
            note=parts.note,
            promises=self._promises.glance,
            now_ms=parts.clock.now_ms,
        )

    def _person_api(self, renderer: Renderer) -> PersonApi:
        parts = self._parts
        search = PersonSearch(parts.journal, parts.sealed, LedgerErasures(parts.ledger))
        return PersonApi(search, renderer, lambda: parts.config().keep, parts.note)

    def _other_sources(self) -> Callable[[str], OtherSources | None]:
        """What all sources tell of a call."""
        parts, queries = self._parts, self._queries
        gatherer = SourceGatherer(parts.journal, parts.store, parts.accounts.calls.details)
        return lambda call_sid: gatherer.of(call_sid, queries.kept_call(call_sid), parts.names())

    def _streams_api(self) -> StreamsApi:
        parts = self._parts
        asked = StreamsApiParts(
            journal=parts.journal,
            store=parts.store,
            folder=parts.folder,
            names=parts.names,
            overview=parts.status.overview,
            complaints=parts.status.complaints,
            note=parts.note,
            version=release(),
            node=parts.status.node(),
            now_ms=parts.clock.now_ms,
        )
        return StreamsApi(asked, lambda: describe_all(release()))

    def _metric_sources(self) -> MetricSources:
        parts = self._parts
        monitoring, status, tracer = parts.monitoring, parts.status, parts.tracer
        return MetricSources(
            store=parts.store,
            journal=parts.journal,
            fold=status.fold,
            names=parts.names,
            data=parts.held.path,
            version=release(),
            capacity=parts.accounts.watch.now,
            alerts=lambda: monitoring.alerting.alerts,
            figures=lambda _now_ms: monitoring.alerting.figures,
            traces=lambda: None if tracer is None else Traces(*tracer.counts),
            details_dropped=lambda: parts.accounts.fetcher.dropped,
            promises=lambda: map(msgspec.structs.astuple, PromiseLists(parts.ledger).totals()),
            failing=lambda: {part: bool(found) for part, found in status.problems().items()},
            answer_pid=lambda: holder_pid(parts.held.path, "answer"),
            now_ms=parts.clock.now_ms,
        )


def _away(cluster: Callable[[], ClusterView | None]) -> dict[int, float]:
    view = cluster()
    return {} if view is None else view.away


def _nodes_news(view: ClusterView | None) -> object:
    """A word for the nodes as they are: another each five seconds, as ages are shown."""
    if view is None:
        return None
    leads = view.leads
    states = [(each.node, each.state, each.away) for each in view.nodes]
    return view.read_ms // 5_000, bool(view.problem), leads and leads.node, states
