"""Two copies: an answer waits until its receipt is durable here and kept in the database too.

It waits for a share of its deadline at most, and not at all while that is not worth it. What then
leaves with one copy is marked by a record of its own, which is durable before the answer leaves;
only past the deadline it follows, as the receipt does.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from switchhook.errors import JournalError
from switchhook.journal.receipt import ANSWERED_ALONE, OneCopy, RecordKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.answer.callback_receivers import Keep
    from switchhook.answer.hand_over import HandOver
    from switchhook.answer.owed_answer import OwedAnswer

log = logging.getLogger("switchhook.answer")

LONGEST_WAIT_MS = 300
SHARE_OF_DEADLINE = 0.3
"""A second copy is waited for until this part of the deadline is over, or so many ms."""


def wait_ms(deadline_ms: int) -> int:
    """How long a second copy is waited for, from the request on."""
    return min(LONGEST_WAIT_MS, int(deadline_ms * SHARE_OF_DEADLINE))


class CopiedAnswer:
    """An answer that leaves when its receipt is kept twice, or marked as kept once."""

    __slots__ = ("awaits_mark", "copies", "due_ns", "durable", "marked", "waiting", "worth_it")

    def __init__(self, copies: TwoCopies, waiting: OwedAnswer, wait_ms: int) -> None:
        self.copies, self.waiting = copies, waiting
        self.due_ns = waiting.since + wait_ms * 1_000_000
        self.worth_it = copies.hand_over.healthy
        self.durable = self.marked = self.awaits_mark = False

    def done(self, kept: bool) -> None:
        """The journal's word on the receipt: durable, or set aside because it was refused."""
        waiting, hand_over = self.waiting, self.copies.hand_over
        self.durable = kept
        if kept:
            hand_over.durable(waiting.seq)
            if waiting.reply is not None and not self.may_leave(hand_over.kept):
                return
        waiting.done(kept)

    def may_leave(self, kept_twice: int) -> bool:
        """Whether nothing is left to wait for, where all up to `kept_twice` is kept twice."""
        if self.marked:
            return not self.awaits_mark
        return self.durable and kept_twice >= self.waiting.seq

    def mark_done(self, _kept: bool) -> None:
        """The mark is durable, and so is the receipt before it."""
        self.awaits_mark = False
        if self.waiting.reply is not None:
            self.waiting.done(True)


class TwoCopies:
    """Has answers wait for their second copy. Called in the loop's thread only; never blocks."""

    def __init__(self, hand_over: HandOver, keep: Keep) -> None:
        self.hand_over, self._keep = hand_over, keep
        self._waiting: dict[int, deque[CopiedAnswer]] = {}
        self._unmarked: deque[int] = deque()
        hand_over.on_kept, hand_over.on_away = self._release, self._give_up

    def begin(self, waiting: OwedAnswer, deadline_ms: int) -> CopiedAnswer:
        """An answer whose receipt is about to be kept."""
        return CopiedAnswer(self, waiting, wait_ms(deadline_ms))

    def follow(self, copied: CopiedAnswer, deadline_ms: int, *, disk_healthy: bool) -> None:
        """Wait for the second copy of a receipt that is in the journal, if that is worth it."""
        if not (disk_healthy and copied.worth_it):
            self._mark(copied)
            return
        queue = self._waiting.setdefault(wait_ms(deadline_ms), deque())
        # Those answered meanwhile leave from the front, so that the queue is as long as the wait.
        while queue and queue[0].waiting.reply is None:
            queue.popleft()
        queue.append(copied)

    def sweep(self, now_ns: int, *, everything: bool = False) -> None:
        """Mark those that have waited for their share, or `everything` at the end."""
        while self._unmarked and self._keep_mark(self._unmarked[0], _nobody_waits) is not False:
            self._unmarked.popleft()
        for queue in tuple(self._waiting.values()):
            while queue:
                first = queue[0]
                if first.waiting.reply is not None:
                    if not everything and first.due_ns > now_ns:
                        break
                    if first.durable and not everything:
                        self.hand_over.overran()
                    self._mark(first)
                queue.popleft()

    def _release(self) -> None:
        """Answer those whose receipts are kept twice by now."""
        kept = self.hand_over.kept
        for queue in tuple(self._waiting.values()):
            while queue and (queue[0].waiting.reply is None or queue[0].may_leave(kept)):
                waiting = queue.popleft().waiting
                if waiting.reply is not None:
                    waiting.done(True)

    def _give_up(self) -> None:
        """Nobody waits for a shipper that is away."""
        for queue in tuple(self._waiting.values()):
            for copied in queue:
                if copied.waiting.reply is not None:
                    self._mark(copied)
            queue.clear()

    def _mark(self, copied: CopiedAnswer) -> None:
        """Say in a record that a receipt has one copy; its answer leaves when that is durable.

        Where memory has no room for the record, the answer doesn't wait for it.
        """
        waiting = copied.waiting
        copied.marked = True
        waiting.answerer.counts[ANSWERED_ALONE] += 1
        kept = self._keep_mark(waiting.seq, copied.mark_done)
        copied.awaits_mark = kept is True
        if kept is False:
            self._unmarked.append(waiting.seq)
        if copied.durable and not copied.awaits_mark:
            waiting.done(True)

    def _keep_mark(self, seq: int, done: Callable[[bool], None]) -> bool | None:
        """Queue a mark; False where there is no room now, None where there won't be."""
        try:
            return self._keep(RecordKind.ONE_COPY, OneCopy(seq), done)
        except JournalError:
            log.warning("receipt %d was answered with one copy, as the journal closed", seq)
            return None


def _nobody_waits(_kept: bool) -> None:
    return
