"""Retention and erasures, carried out in small steps by one thread.

`RetentionWorker.step` does a few milliseconds of work, or looks after one segment, and says whether
there may be more. What it has done is kept before the next step, so that a restart goes on where it
was.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.errors import in_words, unforeseen
from switchhook.exotel.spellings import FORMS, Subject, shown
from switchhook.exotel.times import DAY_MS
from switchhook.retention.erasure import (
    ErasableStore,
    Erasure,
    ErasureBook,
    ErasurePlan,
    NodesErasing,
    Phase,
    Proof,
    plan_erasure,
    proof_of,
)
from switchhook.retention.erasure_worker import Eraser
from switchhook.retention.policy import (
    ClassReport,
    DeleteRows,
    DeleteSegment,
    Holdings,
    Hour,
    KeptStore,
    Matter,
    Removed,
    RetentionLimits,
    Roll,
    hour_of,
    next_step,
    report,
)
from switchhook.retention.trusted_time import Held, Trusted, first_trusted, held
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from switchhook.access.audit import Deed
    from switchhook.journal.closed import ClosedJournal, DatedSegments, Segment
    from switchhook.retention.policy import Rows

log = logging.getLogger(__name__)

BREATH_S = 0.02
"""Between two steps, so that pages get the interpreter and receipts the disk."""
LOOK_S = 60.0
"""How often retention looks whether anything is due."""
IDLE_S, WAIT_S = 0.5, 0.1
"""How often to look for a wish, and how often an erasure looks whether what it waits for came."""
_LONGEST_S = 60.0  # before it is tried again
_ROWS = 500
NOTE_MS = 600_000
"""How often the time that retention trusts is kept, for the next start to go on from."""


class RetentionBook(ErasureBook, Protocol):
    """The erasures in the ledger, what retention removed, and the time that it trusts."""

    def note(self, deed: Deed, now_ms: int) -> None: ...
    def removed(self) -> dict[Matter, Removed]: ...
    def trusted(self) -> Trusted | None: ...
    def note_trusted(self, trusted: Trusted) -> None: ...
    def add_removed(self, removed: Removed) -> None: ...


class RetentionStore(ErasableStore, KeptStore, Protocol):
    """The store, as retention and erasures see it."""


class RetentionStatus(msgspec.Struct, frozen=True):
    """How things stand: each class, and why nothing goes on, if so."""

    classes: tuple[ClassReport, ...]
    problem: str | None
    running: bool


class RetentionWorker:
    """Runs retention and erasures from `start` to `stop`; any thread may ask.

    `journal` is what erasures look through, and `by_age` what retention removes of it where that is
    another; `nodes` are asked to mask their own journals. `rows` has what is removed by rows, but
    for the journal's; `erased` is called when an erasure has changed what was kept, so that others
    forget what they remember of it; `remember` before one begins, so that a restore can do it
    again.
    """

    def __init__(
        self,
        *,
        journal: ClosedJournal,
        store: RetentionStore,
        book: RetentionBook,
        rows: Mapping[Matter, Rows],
        limits: RetentionLimits,
        last_seq: Callable[[], int],
        by_age: DatedSegments | None = None,
        nodes: NodesErasing | None = None,
        erased: Callable[[], None] = lambda: None,
        remember: Callable[[Erasure], None] = lambda erasure: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        draw: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._journal, self._store, self._book = journal, store, book
        self._by_age: DatedSegments = journal if by_age is None else by_age
        self._rows, self.limits = rows, limits
        self._last_seq, self._now_ms, self._draw = last_seq, now_ms, draw
        self._remember = remember
        self._eraser = Eraser(journal, store, book, pause=self._pause, erased=erased, nodes=nodes)
        self._mono_ms = mono_ms
        self._look_at_ms = self._kept_up_to = 0
        self._trusted: Trusted | None = None
        self._trusted_at_ms = self._noted_ms = mono_ms()
        self._hour: Hour | None = None
        self.held: Held | None = None
        self.looked = False
        """Whether it is known what `held` says."""
        self._problem: str | None = None
        self._waiting = False  # whether an erasure is on its way
        self._repeating = Repeating(
            "keeping", self._step, every_s=IDLE_S, longest_s=_LONGEST_S, failed=self._failed
        )

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the step at hand; whether it did within `timeout_s`."""
        return self._repeating.stop(timeout_s)

    def status(self) -> RetentionStatus:
        """How things stand now."""
        holdings = self._holdings()
        classes = report(holdings, self.limits, self._book.removed(), self._now_ms())
        return RetentionStatus(classes, self._problem, self._repeating.runs)

    @property
    def problem(self) -> str | None:
        """Why it stands still; None while it goes on."""
        return self._problem

    def plan(self, value: str, subject: Subject = Subject.NUMBER) -> ErasurePlan:
        """What an erasure of a number in E.164, or of something else, would do."""
        return plan_erasure(shown(subject, value), self._journal.segments(), self._last_seq())

    def erase(self, value: str, by: str, deed: Deed, subject: Subject = Subject.NUMBER) -> Proof:
        """Begin to forget a number in E.164, or something else; it goes on by itself.

        One on its way that reaches as far is all that is needed; the wish is noted all the same.
        """
        until_seq, now_ms = self._last_seq(), self._now_ms()
        for each in self._book.running():
            if (each.subject, each.number) == (subject, value) and each.until_seq >= until_seq:
                self._book.note(deed, now_ms)
                return proof_of(each)
        erasure = Erasure(
            id=self._draw(8).hex(),
            number=value,
            masked=shown(subject, value),
            by=by,
            asked_ms=now_ms,
            until_seq=until_seq,
            subject=subject,
            forms=FORMS,
            phase=Phase.FIND if subject is Subject.CUSTOM_FIELD else Phase.JOURNAL,
        )
        return self.erase_again(erasure, deed)

    def erase_again(self, erasure: Erasure, deed: Deed) -> Proof:
        """Begin an erasure as it is; for those that a restore brings back."""
        self._remember(erasure)
        self._book.begin(erasure, deed)
        self._repeating.wake()
        return proof_of(erasure)

    def proofs(self) -> list[Proof]:
        """All erasures, the newest first."""
        return [proof_of(each) for each in self._book.all()]

    def proof(self, id: str) -> Proof | None:
        """One erasure as it stands."""
        return next((each for each in self.proofs() if each.id == id), None)

    def confirmed(self, id: str) -> bool | None:
        """Whether what an erasure left in the journal is still there as it left it.

        What retention has removed since counts as such. None where there is no such erasure.
        """
        found = next((each for each in self._book.all() if each.id == id), None)
        return None if found is None else self._eraser.confirmed(found)

    def step(self) -> bool:
        """Do a little; whether there is more to do at once."""
        now, mono = self._now_ms(), self._mono_ms()
        running = self._book.running()
        self._waiting = bool(running)
        if any(self._eraser.step(each, now) for each in running):
            return True
        if mono < self._look_at_ms:
            return False
        if self._retain(now, mono):
            return True
        self._look_at_ms = mono + int(LOOK_S * 1000)
        return False

    def _trust(self, holdings: Holdings, clock_ms: int, mono_ms: int) -> int:
        """The time that retention goes by; says by `held` whether the clock is far ahead of it."""
        before = self._trusted or self._book.trusted() or first_trusted(holdings, clock_ms)
        trusted = before.later(clock_ms, mono_ms - self._trusted_at_ms)
        if self._trusted is None or mono_ms - self._noted_ms >= NOTE_MS:
            self._book.note_trusted(trusted)
            self._noted_ms = mono_ms
        self._trusted, self._trusted_at_ms = trusted, mono_ms
        found = held(holdings, self.limits, trusted, clock_ms)
        if found is not None and self.held is None:
            days = found.ahead_ms / DAY_MS
            log.error("retention waits: the clock is %.0f days ahead of what was kept", days)
        self.held, self.looked = found, True
        return trusted.before(clock_ms)

    def _retain(self, clock_ms: int, mono_ms: int) -> bool:
        """Carry out what retention asks for next; whether there may be more."""
        holdings = self._holdings()
        now_ms = self._trust(holdings, clock_ms, mono_ms)
        if self._hour is None or self._hour.over(mono_ms):
            self._hour = hour_of(holdings, now_ms, mono_ms)
        match next_step(holdings, self.limits, now_ms, self._hour):
            case DeleteSegment(segment):
                if self._stories_kept(segment):
                    return True
                freed = self._by_age.delete(segment)
                self._hour = msgspec.structs.replace(self._hour, segments=self._hour.segments + 1)
                records = max(segment.last_seq - segment.first_seq + 1, 0)
                self._book.add_removed(Removed(Matter.RAW, records, freed, now_ms))
                log.info("retention removed %s with %d records", segment.name, records)
                return True
            case DeleteRows(matter, before_ms):
                count = self._rows[matter].remove(before_ms, _ROWS)
                self._book.add_removed(Removed(matter, count, 0, now_ms))
                return count > 0
            case Roll(seq):
                self._by_age.ask_roll(seq)
                return False
            case None:
                self._by_age.clear_strays()
                return False

    def _stories_kept(self, segment: Segment) -> bool:
        """Write down some stories that point into a segment; whether there may be more."""
        after = max(self._kept_up_to, segment.first_seq - 1)
        going_on = self._store.keep_stories(after, segment.last_seq + 1, _ROWS)
        self._kept_up_to = segment.last_seq if going_on is None else going_on
        return going_on is not None

    def _holdings(self) -> Holdings:
        return Holdings(
            self._by_age.segments(),
            self._store.position(),
            {matter: rows.oldest_ms() for matter, rows in self._rows.items()},
        )

    def _pause(self) -> None:
        self._repeating.wait(BREATH_S)

    def _step(self) -> float | None:
        more = self.step()
        self._problem = None
        if more:
            self._pause()
            return 0.0
        return WAIT_S if self._waiting else None

    def _failed(self, error: Exception) -> None:
        problem = in_words(error)
        if problem != self._problem:
            trace = unforeseen(error)
            log.error("keeping stands still and tries again: %s", problem, exc_info=trace)
        self._problem = problem
