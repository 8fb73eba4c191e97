"""The words that the answer side's parts share: heads, answers, limits, and who is asked.

No I/O and no clock here.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

import msgspec

BODY_TOO_LONG = "body longer than 1 MB"
BODY_LATE = "body not whole in time"
BODY_BROKEN_OFF = "body broken off"
BODY_CHUNKS_BROKEN = "chunks of the body not readable"
BODY_CHUNKS_WASTEFUL = "chunk sizes and extensions longer than the body"
BODY_GIVEN_UP = "body not waited for, as too many were"
BODY_UNREAD = "body not read, as the head could not be"
HEAD_LATE = "head not whole in time"
HEAD_GIVEN_UP = "head not waited for, as too many were"


class Head(msgspec.Struct, frozen=True, gc=False):
    """A request up to its body. Text is Latin-1, as it came; absent is None.

    Header lines that occur twice are joined with ", ". With a `problem` it could not be read whole:
    what is missing may have been sent all the same. `path` is then empty where it isn't known.
    """

    method: str
    path: bytes  # before the first "?", as it came
    query: bytes  # after the first "?", as it came
    content_type: str | None
    authorization: str | None
    host: str | None  # of an absolute target its authority, which outranks the header
    forwarded_for: str | None  # X-Forwarded-For
    forwarded: bool  # a header that proxies add is there, or it is HTTP/1.0, as they speak it
    peer: str  # address of the socket's other end
    problem: str | None = None
    cut: bool = False  # the request line isn't whole
    mark: str | None = None  # what says that it is a test


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What goes back. `content_type` is sent only with a body."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


FAILED = Answer(302)
"""What is said where our own part failed: it is no Option A, whoever asks."""


Reply = Callable[[Answer], None]
"""Gives the answer of a request."""


class LongBody(msgspec.Struct, frozen=True):
    """A token whose request may have a longer body than others, counted by Content-Length.

    Up to `read_bytes` of it are read within `read_time` seconds. At least the first `kept_bytes`
    are handed over, and then no problem is made of the others.
    """

    read_bytes: int
    kept_bytes: int
    read_time: float


class Handler(Protocol):
    """What the protocol asks, in this order, of the part that knows endpoints and secrets.

    All is called in the loop's thread and must neither block nor raise.
    """

    def admit(self, head: Head) -> object | Answer:
        """Judge a head; an Answer refuses it, anything else is the token of a verified secret."""

    def answer(
        self, head: Head, token: object, body: bytes, body_problem: str | None, reply: Reply
    ) -> None:
        """Answer an admitted request by calling `reply` once, now or later in the same thread.

        `body` is what arrived; `body_problem` says why that is not all. A connection that is
        gone by then makes `reply` do nothing.
        """

    def unreadable(self, head: Head, beginning: bytes) -> object | Answer:
        """Judge, as `admit` does, a head with a problem; `beginning` is what it begins with."""

    def turned_away(self, reason: str) -> None:
        """Count a connection that was closed without an answer."""


def nobody_exempt(_address: str) -> bool:
    """No address is a trusted proxy's."""
    return False


class ConnectionLimits(msgspec.Struct, frozen=True):
    """What a connection may cost. Times in seconds, sizes in bytes."""

    # Before the secret.
    head_bytes: int = 64 * 1024
    head_time: float = 2.0  # from a request's first byte until its head is whole
    silent_time: float = 10.0  # from connecting until the first byte

    # After it.
    body_bytes: int = 1024 * 1024
    body_time: float = 2.0  # from the end of the head
    idle_time: float = 75.0  # between requests; outlasts a proxy's 60

    # Answers that are not read, and input that nobody wants after the last answer.
    unread_bytes: int = 64 * 1024
    unread_time: float = 10.0
    linger_bytes: int = 1024 * 1024
    linger_time: float = 1.0

    # Connections. An IPv6 address counts as its /64.
    connections: int = 4096
    per_address: int = 512
    exempt: Callable[[str], bool] = nobody_exempt  # addresses without `per_address`
    backlog: int = 4096

    tick: float = 0.1  # how exactly the times are kept


# How a response says what becomes of the connection; added together, an index of `Responses`.
KEEP, CLOSE, KEEP_OLD, WITHOUT_BODY = 0, 1, 2, 3
_CONNECTION = (b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def last(manner: int) -> int:
    """Give the manner of a last answer in place of another."""
    return CLOSE + (WITHOUT_BODY if manner >= WITHOUT_BODY else 0)


def build_response(answer: Answer, manner: int) -> bytes:
    """Write an answer as bytes; never with a Location, whatever its status."""
    head = (
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, '')}\r\n"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\n"
    )
    if answer.body:
        head += f"Content-Type: {answer.content_type}\r\n"
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        head += "Allow: POST\r\n"
    body = b"" if manner >= WITHOUT_BODY else answer.body
    return head.encode("latin-1") + _CONNECTION[manner % WITHOUT_BODY] + b"\r\n" + body


class Responses:
    """Remembers the bytes of answers that are given again and again."""

    __slots__ = ("by_manner",)

    def __init__(self) -> None:
        self.by_manner: tuple[dict[Answer, bytes], ...] = tuple({} for _ in range(6))

    def build(self, answer: Answer, manner: int) -> bytes:
        """Write an answer as bytes, from memory where it can."""
        known = self.by_manner[manner]
        response = known.get(answer)
        if response is None:
            response = build_response(answer, manner)
            if len(response) <= 1024:
                if len(known) >= 256:
                    known.clear()
                known[answer] = response
        return response
