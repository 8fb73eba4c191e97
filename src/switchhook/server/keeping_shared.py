"""What the console of the node that leads keeps things in: what all nodes share.

All that it writes carries its epoch, and is refused once another leads. Its time is the database's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cluster.erasing_again_worker import ErasingAgain
from switchhook.cluster.erasures import WishesOfNodes
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.cluster.partitioned_journal import PartitionedJournal
from switchhook.cluster.placing_worker import PlacingWorker
from switchhook.cluster.searched_journal import SearchedJournal
from switchhook.cluster.told_facts import ToldFacts
from switchhook.postgresql_server import Fence
from switchhook.retention.ledger import LedgerErasures
from switchhook.server.keeping import Kept
from switchhook.server.own_machine import machines_of
from switchhook.server.shared_running import shared_running
from switchhook.server.tables import open_ledger
from switchhook.store import PostgresqlStore
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.cluster.view import ClusterView
    from switchhook.postgresql_server import Url
    from switchhook.system.data_folder import DataFolder


def shared(
    held: DataFolder,
    url: Url,
    epoch: int,
    wall_ms: Callable[[], int],
    cluster: Callable[[], ClusterView],
    own: Callable[[], Sequence[str]] = tuple,
) -> Kept:
    """Everything in the database at `url`, as `epoch` leads; `cluster` is how the nodes are.

    `own` is what is wrong with this one. Raises LedgerError.
    """
    fence, journal = Fence(epoch, held.node), MergedJournal(url, yield_cpu=yield_cpu)
    facts, placing = ToldFacts(url, fence), PlacingWorker(url, fence)
    ledger, sealed = open_ledger(url, fence), SearchedJournal(journal, url, fence)
    erasing, book = WishesOfNodes(url, fence), LedgerErasures(ledger)
    again = ErasingAgain(erasing, journal, sealed, book, held.key, cluster, wall_ms)

    def problems() -> list[str]:
        said = (placing.problem, again.problem, facts.problem, *placing.problems.values(), *own())
        return [each for each in said if each]

    return Kept(
        node=held.node,
        key=held.key,
        journal=journal,
        store=PostgresqlStore(url, journal, fence=fence),
        sealed=sealed,
        by_age=PartitionedJournal(url, fence),
        erasing=erasing,
        ledger=ledger,
        facts=facts,
        running=shared_running(held.path, url, fence),
        first_seq_of_boot=lambda: None,
        wall_ms=wall_ms,
        workers=(placing, again),
        problems=problems,
        cluster=cluster,
        machines=lambda _now_ms: machines_of(cluster()),
    )
