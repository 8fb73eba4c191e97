"""Forgetting a person's number or call: how far an erasure has come, and the proof of it."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.spellings import LOOKED_FOR, NOT_LOOKED_FOR, Subject
from switchhook.journal.closed import closed_up_to
from switchhook.metrics import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchhook.access.audit import Deed
    from switchhook.exotel.spellings import Traces
    from switchhook.journal.closed import Segment


MOST_DAMAGED = 1000
_MOST_NAMED = 20


class SearchedPlace(msgspec.Struct, frozen=True):
    """One place that was searched, and what was found there.

    `searched` counts records or rows, `found` those with the number, `spellings` how often it stood
    there in all, `left` how often it still does, `stays` in how many rows it does on purpose.
    `digest` is a hash over what is there now instead, `seqs` are the records of the journal that it
    covers.

    What was removed is not hashed: with all but ten digits known, a hash would give them back. Who
    has an old copy can mask it in the same way and compare.
    """

    name: str
    searched: int = 0
    found: int = 0
    spellings: int = 0
    left: int = 0
    stays: int = 0
    digest: str = ""
    seqs: tuple[int, ...] = ()


class NodeState(StrEnum):
    """How far a node of a cluster is with its own journal."""

    WISHED = "wished"
    """It has not begun: it is away, or has something else to do first."""
    RUNNING = "running"
    DONE = "done"
    LEFT = "left"
    """It left the cluster before it was done: its disk may still hold what is erased."""


class NodeErased(msgspec.Struct, frozen=True):
    """What a node of a cluster did of an erasure in its own journal, up to its own `until_seq`.

    `proof` is the hash of what it says it searched, found and left.
    """

    node: int
    name: str
    state: NodeState
    until_seq: int = 0
    found: int = 0
    left: int = 0
    complete: bool = False
    proof: str = ""


class AwaitedNode(msgspec.Struct, frozen=True):
    """A node that an erasure waits for: for how long it is away; None where it is there."""

    node: int
    name: str
    state: NodeState
    away_s: float | None = None

    @property
    def words(self) -> str:
        """How far it is."""
        said = "has not begun" if self.state is NodeState.WISHED else "is at it"
        away = "" if self.away_s is None else f", away for {duration_text(self.away_s)}"
        return said + away


def awaited(nodes: Iterable[NodeErased], away: Mapping[int, float]) -> tuple[AwaitedNode, ...]:
    """Those that have something to do yet; `away` has for how many seconds which of them is."""
    going = (NodeState.WISHED, NodeState.RUNNING)
    return tuple(
        AwaitedNode(each.node, each.name, each.state, away.get(each.node))
        for each in nodes
        if each.state in going
    )


class Phase(StrEnum):
    """What an erasure is at; they come in this order."""

    FIND = "find"
    """The calls that had a CustomField are looked for; nothing is changed."""
    JOURNAL = "journal"
    REFUSED = "refused"
    STORE = "store"
    LEDGER = "ledger"
    NODES = "nodes"
    """Each node of a cluster is waited for, until it has masked its own journal."""
    CHECK = "check"
    FILE = "file"
    """The number is not known any more; the bytes of the ledger's own file are left to look at."""
    DONE = "done"


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure on its way: kept in the ledger after each step, so that a restart goes on.

    It covers the journal up to `until_seq`, where it was when it was asked for or, once that is
    sealed, the end of the segment: what comes later is kept as usual. `number`, or what else it is
    about, is there while it is needed, as are `calls`, the SIDs found; `masked` stays for ever.
    `forms` says which spellings it looks for. Everything before `next_seq` is done in this phase;
    `pending` are records of the segment at hand which hold the number, with how often each;
    `cursor` is the ledger's own bookmark. `damaged` are the first and the last of rows of records
    that it could not look into. `nodes` are those of a cluster, each with its own journal, and
    `nodes_done` is whether none has to be waited for any more. Times are in ms.
    """

    id: str
    number: str | None
    masked: str
    by: str
    asked_ms: int
    until_seq: int
    subject: Subject = Subject.NUMBER
    calls: tuple[str, ...] = ()
    forms: int = 1  # of erasures before there were others
    phase: Phase = Phase.JOURNAL
    next_seq: int = 0
    pending: tuple[tuple[int, int], ...] = ()
    cursor: str = ""
    places: tuple[SearchedPlace, ...] = ()
    damaged: tuple[tuple[int, int], ...] = ()
    nodes: tuple[NodeErased, ...] = ()
    nodes_done: bool = False
    done_ms: int | None = None

    @property
    def complete(self) -> bool:
        """Whether everything was searched and nothing is left."""
        left = any(place.left for place in self.places)
        nodes = all(each.complete for each in self.nodes)
        return self.phase is Phase.DONE and not left and not self.damaged and nodes

    def with_damaged(self, found: Iterable[tuple[int, int]]) -> Erasure:
        """The same, with some more records that can't be read, or not be trusted."""
        more = tuple(each for each in found if each not in self.damaged)
        return msgspec.structs.replace(self, damaged=(*self.damaged, *more)[:MOST_DAMAGED])

    @property
    def found(self) -> int:
        """In how many records and rows the number was."""
        return sum(place.found for place in self.places)

    def noted(self, name: str, **more: int) -> tuple[SearchedPlace, ...]:
        """The places with some more counted at one of them."""
        place = self.place(name)
        grown = msgspec.structs.replace(
            place, **{field: getattr(place, field) + count for field, count in more.items()}
        )
        return self.with_place(grown)

    def place(self, name: str) -> SearchedPlace:
        """A place by its name, new where nothing was noted there."""
        return next((each for each in self.places if each.name == name), SearchedPlace(name))

    def with_place(self, place: SearchedPlace) -> tuple[SearchedPlace, ...]:
        """The places with one of them replaced or added."""
        return (*(each for each in self.places if each.name != place.name), place)

    def on(self, phase: Phase) -> Erasure:
        """The same, at the beginning of a phase."""
        return msgspec.structs.replace(self, phase=phase, next_seq=0, pending=(), cursor="")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure searched, found and left, for those who have to show it.

    `not_looked_into` is there only where records are damaged, `nodes` only in a cluster. `proof` is
    a hash over all the rest, as JSON with sorted keys.
    """

    id: str
    masked: str
    by: str
    asked_ms: int
    until_seq: int
    state: str
    complete: bool
    places: tuple[SearchedPlace, ...]
    subject: str = Subject.NUMBER.value
    looked_for: tuple[str, ...] = ()
    not_looked_for: tuple[str, ...] = ()
    not_looked_into: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    nodes: tuple[NodeErased, ...] | msgspec.UnsetType = msgspec.UNSET
    done_ms: int | None = None
    proof: str = ""


def proof_of(erasure: Erasure) -> Proof:
    """The proof of an erasure as it stands."""
    said = Proof(
        id=erasure.id,
        masked=erasure.masked,
        by=erasure.by,
        asked_ms=erasure.asked_ms,
        until_seq=erasure.until_seq,
        state=erasure.phase.value,
        complete=erasure.complete,
        places=tuple(sorted(erasure.places, key=lambda place: place.name)),
        subject=erasure.subject.value,
        looked_for=_looked_for(erasure),
        not_looked_for=NOT_LOOKED_FOR if erasure.subject is Subject.NUMBER else (),
        not_looked_into=damage_text(erasure.damaged) or msgspec.UNSET,
        nodes=erasure.nodes or msgspec.UNSET,
        done_ms=erasure.done_ms,
    )
    return msgspec.structs.replace(said, proof=_hash_of(said))


def _looked_for(erasure: Erasure) -> tuple[str, ...]:
    if erasure.subject is Subject.NUMBER:
        return LOOKED_FOR[erasure.forms]
    calls = "every record that names the call's SID, as it is or percent-encoded"
    if erasure.subject is Subject.CALL:
        return (calls,)
    return ("every passthru and callback with that CustomField, whole and as it was sent", calls)


def damage_text(damaged: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """What is said of damaged records, by rows of them: a byte that changed may hide a number."""
    if not damaged:
        return ()
    named = ", ".join(
        f"{first:,}" if first == last else f"{first:,} to {last:,}"
        for first, last in damaged[:_MOST_NAMED]
    )
    more = f" and {len(damaged) - _MOST_NAMED:,} more" if len(damaged) > _MOST_NAMED else ""
    hint = "restore their file from a backup, and look again"
    return (f"damaged records: {named}{more}; {hint}",)


def _hash_of(proof: Proof) -> str:
    text = msgspec.json.encode(msgspec.structs.replace(proof, proof=""), order="sorted")
    return hashlib.sha256(text).hexdigest()


def digest_of(records: Iterable[tuple[int, bytes]]) -> str:
    """A hash over records by seq, in their order."""
    whole = hashlib.sha256()
    for seq, body in records:
        whole.update(seq.to_bytes(8, "big") + hashlib.sha256(body).digest())
    return whole.hexdigest()


class ErasurePlan(msgspec.Struct, frozen=True):
    """What an erasure will do, said before anything is touched."""

    masked: str
    until_seq: int
    segments: int
    bytes: int
    seals_open: bool
    """Whether the answer side has to begin a new segment first."""


def plan_erasure(name: str, segments: Sequence[Segment], until_seq: int) -> ErasurePlan:
    """The plan for what is shown as `name`, over the journal as it is."""
    searched = [each for each in segments if each.first_seq <= until_seq]
    return ErasurePlan(
        name,
        until_seq,
        len(searched),
        sum(each.bytes for each in searched),
        not closed_up_to(segments, until_seq),
    )


class NodesErasing(Protocol):
    """The nodes of a cluster, each of which masks its own journal. Raises ClusterError."""

    def wish(self, erasure: Erasure) -> None:
        """Ask each node for it that was not asked yet."""

    def told(self, id: str) -> tuple[NodeErased, ...]:
        """How far each is, by its number."""

    def reach(self, id: str) -> int | None:
        """Up to which number of the journal of all that reaches what they proved.

        None while some of that is not in it yet.
        """

    def forget(self, id: str) -> None:
        """Make go what it is about, once nobody needs it any more."""


class ErasureBook(Protocol):
    """The erasures in the ledger, and the ledger's own part in them. Raises LedgerError."""

    def begin(self, erasure: Erasure, deed: Deed) -> None:
        """Keep a new one, with its entry in the audit log."""

    def save(self, erasure: Erasure) -> None:
        """Keep how far one has come."""

    def finish(self, erasure: Erasure, deed: Deed) -> None:
        """Keep one that is done, and make the bytes of its number go."""

    def all(self) -> list[Erasure]:
        """All, the newest first."""

    def running(self) -> list[Erasure]:
        """Those that are not done, the oldest first."""

    def mask_some(self, erasure: Erasure, traces: Traces) -> Erasure:
        """Mask the number in some more rows and keep that together with how far it has come."""

    def count_left(self, traces: Traces) -> list[SearchedPlace]:
        """Search all tables once more."""

    def file_left(self, traces: Traces) -> int:
        """How often the number is in the bytes of the ledger's file, its log emptied."""

    def rewrite(self) -> None:
        """Write the ledger's file anew, so that nothing is in it but its rows."""


class ErasableStore(Protocol):
    """The store, as an erasure sees it."""

    def position(self) -> int:
        """The seq up to which everything is folded."""

    def erase_number(self, number: str | None, seqs: Sequence[int]) -> int:
        """Forget a number in E.164, if any: fold what these records told anew; how much it was."""

    def holds_number(self, number: str, until_seq: int = ...) -> int:
        """In how many records up to a seq it still knows the number."""
