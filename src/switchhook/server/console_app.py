"""What the private port answers with: pages and API of all topics, behind the sign-in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from switchhook.access.ledger import LedgerAccess
from switchhook.alerts.on_it_page import OnItPage
from switchhook.alerts.page import AlertPages
from switchhook.calls.api import CallsApi
from switchhook.calls.other_sources import SourceGatherer
from switchhook.capacity.api import CapacityApi
from switchhook.config.own_links import applet_urls
from switchhook.overview.health_page import HealthPage
from switchhook.overview.verdict_api import VerdictApi
from switchhook.retention.api import RetentionApi
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.person_api import PersonApi
from switchhook.retention.person_search import PersonSearch
from switchhook.routes.admission_api import AdmissionApi
from switchhook.routes.api import RoutesApi
from switchhook.routes.page import RoutesPage
from switchhook.routes.view import gist_of, hands_view
from switchhook.server.api_document import describe_all
from switchhook.server.pages import StreamPages
from switchhook.server.plot_marks import PlotMarks
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
    from switchhook.config import Config
    from switchhook.journal import JournalReader, SealedSegments
    from switchhook.ledger.database import Ledger
    from switchhook.overview.health_keeper import HealthKeeper
    from switchhook.retention.retention_worker import RetentionWorker
    from switchhook.routes.admission_view import AdmissionView
    from switchhook.server.accounts import Accounts
    from switchhook.server.alerting import Monitoring
    from switchhook.server.console_status import ConsoleStatus
    from switchhook.server.routing import Routing
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.store import SqliteStore
    from switchhook.streams.fold import Folder
    from switchhook.streams.names import Names
    from switchhook.system.data_folder import DataFolder
    from switchhook.telemetry.traces import Tracer


class AppParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the console that pages and API show and use.

    `config` and `names` give what the configuration says now, `address` is where the private port
    listens, `note` puts a deed into the audit log, `audit_seq` is the number of its newest entry.
    """

    held: DataFolder
    address: str
    config: Callable[[], Config]
    names: Callable[[], Names]
    journal: JournalReader
    sealed: SealedSegments
    store: SqliteStore
    folder: Folder
    ledger: Ledger
    clock: SteadyClock
    accounts: Accounts
    monitoring: Monitoring
    routing: Routing
    admission: Callable[[], Sequence[AdmissionView]]
    keeper: RetentionWorker
    tracer: Tracer | None
    status: ConsoleStatus
    health: HealthKeeper
    audit_seq: Callable[[], int]
    note: Callable[[Deed], None]


class ConsoleApp:
    """`app` is what answers, `routes` the table that it answers by."""

    def __init__(self, parts: AppParts) -> None:
        self._parts = parts
        self._queries = StreamQueries(parts.journal, parts.store, parts.names)
        renderer = Renderer(
            parts.monitoring.verdicts.now,
            hands=lambda: hands_view(parts.routing.worker.held),
            news=self._news,
            now_us=parts.clock.now_us,
            link_hosts=lambda: parts.config().console.link_hosts,
        )
        threading.Thread(target=renderer.warm, name="warm", daemon=True).start()
        keeping = RetentionApi(parts.keeper)
        self.access = self._access(renderer, keeping)
        self.pages = self._stream_pages(renderer)
        now = parts.clock.now_ms
        pages = (
            self.pages,
            AlertPages(renderer, parts.monitoring.alerting, parts.note),
            OnItPage(renderer, parts.monitoring.alerting, parts.held.key, parts.note),
            HealthPage(renderer, parts.health.now, parts.status.unused, now),
            ApiPage(renderer, lambda: describe_all(release())),
            VerdictApi(parts.monitoring.verdicts.now),
            keeping,
            self._person_api(renderer),
            CapacityApi(parts.accounts.watch, parts.accounts.history, now),
            RoutesApi(parts.routing.worker),
            AdmissionApi(parts.admission),
            RoutesPage(renderer, parts.routing.worker),
            CallsApi(self._other_sources(), self._queries.call_named),
            StoreApi(parts.store, parts.names, now, freshen=self.pages.freshen, note=parts.note),
            MetricsPage(self._metric_sources()),
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
        }
        return {topic: f"{crc32(repr(what).encode()):x}" for topic, what in said.items()}

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
            details=parts.accounts.calls.details,
            heard=parts.accounts.recordings_of,
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
            failing=lambda: {part: bool(found) for part, found in status.problems().items()},
            answer_pid=lambda: holder_pid(parts.held.path, "answer"),
            now_ms=parts.clock.now_ms,
        )
