"""An answerer without a socket: a clock that is stepped, and a journal whose disk obeys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

import msgspec

from switchhook.answer.answerer import Answerer
from switchhook.answer.clock import AnswerClock
from switchhook.answer.http.messages import Answer, Head
from switchhook.config import AuthMode, Config, EndpointConfig
from switchhook.journal import Record
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    Receipt,
    RecordKind,
    decode_address,
    decode_admission,
    decode_receipt,
)
from switchhook.server.answer_settings import endpoints_of, settings_of

SECRET = "aaaa-secret-of-sales-1"
OTHER_SECRET = "bbbb-secret-of-sales-2"
TAKES_A = "CallSid=c1"
TAKES_B = "CallSid=c1&Stream[Status]=failed"
"""What the built-in rules send to either option."""
NODE, KEY = 7, b"k" * 32
START_US = 1_795_000_000_000_000  # 2026-11-18T11:06:40Z


class HeadFields(TypedDict, total=False):
    """What a request's head says besides its path and query, where it isn't as `head_of` has it."""

    method: str
    content_type: str | None
    authorization: str | None
    host: str | None
    forwarded_for: str | None
    forwarded: bool
    peer: str
    mark: str | None


class SteppedClock(AnswerClock):
    """Stands still but for `step`; `wall_us_off` is what the system's clock was set by."""

    def __init__(self) -> None:
        self.ns = 10**15
        self.wall_us_off = 0

    def wall_us(self) -> int:
        return START_US + self.wall_us_off + (self.ns - 10**15) // 1000

    def mono_ns(self) -> int:
        return self.ns

    def step(self, ms: float) -> None:
        self.ns += round(ms * 1_000_000)


class MemoryJournal:
    """What was appended; `settle` makes it durable. Healthy as the real one, by its word only."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.records: list[Record] = []
        self.healthy = True
        self.marked_slow = 0
        self.waiting: list[Callable[[bool], None]] = []
        self.most = most

    @property
    def next_seq(self) -> int:
        return len(self.records) + 1

    def append(
        self,
        kind: int,
        at: int,
        body: bytes,
        *,
        mono: int | None = None,
        asked: int | None = None,
        option: int | None = None,
        done: Callable[[bool], None] | None = None,
    ) -> int | None:
        if len(self.waiting) >= self.most:
            return None
        self.records.append(Record(self.next_seq, kind, at, mono, asked, option, body))
        self.waiting.append(done or (lambda _kept: None))
        return self.records[-1].seq

    def mark_slow(self) -> None:
        self.marked_slow += 1
        self.healthy = False

    def settle(self, *, kept: bool = True) -> None:
        done, self.waiting = self.waiting, []
        for tell in done:
            tell(kept)

    def of(self, kind: RecordKind) -> list[Any]:
        """The bodies of a kind, as the console would read them."""
        return [msgspec.msgpack.decode(each.body) for each in self.records if each.kind == kind]

    def admissions(self) -> list[AdmissionGiven]:
        return [decode_admission(each.body) for each in self._of(RecordKind.ADMISSION)]

    def addresses(self) -> list[AddressGiven]:
        return [decode_address(each.body) for each in self._of(RecordKind.VOICEBOT)]

    def _of(self, kind: RecordKind) -> list[Record]:
        return [each for each in self.records if each.kind == kind]

    def receipts(self) -> list[Receipt]:
        return [
            decode_receipt(each.body) for each in self.records if each.kind == RecordKind.PASSTHRU
        ]

    def bytes(self) -> bytes:
        return b"\n".join(each.body for each in self.records)


class Desk:
    """An answerer for some endpoints, and one who asks it."""

    def __init__(
        self,
        *endpoints: EndpointConfig,
        journal: Any = None,
        config: Config | None = None,
        **more: Any,
    ) -> None:
        points = endpoints or (EndpointConfig("sales"),)
        opened = tuple(map(_open_without_secret, points))
        settings = settings_of(msgspec.structs.replace(config or Config(), endpoints=opened))
        self.clock = SteppedClock()
        self.journal = MemoryJournal() if journal is None else journal
        self.answerer = Answerer(
            endpoints_of(settings, KEY),
            self.journal,
            node=NODE,
            key=KEY,
            clock=self.clock,
            **more,
        )

    def say(
        self,
        query: str | bytes,
        *,
        path: str = "/passthru/sales",
        body: bytes = b"",
        **head: Unpack[HeadFields],
    ) -> list[Answer]:
        """Ask, and leave the disk alone: what was replied is in the list, later or never too."""
        asked = head_of(query, path, **head)
        token = self.answerer.admit(asked)
        if isinstance(token, Answer):
            return [token]
        replies: list[Answer] = []
        self.answerer.answer(asked, token, body, None, replies.append)
        return replies

    def ask(self, query: str | bytes, **more: Any) -> Answer:
        """Ask, with a disk that works."""
        replies = self.say(query, **more)
        self.journal.settle()
        assert len(replies) == 1
        return replies[0]

    def pass_time(self, ms: float, step_ms: float = 10) -> None:
        """Let the clock go on, with the sweep of the deadlines that the loop does."""
        for _ in range(round(ms / step_ms)):
            self.clock.step(step_ms)
            self.answerer.sweep()


def _open_without_secret(point: EndpointConfig) -> EndpointConfig:
    return point if point.secrets else msgspec.structs.replace(point, auth=AuthMode.OPEN)


def head_of(
    query: str | bytes = b"", path: str = "/passthru/sales", **more: Unpack[HeadFields]
) -> Head:
    """The head of a request from this machine."""
    raw = query.encode() if isinstance(query, str) else query
    said: HeadFields = {
        "method": "GET",
        "content_type": None,
        "authorization": None,
        "host": "127.0.0.1:8080",
        "forwarded_for": None,
        "forwarded": False,
        "peer": "192.0.2.1",
        **more,
    }
    return Head(path=path.encode(), query=raw, **said)
