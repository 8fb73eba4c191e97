"""The journal as a row of records to fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Origin(NamedTuple):
    """Which node's journal a record came from, and its number there."""

    node: int
    seq: int


def own_number(record: JournalRecord) -> Origin:
    """A record's number in the journal of the node that kept it; node 0 where there is but one."""
    return record.origin or Origin(0, record.seq)


def moment_of(record: JournalRecord) -> int:
    """When a record is from, in Unix ms: in a journal of several nodes by the database's clock."""
    return record.at if record.steady is None else record.steady


class JournalRecord(Protocol):
    """One record of the journal, as a fold sees it.

    `at` is the system's clock in ms, which may step, `mono` the monotonic one where it is known.
    `asked` is what repeats are known by, None where that is not kept.
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
    def asked(self) -> int | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def damage(self) -> str:
        """Why nothing in it is to be trusted; empty where all is."""

    @property
    def origin(self) -> Origin | None:
        """Where it came from, in a journal of several nodes; None in a node's own."""

    @property
    def steady(self) -> int | None:
        """Where in time it belongs, in Unix ms; None where that is reckoned by `mono`."""


class JournalSource(Protocol):
    """A journal to read; any thread may call it."""

    @property
    def node(self) -> int | None: ...
    def read(self, after_seq: int, limit: int) -> Sequence[JournalRecord]: ...
    def get_many(self, seqs: Iterable[int]) -> Mapping[int, JournalRecord]:
        """Those of the records that are there, and whole."""

    def seq_of(self, origin: Origin) -> int | None:
        """The number here of a node's record; None where it is not here."""

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


class ReadableJournal(JournalSource, Protocol):
    """The same for who looks into it in either direction, until `close`."""

    @property
    def damage(self) -> Mapping[int, str]:
        """Records that were met and are not to be trusted, with why: the first of them."""

    def read_back(self, before_seq: int | None, limit: int) -> Sequence[JournalRecord]: ...
    def get(self, seq: int) -> JournalRecord | None: ...
    def close(self) -> None: ...
