"""A node's own part in erasures: its journal, masked where it lies, with a proof for the others.

It masks what was handed over, so that the database has each record as it was until the leader masks
it there, and no record comes as two. How far it is stands in the database: a restart goes on.

What it erased it also remembers by itself. Where the database knows nothing of one, it was restored
to a moment before: the node tells it, with its proof, for the leader to do it again there.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from switchhook.cluster.database_clock import database_now_ms
from switchhook.cluster.erasures import decode_progress, decode_wish, encode, tell_lacking
from switchhook.errors import DataFolderError, in_words, unforeseen
from switchhook.journal import JournalReader, SealedSegments
from switchhook.postgresql_server import connect, explained
from switchhook.retention.erasure import Erasure, Phase, SearchedPlace
from switchhook.retention.erasure_worker import Eraser
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from psycopg import Connection

    from switchhook.access.audit import Deed
    from switchhook.cluster.erasures import Wish
    from switchhook.exotel.spellings import Traces
    from switchhook.postgresql_server import Url
    from switchhook.retention.fingerprints import Remembered

log = logging.getLogger(__name__)

POLL_S = 1.0
LOOK_S = 10.0
"""How often to look for what the database lacks."""
_WAIT_S, _BREATH_S, _LONGEST_PAUSE_S = 0.2, 0.02, 60.0
_ASKED = """SELECT wish, proof FROM cluster_erasure
WHERE node = %s AND state <> 'done' AND wish <> '' ORDER BY at, erasure"""
_KEEP = """UPDATE cluster_erasure SET state = %s, until_seq = %s, proof = %s, at = clock_timestamp()
WHERE erasure = %s AND node = %s"""
_LET_GO = "UPDATE cluster_erasure SET wish = '' WHERE erasure = %s AND node = %s"


class OwnErasures(Protocol):
    """What a node erased, kept beside its journal. Raises DataFolderError, OSError."""

    def begin(self, erasure: Erasure, now_ms: int) -> None:
        """Note one before it begins, at a time by the database's clock."""

    def finish(self, erasure: Erasure) -> None:
        """Note one that is done, with its proof."""

    def all(self) -> Mapping[str, Remembered]:
        """All of them, by their ids."""


class _HandedOver:
    """In the place of a store: a node alone folds nothing, and hands over."""

    def __init__(self, connection: Connection[Any], node: int) -> None:
        self._connection, self._node = connection, node

    def position(self) -> int:
        sql = "SELECT seq FROM cluster_handed WHERE node = %s"
        row = self._connection.execute(sql, (self._node,)).fetchone()
        return 0 if row is None else int(row[0])

    def erase_number(self, number: str | None, seqs: Sequence[int]) -> int:
        del number, seqs
        return 0

    def holds_number(self, number: str, until_seq: int = 0) -> int:
        del number, until_seq
        return 0


class _Progress:
    """In the place of a ledger's book: one erasure, as the database knows it."""

    def __init__(
        self, connection: Connection[Any], node: int, own: OwnErasures, erasure: Erasure
    ) -> None:
        self._connection, self._node, self._own, self.erasure = connection, node, own, erasure

    def save(self, erasure: Erasure) -> None:
        state = "done" if erasure.phase is Phase.DONE else "running"
        kept = encode(msgspec.structs.replace(erasure, number=None, calls=()))
        asked = state, erasure.until_seq, kept, erasure.id, self._node
        self._connection.execute(_KEEP, asked)
        self.erasure = erasure

    def begin(self, erasure: Erasure, deed: Deed) -> None:
        del deed
        self.save(erasure)

    def finish(self, erasure: Erasure, deed: Deed) -> None:
        del deed
        self._own.finish(erasure)
        self.save(erasure)

    def all(self) -> list[Erasure]:
        return [self.erasure]

    running = all

    def mask_some(self, erasure: Erasure, traces: Traces) -> Erasure:
        del traces
        moved = erasure.on(Phase.CHECK)
        self.save(moved)
        return moved

    def count_left(self, traces: Traces) -> list[SearchedPlace]:
        del traces
        return []

    def file_left(self, traces: Traces) -> int:
        del traces
        return 0

    def rewrite(self) -> None:
        """There is no file of a ledger's."""


class LocalErasure:
    """Does what is wished of a node from `start` to `stop`, in a thread of its own.

    `folder` is its journal's. `own` is told before one begins, so that a restore of this node's
    data, or of the database, can have it done again. `wished` is whether there may be something to
    do: else no connection is held.
    """

    def __init__(
        self,
        url: Url,
        node: int,
        folder: Path,
        own: OwnErasures,
        *,
        wished: Callable[[], bool],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._url, self._node, self._folder = url, node, folder
        self._own, self._wished, self._now_ms = own, wished, now_ms
        self._look_at_s = -math.inf
        self._problem: str | None = None
        self._repeating = Repeating(
            "erasing",
            self._look,
            every_s=POLL_S,
            longest_s=_LONGEST_PAUSE_S,
            failed=self._failed,
            later=True,
        )

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._repeating.start()

    def stop(self) -> None:
        """End after the step at hand."""
        self._repeating.stop()

    def problems(self) -> Sequence[str]:
        """What doesn't work."""
        return [self._problem] if self._problem else []

    def _look(self) -> None:
        looks = time.monotonic() >= self._look_at_s
        if not self._wished() and not (looks and self._has_own()):
            self._problem = None
            return
        with explained(self._url), closing(connect(self._url, "erasing")) as connection:
            connection.execute("SET statement_timeout = '30s'")
            if looks:
                tell_lacking(connection, self._node, self._own.all().values())
                self._look_at_s = time.monotonic() + LOOK_S
            self._serve(connection)

    def _failed(self, error: Exception) -> None:
        problem = f"what is to be erased of this node's journal waits: {in_words(error)}"
        if problem != self._problem:
            log.error("%s", problem, exc_info=unforeseen(error))
        self._problem = problem

    def _has_own(self) -> bool:
        """Whether this node ever erased something; a list that can't be read is said elsewhere."""
        with suppress(DataFolderError, OSError):
            if self._own.all():
                return True
        self._look_at_s = time.monotonic() + LOOK_S
        return False

    def _serve(self, connection: Connection[Any]) -> None:
        """Fulfil by one connection what is wished, and what is while that goes on."""
        while wishes := connection.execute(_ASKED, (self._node,)).fetchall():
            self._problem = None
            for wish, kept in wishes:
                self._erase(connection, decode_wish(wish), kept)
            if self._repeating.ending:
                break

    def _erase(self, connection: Connection[Any], wish: Wish, kept: bytes | None) -> None:
        sealed = SealedSegments(self._folder)
        before = self._own.all().get(wish.id)
        if before is not None and before.proof is not None:
            # Done before the database was restored; who called since is not covered. Nothing is to
            # be looked through for what this node hands over again: it is masked already.
            with connection.transaction():
                _Progress(connection, self._node, self._own, before.proof).save(before.proof)
                connection.execute(_LET_GO, (wish.id, self._node))
            return
        begun = self._begun(wish, kept, before)
        progress = _Progress(connection, self._node, self._own, begun)
        if kept is None:
            if before is None:
                self._own.begin(begun, database_now_ms(connection))
            progress.save(progress.erasure)
        eraser = Eraser(
            sealed,
            _HandedOver(connection, self._node),
            progress,
            pause=lambda: self._rest(_BREATH_S),
            erased=lambda: None,
        )
        while progress.erasure.phase is not Phase.DONE and not self._repeating.ending:
            going_on = eraser.step(progress.erasure, self._now_ms())
            self._rest(_BREATH_S if going_on else _WAIT_S)

    def _begun(self, wish: Wish, kept: bytes | None, before: Remembered | None) -> Erasure:
        """Where it begins, or goes on; what it is about is in the wish alone."""
        if kept is None:
            if before is not None:
                return wish.begun(before.until_seq)
            with closing(JournalReader(self._folder)) as journal:
                return wish.begun(journal.last_seq())
        known = decode_progress(kept)
        if known.phase is Phase.FILE:
            return known
        # Which calls a CustomField had is not kept: they are looked for again.
        anew = wish.begun(0).phase is Phase.FIND and known.phase is not Phase.FIND
        again = known.on(Phase.FIND) if anew else known
        return msgspec.structs.replace(again, number=wish.number, calls=wish.calls)

    def _rest(self, seconds: float) -> None:
        self._repeating.wait(seconds)
