"""The part of a cluster's node that looks after its own journal's segments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from switchhook.cluster.hand_over_state import read_state
from switchhook.cluster.local_segments import LocalLimits
from switchhook.cluster.segments_worker import SegmentsWorker
from switchhook.journal import JournalReader, SealedSegments
from switchhook.system.data_folder import JOURNAL

if TYPE_CHECKING:
    from switchhook.config import Config
    from switchhook.postgresql_server import Url
    from switchhook.system.data_folder import DataFolder


def own_segments(held: DataFolder, config: Config, url: Url) -> SegmentsWorker:
    """The worker on a data folder, with the limits of the configuration that it starts with."""
    journal = held.folder(JOURNAL)
    limits = LocalLimits(
        window_h=config.cluster.recovery_window_h,
        raw_days=config.keep.raw_days,
        ceiling_bytes=int(config.journal.ceiling_gb * (1 << 30)),
    )
    return SegmentsWorker(
        url,
        held.node,
        SealedSegments(journal),
        JournalReader(journal),
        limits,
        state=partial(read_state, held.path),
    )
