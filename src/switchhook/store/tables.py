"""What folding and searching ask of the tables that an engine keeps, and do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from switchhook.journal.steady_time import Axis
    from switchhook.store.batch import Batch
    from switchhook.store.deadline import Deadline
    from switchhook.streams.facet import Facet

VERSION = 7
"""Of what is folded, and of the tables: a store of another one is made anew from the journal."""


class Progress(msgspec.Struct, frozen=True):
    """How far a store is: the journal's node, the last record's seq and time, steady time there.

    `newest_ms` is the steady time up to which records were.
    """

    node: int | None
    seq: int
    at: int
    newest_ms: int
    axis: Axis | None = None


class StoredStream(NamedTuple):
    """A stream as it is written: its facet's number, when it was first told of, and its story.

    The story is None where one receipt told all.
    """

    facet: int
    at: int
    story: bytes | None


class FacetTable(Protocol):
    """The numbers that facets have."""

    def find_facet(self, facet: Facet) -> int | None: ...
    def add_facet(self, facet: Facet) -> int: ...
    def count_facets(self) -> int: ...


class FormTable(Protocol):
    """What forms of requests were counted."""

    def form_values(self, hour: int, endpoint: str, aspect: str) -> set[str]: ...
    def write_forms(self, rows: Mapping[tuple[int, str, str, str], int]) -> None: ...


class StreamKeys(Protocol):
    """Streams by the hash of their ids."""

    def stream_keys(self, bucket: int, after: int, limit: int) -> list[int]:
        """The hashes in a bucket above one, ascending."""

    def first_receipts(self, keys: Sequence[int], last: int) -> dict[int, int]:
        """Those of some hashes that are in the buckets up to `last`, with their newest receipt."""


class StoryTables(FacetTable, Protocol):
    """What streams and calls were told of."""

    def streams(self, seqs: Sequence[int]) -> dict[int, StoredStream]: ...
    def running_of(self, calls: Mapping[str, int]) -> dict[str, list[int]]:
        """The streams that run, by call; with each call the bucket to look back from."""

    def told_of(self, calls: Mapping[str, int]) -> dict[str, list[int]]:
        """The records that tell of calls; with each the bucket to look back from."""

    def keep_stories(self, stories: Mapping[int, bytes]) -> None:
        """Write the stories of some streams, which change nothing else."""


class FoldTables(StoryTables, FormTable, StreamKeys, Protocol):
    """The tables of a store that is folded into."""

    def progress(self) -> Progress: ...
    def writing(self) -> AbstractContextManager[None]:
        """A transaction, undone where anything in it fails."""

    def is_circumstance(self, error: Exception) -> bool:
        """Whether it is what is around the tables that fails, and not what was to be written."""

    def write(self, batch: Batch) -> None:
        """All rows of a batch but its tallies and forms."""

    def write_tallies(self, tallies: Counter[tuple[int, int]]) -> None:
        """Add to and take from minutes, hours and facets."""

    def advance(self, progress: Progress) -> None: ...


class KeptTables(FoldTables, Protocol):
    """The tables as retention and erasure change them."""

    def of_same_calls(self, seqs: Sequence[int]) -> list[int]:
        """These records and all others of their calls and streams, ascending."""

    def records_of_number(self, number: str) -> list[int]:
        """The records that are known to name a number in E.164, ascending."""

    def quarantined_among(self, seqs: Sequence[int]) -> dict[int, str]:
        """Those that could not be folded, with the reason."""

    def placed(self, seqs: Iterable[int]) -> dict[int, int]: ...
    def take_out(self, seqs: Sequence[int]) -> list[tuple[int, int]]:
        """Delete all rows of some records; gives facet and time of the streams among them."""

    def drop_before(self, seq: int, at: int) -> list[tuple[int, int]]:
        """Delete everything before a record and its time; gives facet and time of the streams."""

    def drop_unused_facets(self) -> None:
        """Delete the facets that nothing is counted or listed under any more."""

    def oldest_kept(self, before_ms: int, most: int, newest_ms: int) -> tuple[int, int]:
        """The record, and its time, before which at most `most` streams older than that go."""

    def untold(self, after_seq: int, before_seq: int, limit: int) -> list[int]:
        """Streams whose story is not written, ascending."""


class SeqRange(msgspec.Struct, frozen=True):
    """The seqs in which to look, newest first: from `low` to before `high`.

    What was first told of before `since_ms` or from `until_ms` on may be left out.
    """

    low: int
    high: int
    since_ms: int | None = None
    until_ms: int | None = None


class FoundRow(NamedTuple):
    """A stream that an index gave; the story is None where its first receipt tells all."""

    seq: int
    at: int
    story: bytes | None
    late_ms: int | None
    one_copy: bool = False


class Candidates(Protocol):
    """Seqs of streams that an index gives, newest first, each once; `facets` alone count."""

    stopped_at: int | None
    """Where looking ended though there may be more."""

    def by_hash(self, keys: Sequence[int]) -> Iterator[int]: ...
    def by_number(self, ranges: Sequence[tuple[str, str]]) -> Iterator[int]: ...
    def by_late(self) -> Iterator[int]: ...
    def by_one_copy(self) -> Iterator[int]: ...
    def by_facet(self, facets: Mapping[int, Facet] | None) -> Iterator[int]: ...
    def close(self) -> None:
        """End what is open."""


class SearchTables(Protocol):
    """The tables as a search reads them."""

    def snapshot(self, deadline: Deadline) -> AbstractContextManager[None]:
        """All of one moment; SearchError where a statement takes too long."""

    def facets(self) -> list[tuple[int, int, Facet]]:
        """Number, count of streams and words of each."""

    def last_seq(self) -> int: ...
    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        """Seqs among which are all records from a time on and before another."""

    def candidates(self, span: SeqRange, facets: Mapping[int, Facet] | None) -> Candidates: ...
    def rows(self, seqs: Sequence[int]) -> list[FoundRow]: ...
    def count(self, facets: Sequence[int], span: SeqRange, most: int) -> int:
        """How many streams of some facets are in a stretch; counting ends above `most`."""
