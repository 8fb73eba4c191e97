"""The journal as a row of records to fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class JournalRecord(Protocol):
    """One record of the journal, as a fold sees it.

    `at` is the system's clock in ms, which may step, `mono` the monotonic one where it is known.
    """

    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def mono(self) -> int | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def damage(self) -> str:
        """Why nothing in it is to be trusted; empty where all is."""


class JournalSource(Protocol):
    """A journal to read; any thread may call it."""

    @property
    def node(self) -> int | None: ...
    def read(self, after_seq: int, limit: int) -> Sequence[JournalRecord]: ...
    def get_many(self, seqs: Iterable[int]) -> Mapping[int, JournalRecord]:
        """Those of the records that are there, and whole."""

    def last_seq(self) -> int: ...
    def first_seq(self) -> int: ...
    def size_bytes(self) -> int: ...
    def seek(
        self,
        at_ms: int,
        *,
        low: int = ...,
        high: int | None = ...,
        time_of: Callable[[int, int], int] = ...,
    ) -> int: ...
