"""What became of what callers were told: their answers beside the rows of the database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.figures import quantile
from lab.callers import Answer
from switchhook.journal.receipt import RecordKind

_CALL = re.compile(rb"CallSid=([\w-]+)")
_NODES = "SELECT node FROM cluster_handed"
_ROWS = " UNION ALL ".join(
    f"SELECT kind, body FROM {table} WHERE node = %(node)s AND seq > %(after)s"
    for table in ("cluster_receipt", "cluster_receipt_undated")
)


class Verdict(msgspec.Struct, frozen=True):
    """Of one fault: times in ms, from the moment at which a caller's request was due.

    `late` are those who were answered after the deadline, `silent` those who never were.
    `lost` are the calls that were answered and are in no row of the database.
    """

    asked: int
    silent: int
    late: int
    p50: float
    p99: float
    longest: float
    lost: tuple[str, ...]


def judge(answers: Sequence[Answer], kept: Iterable[str], deadline_ms: float) -> Verdict:
    """Compare what callers heard with the calls that are kept."""
    heard = [each for each in answers if each.status in {200, 302}]
    times = sorted(each.ms for each in heard)
    return Verdict(
        asked=len(answers),
        silent=len(answers) - len(heard),
        late=sum(ms > deadline_ms for ms in times),
        p50=quantile(times, 0.5),
        p99=quantile(times, 0.99),
        longest=times[-1],
        lost=tuple(sorted({each.call for each in heard} - set(kept))),
    )


class Kept(msgspec.Struct, frozen=True):
    """What the database has: the calls of receipts, and how many answers left with one copy."""

    calls: frozenset[str]
    marked: int


def calls_in(body: bytes) -> list[str]:
    """The calls that a record's body names."""
    return [each.decode() for each in _CALL.findall(body)]


def read_kept(connection: Any, after: Mapping[int, int]) -> Kept:
    """What came of each node after a number of its journal; all of one that is not named."""
    calls: set[str] = set()
    marked = 0
    for (node,) in connection.execute(_NODES).fetchall():
        for kind, body in connection.execute(_ROWS, {"node": node, "after": after.get(node, 0)}):
            marked += kind == RecordKind.ONE_COPY
            calls.update(calls_in(bytes(body)))
    return Kept(frozenset(calls), marked)
