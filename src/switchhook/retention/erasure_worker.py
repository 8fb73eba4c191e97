"""Erasing a number or calls: journal, store, ledger, then a second look at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.access.audit import Deed
from switchhook.exotel.phone_numbers import Ours
from switchhook.exotel.spellings import Subject
from switchhook.journal.closed import SegmentState
from switchhook.retention.erased_calls import calls_named, traces_of
from switchhook.retention.erasure import (
    Erasure,
    NodeState,
    Phase,
    SearchedPlace,
    damage_text,
    digest_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.exotel.spellings import Traces
    from switchhook.journal.closed import ClosedJournal, Segment
    from switchhook.retention.erasure import ErasableStore, ErasureBook, NodesErasing

JOURNAL, FILES, REFUSED, STORE = "journal", "journal files", "journal/refused", "store"
LEDGER_FILE = "ledger file"
"""The places of a proof beside the ledger's tables."""

WORDS = {
    Subject.NUMBER: "number",
    Subject.CALL: "call",
    Subject.CUSTOM_FIELD: "custom field",
}

replace = msgspec.structs.replace


def _left_text(done: Erasure) -> str:
    """Where something is left: places, and nodes of a cluster."""
    nodes = [f"node {each.name}" for each in done.nodes if not each.complete]
    return ", ".join([*(each.name for each in done.places if each.left), *nodes]) or "nothing"


class Eraser:
    """Brings erasures on by a step at a time; `pause` is called within long ones."""

    def __init__(
        self,
        journal: ClosedJournal,
        store: ErasableStore,
        book: ErasureBook,
        *,
        pause: Callable[[], None],
        erased: Callable[[], None],
        nodes: NodesErasing | None = None,
    ) -> None:
        self._journal, self._store, self._book = journal, store, book
        self._pause, self._erased = pause, erased
        self._nodes = nodes
        self._wished: set[str] = set()
        self._traces: tuple[Erasure, Traces] | None = None
        self._let_go: dict[str, Traces] = {}  # of erasures whose number is let go, by their id

    def step(self, erasure: Erasure, now_ms: int) -> bool:
        """Do a little of one; False where it has to wait, or is done."""
        if erasure.phase is Phase.FILE:
            if not self._is_wished_again(erasure):
                self._in_file(erasure, now_ms)
            return False
        assert erasure.number is not None, "an erasure has its number until all is masked"
        traces = self._traces_of(erasure)
        if self._nodes is not None and erasure.phase is not Phase.FIND:
            if erasure.id not in self._wished:
                self._nodes.wish(erasure)
                self._wished.add(erasure.id)
            if erasure.phase is Phase.NODES or self._waits_for_nodes(erasure):
                return self._at_nodes(erasure, self._nodes)
        match erasure.phase:
            case Phase.FIND:
                return self._find_calls(erasure)
            case Phase.JOURNAL:
                return self._in_journal(erasure, traces)
            case Phase.REFUSED:
                self._book.save(self._in_refused(erasure, traces).on(Phase.STORE))
            case Phase.STORE:
                self._book.save(self._in_store(erasure).on(Phase.LEDGER))
            case Phase.LEDGER:
                self._book.mask_some(erasure, traces)
            case Phase.CHECK:
                return self._check(erasure, traces)
            case Phase.NODES:  # of a cluster that is none any more
                self._book.save(replace(erasure, nodes_done=True).on(Phase.CHECK))
            case Phase.FILE | Phase.DONE:
                return False
        return True

    def _waits_for_nodes(self, erasure: Erasure) -> bool:
        return erasure.phase is Phase.CHECK and not erasure.nodes_done

    def _at_nodes(self, erasure: Erasure, nodes: NodesErasing) -> bool:
        """Wait until each node has masked its journal; what it handed over last is looked at too.

        It masks after it handed over: what came here meanwhile came as it was.
        """
        nodes.wish(erasure)  # also of who joined since
        told = nodes.told(erasure.id)
        if told != erasure.nodes or erasure.phase is not Phase.NODES:
            erasure = replace(erasure, nodes=told, phase=Phase.NODES)
            self._book.save(erasure)
        if any(each.state in (NodeState.WISHED, NodeState.RUNNING) for each in told):
            return False
        reach = nodes.reach(erasure.id)
        if reach is None:
            return False
        if reach <= erasure.until_seq:
            self._book.save(replace(erasure, nodes_done=True).on(Phase.CHECK))
            return True
        by_calls = erasure.subject is Subject.CUSTOM_FIELD
        again = erasure.on(Phase.FIND if by_calls else Phase.JOURNAL)
        self._book.save(replace(again, next_seq=erasure.until_seq + 1, until_seq=reach))
        return True

    def confirmed(self, erasure: Erasure) -> bool:
        """Whether the records that an erasure masked are still as it left them, or gone whole."""
        place = erasure.place(JOURNAL)
        there = dict(self._bodies(place.seqs))
        if len(there) < len(place.seqs):  # what a segment's end took away can't be hashed any more
            return all(seq in there or self._journal.removed(seq) for seq in place.seqs)
        return not place.seqs or digest_of(sorted(there.items())) == place.digest

    def _find_calls(self, erasure: Erasure) -> bool:
        """Look a little further for the calls that had the CustomField."""
        segment = self._segment_at(erasure)
        if segment is None:
            self._book.save(erasure.on(Phase.JOURNAL))
            return True
        if not self._ready(segment, erasure.until_seq):
            return False
        if segment.state is SegmentState.SUPERSEDED:
            self._journal.delete(segment)
            return True
        if segment.state is SegmentState.DAMAGED:
            return self._passed_over(erasure, segment)
        assert erasure.number is not None, "an erasure has its value until all is masked"
        value, calls = erasure.number, list(erasure.calls)

        def look(body: bytes) -> int:
            calls.extend(sid for sid in calls_named(body, value) if sid not in calls)
            return 0

        found = self._journal.scan(segment.name, look, after_seq=erasure.next_seq - 1)
        after = segment.last_seq if found.last_seq is None else found.last_seq
        self._book.save(replace(erasure, next_seq=after + 1, calls=tuple(calls)))
        return True

    def _in_journal(self, erasure: Erasure, traces: Traces) -> bool:
        segment = self._segment_at(erasure)
        if segment is None:
            self._book.save(self._with_digest(erasure).on(Phase.REFUSED))
            return True
        if not self._ready(segment, erasure.until_seq):
            return False
        if segment.state is SegmentState.SUPERSEDED:
            self._journal.delete(segment)
            return True
        if segment.state is SegmentState.ABANDONED:
            self._journal.adopt(segment)
            return True
        if segment.state is SegmentState.DAMAGED:
            return self._passed_over(erasure, segment)
        if erasure.pending and erasure.next_seq > segment.last_seq:
            return self._mask(erasure, segment, traces)
        found = self._journal.scan(segment.name, traces.count, after_seq=erasure.next_seq - 1)
        after = segment.last_seq if found.last_seq is None else found.last_seq
        self._book.save(
            replace(
                erasure.with_damaged(found.damaged),
                # To the segment's end, as its file is to hold no byte of the number.
                until_seq=max(erasure.until_seq, segment.last_seq),
                next_seq=after + 1,
                pending=(*erasure.pending, *found.hits),
                places=erasure.noted(JOURNAL, searched=found.records),
            )
        )
        return True

    def _passed_over(self, erasure: Erasure, segment: Segment) -> bool:
        """Go on behind a segment of which nothing can be read, and keep that it was passed over."""
        noted = erasure.with_damaged([(segment.first_seq, segment.last_seq)])
        self._book.save(replace(noted, next_seq=segment.last_seq + 1))
        return True

    def _mask(self, erasure: Erasure, segment: Segment, traces: Traces) -> bool:
        """Mask what was found in a segment; may be cut short and done again."""
        seqs = tuple(seq for seq, _ in erasure.pending)
        self._journal.mask(segment.name, seqs, traces.mask)
        left = self._journal.leftovers(segment.name, traces.count, self._pause)
        if left:
            self._journal.rewrite(segment.name)
            left = self._journal.leftovers(segment.name, traces.count, self._pause)
        times = sum(times for _, times in erasure.pending)
        places = erasure.noted(FILES, searched=1, left=left)
        erasure = replace(erasure, pending=(), places=places)
        place = erasure.place(JOURNAL)
        grown = replace(
            place,
            found=place.found + len(seqs),
            spellings=place.spellings + times,
            seqs=(*place.seqs, *seqs),
        )
        self._book.save(replace(erasure, places=erasure.with_place(grown)))
        return True

    def _segment_at(self, erasure: Erasure) -> Segment | None:
        """The segment to work at: that of the pending records, else the next to look through."""
        segments = self._journal.segments()
        if erasure.pending:
            last = erasure.pending[-1][0]
            found = [each for each in segments if each.first_seq <= last <= each.last_seq]
            if found:
                return found[0]
        return next(
            (
                each
                for each in segments
                if each.first_seq <= erasure.until_seq
                and (
                    each.last_seq >= max(erasure.next_seq, each.first_seq)
                    or each.state is SegmentState.SUPERSEDED
                )
            ),
            None,
        )

    def _ready(self, segment: Segment, until_seq: int) -> bool:
        """Whether a segment can be worked at; if not, what it waits for was asked for."""
        if segment.state is SegmentState.OPEN:
            self._journal.ask_roll(min(until_seq, segment.last_seq))
            return False
        # What is replaced while it is folded might be passed over.
        return segment.last_seq <= self._store.position()

    def _in_refused(self, erasure: Erasure, traces: Traces) -> Erasure:
        for name in self._journal.refused.names():
            times = self._journal.refused.mask(name, traces.mask)
            places = erasure.noted(REFUSED, searched=1, found=int(times > 0), spellings=times)
            erasure = replace(erasure, places=places)
        return erasure

    def _in_store(self, erasure: Erasure) -> Erasure:
        number = erasure.number if erasure.subject is Subject.NUMBER else None
        found = self._store.erase_number(number, erasure.place(JOURNAL).seqs)
        self._erased()
        return replace(erasure, places=erasure.with_place(SearchedPlace(STORE, found=found)))

    def _check(self, erasure: Erasure, traces: Traces) -> bool:
        """Look through the journal once more, then through the rest, and end."""
        segment = self._segment_at(erasure)
        if segment is None:
            # Only when it holds the number nowhere else can the ledger's own file be free of it.
            checked = self._rest_checked(erasure, traces).on(Phase.FILE)
            if self._nodes is not None:
                self._nodes.forget(erasure.id)
            self._book.save(replace(checked, number=None, calls=()))
            self._let_go[erasure.id] = traces
            return True
        if not self._ready(segment, erasure.until_seq):
            return False
        if segment.state is SegmentState.SUPERSEDED:
            self._journal.delete(segment)
            return True
        if segment.state is SegmentState.DAMAGED:
            return self._passed_over(erasure, segment)
        found = self._journal.scan(segment.name, traces.count, after_seq=erasure.next_seq - 1)
        after = segment.last_seq if found.last_seq is None else found.last_seq
        erasure = erasure.with_damaged(found.damaged)
        places = erasure.noted(JOURNAL, left=len(found.hits))
        self._book.save(replace(erasure, next_seq=after + 1, places=places))
        return True

    def _rest_checked(self, erasure: Erasure, traces: Traces) -> Erasure:
        refused = sum(
            traces.count(self._journal.refused.read(name)) for name in self._journal.refused.names()
        )
        erasure = replace(erasure, places=erasure.noted(REFUSED, left=refused))
        if erasure.subject is Subject.NUMBER and erasure.number is not None:
            left = self._store.holds_number(erasure.number, erasure.until_seq)
            erasure = replace(erasure, places=erasure.noted(STORE, left=left))
        masked = {each.name for each in erasure.places}
        for place in self._book.count_left(traces):
            searched = 0 if place.name in masked else place.searched
            places = erasure.noted(
                place.name, searched=searched, left=place.left, stays=place.stays
            )
            erasure = replace(erasure, places=places)
        return erasure

    def _is_wished_again(self, erasure: Erasure) -> bool:
        """Whether another erasure of the same goes on: the ledger's file names it till then."""
        return any(
            each.number is not None
            and (each.subject, each.masked) == (erasure.subject, erasure.masked)
            for each in self._book.running()
        )

    def _in_file(self, erasure: Erasure, now_ms: int) -> None:
        """Look at the bytes of the ledger's file, and end."""
        traces, left = self._let_go.get(erasure.id), 0
        if any(place.stays for place in erasure.places):
            self._book.rewrite()  # then only the rows that stay on purpose have it
        elif traces is not None:
            left = self._book.file_left(traces)
            if left:
                self._book.rewrite()
                left = self._book.file_left(traces)
        else:
            # After a restart nobody knows the number, but the rows hold none, as was checked.
            self._book.rewrite()
        places = erasure.with_place(SearchedPlace(LEDGER_FILE, searched=1, left=left))
        done = replace(erasure, phase=Phase.DONE, done_ms=now_ms, places=places)
        details = {
            WORDS[done.subject]: done.masked,
            "found": str(done.found),
            "stays": ", ".join(each.name for each in done.places if each.stays) or "nothing",
            "left": _left_text(done),
        } | ({"not looked into": damage_text(done.damaged)[0]} if done.damaged else {})
        what = f"erased a {WORDS[done.subject]}"
        what = what if done.complete else f"{what}, but not everywhere"
        deed = Deed(
            who=done.by, what=what, subject=Ours(done.id), origin="erasure", details=details
        )
        self._book.finish(done, deed)
        self._traces = None
        self._let_go.pop(erasure.id, None)

    def _with_digest(self, erasure: Erasure) -> Erasure:
        place = erasure.place(JOURNAL)
        digest = digest_of(sorted(self._bodies(place.seqs)))
        return replace(erasure, places=erasure.with_place(replace(place, digest=digest)))

    def _bodies(self, seqs: tuple[int, ...]) -> list[tuple[int, bytes]]:
        found = []
        for segment in self._journal.segments():
            inside = [seq for seq in seqs if segment.first_seq <= seq <= segment.last_seq]
            if inside:
                found += list(self._journal.bodies(segment.name, inside))
        return found

    def _traces_of(self, erasure: Erasure) -> Traces:
        """What to look for; made once, for the patterns of one take a while."""
        known = self._traces
        if known is None or (known[0].id, known[0].calls) != (erasure.id, erasure.calls):
            known = self._traces = erasure, traces_of(erasure)
        return known[1]
