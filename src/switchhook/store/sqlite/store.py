"""The store on SQLite: opened, folded into by one thread, asked by any."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import DataFolderError
from switchhook.exotel.spellings import ErasedNumber
from switchhook.sqlite_file import file_id, is_damage
from switchhook.store.sqlite import files
from switchhook.store.sqlite.deletion import count_in_files
from switchhook.store.sqlite.healing import DAMAGE, FAILURES, StoreHealth, StorePlace
from switchhook.store.sqlite.open_store import OpenStore
from switchhook.store.sqlite.opening import begin, open_folding, place_of
from switchhook.store.sqlite.reading import LAST_SEQ, StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from switchhook.journal.source import JournalSource
    from switchhook.streams.parsed_record import ParsedRecord


class SqliteStore(StoreReader):
    """The store in a folder of its own. `open` it to fold; to ask is possible at any time.

    A store that a rebuild put in its place is taken over at the next call, in every process. One
    that fails is closed and opened again at the next call; `mend` begins what can't be used anew.
    """

    def __init__(
        self,
        folder: Path,
        journal: JournalSource,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(folder, journal, StoreHealth(folder, steady))
        self._folding: OpenStore | None = None
        self._opened = False
        self._place: StorePlace | None = None
        self._writing = threading.RLock()

    @property
    def problem(self) -> DataFolderError | None:
        """Why it fails now, or that it is being made again; None where all is well."""
        folding = self._folding
        return self._health.problem(0 if folding is None else folding.position)

    def open(self) -> None:
        """Open the store for folding, or begin one.

        DataFolderError, with nothing changed, where it can't be used. A store that was open when
        the machine went down is not trusted, as it never syncs: a new one is begun. So it is where
        an older release left one, and where it is damaged.
        """
        with self._changing("open", again=True):
            pass

    def close(self) -> None:
        """Make the store durable and close it for folding."""
        with self._writing:
            if self._folding is not None:
                try:
                    self._folding.close()
                except FAILURES:
                    self._folding.leave()  # as after a kill: what it has is all right
            self._folding = self._place = None

    def mend(self) -> None:
        """Open what was closed by a failure, and begin what is gone or damaged anew.

        To be called often: it costs a look at the folder. Raises DataFolderError.
        """
        with self._changing("open"):
            pass

    @contextmanager
    def _changing(self, what: str, *, again: bool = False) -> Iterator[OpenStore]:
        """The store's file that counts now, open for folding; what fails closes it, and is said."""
        with self._writing:
            try:
                if again:
                    self.close()
                    self._opened = False
                folding = self._current()
                yield folding
            except FAILURES as error:
                place, self._place = self._place, None
                if self._folding is not None:
                    self._folding.leave()
                    self._folding = None
                raise self._health.failed(what, error, place) from error
            except DataFolderError as error:
                self._health.refused(what, error)
                raise
            self._health.went_well(what)

    def _current(self) -> OpenStore:
        """The store's file that counts now, open for folding."""
        place = place_of(self._folder)
        if self._folding is not None and place is not None and place == self._place:
            if not self._health.given_up(place):
                return self._folding
        elif self._folding is not None and place is not None and self._is_there():
            self.close()  # a rebuild came between
        elif self._folding is not None:
            self._folding.leave()  # it was removed, or another file has its name
            self._folding = self._place = None
        if place is None and self._opened:
            self._health.begin("was gone", self._journal.last_seq())
        return self._open(place)

    def _is_there(self) -> bool:
        return self._place is not None and file_id(self._place.path) == self._place.file

    def _open(self, place: StorePlace | None) -> OpenStore:
        folding = None
        if self._folding is not None:
            self._folding.leave()
            self._folding = None
        self._place = place
        if place is not None and not self._health.given_up(place):
            try:
                folding = open_folding(place.path, self._journal)
            except (*DAMAGE, apsw.IOError) as error:
                if not is_damage(error):
                    raise
                self._health.failed("open", error, place, afresh=True)
                if not self._health.given_up(place):
                    raise
        if folding is None:
            if place is not None and self._health.given_up(place):
                self._health.begin("was damaged", self._journal.last_seq())
            place = self._place = begin(self._folder)
            folding = open_folding(place.path, self._journal)
        assert folding is not None, "a store just begun is neither old nor suspect"
        self._folding = folding
        folding.begin()
        assert place is not None, "what is open has a place"
        files.remove_older(self._folder, place.path)
        self._opened = True
        return folding

    def fold(self, after: int, records: Sequence[ParsedRecord]) -> None:
        """Take the records after `after` in, unless a rebuilt store came between."""
        with self._changing("fold") as folding:
            if records and after == folding.position:
                folding.fold(records)

    def erase_number(self, number: str | None, seqs: Sequence[int]) -> int:
        """Forget a number in E.164, if any, after the journal did: fold these records anew.

        Records that the store knows to name it are folded anew, too. Gives how many were found.
        Where bytes of it are left in the file, used or not, it is written anew as a whole.
        """
        with self._changing("erase") as folding:
            found = folding.records_of_number(number) if number else seqs
            folding.refold(sorted({*found, *seqs}))
            if number is None:
                folding.checkpoint()  # the file forgets what is deleted, its log does not
            elif self.holds_number(number):
                self._write_anew(folding)
        return len(found)

    def holds_number(self, number: str, until_seq: int = LAST_SEQ) -> int:
        """How much of a number in E.164 is left, the bytes of files included.

        What records after `until_seq` told of it is no remnant, nor are its bytes.
        """
        with self._changing("erase") as folding:
            folding.checkpoint()
            place = self._place
            assert place is not None, "a store that is open has a file"
            known = folding.records_of_number(number)
            left = sum(seq <= until_seq for seq in known)
            return (
                left
                if left < len(known)
                else left + count_in_files(place.path, ErasedNumber(number))
            )

    def _write_anew(self, folding: OpenStore) -> None:
        """Copy what is used of the file to the next one, which then counts."""
        unfinished = self._folder / files.BEGINNING
        files.remove(unfinished)
        folding.copy_to(unfinished)
        files.put_in_place(unfinished, self._folder)
        self.close()
        self._open(place_of(self._folder))

    def remove(self, before_ms: int, most: int) -> int:
        """Let go of at most `most` streams first told of before a time, and of what is older.

        Gives how many streams went; none where there is none so old.
        """
        with self._changing("retention") as folding:
            seq, at = folding.oldest_kept(before_ms, most)
            return folding.drop_before(seq, at)

    def keep_stories(self, after_seq: int, before_seq: int, limit: int = 1000) -> int | None:
        """Write down streams that one receipt told, before the journal lets go of that.

        Gives the seq to go on after; None at the end.
        """
        with self._changing("retention") as folding:
            return folding.keep_stories(after_seq, before_seq, limit)
