"""All parts of the console, made for one data folder and one configuration, and tied together.

What needs what, from the bottom up: journal and store, followed by the fold; the ledger; the watch
of the accounts; figures of all of these; alerts and the verdict, made of the figures; what is kept
and forgotten; and in front the pages, behind the door that knows who asks.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import AuditRows, SqliteAudit
from switchhook.access.ledger import SqliteAccess
from switchhook.alerts.ledger import AlertRows
from switchhook.alerts.page import AlertPages
from switchhook.calls.api import CallsApi
from switchhook.calls.other_sources import SourceGatherer
from switchhook.capacity.api import CapacityApi
from switchhook.config.names import names_of
from switchhook.errors import DataFolderError, JournalError, LedgerError
from switchhook.exotel.fields import forget_read_numbers
from switchhook.exotel.number_keys import forget_numbers
from switchhook.journal import JournalReader, SealedSegments
from switchhook.journal.steady_time import step_text
from switchhook.overview.verdict import Failing
from switchhook.overview.verdict_api import VerdictApi
from switchhook.retention.api import KeepApi
from switchhook.retention.erasure_list_file import remember
from switchhook.retention.ledger import SqliteErasures
from switchhook.retention.person_api import PersonApi
from switchhook.retention.person_search import PersonSearch
from switchhook.retention.policy import Matter
from switchhook.retention.retention_worker import Keeper
from switchhook.retention.trusted_time import held_text
from switchhook.server.accounts import Accounts
from switchhook.server.alerting import Alarm
from switchhook.server.api_document import describe_all
from switchhook.server.pages import StreamPages
from switchhook.server.steady_clock import SteadyClock
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.api import StreamsApi, StreamsApiParts
from switchhook.streams.counts_api import StoreApi
from switchhook.streams.endpoints_page import EndpointShown, RulesShown
from switchhook.streams.fold import Folder
from switchhook.streams.issues.ledger import SqliteMarks
from switchhook.streams.queries import StreamQueries
from switchhook.streams.search.saved_views_ledger import SqliteViews
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE, first_seq_of_boot
from switchhook.system.folder_lock import holder_pid
from switchhook.system.priority import yield_cpu
from switchhook.telemetry.prometheus import FoldState, MetricSources, MetricsPage, Traces
from switchhook.telemetry.traces import Tracer, TraceSettings
from switchhook.web.app import create_app
from switchhook.web.masking import numbers_in
from switchhook.web.render import Renderer
from switchhook.web.sign_in import ConsoleAccess

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from switchhook.access.audit import Deed
    from switchhook.calls.other_sources import OtherSources
    from switchhook.config import Config
    from switchhook.config.live import Settings
    from switchhook.streams.names import Names
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger("switchhook")

_NOTE_S = 1.0


def release() -> str:
    """The version of this program."""
    try:
        return version("switchhook")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was never installed


class ConsoleSide:
    """The parts, from `start` to `stop`; `app` is what the private port answers with.

    `routes` is the table that it answers by.
    `answer_url` is where the answer side listens, for asking whether it does; None asks nobody.
    """

    def __init__(
        self, held: DataFolder, settings: Settings, *, address: str, answer_url: str | None
    ) -> None:
        self._held, self._settings = held, settings
        config = settings.config
        self._names = names_of(config)
        self.journal = JournalReader(held.folder(JOURNAL), yield_cpu=yield_cpu)
        self.store = SqliteStore(held.folder(STORE), self.journal)
        self.folder = Folder(self.journal, self.store)
        self.clock = SteadyClock(self.store, lambda: first_seq_of_boot(held.path))
        self.ledger = open_ledger(held.folder(LEDGER))
        self.accounts = Accounts(self.ledger, held.path, self.clock)
        self._audit = SqliteAudit(self.ledger)
        self._tasks: list[asyncio.Task[None]] = []
        self.alarm = Alarm(
            config,
            self.ledger,
            store=self.store,
            journal=self.journal,
            folder=self.folder,
            watch=self.accounts.watch,
            data=held.path,
            names=self.names,
            complaints=lambda: self._settings.complaints,
            failing=self._failing,
            answer_url=answer_url,
            clock=self.clock,
            held=lambda: self.keeper.held,
        )
        self._keep(config)
        self.tracer = _tracer(config, self.journal)
        self.app = self._front(config, address)
        self._observe()

    # How the parts are tied together.

    def _keep(self, config: Config) -> None:
        """Retention and erasures."""
        self.sealed = SealedSegments(self._held.folder(JOURNAL))
        self.keeper = Keeper(
            journal=self.sealed,
            store=self.store,
            book=SqliteErasures(self.ledger),
            rows={
                Matter.STORIES: self.store,
                Matter.CALLS: self.accounts.calls,
                Matter.ALERTS: AlertRows(self.ledger),
                Matter.CAPACITY: self.accounts.history,
                Matter.AUDIT: AuditRows(self._audit, self.clock.now_ms),
            },
            limits=config.keep,
            last_seq=self.journal.last_seq,
            erased=self._forget,
            now_ms=self.clock.now_ms,
            remember=partial(remember, self._held.path, self._held.identity),
        )

    def _forget(self) -> None:
        """Let go of what memory still holds of a number that was erased."""
        self.pages.feed.forget()
        forget_numbers()
        forget_read_numbers()

    def _front(self, config: Config, address: str) -> ASGIApp:
        """Pages and API, behind the door."""
        renderer = Renderer(
            self.alarm.verdicts.now, link_hosts=lambda: self.config.console.link_hosts
        )
        keeping = KeepApi(self.keeper)
        queries = StreamQueries(self.journal, self.store, self.names)
        self.access = ConsoleAccess(
            SqliteAccess(self.ledger),
            config.console.access,
            renderer,
            key=self._held.key,
            address=address,
            sections=keeping.context,
            now_us=self.clock.now_us,
            numbers_of=lambda call_sid: numbers_in(queries.call(call_sid)),
        )
        self.pages = StreamPages(
            renderer=renderer,
            journal=self.journal,
            store=self.store,
            folder=self.folder,
            names=self.names,
            capacity=self.accounts.watch,
            history=self.accounts.history,
            marks=SqliteMarks(self.ledger),
            views=SqliteViews(self.ledger),
            details=self.accounts.calls.details,
            endpoints=self.endpoints,
            note=self.note,
            now_ms=self.clock.now_ms,
        )
        now = self.clock.now_ms
        pages = (
            self.pages,
            AlertPages(renderer, self.alarm.alerting, self.note),
            VerdictApi(self.alarm.verdicts.now),
            keeping,
            PersonApi(
                PersonSearch(self.journal, self.sealed, SqliteErasures(self.ledger)),
                renderer,
                lambda: self.config.keep,
                self.note,
            ),
            CapacityApi(self.accounts.watch, self.accounts.history, now),
            CallsApi(self._told()),
            StoreApi(self.store, self.names, now, freshen=self.pages.freshen, note=self.note),
            MetricsPage(self._metric_sources()),
            self.access,
        )
        asked = StreamsApiParts(
            journal=self.journal,
            store=self.store,
            folder=self.folder,
            names=self.names,
            overview=self.overview,
            complaints=self.complaints,
            note=self.note,
            version=release(),
            now_ms=now,
        )
        # Those beside it first: `/api/v1/streams/export` is no stream of that name.
        app = create_app((*pages, StreamsApi(asked, lambda: describe_all(release()))))
        self.routes = app.routes
        return self.access.wrap(app)

    def _told(self) -> Callable[[str], OtherSources | None]:
        """What all sources tell of a call."""
        told = SourceGatherer(self.journal, self.store, self.accounts.calls.details)
        queries = StreamQueries(self.journal, self.store, self.names)
        return lambda call_sid: told.of(call_sid, queries.call(call_sid), self.names())

    def _metric_sources(self) -> MetricSources:
        def traces() -> Traces | None:
            return None if self.tracer is None else Traces(*self.tracer.counts)

        return MetricSources(
            store=self.store,
            journal=self.journal,
            fold=self._fold_state,
            names=self.names,
            data=self._held.path,
            version=release(),
            capacity=self.accounts.watch.now,
            alerts=lambda: self.alarm.alerting.alerts,
            figures=lambda _now_ms: self.alarm.alerting.figures,
            traces=traces,
            failing=lambda: {part: bool(found) for part, found in self._problems().items()},
            answer_pid=lambda: holder_pid(self._held.path, "answer"),
            now_ms=self.clock.now_ms,
        )

    def _fold_state(self) -> FoldState:
        folder = self.folder
        return FoldState(folder.lag(), folder.running and folder.problem is None)

    def _observe(self) -> None:
        """Who is told of what is folded, beside the live feed."""
        self.folder.observe(self.accounts.ends.folded)
        self.folder.observe(lambda _folded: self.alarm.alerting.wake())
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
            *map(str, filter(None, (self.store.problem, self.ledger.problem))),
            *self._damage(),
            *self.accounts.complaints(),
            *self._of_clocks(),
            *self.alarm.alerting.problems,
            *([self.tracer.problem] if self.tracer is not None and self.tracer.problem else []),
        ]

    def _problems(self) -> dict[str, DataFolderError | JournalError | LedgerError | None]:
        """What fails of the console's own files, by what they are."""
        stands = self.folder.error
        return {
            "store": self.store.problem,
            "ledger": self.ledger.problem,
            "journal": stands if isinstance(stands, JournalError) else None,
        }

    def _failing(self) -> list[Failing]:
        found = self._problems().values()
        return [Failing(each.problem, each.hint) for each in found if each is not None]

    def _damage(self) -> list[str]:
        """What reading has found damaged in the journal."""
        found = dict(self.journal.damage)
        if not found:
            return []
        seq, why = next(iter(found.items()))
        more = f", and {len(found) - 1} more like it" if len(found) > 1 else ""
        hint = "restore that file from a backup, and run `switchhook rebuild`"
        return [f"record {seq} of the journal is damaged{more}: {why} ({hint})"]

    def _of_clocks(self) -> list[str]:
        step, held = self.clock.step(), self.keeper.held
        found = [] if step is None else [step_text(step)]
        return found if held is None else [*found, held_text(held)]

    def note(self, deed: Deed) -> None:
        """Put a deed into the audit log; it touches the disk."""
        self._audit.note(deed, self.clock.now_us())

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

    async def open(self) -> None:
        """Open the store. Raises DataFolderError; everything is closed again then."""
        try:
            await asyncio.to_thread(self.store.open)
        except BaseException:
            self.journal.close()
            self.ledger.close()
            raise

    async def start(self) -> None:
        """Begin everything that goes on beside answering; it is open."""
        await self.accounts.use(self.config)
        for part in (self.folder, self.alarm, self.keeper):
            part.start()
        if self.tracer is not None:
            self.tracer.start()
        self._tasks.append(asyncio.create_task(self.access.run()))
        self._tasks.append(asyncio.create_task(self._watch_ledger()))
        await self._greet()

    async def _watch_ledger(self) -> None:
        """Note how far the ledger has come, and say when it is taken away under us; for ever."""
        said: str | None = None
        while True:
            await asyncio.sleep(_NOTE_S)
            try:
                await asyncio.to_thread(self.ledger.keep_note)
                failing = self.ledger.problem
            except LedgerError as error:
                failing = error
            problem = None if failing is None else str(failing)
            if problem is not None and problem != said:
                log.error("%s", problem)
            said = problem

    async def _greet(self) -> None:
        """While nobody has an account, show the way in to a terminal, and to no log."""
        try:
            if sys.stdout.isatty():
                welcome = await asyncio.to_thread(self.access.welcome)
                if welcome is not None:
                    print(welcome, flush=True)  # noqa: T201 - to whoever started it
            elif await asyncio.to_thread(self.access.nobody_yet):
                command = f"switchhook link --data {self._held.path}"
                log.warning("nobody has an account yet: `%s` prints the way in", command)
        except LedgerError as error:
            log.warning("there is no way in until a restart: %s", error)

    async def stop(self) -> None:
        """End it all; what needs what ends first."""
        for task in self._tasks:
            task.cancel()
        await self.accounts.stop()
        for part in (self.keeper, self.alarm, self.folder):
            await asyncio.to_thread(part.stop)
        if self.tracer is not None:
            await asyncio.to_thread(self.tracer.stop)
        await asyncio.to_thread(self.store.close)
        self.journal.close()
        await asyncio.to_thread(self.ledger.close)

    async def take_over(self, settings: Settings) -> None:
        """Go on with changed settings."""
        before, self._settings = self.config, settings
        config = settings.config
        self._names = names_of(config)
        self.keeper.limits = config.keep
        if config.alerts != before.alerts:
            self.alarm.use(config)
        await self.accounts.use(config)


def _tracer(config: Config, journal: JournalReader) -> Tracer | None:
    traces = config.traces
    if not traces.endpoint:
        return None
    settings = TraceSettings(traces.endpoint, traces.pairs(), traces.share)
    return Tracer.by_otlp(settings, release(), node=lambda: journal.node)


def _us(moment: str) -> int | None:
    """ISO 8601 as Unix microseconds; None for what is built in."""
    return int(datetime.fromisoformat(moment).timestamp() * 1_000_000) if moment else None
