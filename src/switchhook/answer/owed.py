"""Receipt first, then the answer: answers that are decided and not given yet.

The one rule of the deadline: the decision is made in memory and never changes; what can be late
is only the disk. So a caller waits until the receipt is durable or the deadline is near, whichever
comes first, and nobody waits for a disk that has just made somebody wait too long.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from switchhook.answer.http.messages import FAILED

if TYPE_CHECKING:
    from collections import Counter

    from switchhook.answer.clock import AnswerClock
    from switchhook.answer.http.messages import Reply
    from switchhook.answer.timing import AnswerTimeHistogram
    from switchhook.journal.receipt import Journal

_MARGIN_NS = 25_000_000  # an answer sets off this long before its deadline
_FOREVER_NS = 1 << 63


class Owing(Protocol):
    """Who owes answers."""

    times: AnswerTimeHistogram
    counts: Counter[str]

    def now_ns(self) -> int:
        """The steady clock."""

    def kept_late(self, waiting: OwedAnswer) -> None:
        """A receipt became durable after its answer had left."""


class OwedAnswer:
    """An answer that is due when its receipt is durable or its deadline near.

    `since` is when it was asked for, by the steady clock in ns; what is answered is decided later.
    """

    __slots__ = ("answer", "answerer", "deadline", "reply", "seq", "since")

    def __init__(self, answerer: Owing, reply: Reply, since: int) -> None:
        self.answerer, self.since = answerer, since
        self.deadline = since
        self.answer = FAILED
        self.reply: Reply | None = reply
        self.seq = 0

    def send(self, now_ns: int) -> None:
        """Reply, and count how long it took."""
        reply, self.reply = self.reply, None
        assert reply is not None
        self.answerer.times.replied(now_ns - self.since)
        reply(self.answer)

    def done(self, kept: bool) -> None:
        """The journal's word on the receipt: durable, or set aside because it was refused."""
        if not kept:
            self.answerer.counts["receipt refused by the database"] += 1
        if self.reply is not None:
            self.send(self.answerer.now_ns())
        else:
            self.answerer.kept_late(self)


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
    ) -> int | None:
        """Keep a receipt; its answer waits for that, if the disk is worth waiting for.

        `at` is in ms of Unix time; `asked` the fingerprint of a question that was not asked before,
        `option` the number of its answer. Gives the receipt's place in the journal, None where
        memory has no room for it.
        """
        journal = self._journal
        waiting.deadline = waiting.since + deadline_ms * 1_000_000
        seq = journal.append(
            kind,
            at,
            body,
            mono=waiting.since // 1_000_000,
            asked=asked,
            option=option,
            done=waiting.done,
        )
        waiting.answerer.counts["answered"] += 1
        if seq is None or not journal.healthy:
            # No room to wait in (the journal counts it as lost), or a disk not worth waiting for.
            waiting.send(self._clock.mono_ns())
        if seq is None:
            return None
        waiting.seq = seq
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
