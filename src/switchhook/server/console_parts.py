"""All parts of the console, made for one data folder and one configuration, and tied together.

What needs what, from the bottom up: journal and store, followed by the fold; the ledger; the watch
of the accounts; figures of all of these; alerts and the verdict, made of the figures; what is kept
and forgotten; how all of these are; and in front the app, with pages and API.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.config.names import names_of
from switchhook.config.routing_check import reached
from switchhook.errors import LedgerError
from switchhook.overview.health import Said
from switchhook.overview.health_keeper import HealthKeeper
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import Matter
from switchhook.retention.retention_worker import RetentionWorker
from switchhook.server.accounts import Accounts
from switchhook.server.admitting import Admitting
from switchhook.server.alerting import Monitoring, answer_health
from switchhook.server.console_app import AppParts, ConsoleApp
from switchhook.server.console_status import ConsoleStatus
from switchhook.server.console_watch import greet, watch_files, watch_ledger
from switchhook.server.flagging import Flagging
from switchhook.server.own_files import OwnFiles
from switchhook.server.own_machine import OwnMachine
from switchhook.server.promising import Promising
from switchhook.server.releasing import backtests_of, releasing_of
from switchhook.server.retention_rows import forget_in_memory, rows_of
from switchhook.server.rollouts import Rollouts
from switchhook.server.routing import Routing
from switchhook.server.steady_clock import SteadyClock
from switchhook.server.tracing import tracer_of
from switchhook.streams.fold import Folder

if TYPE_CHECKING:
    from switchhook.access.audit import Deed
    from switchhook.config import Config
    from switchhook.config.live import Settings
    from switchhook.server.keeping import Kept
    from switchhook.streams.names import Names
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger("switchhook")


class ConsoleSide:
    """The parts, from `start` to `stop`; `app` is what the private port answers with.

    `routes` is the table that it answers by; `answer_url` is where the answer side listens, for
    asking whether it does; None asks nobody. `files` are our own small files where somebody looks
    at them already.
    """

    def __init__(
        self,
        held: DataFolder,
        kept: Kept,
        settings: Settings,
        *,
        address: str,
        answer_url: str | None,
        files: OwnFiles | None = None,
    ) -> None:
        self._held, self._kept = held, kept
        self._settings, config = settings, settings.config
        self._names = names_of(config)
        self.journal, self.store, self.sealed = kept.journal, kept.store, kept.sealed
        self.ledger, self.facts = kept.ledger, kept.facts
        self.folder = Folder(self.journal, self.store)
        self.clock = SteadyClock(self.store, kept.first_seq_of_boot, wall_ms=kept.wall_ms)
        self._audit = LedgerAudit(self.ledger)
        self.accounts = Accounts(self.ledger, self.facts, self.clock)
        self._looks_at_files = files is None
        self.files, self._tasks = files or OwnFiles(held), list[asyncio.Task[None]]()
        self.answer = answer_health(answer_url, self.clock.now_ms)
        self._route(config)
        self._keep(config)
        self._monitor(config)
        self.tracer, self.status = tracer_of(config, self.journal), self._status()
        self.health = HealthKeeper(self._answer_said, self._console_said)
        self._show(address)
        self._observe()

    # How the parts are tied together.

    def _monitor(self, config: Config) -> None:
        """Figures, alerts and the verdict."""
        own = OwnMachine(self._held, self.files, lambda: self._settings, self.answer)
        machines = self._kept.machines
        self.monitoring = Monitoring(
            config,
            self.ledger,
            store=self.store,
            journal=self.journal,
            folder=self.folder,
            watch=self.accounts.watch,
            held=self._held,
            show=partial(self.facts.show, "verdict"),
            names=self.names,
            machines=own.alone if machines is None else machines,
            failing=lambda: self.status.failing(damage=machines is None),
            clock=self.clock,
            retention=lambda: self.keeper,
            routes=lambda: self.routing.worker.view(),
            admission=lambda: self.admitting.worker.views(),
            reached=lambda: reached(self.config, self._settings.rulesets),
            canaries=lambda: self.rollouts.canaries(),
            releases=lambda: self.rollouts.worker.seen(),
            cluster=self._kept.cluster,
        )

    def _route(self, config: Config) -> None:
        """Pools of bots, room, flags, and versions of rules and pools."""
        self.releasing = releasing_of(
            self.ledger, self._kept.running(lambda: self.config), self.clock.now_ms
        )
        self.backtests = backtests_of(self._held.path, self.releasing.releases)
        self.routing = Routing(
            config,
            held=self._held,
            ledger=self.ledger,
            facts=self.facts,
            clock=self.clock,
            note=self.note,
        )
        self.flagging = Flagging(
            self._settings,
            ledger=self.ledger,
            facts=self.facts,
            clock=self.clock,
            key=self._kept.key,
        )
        self.admitting = Admitting(
            config, held=self._held, facts=self.facts, clock=self.clock, accounts=self.accounts
        )
        self.rollouts = Rollouts(
            self.releasing,
            lambda: self._settings,
            held=self._held,
            facts=self.facts,
            journal=self.journal,
            store=self.store,
            clock=self.clock,
            flags=self.flagging.worker.settings,
        )

    def _keep(self, config: Config) -> None:
        """Promises, retention and erasures."""
        self.promising = Promising(
            ledger=self.ledger,
            clock=self.clock,
            accounts=self.accounts,
            leases=self.admitting.worker,
            journal=self.journal,
            config=lambda: self.config,
        )
        self.keeper = RetentionWorker(
            journal=self.sealed,
            by_age=self._kept.by_age,
            nodes=self._kept.erasing,
            store=self.store,
            book=LedgerErasures(self.ledger),
            rows={Matter.STORIES: self.store, **rows_of(self.ledger, self.clock.now_ms)},
            limits=config.keep,
            last_seq=self.journal.last_seq,
            erased=lambda: forget_in_memory(self.pages.feed),
            now_ms=self.clock.now_ms,
            remember=self._kept.remember,
        )

    def _status(self) -> ConsoleStatus:
        """Who knows how all of these are."""

        def others() -> list[str]:
            traces = None if self.tracer is None else self.tracer.problem
            keeping = self.keeper.problem
            stands = f"keeping stands still and tries again: {keeping}" if keeping else None
            admission = self.admitting.worker.problem
            flags = self.flagging.problem or self.flagging.worker.problem
            rollouts = self.rollouts.worker.problem
            told = filter(None, (traces, stands, admission, rollouts, flags))
            parts = self.promising.complaints(), self._kept.problems(), told
            return [*self.monitoring.alerting.problems, *chain(*parts)]

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

    def _show(self, address: str) -> None:
        """Pages and API."""
        parts = AppParts(
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
            releasing=self.releasing,
            backtests=self.backtests,
            routing=self.routing,
            rollouts=self.rollouts,
            flagging=self.flagging,
            promising=self.promising,
            admission=self.admitting.worker.views,
            keeper=self.keeper,
            tracer=self.tracer,
            status=self.status,
            health=self.health,
            audit_seq=self._audit_seq,
            note=self.note,
            cluster=self._kept.cluster,
            without_ledger=self._kept.without_ledger,
        )
        shown = ConsoleApp(parts)
        self.app, self.routes = shown.app, shown.routes
        self.pages, self.access = shown.pages, shown.access

    def _answer_said(self) -> Said | None:
        found = self.answer()
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
        self.folder.observe(self.rollouts.worker.folded)
        self.folder.observe(self.accounts.ended_calls.folded)
        self.folder.observe(self.routing.worker.folded)
        self.folder.observe(self.admitting.worker.folded)
        self.folder.observe(self.promising.folded)
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
            if self._looks_at_files:  # alerts of them may be open, and are not over
                await asyncio.to_thread(self.files.look)
            await asyncio.to_thread(self.monitoring.begin)
            await asyncio.to_thread(self.routing.begin, self.journal)
            await asyncio.to_thread(self.admitting.begin, self.journal)
            await asyncio.to_thread(self.rollouts.begin)
            await asyncio.to_thread(self.promising.hearing.begin)
        except BaseException:
            await asyncio.to_thread(self._kept.close)
            raise

    async def start(self) -> None:
        """Begin everything that goes on beside answering; it is open."""
        await self.accounts.use(self.config)
        await self.promising.use(self.config)
        for part in (
            self.folder,
            self.routing,
            self.flagging,
            self.admitting,
            self.rollouts,
            self.promising.hearing,
            self.monitoring,
            self.keeper,
            self.health,
        ):
            part.start()
        await self.flagging.serve()
        if self.tracer is not None:
            self.tracer.start()
        self._tasks.append(asyncio.create_task(self.access.run()))
        self._tasks.append(asyncio.create_task(watch_ledger(self.ledger)))
        if self._looks_at_files:
            self._tasks.append(asyncio.create_task(watch_files(self.files)))
        await greet(self.access, self._held.path)

    async def stop(self) -> None:
        """End it all, side by side; what needs what ends first."""
        for task in self._tasks:
            task.cancel()
        ends = (
            self.health.stop,
            self.keeper.stop,
            self.monitoring.stop,
            self.routing.stop,
            self.admitting.stop,
            self.rollouts.stop,
            self.promising.hearing.stop,
            self.backtests.close,
        )
        ended = await asyncio.gather(
            self._stop_calling(),
            self._stop_flags(),
            *(asyncio.to_thread(end) for end in ends),
            return_exceptions=True,
        )
        await asyncio.to_thread(self.folder.stop)
        if self.tracer is not None:
            await asyncio.to_thread(self.tracer.stop)
        self.releasing.running.close()
        await asyncio.to_thread(self._kept.close)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _stop_calling(self) -> None:
        """Whoever is called is called by an account."""
        await self.promising.stop()
        await self.accounts.stop()

    async def _stop_flags(self) -> None:
        await self.flagging.end()
        await asyncio.to_thread(self.flagging.stop)

    async def take_over(self, settings: Settings) -> None:
        """Go on with changed settings."""
        before, self._settings = self.config, settings
        config = settings.config
        self._names = names_of(config)
        self.keeper.limits = config.keep
        self.routing.use(config)
        self.flagging.use(settings)
        self.admitting.use(config)
        if config.alerts != before.alerts:
            self.monitoring.use(config)
        await self.accounts.use(config)
        await self.promising.use(config)
