"""The store on SQLite: opened, folded into by one thread, asked by any."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import DataFolderError
from switchhook.exotel.spellings import ErasedNumber
from switchhook.sqlite_file import file_id, is_damage
from switchhook.store import files
from switchhook.store.deletion import count_in_files
from switchhook.store.digest import NOTE, hash_of
from switchhook.store.files import BUCKET_BITS
from switchhook.store.healing import DAMAGE, FAILURES, StoreHealth, StorePlace
from switchhook.store.lists import find
from switchhook.store.maintenance import OpenStore
from switchhook.store.opening import begin, connect_reading, open_folding, place_of
from switchhook.store.placing import read_axis, seqs_between
from switchhook.store.searching import Deadline, SeqRange, search
from switchhook.store.stories import decode_story
from switchhook.streams.facet import Count, Facet, Form, Tally, Use
from switchhook.streams.store import Quarantined, StreamFilter
from switchhook.streams.story import StreamStory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from switchhook.journal.source import JournalSource
    from switchhook.journal.steady_time import Axis
    from switchhook.streams.names import Names
    from switchhook.streams.parsed_record import ParsedRecord
    from switchhook.streams.search.query import Query, SearchPage

_WORDS = "endpoint, status, cause, option, kind, host, exophone"
_MOST_NOTES = 1000
LONGEST_SEARCH_S = 5.0
"""A page of what is found comes within this time, or not at all."""
_LAST_SEQ = 2**63 - 1


class SqliteStore:
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
        self._folder, self._journal = folder, journal
        self._folding: OpenStore | None = None
        self._opened = False
        self._place: StorePlace | None = None
        self._local = threading.local()
        self._writing = threading.RLock()
        self._health = StoreHealth(folder, steady)

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

    def holds_number(self, number: str, until_seq: int = _LAST_SEQ) -> int:
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
        """Let go of about `most` streams first told of before a time, and of what is older.

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

    def axis(self) -> Axis | None:
        with self._reading() as connection:
            return read_axis(connection)

    def placed(self, seqs: Iterable[int]) -> dict[int, int]:
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "SELECT seq, at FROM displaced WHERE seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(seqs)),),
                )
            )

    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        with self._reading() as connection:
            return seqs_between(connection, self._journal, since_ms, until_ms)

    def position(self) -> int:
        with self._reading() as connection:
            seq: int = connection.execute("SELECT seq FROM progress").get
            return seq

    def receipts(self, wanted: StreamFilter) -> list[int]:
        with self._reading() as connection:
            return find(connection, "receipt", wanted)

    def streams(self, wanted: StreamFilter) -> list[tuple[int, StreamStory | None]]:
        with self._reading() as connection:
            seqs = find(connection, "stream", wanted)
            stories = dict(
                connection.execute(
                    "SELECT seq, story FROM stream"
                    " WHERE story NOT NULL AND seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(seqs),),
                )
            )
            return [(q, decode_story(stories[q]) if q in stories else None) for q in seqs]

    def search(
        self,
        query: Query,
        names: Names,
        *,
        before_seq: int = _LAST_SEQ,
        after_seq: int = 0,
        limit: int = 100,
    ) -> SearchPage:
        with self._reading() as connection:
            span = SeqRange(after_seq + 1, before_seq)
            deadline = Deadline(LONGEST_SEARCH_S, time.monotonic)
            return search(connection, self._journal, query, names, span, limit, deadline)

    def tallies(self, since_ms: int, until_ms: int, *, hours: bool = False) -> list[Tally]:
        table = "hour" if hours else "minute"
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT at, {table}.streams, {_WORDS} FROM {table} JOIN facet ON id = facet"  # noqa: S608 - our words
                " WHERE at >= ? AND at < ? ORDER BY at",
                (since_ms, until_ms),
            )
            return [Tally(at, Facet(*words), streams) for at, streams, *words in rows]

    def uses(self) -> list[Use]:
        at = "SELECT at FROM stream WHERE seq = (SELECT {}(seq) FROM stream WHERE facet = facet.id)"
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT ({at.format('min')}), ({at.format('max')}), streams, {_WORDS}"  # noqa: S608 - our words
                " FROM facet WHERE streams > 0"
            )
            return [Use(Facet(*words), a, z, streams) for a, z, streams, *words in rows]

    def counts(self, since_ms: int, until_ms: int) -> list[Count]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT minute, name, count FROM count WHERE minute >= ? AND minute < ?"
                " ORDER BY minute, name",
                (since_ms, until_ms),
            )
            return [Count(*row) for row in rows]

    def forms(self, since_ms: int, until_ms: int) -> list[Form]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT hour, endpoint, aspect, value, count FROM form"
                " WHERE hour >= ? AND hour < ? ORDER BY hour, endpoint, aspect, count DESC, value",
                (since_ms, until_ms),
            )
            return [Form(*row) for row in rows]

    def notes(self, call_sid: str) -> list[int]:
        key, found = hash_of(NOTE, call_sid), list[int]()
        sql = "SELECT seq FROM mention WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT ?"
        with self._reading() as connection:
            last: int = connection.execute("SELECT seq FROM progress").get
            for bucket in range(last >> BUCKET_BITS, -1, -1):
                left = _MOST_NOTES - len(found)
                found += [seq for (seq,) in connection.execute(sql, (bucket, key, left))]
        return found[::-1]

    def oldest_ms(self) -> int | None:
        with self._reading() as connection:
            at: int | None = connection.execute("SELECT at FROM stream ORDER BY seq LIMIT 1").get
            return at

    def late_ms(self, seqs: Iterable[int]) -> dict[int, int]:
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "SELECT seq, late_ms FROM late WHERE seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(seqs)),),
                )
            )

    def events(self, kind: int, limit: int) -> list[int]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT seq FROM event WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind, limit)
            )
            return [seq for (seq,) in rows]

    def counters(self) -> dict[str, int]:
        with self._reading() as connection:
            return dict(connection.execute("SELECT name, count FROM counter ORDER BY name"))

    def quarantined(self, limit: int) -> tuple[int, list[Quarantined]]:
        with self._reading() as connection:
            count: int = connection.execute("SELECT count(*) FROM quarantine").get
            rows = connection.execute(
                "SELECT seq, reason FROM quarantine ORDER BY seq DESC LIMIT ?", (limit,)
            )
            return count, [Quarantined(seq, reason) for seq, reason in rows]

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """A connection of this thread's own to the store that counts now."""
        place: StorePlace | None = None
        try:
            place = place_of(self._folder)
            if place is None:
                problem, hint = "there is no store yet", "start the console once, or rebuild"
                raise DataFolderError(str(self._folder), problem, hint)
            if getattr(self._local, "place", None) != place:
                self._local.place = None
                self._local.connection = connect_reading(self._folder, place.path)
                self._local.place = place
            yield self._local.connection
        except FAILURES as error:
            self._local.place = self._local.connection = None  # the next one is a new one
            raise self._health.failed("read", error, place) from error
        self._health.went_well("read")
