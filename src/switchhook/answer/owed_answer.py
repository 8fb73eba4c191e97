"""An answer that is decided and not given yet, and who owes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchhook.answer.http.messages import FAILED

if TYPE_CHECKING:
    from collections import Counter

    from switchhook.answer.http.messages import Reply
    from switchhook.answer.timing import AnswerTimeHistogram


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
