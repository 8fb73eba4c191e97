"""A connection beneath its requests: how it comes, is held, believed and answered, and leaves.

It is in one state:

    IDLE ──first bytes──► HEAD ──whole, admitted──► BODY ──whole──► BUSY ──reply──► IDLE
                                                                     │              ▲
                            more was sent, or answers are not read   └──► TURN ─────┘
    any ──last answer──► LEAVING ──► CLOSED

Most requests arrive in one piece and without a body: IDLE, BUSY, IDLE.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from switchhook.answer.http.messages import CLOSE, FAILED, KEEP, WITHOUT_BODY, Answer, last

if TYPE_CHECKING:
    from switchhook.answer.http.connections import Server
    from switchhook.answer.http.messages import Head

IDLE: Final = 0  # nothing of a request is here
HEAD: Final = 1  # the head has begun
BODY: Final = 2  # admitted, the body is arriving
BUSY: Final = 3  # the answer is owed
TURN: Final = 4  # answered; goes on with what is here already when others had their turn
LEAVING: Final = 5  # the last answer is on its way
CLOSED: Final = 6


class Link(asyncio.Protocol, ABC):
    """What a `Connection` is but for its requests."""

    __slots__ = (
        "at",
        "buffer",
        "deadline",
        "discarded",
        "eof",
        "key",
        "manner",
        "paused",
        "peer",
        "serial",
        "server",
        "since",
        "state",
        "transport",
        "unread",
        "verified",
        "write_blocked",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.state = CLOSED
        self.peer = ""
        self.key: object = None  # what its address is counted under; None is not counted
        self.verified = False
        self.since = self.deadline = 0.0  # idle since; in HEAD, BODY, LEAVING overdue from then on

        self.serial = 0  # of the request being answered: a late reply to an old one is known by it
        self.manner = KEEP
        self.buffer = b""  # what came early
        self.at = 0  # where in the buffer the next request begins
        self.paused = self.eof = self.write_blocked = self.unread = False
        self.discarded = 0  # bytes that were no part of a request

    @property
    def silent(self) -> bool:
        """Nothing of a request is here."""
        return self.state == IDLE

    # Coming.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or close it when there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self.peer = name[0].removeprefix("::ffff:") if isinstance(name, tuple) else ""
        problem = self.server.take(self)
        if problem is not None:
            self.transport.abort()
            self.server.turn_away(problem)
            return
        self.state = IDLE
        self.transport.set_write_buffer_limits(high=self.server.limits.unread_bytes)

    def verify(self) -> None:
        """Believe the sender, who has proved a secret."""
        self.verified = True
        self.server.unverified.pop(self, None)

    # While an answer is owed, or not read.

    def hold(self, data: bytes) -> None:
        """Keep what comes before its turn.

        Reading is paused only now, as pausing costs a system call; so at most one more read of the
        loop (256 kB) is held, and that of a verified sender.
        """
        if not self.paused:
            self.transport.pause_reading()
            self.paused = True
        self.buffer = self.buffer[self.at :] + data
        self.at = 0

    def pause_writing(self) -> None:
        """Hear that answers pile up unread."""
        self.write_blocked = True
        server = self.server
        server.write_blocked[self] = server.loop.time() + server.limits.unread_time

    def resume_writing(self) -> None:
        """Hear that answers are being read again."""
        self.write_blocked = False
        self.server.write_blocked.pop(self, None)
        if self.state == TURN:
            self.server.loop.call_soon(self.go_on)

    # Its answers.

    def ask(self, head: Head, token: object, body: bytes, problem: str | None) -> None:
        """Have a request answered, now or later."""
        self.serial += 1
        reply = partial(self.reply, self.serial)
        try:
            self.server.handler.answer(head, token, body, problem, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            self.fail("answer", error)

    def reply(self, serial: int, answer: Answer) -> None:
        """Answer a request, if it is still the one that waits."""
        if serial == self.serial and self.state == BUSY:
            self.send(answer)

    def fail(self, where: str, error: Exception) -> None:
        """Answer as a fault of ours ends, if somebody waits, and leave."""
        self.server.note_failure(where, error)
        if self.state == BUSY:
            self.send_last(FAILED)

    def send_last(self, answer: Answer) -> None:
        """Send an answer, and leave."""
        self.manner = last(self.manner)
        self.send(answer)

    def send(self, answer: Answer) -> None:
        """Send an answer, in the manner of its request, and go on with what comes after it."""
        server = self.server
        manner = self.manner
        if server.draining and not self.buffer:  # what is here already is still answered
            manner = last(manner)
        self.transport.write(
            server.responses.by_manner[manner].get(answer) or server.responses.build(answer, manner)
        )
        if manner in (CLOSE, CLOSE + WITHOUT_BODY):
            self.leave()
        elif self.buffer or self.paused or self.write_blocked:
            self.state = TURN
            if not self.write_blocked:
                server.loop.call_soon(self.go_on)
        elif self.eof:
            self.leave()
        else:
            self.state = IDLE
            self.since = server.now
            server.idle[self] = None

    # What its requests make of it; a `Connection` says how.

    @abstractmethod
    def go_on(self) -> None:
        """Go on with what was sent before the last answer was given."""

    @abstractmethod
    def overdue(self) -> None:
        """End what took too long."""

    @abstractmethod
    def give_up(self) -> None:
        """Answer by what is here of a request, though the rest may still come in time."""

    @abstractmethod
    def drop(self, reason: str) -> None:
        """Close at once, and count it."""

    # Leaving.

    def leave(self) -> None:
        """Close once the last answer has left.

        Closing with input unread resets the connection and may take the answer with it; so then
        only our half is closed, and the rest is read and forgotten for a while.
        """
        server = self.server
        server.idle.pop(self, None)
        server.with_deadline[self] = server.leaving[self] = None
        self.state = LEAVING
        now = server.loop.time()
        if self.eof or not (self.unread or self.buffer or self.paused):
            self.deadline = now + server.limits.unread_time
            self.transport.close()
            return
        self.deadline = now + server.limits.linger_time
        self.buffer = b""
        self.transport.write_eof()
        if self.paused:
            self.paused = False
            self.transport.resume_reading()

    def discard(self, data: bytes) -> None:
        """Read what nobody wants any more, but not for ever."""
        self.discarded += len(data)
        if self.discarded > self.server.limits.linger_bytes:
            self.transport.abort()
