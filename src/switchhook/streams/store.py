"""What streams are folded into and read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.journal.steady_time import Axis
    from switchhook.streams.facet import Count, Form, RuleHits, Tally, Use
    from switchhook.streams.names import Names
    from switchhook.streams.parsed_record import ParsedRecord
    from switchhook.streams.search.query import Query, SearchPage
    from switchhook.streams.story import StreamStory


class StreamFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for; None is anything.

    `status` is the stream's as normalised, or any other word in lower case. Only what has
    `from_seq` <= seq < `before_seq`; newest first unless `oldest_first`.
    """

    endpoint: str | None = None
    call_sid: str | None = None
    stream_sid: str | None = None
    status: str | None = None
    cause: Cause | None = None
    option: str | None = None
    from_seq: int = 0
    before_seq: int = 2**63 - 1
    limit: int = 100
    oldest_first: bool = False


class Quarantined(msgspec.Struct, frozen=True):
    """A record that could not be folded; its bytes are in the journal."""

    seq: int
    reason: str


class Marks(msgspec.Struct, frozen=True):
    """How a receipt was kept when its answer left: by how much late, None where it was in time.

    `one_copy` is whether there was one where two were asked for.
    """

    late_ms: int | None = None
    one_copy: bool = False


UNMARKED = Marks()
"""What holds for a receipt that no later record tells of."""


class Store(Protocol):
    """What is folded from the journal: pointers into it, by what people look for."""

    def axis(self) -> Axis | None:
        """Steady time by what is folded; None before a record with a monotonic time is."""

    def placed(self, seqs: Iterable[int]) -> dict[int, int]:
        """Where in time those of some records belong whose own time is another, in ms."""

    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        """Seqs among which are all records of a stretch of steady time: from, and to before.

        Where steady time goes back some records between them may be of other times.
        """

    def position(self) -> int:
        """The seq up to which everything is folded; 0 where nothing is."""

    def mend(self) -> None:
        """Bring back what failed, where that is possible by now; costs little where nothing did."""

    def fold(self, after: int, records: Sequence[ParsedRecord]) -> None:
        """Take records in, in their order; nothing where `position()` is not `after` any more.

        One thread only. A record that can't be folded is quarantined, and the others go on.
        """

    def receipts(self, wanted: StreamFilter) -> list[int]:
        """The seqs of receipts."""

    def streams(self, wanted: StreamFilter) -> list[tuple[int, StreamStory | None]]:
        """Streams by the seq of their first receipt; None where that one told all."""

    def marks(self, seqs: Iterable[int]) -> dict[int, Marks]:
        """Those of the receipts of which later records say how they were kept."""

    def search(
        self,
        query: Query,
        names: Names,
        *,
        before_seq: int = 2**63 - 1,
        after_seq: int = 0,
        limit: int = 100,
        counted: bool = False,
    ) -> SearchPage:
        """Streams that fit the query, newest first, first told of between the two seqs.

        `counted` says how many fit in all, wherever indexes tell it.

        Raises SearchError where it takes too long.
        """

    def tallies(self, since_ms: int, until_ms: int, *, hours: bool = False) -> list[Tally]:
        """How many streams of each facet were first told of, by the minute or by the hour.

        Whole minutes or hours: those that begin in the time, ascending.
        """

    def uses(self) -> list[Use]:
        """Each facet that streams are counted under, over all time."""

    def counts(self, since_ms: int, until_ms: int) -> list[Count]:
        """What the answer process counted in the minutes that begin in the time.

        A peak is the greatest of its minute.
        """

    def forms(self, since_ms: int, until_ms: int) -> list[Form]:
        """The forms of requests in the hours that begin in the time."""

    def rule_hits(self, since_ms: int, until_ms: int) -> list[RuleHits]:
        """Every rule that ever decided, with its hits in the hours that begin in the time."""

    def notes(self, call_sid: str) -> list[int]:
        """The seqs of the newest StatusCallback records that name a call, ascending."""

    def oldest_ms(self) -> int | None:
        """When the oldest stream that is kept was first told of; None where there is none."""

    def events(self, kind: int, limit: int, before_seq: int = 2**63 - 1) -> list[int]:
        """The newest records before a seq of a kind that is no receipt, newest first."""

    def counters(self) -> dict[str, int]:
        """What the answer process counted, over all time."""

    def quarantined(self, limit: int) -> tuple[int, list[Quarantined]]:
        """How many records could not be folded, and the newest of them."""
