"""All parts of the console, made for one data folder and one configuration, and tied together.

What needs what, from the bottom up: journal and store, followed by the fold; the ledger; the watch
of the accounts; figures of all of these; alerts and the verdict, made of the figures; what is kept
and forgotten; and in front the pages, behind the door that knows who asks.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from switchhook.capacity import Pace
from switchhook.config_accounts import names_of
from switchhook.console import ConsoleParts, Folder, create_app
from switchhook.console.access import ConsoleAccess
from switchhook.console.alert_pages import AlertPages
from switchhook.console.alerting import Alerting, Destinations
from switchhook.console.call_details import DetailsFetcher
from switchhook.console.ended import EndedStreams
from switchhook.console.figure_sources import (
    Health,
    Kept,
    answer_figures,
    disk_figures,
    file_figures,
    fold_figures,
    watch_figures,
)
from switchhook.console.heart import Heart
from switchhook.console.keep_api import KeepApi
from switchhook.console.keeping import Keeper
from switchhook.console.metrics import FoldState, MetricSources, MetricsPage, Traces
from switchhook.console.pages import EndpointShown, PageParts, RulesShown, StreamPages
from switchhook.console.render import Renderer
from switchhook.console.store_api import StoreApi
from switchhook.console.stream_figures import StoreFigures
from switchhook.console.verdicts import VerdictKeeper
from switchhook.console.watch import Watch, Watched
from switchhook.data_folder import JOURNAL, STORE, holder_pid
from switchhook.exotel import ExotelClient, SystemClock
from switchhook.facts_file import FactsFile
from switchhook.journal import JournalReader, SealedSegments
from switchhook.keep import Matter
from switchhook.ledger import Ledger
from switchhook.ledger.access import SqliteAccess
from switchhook.ledger.alerts import SqliteAlerts
from switchhook.ledger.audit import SqliteAudit
from switchhook.ledger.calls import SqliteCalls
from switchhook.ledger.capacity import SqliteCapacity
from switchhook.ledger.issues import SqliteMarks
from switchhook.ledger.keeping import (
    AlertRows,
    AuditRows,
    SqliteErasures,
    ThinnedRows,
)
from switchhook.ledger.views import SqliteViews
from switchhook.notify import AnswerProbe, AppriseNotifier, HttpMonitor
from switchhook.store import SqliteStore
from switchhook.tracing import Tracer, TraceSettings
from switchhook.verdict import Seen

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from switchhook.audit import Deed
    from switchhook.config import Config
    from switchhook.config_accounts import AccountConfig
    from switchhook.data_folder import DataFolder
    from switchhook.figures import Source
    from switchhook.names import Names
    from switchhook.settings import Settings

log = logging.getLogger("switchhook")

_PROBE_MS = 2_000


def now_ms() -> int:
    """Unix time."""
    return time.time_ns() // 1_000_000


def release() -> str:
    """The version of this program."""
    try:
        return version("switchhook")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was never installed


class ConsoleSide:
    """The parts, from `start` to `stop`; `app` is what the private port answers with.

    `answer_url` is where the answer side listens, for asking whether it does; None asks nobody.
    """

    def __init__(
        self, held: DataFolder, settings: Settings, *, address: str, answer_url: str | None
    ) -> None:
        self._held, self._settings = held, settings
        config = settings.config
        self._names = names_of(config)
        self.journal = JournalReader(held.folder(JOURNAL))
        self.store = SqliteStore(held.folder(STORE), self.journal)
        self.folder = Folder(self.journal, self.store)
        self.ledger = Ledger(held.folder("ledger"))
        self._clock = SystemClock()
        self._capacity, self._calls = SqliteCapacity(self.ledger), SqliteCalls(self.ledger)
        self._audit = SqliteAudit(self.ledger)
        self.watch = Watch(self._capacity, FactsFile(held.path), self._clock, random.random)
        self.details = DetailsFetcher(self._calls, self._clock, random.random)
        self._apis: dict[str, tuple[AccountConfig, ExotelClient]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._alarm(config, answer_url)
        self._keep(config)
        self.tracer = _tracer(config, self.journal)
        self.app = self._front(config, address)
        self._observe()

    # How the parts are tied together.

    def _alarm(self, config: Config, answer_url: str | None) -> None:
        """Figures, and what is made of them: alerts and the verdict."""
        self._streams = StoreFigures(self.store, self.journal, self.folder, self.names)
        sources: list[Source] = [
            self._streams,
            fold_figures(self.folder, self.journal),
            disk_figures(self._held.path),
            file_figures(self.complaints),
            watch_figures(self.watch),
        ]
        if answer_url is not None:
            sources.append(_answering(AnswerProbe(answer_url)))
        alerts = config.alerts
        notifier = AppriseNotifier(
            {each.name: each.url.reveal for each in alerts.destinations},
            url=config.console.url,
            zone=alerts.quiet.zone,
        )
        heart = None
        if alerts.heartbeat_url is not None:
            heart = Heart(HttpMonitor(alerts.heartbeat_url.reveal), alerts.heartbeat_s, now_ms)
        self.alerting = Alerting(
            SqliteAlerts(self.ledger),
            sources,
            Destinations(notifier, {each.name: each.severities for each in alerts.destinations}),
            rules=alerts.rules,
            quiet=alerts.quiet,
            heart=heart,
        )
        self.verdicts = VerdictKeeper(self._seen, now_ms)

    def _seen(self) -> Seen:
        return Seen(
            figures=self.alerting.figures,
            capacity=self.watch.now(now_ms()),
            recently=self._streams.recently,
            alerts=self.alerting.alerts,
            names=self._names,
            last_ms=self._streams.last_ms,
        )

    def _keep(self, config: Config) -> None:
        """Retention and erasures."""
        self.keeper = Keeper(
            journal=SealedSegments(self._held.folder(JOURNAL)),
            store=self.store,
            book=SqliteErasures(self.ledger),
            rows={
                Matter.STORIES: self.store,
                Matter.CALLS: ThinnedRows(self._calls),
                Matter.ALERTS: AlertRows(self.ledger),
                Matter.CAPACITY: ThinnedRows(self._capacity),
                Matter.AUDIT: AuditRows(self._audit, now_ms),
            },
            limits=config.keep,
            last_seq=self.journal.last_seq,
        )

    def _front(self, config: Config, address: str) -> ASGIApp:
        """Pages and API, behind the door."""
        renderer = Renderer(self.verdicts.now, link_hosts=lambda: self.config.console.link_hosts)
        self.access = ConsoleAccess(
            SqliteAccess(self.ledger), config.console.access, renderer, address=address
        )
        parts = PageParts(
            renderer=renderer,
            journal=self.journal,
            store=self.store,
            folder=self.folder,
            names=self.names,
            capacity=self.watch,
            history=self._capacity,
            marks=SqliteMarks(self.ledger),
            views=SqliteViews(self.ledger),
            endpoints=self.endpoints,
        )
        self.pages = StreamPages(parts)
        pages = (
            self.pages,
            AlertPages(renderer, self.alerting, self.note),
            KeepApi(self.keeper),
            StoreApi(self.store, self.names, now_ms, freshen=parts.freshen, note=self.note),
            MetricsPage(self._metric_sources()),
            self.access,
        )
        console = ConsoleParts(
            journal=self.journal,
            store=self.store,
            folder=self.folder,
            overview=self.overview,
            complaints=self.complaints,
            version=release(),
        )
        return self.access.wrap(create_app(console, pages))

    def _metric_sources(self) -> MetricSources:
        def traces() -> Traces | None:
            return None if self.tracer is None else Traces(*self.tracer.counts)

        return MetricSources(
            store=self.store,
            journal=self.journal,
            fold=lambda: FoldState(self.folder.lag(), self.folder.running),
            names=self.names,
            data=self._held.path,
            version=release(),
            capacity=self.watch.now,
            alerts=lambda: self.alerting.alerts,
            figures=lambda _now_ms: self.alerting.figures,
            traces=traces,
            answer_pid=lambda: holder_pid(self._held.path, "answer"),
        )

    def _observe(self) -> None:
        """Who is told of what is folded, beside the live feed."""
        ended = EndedStreams(self.names, now_ms, stream=self.watch.ended, call=self.details.ended)
        self.folder.observe(ended.take)
        if self.tracer is not None:
            tracer = self.tracer
            self.folder.observe(lambda folded: tracer.take(folded.records))

    # What the parts ask of what runs.

    @property
    def config(self) -> Config:
        return self._settings.config

    def names(self) -> Names:
        """What the operator calls things, as the configuration says now."""
        return self._names

    def complaints(self) -> list[str]:
        """What is wrong with the operator's files and with our own parts, one sentence each."""
        return [
            *self._settings.complaints,
            *self.watch.complaints(),
            *self.details.complaints(),
            *self.alerting.problems,
        ]

    def note(self, deed: Deed) -> None:
        """Put a deed into the audit log; it touches the disk."""
        self._audit.note(deed, now_ms() * 1000)

    def endpoints(self) -> list[EndpointShown]:
        """The endpoints with what decides for them."""
        settings = self._settings
        sources = {each.name: each for each in settings.sources}
        found = []
        for point in settings.config.endpoints:
            rules, source = settings.rulesets[point.name], sources.get(f"rules/{point.name}")
            shown = RulesShown(
                rules.release,
                None if source is None else _us(source.at),
                "" if source is None else source.by,
                tuple(rule.name for rule in rules.rules),
            )
            found.append(
                EndpointShown(
                    point.name,
                    point.mode.value,
                    point.auth.value,
                    point.safe_option.value,
                    point.deadline_ms,
                    shown,
                )
            )
        return found

    def overview(self) -> dict[str, object]:
        """The endpoints, for the API's status."""
        return {
            "complaints": self.complaints(),
            "endpoints": [
                {
                    "name": each.name,
                    "mode": each.mode,
                    "auth": each.auth,
                    "safe_option": each.safe_option,
                    "deadline_ms": each.deadline_ms,
                    "release": each.rules.release,
                    "rules": list(each.rules.names),
                }
                for each in self.endpoints()
            ],
        }

    # Its life.

    async def start(self) -> None:
        """Begin everything that goes on beside answering."""
        await asyncio.to_thread(self.store.open)
        await self._use_accounts()
        for part in (self.folder, self.alerting, self.verdicts, self.keeper):
            part.start()
        if self.tracer is not None:
            self.tracer.start()
        self._tasks.append(asyncio.create_task(self.access.run()))
        welcome = await asyncio.to_thread(self.access.welcome)
        if welcome is not None:
            log.warning("%s", welcome)

    async def stop(self) -> None:
        """End it all; what needs what ends first."""
        for task in self._tasks:
            task.cancel()
        await self.details.stop()
        await self.watch.stop()
        for _, api in self._apis.values():
            await api.close()
        for part in (self.keeper, self.verdicts, self.alerting, self.folder):
            await asyncio.to_thread(part.stop)
        if self.tracer is not None:
            await asyncio.to_thread(self.tracer.stop)
        await asyncio.to_thread(self.store.close)
        self.journal.close()
        await asyncio.to_thread(self.ledger.close)

    async def take_over(self, settings: Settings) -> None:
        """Go on with changed settings: names and accounts at once, the rest with a restart."""
        self._settings = settings
        self._names = names_of(settings.config)
        await self._use_accounts()

    async def _use_accounts(self) -> None:
        apis: dict[str, tuple[AccountConfig, ExotelClient]] = {}
        for account in self.config.accounts:
            if account.key is None or account.token is None:
                continue  # it is only named
            known = self._apis.get(account.name)
            apis[account.name] = (
                known
                if known is not None and known[0] == account
                else (account, self._api(account))
            )
        self._apis = apis
        await self.watch.use(
            [
                Watched(name, api, Pace(quiet_s=account.quiet_s, busy_s=account.busy_s))
                for name, (account, api) in apis.items()
                if account.poll
            ]
        )
        await self.details.use(
            {name: api for name, (account, api) in apis.items() if account.call_details}
        )

    def _api(self, account: AccountConfig) -> ExotelClient:
        assert account.key is not None
        assert account.token is not None
        return ExotelClient(
            url=account.url,
            sid=account.sid,
            key=account.key.reveal(),
            token=account.token.reveal(),
            per_minute=account.rate_per_minute,
            clock=self._clock,
        )


def _answering(probe: AnswerProbe) -> Source:
    """Whether the answer side answers, asked every other second."""

    def look(at_ms: int) -> Health:
        answers, waiting, problem = probe.ask()
        return Health(at_ms, answers, waiting, problem)

    kept = Kept(_PROBE_MS, look)
    return answer_figures(lambda: kept.get(now_ms()))


def _tracer(config: Config, journal: JournalReader) -> Tracer | None:
    traces = config.traces
    if not traces.endpoint:
        return None
    settings = TraceSettings(traces.endpoint, traces.pairs(), traces.share)
    return Tracer.by_otlp(settings, release(), node=lambda: journal.node)


def _us(moment: str) -> int | None:
    """ISO 8601 as Unix microseconds; None for what is built in."""
    return int(datetime.fromisoformat(moment).timestamp() * 1_000_000) if moment else None
