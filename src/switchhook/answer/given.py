"""A question that was understood or not, and what is given to it: what kinds of endpoints share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from switchhook.journal.receipt import Receipt, RecordKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.answer.authentication import LetIn
    from switchhook.answer.http.messages import Answer
    from switchhook.answer.places import Owner
    from switchhook.answer.repeats import FirstAnswer
    from switchhook.exotel.passthru import Passthru
    from switchhook.rules.decide import Decision


class Question(NamedTuple):
    """A request and what the rules decided; `at_ms` Unix time, `mono_ns` the steady clock.

    `passthru` is None where the rules decided nothing: the decision then says why. `first` is the
    answer that this repeats, `method` as it came.
    """

    token: LetIn
    decision: Decision
    passthru: Passthru | None
    first: FirstAnswer | None
    method: str
    at_ms: int
    mono_ns: int

    @property
    def call(self) -> str:
        """The CallSid; empty where it is not known."""
        return (self.passthru.call_sid if self.passthru is not None else None) or ""

    @property
    def takes_place(self) -> bool:
        """Whether a stream may follow of it that no other answer counts."""
        return self.first is None and self.method != "HEAD" and self.token.test is None


class Given(msgspec.Struct, frozen=True, gc=False):
    """What is answered and kept.

    `number` stands for the answer where it is repeated, None where that must not be; `record` is
    what is kept, with `more` beside what every receipt has. `place` is whose place the call takes,
    `call` its CallSid, empty where that is not known.
    """

    decision: Decision
    answer: Answer
    number: int | None
    kind: RecordKind = RecordKind.PASSTHRU
    record: type[Receipt] = Receipt
    more: Mapping[str, Any] | None = None
    place: Owner | None = None
    call: str = ""

    def kept(self, receipt: Receipt) -> Receipt:
        """The receipt with what this kind of endpoint adds."""
        return self.record(**msgspec.structs.asdict(receipt), **(self.more or {}))
