"""What the console keeps things in, and reads them from: its own machine's, or all nodes'.

    kept = one_machine(held)  # the data folder, as it is without a cluster

`ConsoleSide` is made for one `Kept`, and knows no more of where anything is.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.capacity.facts_file import FactsFile
from switchhook.capacity.poller import FactsPublisher
from switchhook.errors import SwitchhookError
from switchhook.flags import worker as flags
from switchhook.journal import JournalReader, SealedSegments
from switchhook.journal.source import JournalSource
from switchhook.releases import shares_told as shares
from switchhook.retention.erasure_list_file import remember
from switchhook.retention.policy import Rows
from switchhook.retention.retention_worker import RetentionStore
from switchhook.routes import admission_worker as admission
from switchhook.routes import worker as routes
from switchhook.server.running import FolderRunning
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.store import Store
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE, boot_id, first_seq_of_boot
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.cluster.view import ClusterView
    from switchhook.config import Config
    from switchhook.errors import ClusterError, DataFolderError
    from switchhook.journal.closed import ClosedJournal, DatedSegments
    from switchhook.ledger.database import Ledger
    from switchhook.overview.machine_metrics import SeenMachine
    from switchhook.releases.running import Running
    from switchhook.retention.erasure import Erasure, NodesErasing
    from switchhook.system.data_folder import DataFolder
    from switchhook.web.sign_in.middleware import WithoutLedger


def wall_ms() -> int:
    """Unix time by the system's clock."""
    return time.time_ns() // 1_000_000


class KeptJournal(JournalSource, Protocol):
    """The journal that is folded and shown."""

    @property
    def damage(self) -> Mapping[int, str]:
        """Records that were met and are not to be trusted, with why: the first of them."""

    def close(self) -> None: ...


class KeptStore(Store, RetentionStore, Rows, Protocol):
    """The store, from `open` to `close`, with all that the console does to it."""

    @property
    def problem(self) -> ClusterError | DataFolderError | None:
        """Why it fails now; None where all is well."""

    def open(self) -> None:
        """Raises DataFolderError."""

    def close(self) -> None: ...


class FactsWriter(
    FactsPublisher, flags.Facts, routes.Facts, admission.Facts, shares.Facts, Protocol
):
    """What tells the answer processes. Raises OSError."""

    def show(self, name: str, body: bytes) -> None:
        """Have commands on other nodes show what the console says; it raises nothing."""

    def close(self) -> None: ...


class KeptWorker(Protocol):
    """What has to go on for it to be kept: see `cluster.placing_worker`. `stop` waits."""

    def start(self) -> None: ...
    def stop(self) -> object: ...


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `close` what was opened, whatever of it fails.

    `node` and `key` are the data folder's own identity. `running` gives what runs, as releases ask
    and change it, by a configuration; `first_seq_of_boot` the first record of this start of the
    machine, which the clocks of others can't be compared with; `wall_ms` is Unix time. `workers` go
    on from `start` to `close`; `problems` says what fails of them. `remember` is called before an
    erasure begins, for a restore of this folder. `cluster` is how the nodes are, `machines` how
    their machines are, at a time; None on one
    machine. `by_age` is `sealed` as retention removes it where that is another, `erasing` the nodes
    that mask their own journals. `without_ledger` answers where the ledger fails; None says so in a
    sentence.
    """

    node: int
    key: bytes
    journal: KeptJournal
    store: KeptStore
    sealed: ClosedJournal
    by_age: DatedSegments | None = None
    erasing: NodesErasing | None = None
    remember: Callable[[Erasure], None] = lambda erasure: None
    ledger: Ledger
    facts: FactsWriter
    running: Callable[[Callable[[], Config]], Running]
    first_seq_of_boot: Callable[[], int | None]
    wall_ms: Callable[[], int] = wall_ms
    workers: tuple[KeptWorker, ...] = ()
    problems: Callable[[], Sequence[str]] = tuple
    cluster: Callable[[], ClusterView | None] = lambda: None
    without_ledger: WithoutLedger | None = None
    machines: Callable[[int], Sequence[SeenMachine]] | None = None

    def start(self) -> None:
        """Have go on what has to."""
        for worker in self.workers:
            worker.start()

    def close(self) -> None:
        """It touches the disk."""
        for worker in self.workers:
            worker.stop()
        with suppress(SwitchhookError):
            self.store.close()
        self.facts.close()
        self.journal.close()
        self.ledger.close()


def one_machine(held: DataFolder) -> Kept:
    """Everything in a data folder. Raises LedgerError."""
    journal = JournalReader(held.folder(JOURNAL), yield_cpu=yield_cpu)
    return Kept(
        node=held.node,
        key=held.key,
        journal=journal,
        store=SqliteStore(held.folder(STORE), journal),
        sealed=SealedSegments(held.folder(JOURNAL)),
        remember=partial(remember, held.path, held.identity),
        ledger=open_ledger(held.folder(LEDGER)),
        facts=FactsFile(held.path, boot_id()),
        running=partial(FolderRunning, held.path),
        first_seq_of_boot=partial(first_seq_of_boot, held.path),
    )
