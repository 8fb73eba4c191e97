"""Following the journal: new records are folded into the store, by a thread of the console."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import SwitchhookError
from switchhook.streams.parsed_record import parse_records
from switchhook.system.priority import yield_cpu
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.streams.parsed_record import ParsedRecord
    from switchhook.streams.store import Store

log = logging.getLogger(__name__)

_BATCH = 2000
_POLL_S = 0.05
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_YIELD_S = 0.001  # between batches, so that a query gets the interpreter


class Folded(msgspec.Struct, frozen=True):
    """What was folded just now: the records in their order, up to the seq `position`.

    Parsed values are large: who keeps some for longer than a moment bounds how many.

    `placed` is where in time those belong whose own time is another, in ms by seq.
    """

    records: tuple[ParsedRecord, ...]
    position: int
    placed: Mapping[int, int] = {}


class Folder:
    """Keeps a store at the journal's end from `start` to `stop`.

    What one record makes fail is the store's business, which quarantines it. What fails beyond
    that (a full disk, a damaged file) is said in `problem` and tried again.
    """

    def __init__(self, journal: JournalSource, store: Store, *, batch: int = _BATCH) -> None:
        self._journal, self._store, self._batch = journal, store, batch
        self._moved = threading.Condition()
        self._position = self._told = 0
        self._problem: str | None = None
        self.error: Exception | None = None
        """What `problem` says in words."""
        self._observers: list[Callable[[Folded], None]] = []
        self._repeating = Repeating(
            "fold",
            self._go_on,
            every_s=_POLL_S,
            again_s=_FIRST_PAUSE_S,
            longest_s=_LONGEST_PAUSE_S,
            failed=self._failed,
        )

    @property
    def position(self) -> int:
        """The seq up to which everything is folded."""
        return self._position

    @property
    def problem(self) -> str | None:
        """Why the fold does not go on at the moment; None where it does."""
        return self._problem

    @property
    def running(self) -> bool:
        """Whether the thread lives."""
        return self._repeating.runs

    def observe(self, observer: Callable[[Folded], None]) -> None:
        """Tell an observer of every batch from now on, in the fold's thread: it must not linger."""
        self._observers.append(observer)

    def lag(self) -> int:
        """How many seqs the store is behind the journal."""
        return max(self._journal.last_seq() - self._position, 0)

    def start(self) -> None:
        """Begin to fold; the store must be open."""
        self._position = self._told = self._store.position()
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the batch at hand; whether it did within `timeout_s`."""
        return self._repeating.stop(timeout_s)

    def reach(self, seq: int, timeout_s: float) -> bool:
        """Wait until everything up to `seq` is folded; False where it takes longer."""
        if self._position >= seq:
            return True
        self._repeating.wake()
        with self._moved:
            return self._moved.wait_for(
                lambda: (
                    self._position >= seq or self._repeating.ending or self._problem is not None
                ),
                timeout_s,
            ) and (self._position >= seq)

    def _go_on(self) -> float | None:
        if not self._step():
            return None
        self._repeating.wait(_YIELD_S)  # even where it is woken
        return 0.0

    def _step(self) -> bool:
        """Fold one batch; whether there may be more to fold at once.

        After a batch that was not full the fold waits for some to come together: a transaction
        for each receipt would cost several times as much.
        """
        self._store.mend()
        position = self._store.position()
        read = self._journal.read(position, self._batch)
        # Once for the store and for all who listen; gone with the batch, but for what they keep.
        records = parse_records(read, yield_cpu)
        if records:
            self._store.fold(position, records)
            position = self._store.position()
        with self._moved:
            self._position, self._problem, self.error = position, None, None
            self._moved.notify_all()
        told = self._told
        news = tuple(each for each in records if each.record.seq > told and not each.record.damage)
        if news:  # a store that is made again tells nobody anything twice
            self._told = news[-1].record.seq
            self._tell(Folded(news, position, self._placed(news)))
        return len(records) >= self._batch

    def _placed(self, records: Sequence[ParsedRecord]) -> Mapping[int, int]:
        try:
            return self._store.placed([each.record.seq for each in records])
        except SwitchhookError:
            return {}  # the store went away meanwhile: they are told of all the same

    def _tell(self, folded: Folded) -> None:
        for observer in self._observers:
            try:
                observer(folded)
            except Exception:  # an observer's mistake must not hold the fold up
                log.exception("an observer of the fold failed")

    def _failed(self, error: Exception) -> None:
        said = isinstance(error, SwitchhookError)
        problem = str(error) if said else f"{type(error).__name__}: {error}"
        if problem != self._problem:
            log.error("the fold stopped after seq %d and tries again: %s", self._position, problem)
        with self._moved:
            self._problem, self.error = problem, error
            self._moved.notify_all()
