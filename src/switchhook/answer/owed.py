"""Receipt first, then the answer: answers that are decided and not given yet.

The one rule of the deadline: the decision is made in memory and never changes; what can be late
is only the disk. So a caller waits until the receipt is durable or the deadline is near, whichever
comes first, and nobody waits for a disk that has just made somebody wait too long. Where two copies
are asked for, `two_copies` says how long the second is waited for before that.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchhook.answer.clock import AnswerClock
    from switchhook.answer.owed_answer import OwedAnswer
    from switchhook.answer.two_copies import TwoCopies
    from switchhook.journal.receipt import Journal

_MARGIN_NS = 25_000_000  # an answer sets off this long before its deadline
_FOREVER_NS = 1 << 63


class ReceiptsFirst:
    """Keeps receipts and gives their answers. Called in the loop's thread only; never blocks."""

    def __init__(self, journal: Journal, clock: AnswerClock) -> None:
        self._journal, self._clock = journal, clock
        self._waiting: dict[int, deque[OwedAnswer]] = {}

    def owe(
        self,
        waiting: OwedAnswer,
        kind: int,
        at: int,
        body: bytes,
        asked: int | None,
        option: int | None,
        deadline_ms: int,
        copies: TwoCopies | None = None,
    ) -> int | None:
        """Keep a receipt; its answer waits for that, if the disk is worth waiting for.

        `at` is in ms of Unix time; `asked` the fingerprint of a question that was not asked before,
        `option` the number of its answer; `copies` has it wait for its second copy too. Gives its
        place in the journal, None where memory has no room for it.
        """
        journal = self._journal
        waiting.deadline = waiting.since + deadline_ms * 1_000_000
        copied = None if copies is None else copies.begin(waiting, deadline_ms)
        done, mono = (copied or waiting).done, waiting.since // 1_000_000
        seq = journal.append(kind, at, body, mono=mono, asked=asked, option=option, done=done)
        waiting.answerer.counts["answered"] += 1
        healthy = journal.healthy
        if seq is None or not healthy:
            # No room to wait in (the journal counts it as lost), or a disk not worth waiting for.
            waiting.send(self._clock.mono_ns())
        if seq is None:
            return None
        waiting.seq = seq
        if copies is not None and copied is not None:
            copies.follow(copied, deadline_ms, disk_healthy=healthy)
        if waiting.reply is not None:
            self._wait(deadline_ms, waiting)
        return seq

    def sweep(self, now_ns: int, *, everything: bool = False) -> None:
        """Send what is due, or `everything` at the end."""
        due_at = _FOREVER_NS if everything else now_ns + _MARGIN_NS
        for waiting in self._waiting.values():
            while waiting and (waiting[0].reply is None or waiting[0].deadline <= due_at):
                due = waiting.popleft()
                if due.reply is None:
                    continue
                self._journal.mark_slow()
                due.answerer.counts["deadline before disk"] += 1
                due.send(now_ns)

    @property
    def owed(self) -> int:
        """Answers that wait for the disk."""
        return sum(w.reply is not None for queue in self._waiting.values() for w in queue)

    def _wait(self, deadline_ms: int, waiting: OwedAnswer) -> None:
        queue = self._waiting.get(deadline_ms)
        if queue is None:
            queue = self._waiting[deadline_ms] = deque()
        # Those answered meanwhile leave from the front, so that the queue is as long as the wait.
        while queue and queue[0].reply is None:
            queue.popleft()
        queue.append(waiting)
