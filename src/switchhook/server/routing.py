"""What the console does for pools of bots, made for one data folder and one configuration."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from switchhook.errors import SwitchhookError
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.routes.probe import target_of
from switchhook.routes.probe_worker import ProbeWorker
from switchhook.routes.routes_file import RoutesFile, read_routes
from switchhook.routes.worker import RoutesWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.access.audit import Deed
    from switchhook.config import Config
    from switchhook.journal.source import JournalRecord, JournalSource
    from switchhook.ledger.database import Ledger
    from switchhook.routes.health import Key
    from switchhook.routes.probe import ProbeTarget
    from switchhook.server.keeping import FactsWriter
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger(__name__)

MOST_REMEMBERED = 50_000
"""Records of the journal, the last before a start, that tell of the members' streams: a second."""
_BATCH = 2_000


class Routing:
    """Looks after pools from `start` to `stop`; `begin` before the fold starts."""

    def __init__(
        self,
        config: Config,
        *,
        held: DataFolder,
        ledger: Ledger,
        facts: FactsWriter,
        clock: SteadyClock,
        note: Callable[[Deed], object],
    ) -> None:
        self._path, self._clock = held.path, clock
        self.worker = RoutesWorker(
            LedgerHands(ledger),
            facts,
            RoutesFile(held.path, partial(facts.show, "routes")),
            node=held.node,
            now_ms=clock.now_ms,
            mono_ms=clock.mono_ms,
            note=note,
        )
        self.probes = ProbeWorker(self.worker.probed, now_ms=clock.now_ms)
        self.use(config)

    def use(self, config: Config) -> None:
        """Go on by a changed configuration."""
        shown = {(each.pool, each.member): each.shown for each in config.addresses}
        self.worker.use(config.pools, [each.name for each in config.endpoints], shown)
        self.probes.use(targets_of(config))

    def begin(self, journal: JournalSource, most: int = MOST_REMEMBERED) -> None:
        """Take over what was known before the start. Touches the disk.

        As far back as the figures go, yet at most so many records.
        """
        if not self.worker.known.pools:
            return
        self.worker.resume(read_routes(self._path))
        now_ms = self._clock.now_ms()
        try:
            first = journal.seek(now_ms - self.worker.counts_ms)
            bound = journal.last_seq() - most + 1
            self.worker.recall(_records(journal, max(first, bound)), cut=bound > first)
        except SwitchhookError as error:
            log.error("how members of pools went before the start is not known: %s", error)  # noqa: TRY400
            self.worker.counted_from_ms = now_ms

    def start(self) -> None:
        self.worker.start()
        self.probes.start()

    def stop(self) -> None:
        """It waits."""
        self.probes.stop()
        self.worker.stop()


def _records(journal: JournalSource, first: int) -> Iterator[JournalRecord]:
    """All from that number on."""
    after = max(0, first - 1)
    while records := journal.read(after, _BATCH):
        yield from records
        after = records[-1].seq


def targets_of(config: Config) -> dict[Key, ProbeTarget]:
    """What is probed of the members of all pools, by pool and name."""
    found = {
        (each.pool, each.member): target_of(each.url.reveal(), allow_private=each.allow_private)
        for each in config.addresses
    }
    return {key: target for key, target in found.items() if target is not None}
