"""The segments of the journal that nobody writes any more."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class SegmentState(StrEnum):
    """What may be done with a segment of the journal."""

    OPEN = "open"
    """The answer side writes it, or may: hands off."""
    SEALED = "sealed"
    """Whole, and the console's."""
    ABANDONED = "abandoned"
    """A disk error ended it; its log is part of it, and nobody writes it again."""
    SUPERSEDED = "superseded"
    """No record is read from it any more: another file holds its numbers."""
    DAMAGED = "damaged"
    """Nothing can be read of it, not even what it is; nobody writes it."""


class Segment(msgspec.Struct, frozen=True):
    """A segment of the journal: the records `first_seq` to `last_seq`, times in ms.

    `last_seq` is below `first_seq`, and the times None, where it holds no record.
    """

    name: str
    state: SegmentState
    first_seq: int
    last_seq: int
    first_at: int | None = None
    last_at: int | None = None
    bytes: int = 0


def closed_up_to(segments: Sequence[Segment], seq: int) -> bool:
    """Whether every record up to `seq` is in a segment that is the console's."""
    return all(
        each.state is not SegmentState.OPEN or each.first_seq > seq or each.last_at is None
        for each in segments
    )


class Scan(Protocol):
    """A part of a segment that was looked through: see `ClosedJournal.scan`."""

    @property
    def records(self) -> int: ...
    @property
    def hits(self) -> list[tuple[int, int]]: ...
    @property
    def last_seq(self) -> int | None: ...
    @property
    def damaged(self) -> list[tuple[int, int]]: ...


class RefusedBodies(Protocol):
    """The bytes of records that the database refused, in files. Raises OSError."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes: ...

    def mask(self, name: str, mask: Callable[[bytes], tuple[bytes, int]]) -> int:
        """Mask one, whole or not at all; gives how often `mask` struck."""


class DatedSegments(Protocol):
    """The segments of the journal in the order of time, each to go whole. Raises JournalError."""

    def segments(self) -> tuple[Segment, ...]:
        """All in order, the open one too."""

    def delete(self, segment: Segment) -> int:
        """Remove a closed segment whole; gives the bytes that were freed."""

    def clear_strays(self) -> None:
        """Remove files that belong to no segment."""

    def ask_roll(self, seq: int) -> None:
        """Ask the answer side to seal the open segment if it holds `seq`."""


class ClosedJournal(DatedSegments, Protocol):
    """The segments of the journal that nobody writes any more. Raises JournalError."""

    def removed(self, seq: int) -> bool:
        """Whether a record is gone with its whole segment, as retention removes it."""

    def scan(
        self,
        name: str,
        count: Callable[[bytes], int],
        *,
        after_seq: int = 0,
        until_seq: int = ...,
        max_bytes: int = ...,
    ) -> Scan:
        """Look through some of a closed segment: which records are hit, and how often each."""

    def bodies(self, name: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Those of the records that are there, in order."""

    def mask(
        self, name: str, seqs: Iterable[int], mask: Callable[[bytes], tuple[bytes, int]]
    ) -> int:
        """Replace bodies in a sealed segment, all or none; the old ones are gone for good."""

    def leftovers(
        self, name: str, count: Callable[[bytes], int], pause: Callable[[], None] = ...
    ) -> int:
        """How often the bytes of a segment's file are hit, whatever they are used for."""

    def rewrite(self, name: str) -> None:
        """Write a sealed segment anew, so that nothing is in the file but its records."""

    def adopt(self, segment: Segment) -> str:
        """Make a whole, sealed segment of an abandoned one; gives its name."""

    @property
    def refused(self) -> RefusedBodies:
        """What the database refused."""
