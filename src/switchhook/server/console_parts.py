"""All parts of the console, made for one data folder and one configuration, and tied together.

What needs what, from the bottom up: journal and store, followed by the fold; the ledger; the watch
of the accounts; figures of all of these; alerts and the verdict, made of the figures; what is kept
and forgotten; how all of these are; and in front the app, with pages and API.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.capacity.facts_file import FactsFile
from switchhook.config.names import names_of
from switchhook.config.routing_check import reached
from switchhook.errors import LedgerError
from switchhook.exotel.fields import forget_read_numbers
from switchhook.exotel.number_keys import forget_numbers
from switchhook.journal import JournalReader, SealedSegments
from switchhook.overview.health import Said
from switchhook.overview.health_keeper import HealthKeeper
from switchhook.retention.erasure_list_file import remember
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import Matter
from switchhook.retention.retention_worker import RetentionWorker
from switchhook.server.accounts import Accounts
from switchhook.server.admitting import Admitting
from switchhook.server.alerting import Monitoring, answer_health
from switchhook.server.console_app import AppParts, ConsoleApp
from switchhook.server.console_status import ConsoleStatus
from switchhook.server.own_files import LOOK_S, OwnFiles
from switchhook.server.release import release
from switchhook.server.retention_rows import rows_of
from switchhook.server.routing import Routing
from switchhook.server.steady_clock import SteadyClock
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.fold import Folder
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE, boot_id, first_seq_of_boot
from switchhook.system.priority import yield_cpu
from switchhook.telemetry.traces import Tracer, TraceSettings

if TYPE_CHECKING:
    from switchhook.access.audit import Deed
    from switchhook.config import Config
    from switchhook.config.live import Settings
    from switchhook.streams.names import Names
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger("switchhook")

_NOTE_S = 1.0


class ConsoleSide:
    """The parts, from `start` to `stop`; `app` is what the private port answers with.

    `routes` is the table that it answers by.
    `answer_url` is where the answer side listens, for asking whether it does; None asks nobody.
    """

    def __init__(
        self, held: DataFolder, settings: Settings, *, address: str, answer_url: str | None
    ) -> None:
        self._held, self._settings, config = held, settings, settings.config
        self._names = names_of(config)
        self.journal = JournalReader(held.folder(JOURNAL), yield_cpu=yield_cpu)
        self.store = SqliteStore(held.folder(STORE), self.journal)
        self.folder = Folder(self.journal, self.store)
        self.clock = SteadyClock(self.store, lambda: first_seq_of_boot(held.path))
        self.ledger = open_ledger(held.folder(LEDGER))
        self._audit, self.facts = LedgerAudit(self.ledger), FactsFile(held.path, boot_id())
        self.accounts = Accounts(self.ledger, self.facts, self.clock)
        self.files, self._tasks = OwnFiles(held), list[asyncio.Task[None]]()
        self.monitoring = Monitoring(
            config,
            self.ledger,
            store=self.store,
            journal=self.journal,
            folder=self.folder,
            watch=self.accounts.watch,
            held=held,
            names=self.names,
            refused=lambda: self._settings.refused,
            damage=lambda: self.status.damage(),
            failing=lambda: self.status.failing(),
            answer=answer_health(answer_url, self.clock.now_ms),
            clock=self.clock,
            retention_held=lambda: self.keeper.held,
            routes=lambda: self.routing.worker.view(),
            admission=lambda: self.admitting.worker.views(),
            reached=lambda: reached(self.config, self._settings.rulesets),
        )
        self._route(config)
        self._keep(config)
        self.tracer, self.status = _tracer(config, self.journal), self._status()
        self.health = HealthKeeper(self._answer_said, self._console_said)
        shown = ConsoleApp(self._app_parts(address))
        self.app, self.routes, self.pages = shown.app, shown.routes, shown.pages
        self.access = shown.access
        self._observe()

    # How the parts are tied together.

    def _route(self, config: Config) -> None:
        """Pools of bots, and room."""
        self.routing = Routing(
            config,
            held=self._held,
            ledger=self.ledger,
            facts=self.facts,
            clock=self.clock,
            note=self.note,
        )
        self.admitting = Admitting(
            config, held=self._held, facts=self.facts, clock=self.clock, accounts=self.accounts
        )

    def _keep(self, config: Config) -> None:
        """Retention and erasures."""
        self.sealed = SealedSegments(self._held.folder(JOURNAL))
        self.keeper = RetentionWorker(
            journal=self.sealed,
            store=self.store,
            book=LedgerErasures(self.ledger),
            rows={Matter.STORIES: self.store, **rows_of(self.ledger, self.clock.now_ms)},
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

    def _status(self) -> ConsoleStatus:
        """Who knows how all of these are."""

        def others() -> list[str]:
            traces = None if self.tracer is None else self.tracer.problem
            keeping = self.keeper.problem
            stands = f"keeping stands still and tries again: {keeping}" if keeping else None
            admission = self.admitting.worker.problem
            told = filter(None, (traces, stands, admission))
            return [*self.monitoring.alerting.problems, *told]

        return ConsoleStatus(
            settings=lambda: self._settings,
            journal=self.journal,
            store=self.store,
            folder=self.folder,
            ledger=self.ledger,
            accounts=self.accounts,
            clock=self.clock,
            damage_of_ours=lambda: self.files.damage,
            held=lambda: self.keeper.held,
            others=others,
        )

    def _app_parts(self, address: str) -> AppParts:
        return AppParts(
            held=self._held,
            address=address,
            config=lambda: self.config,
            names=self.names,
            journal=self.journal,
            sealed=self.sealed,
            store=self.store,
            folder=self.folder,
            ledger=self.ledger,
            clock=self.clock,
            accounts=self.accounts,
            monitoring=self.monitoring,
            routing=self.routing,
            admission=self.admitting.worker.views,
            keeper=self.keeper,
            tracer=self.tracer,
            status=self.status,
            health=self.health,
            audit_seq=self._audit_seq,
            note=self.note,
        )

    def _answer_said(self) -> Said | None:
        found = self.monitoring.answer()
        if found is None:
            return None
        return Said(found.at_ms, found.status, found.problems, found.problem)

    def _console_said(self) -> Said:
        said = self.status.health()
        return Said(
            self.clock.now_ms(),
            said["status"],
            tuple(said["problems"]),
            "",
            said["fold_lag"],
            said["version"],
        )

    def _audit_seq(self) -> int:
        """The number of the newest entry of the audit log; 0 where it can't be read."""
        try:
            return self._audit.head().newest_seq
        except LedgerError:
            return 0

    def _observe(self) -> None:
        """Who is told of what is folded, beside the live feed."""
        self.folder.observe(self.accounts.ended_calls.folded)
        self.folder.observe(self.routing.worker.folded)
        self.folder.observe(self.admitting.worker.folded)
        self.folder.observe(lambda _folded: self.monitoring.alerting.wake())
        if self.tracer is not None:
            self.folder.observe(self.tracer.take)

    # What the parts ask of what runs.

    @property
    def config(self) -> Config:
        return self._settings.config

    def names(self) -> Names:
        """What the operator calls things, as the configuration says now."""
        return self._names

    def note(self, deed: Deed) -> None:
        """Put a deed into the audit log; it touches the disk."""
        self._audit.note(deed, self.clock.now_us())

    # Its life.

    async def open(self) -> None:
        """Open the store. Raises DataFolderError; everything is closed again then."""
        try:
            await asyncio.to_thread(self.store.open)
            await asyncio.to_thread(self.monitoring.begin)
            await asyncio.to_thread(self.routing.begin, self.journal)
            await asyncio.to_thread(self.admitting.begin, self.journal)
        except BaseException:
            self.journal.close()
            self.ledger.close()
            raise

    async def start(self) -> None:
        """Begin everything that goes on beside answering; it is open."""
        await self.accounts.use(self.config)
        for part in (
            self.folder,
            self.routing,
            self.admitting,
            self.monitoring,
            self.keeper,
            self.health,
        ):
            part.start()
        if self.tracer is not None:
            self.tracer.start()
        self._tasks.append(asyncio.create_task(self.access.run()))
        self._tasks.append(asyncio.create_task(self._watch_ledger()))
        self._tasks.append(asyncio.create_task(self._watch_files()))
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

    async def _watch_files(self) -> None:
        """See whether our own small files are as they were; for ever."""
        while True:
            await asyncio.to_thread(self.files.look)
            await asyncio.sleep(LOOK_S)

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
        for part in (
            self.health,
            self.keeper,
            self.monitoring,
            self.routing,
            self.admitting,
            self.folder,
        ):
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
        self.routing.use(config)
        self.admitting.use(config)
        if config.alerts != before.alerts:
            self.monitoring.use(config)
        await self.accounts.use(config)


def _tracer(config: Config, journal: JournalReader) -> Tracer | None:
    traces = config.traces
    if not traces.endpoint:
        return None
    settings = TraceSettings(traces.endpoint, traces.pairs(), traces.share)
    return Tracer.by_otlp(settings, release(), node=lambda: journal.node)
