"""The places that this process gave of late: what a budget that was reckoned before doesn't know.

A budget says what may be admitted beyond those up to a number of the journal. What was given after
it counts against it, exactly: nothing is forgotten because a newer budget covers it, as a console
that starts again may go back to an older one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

Owner = tuple[str, ...]
"""Whose places they are: `(account,)`, or `(pool, member)`."""

MOST_REMEMBERED = 50_000
"""Places of one owner; of more than that, the oldest are forgotten."""


class _Given:
    __slots__ = ("calls", "forgotten", "seqs")

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.calls: dict[str, int] = {}
        self.forgotten = 0

    def add(self, call: str, seq: int) -> None:
        before = self.calls.pop(call, None) if call else None
        if before is not None:
            place = bisect_left(self.seqs, before)
            if place < len(self.seqs) and self.seqs[place] == before:
                del self.seqs[place]
        self.seqs.append(seq)
        if call:
            self.calls[call] = seq
        if len(self.seqs) > 2 * MOST_REMEMBERED:
            self.forgotten = self.seqs[MOST_REMEMBERED]
            del self.seqs[: MOST_REMEMBERED + 1]
            self.calls = {c: at for c, at in self.calls.items() if at > self.forgotten}


class PlacesGiven:
    """Places by owner, in the journal's order. One that a call has again is one place.

    `since_seq` is the first record from which on all of them are known.
    """

    def __init__(self, since_seq: int = 0) -> None:
        self.since_seq = since_seq
        self._of: dict[Owner, _Given] = {}

    def add(self, owner: Owner, call: str, seq: int) -> None:
        """Note a place that the record `seq` gave to a call; `call` may be empty where unknown."""
        given = self._of.get(owner)
        if given is None:
            given = self._of[owner] = _Given()
        given.add(call, seq)

    def since(self, owner: Owner, through_seq: int) -> int | None:
        """How many were given after a record; None where not all of them are known any more."""
        if through_seq + 1 < self.since_seq:
            return None
        given = self._of.get(owner)
        if given is None:
            return 0
        if through_seq < given.forgotten:
            return None
        return len(given.seqs) - bisect_right(given.seqs, through_seq)

    def holds(self, owner: Owner, call: str, through_seq: int) -> bool:
        """Whether a call has a place that was given after a record."""
        given = self._of.get(owner)
        return given is not None and bool(call) and given.calls.get(call, -1) > through_seq
