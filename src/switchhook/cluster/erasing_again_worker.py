"""The leader's thread that does erasures again which a restored database knows nothing of.

The nodes tell them by fingerprints (`erasures`); so the journal of all nodes and the ledger are
looked through for what they were about. What is found is erased as if it were asked for again, and
what isn't is noted as done: there is nothing of it in the database.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.access.audit import Deed
from switchhook.errors import in_words, unforeseen
from switchhook.exotel.phone_numbers import Ours
from switchhook.exotel.spellings import FORMS
from switchhook.metrics import count_text
from switchhook.retention.erased_search import look_at_records, look_at_texts
from switchhook.retention.erasure import Erasure, NodeState, Phase, SearchedPlace
from switchhook.retention.erasure_worker import JOURNAL, WORDS
from switchhook.retention.fingerprints import Fingerprints, Suspects, again
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from switchhook.cluster.view import ClusterView
    from switchhook.journal.segment import Record
    from switchhook.retention.erasure import NodeErased
    from switchhook.retention.fingerprints import Remembered

log = logging.getLogger(__name__)

POLL_S = 1.0
_BREATH_S = 0.02
_LONGEST_PAUSE_S = 60.0
_RECORDS = 500
_BY = "restore"


class ToldByNodes(Protocol):
    """What nodes did: see `erasures.WishesOfNodes`. Raises ClusterError."""

    def lacking(self) -> list[Remembered]: ...
    def told(self, id: str) -> tuple[NodeErased, ...]: ...
    def handed(self) -> dict[int, int]: ...
    def placed(self) -> dict[int, int]: ...
    def undone(self, id: str) -> dict[int, int]: ...
    def last_before(self, at_ms: int) -> int: ...


class JournalOfAll(Protocol):
    """The journal of all nodes. Raises JournalError."""

    def read(self, after_seq: int, limit: int) -> list[Record]: ...


class EndedJournal(Protocol):
    """The same in stretches, of which an erasure covers whole ones."""

    def ask_roll(self, seq: int) -> None: ...


class Book(Protocol):
    """The ledger's erasures and texts. Raises LedgerError."""

    def begin(self, erasure: Erasure, deed: Deed) -> None: ...
    def finish(self, erasure: Erasure, deed: Deed) -> None: ...
    def texts(self) -> Iterator[bytes]: ...


class ErasingAgain:
    """Looks from `start` to `stop`; `key` is that of all nodes, by which fingerprints are made.

    `sealed` is the journal as erasures go through it. Nothing is asked while `cluster` has nothing
    to do.
    """

    def __init__(
        self,
        nodes: ToldByNodes,
        journal: JournalOfAll,
        sealed: EndedJournal,
        book: Book,
        key: bytes,
        cluster: Callable[[], ClusterView],
        now_ms: Callable[[], int],
    ) -> None:
        self._nodes, self._journal, self._sealed, self._book = nodes, journal, sealed, book
        self._cluster, self._now_ms = cluster, now_ms
        self._fingerprints = Fingerprints(key)
        self._suspects = Suspects(self._fingerprints, ())
        self._lacking: list[Remembered] = []
        self._known: frozenset[str] = frozenset()
        self._handed: dict[int, int] = {}
        self._placed: dict[int, int] = {}
        self._after, self._more = 0, False
        self._repeating = Repeating(
            "erasing-again",
            self._step,
            every_s=POLL_S,
            longest_s=_LONGEST_PAUSE_S,
            failed=self._failed,
            later=True,
        )
        self.problem: str | None = None
        """Why erasures are not done again; None where they are, or none has to be."""

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the step at hand; whether it did within `timeout_s`."""
        return self._repeating.stop(timeout_s)

    def step(self) -> bool:
        """Look through a little; whether there is more to look through at once."""
        if not self._more and not self._look():
            return False
        records = self._journal.read(self._after, _RECORDS)
        self._more = bool(records)
        if self._more:
            look_at_records(self._suspects, (each.body for each in records))
            self._after = records[-1].seq
            return True
        # All that the database had when it was restored is to be looked at, and covered.
        for each in self._lacking if _reaches(self._placed, self._handed) else ():
            found = self._suspects.found.get(each.id)
            if found is not None:
                self._begin(each, found[1])
            elif _reaches(self._placed, self._nodes.undone(each.id)):
                self._note_gone(each)
        return False

    def _look(self) -> bool:
        """See what is lacking, and what there is to look through; whether anything is."""
        self._lacking = self._nodes.lacking() if self._cluster().erased_again.lacks else []
        ids = frozenset(each.id for each in self._lacking)
        if not ids <= self._known:
            self._known, self._after, self._handed = ids, 0, self._nodes.handed()
            self._suspects = Suspects(self._fingerprints, self._lacking)
            erasures = count_text(len(ids), "erasure")
            log.warning("the database was restored to before %s", erasures)
            look_at_texts(self._suspects, self._book.texts())
        if not ids:
            self._known = ids
            return False
        self._placed = self._nodes.placed()
        return True

    def _begin(self, erased: Remembered, value: str) -> None:
        """Have it done up to when it was begun: what is handed over since is masked already."""
        until_seq = self._nodes.last_before(erased.begun_ms)
        self._sealed.ask_roll(until_seq)
        erasure = again(msgspec.structs.replace(erased, until_seq=until_seq), value, until_seq)
        self._book.begin(erasure, _deed("erases a {} again after a restore", erased))

    def _note_gone(self, erased: Remembered) -> None:
        """Note as done what nothing was found of in all that was there when it was erased."""
        told = self._nodes.told(erased.id)
        done = Erasure(
            id=erased.id,
            number=None,
            masked=erased.masked,
            by=_BY,
            asked_ms=erased.asked_ms,
            until_seq=self._after,
            subject=erased.subject,
            forms=FORMS,
            phase=Phase.DONE,
            places=(SearchedPlace(JOURNAL, searched=self._after),),
            nodes=tuple(each for each in told if each.state in (NodeState.DONE, NodeState.LEFT)),
            nodes_done=True,
            done_ms=self._now_ms(),
        )
        deed = _deed("found nothing of an erased {} after a restore", erased)
        self._book.finish(done, deed)

    def _step(self) -> float | None:
        more = self.step()
        self.problem = None
        return _BREATH_S if more else None

    def _failed(self, error: Exception) -> None:
        problem = f"what the restored database has again waits to be erased: {in_words(error)}"
        if problem != self.problem:
            log.error("%s", problem, exc_info=unforeseen(error))
        self.problem = problem


def _reaches(placed: Mapping[int, int], wanted: Mapping[int, int]) -> bool:
    return all(placed.get(node, 0) >= seq for node, seq in wanted.items())


def _deed(what: str, erased: Remembered) -> Deed:
    word = WORDS[erased.subject]
    details = {word: erased.masked}
    return Deed(
        who=_BY, what=what.format(word), subject=Ours(erased.id), origin="erasure", details=details
    )
