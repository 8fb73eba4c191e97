"""What each node of a cluster does beside its heartbeat and its part in the lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cluster.local_erasure import LocalErasure
from switchhook.retention.erasure_list_file import ErasuresOfNode
from switchhook.server.told_part import told_relay
from switchhook.system.data_folder import JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.cluster.membership import Membership
    from switchhook.cluster.view import ClusterView
    from switchhook.config.live import Settings
    from switchhook.postgresql_server import Url
    from switchhook.server.node_side import NodePart
    from switchhook.system.data_folder import DataFolder


def node_parts(
    held: DataFolder,
    note: Membership,
    settings: Settings,
    url: Url,
    cluster: Callable[[], ClusterView],
) -> list[NodePart]:
    """All parts, in the order in which they start and stop.

    `note` is its place in the cluster, `cluster` how the nodes are.
    """
    own = ErasuresOfNode(held.path, held.identity, note.id)
    erasing = LocalErasure(
        url,
        held.node,
        held.folder(JOURNAL),
        own,
        wished=lambda: held.node in cluster().erasing,
    )
    return [told_relay(held.path, held.node, url, settings.config.cluster.node_name), erasing]
