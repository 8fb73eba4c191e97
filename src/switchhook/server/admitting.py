"""What the console does for admission, made for one data folder and one configuration."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.config.names import accounts_of
from switchhook.errors import LedgerError
from switchhook.routes.admission_worker import AdmissionWorker
from switchhook.routes.leases import CLOSED_KEPT_MS
from switchhook.rules.outcome import EndpointKind

if TYPE_CHECKING:
    from switchhook.config import Config
    from switchhook.journal.source import JournalSource
    from switchhook.server.accounts import Accounts
    from switchhook.server.keeping import FactsWriter
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger(__name__)


class Admitting:
    """Reckons room from `start` to `stop`; `begin` before the fold starts."""

    def __init__(
        self,
        config: Config,
        *,
        held: DataFolder,
        facts: FactsWriter,
        clock: SteadyClock,
        accounts: Accounts,
    ) -> None:
        self._clock, self._accounts = clock, accounts
        accounts.polled = self._polled
        self.worker = AdmissionWorker(
            facts, node=held.node, now_ms=clock.now_ms, mono_ms=clock.mono_ms
        )
        self.use(config)

    def use(self, config: Config) -> None:
        """Go on by a changed configuration."""
        reserves = {each.name: each.reserves for each in config.accounts}
        of = accounts_of(config)
        asked = (of.get(each.name) for each in config.endpoints if each.kind is EndpointKind.ADMIT)
        self.worker.use(
            {name: reserves.get(name, {}) for name in asked if name is not None},
            callbacks={
                each.name: each.callbacks.ring_s * 1000
                for each in config.accounts
                if each.callbacks is not None
            },
        )

    def begin(self, journal: JournalSource) -> None:
        """Take over what was known before the start. Touches the disk."""
        since_ms = self._clock.now_ms() - CLOSED_KEPT_MS
        readings = []
        for name in self.worker.accounts:
            try:
                readings += self._accounts.history.recent(name, since_ms)
            except LedgerError as error:
                log.error("what Exotel said before the start is not known: %s", error)  # noqa: TRY400
        self.worker.begin(journal, readings)

    def _polled(self, name: str) -> None:
        if name not in self.worker.accounts:
            return
        for now in self._accounts.watch.now(self._clock.now_ms()):
            if now.account == name and now.active is not None and now.at_ms is not None:
                self.worker.polled(name, now.at_ms, now.active, now.allowed)

    def start(self) -> None:
        self.worker.start()

    def stop(self) -> None:
        """It waits."""
        self.worker.stop()
