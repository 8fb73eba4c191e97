"""Requests that an operator's test marked: answered and kept as a caller's, and counted nowhere.

Whether a mark is there costs a caller's request one look at a field; all else is done for tests
alone. What a test asks is kept as a kind of record of its own, which nobody who counts reads.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from switchhook.answer.authentication import LetIn, admit
from switchhook.answer.http.messages import Answer
from switchhook.answer.timing import AnswerTimeHistogram
from switchhook.system.request_mark import LONGEST_S, Mark, read_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.answer.authentication import Endpoint
    from switchhook.answer.clock import AnswerClock
    from switchhook.answer.http.messages import Head
    from switchhook.answer.owed_answer import OwedAnswer

MOST_KNOWN = 10_000
"""Marks remembered as used; beyond, no test is let in until older ones have run out."""

_USED = Answer(403, b"the mark of this test was used before: each is good once\n")
_OLD = Answer(
    403,
    b"the mark of this test is of another time: this machine's clock, or that of the one who sent"
    b" it, is minutes off\n",
)
_MANY = Answer(403, b"too many tests in a short time: try again in some minutes\n")


class MarkedTests:
    """Lets tests in, each once, and is owed their answers in place of the answerer.

    Its `times` and `counts` are read by nobody. `key` is the data folder's.
    """

    def __init__(self, key: bytes, clock: AnswerClock) -> None:
        self._key, self._clock = key, clock
        self._used: dict[str, int] = {}
        self.now_ns = clock.mono_ns
        self.times, self.counts = AnswerTimeHistogram(), Counter[str]()

    def admit(self, endpoints: Mapping[str, Endpoint], head: Head) -> LetIn | Answer | None:
        """Judge a head that has a mark; None where the mark is not ours: then it is a caller's."""
        mark = read_mark(self._key, head.mark or "")
        if mark is None:
            return None
        refused = self._take(mark, self._clock.wall_us() / 1_000_000)
        if refused is not None:
            return refused
        verdict = admit(endpoints, head)
        if isinstance(verdict, LetIn):
            return LetIn(verdict.endpoint, verdict.auth, mark.test)
        return Answer(verdict.status, verdict.text.encode())

    def kept_late(self, waiting: OwedAnswer) -> None:
        """A test's receipt that is late is no caller's."""

    def _take(self, mark: Mark, now_s: float) -> Answer | None:
        """Use a mark up; why it can't be, where it can't. It then says nothing of the secret."""
        if not mark.fresh(now_s):
            return _OLD
        if mark.test in self._used:
            return _USED
        if len(self._used) >= MOST_KNOWN:
            # Only who has the key gets here; twice as long, as times may lie ahead.
            kept = {test: at for test, at in self._used.items() if now_s - at <= 2 * LONGEST_S}
            self._used = kept
            if len(kept) >= MOST_KNOWN:
                return _MANY
        self._used[mark.test] = mark.at_s
        return None
