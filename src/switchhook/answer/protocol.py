"""HTTP/1.1 as the public port speaks it: one small protocol class.

Until its secret is verified a connection is worth nothing, so everything it can hold is counted
here: bytes before the parser sees them, time, connections. A connection is in one state:

    IDLE ──first bytes──► HEAD ──whole, admitted──► BODY ──whole──► BUSY ──reply──► IDLE
                                                                     │              ▲
                            more was sent, or answers are not read   └──► TURN ─────┘
    any ──last answer──► LEAVING ──► CLOSED

Most requests arrive in one piece and without a body: IDLE, BUSY, IDLE.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from functools import partial
from typing import Final, cast

from switchhook.answer.body import Beginning, Chunks, Counted
from switchhook.answer.connections import Server
from switchhook.answer.http import (
    BODY_BROKEN_OFF,
    BODY_LATE,
    BODY_TOO_LONG,
    CLOSE,
    KEEP,
    WITHOUT_BODY,
    Answer,
    Handler,
    Head,
    Limits,
    LongBody,
)
from switchhook.answer.reading import Line, connection_wish, make_head, read_beginning, read_line

IDLE: Final = 0  # nothing of a request is here
HEAD: Final = 1  # the head has begun
BODY: Final = 2  # admitted, the body is arriving
BUSY: Final = 3  # the answer is owed
TURN: Final = 4  # answered; goes on with what is here already when others had their turn
LEAVING: Final = 5  # the last answer is on its way
CLOSED: Final = 6

_HEAD_END = b"\r\n\r\n"
_RETURN = 13
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILED = Answer(302)
_FILES_FOR_OTHERS = 128  # descriptors that journal, rules and logs need


class Connection(asyncio.Protocol):
    """One connection; answers its requests in order, one at a time."""

    __slots__ = (
        "at",
        "body",
        "buffer",
        "choked",
        "deadline",
        "discarded",
        "eof",
        "head",
        "key",
        "manner",
        "paused",
        "peer",
        "scanned",
        "serial",
        "server",
        "since",
        "state",
        "token",
        "transport",
        "unread",
        "verified",
    )

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.state = CLOSED
        self.peer = ""
        self.key: object = None  # what its address is counted under; None is not counted
        self.verified = False
        self.since = self.deadline = 0.0  # idle since; in HEAD, BODY, LEAVING overdue from then on

        self.buffer: bytes | bytearray = b""  # in HEAD the beginning of it, else what came early
        self.at = 0  # where in the buffer the next request begins
        self.scanned = 0
        self.paused = self.eof = self.choked = self.unread = False
        self.discarded = 0  # bytes that were no part of a request

        self.serial = 0  # of the request being answered: a late reply to an old one is known by it
        self.manner = KEEP
        self.head: Head | None = None  # these three only while a body arrives
        self.token: object = None
        self.body: Counted | Chunks | None = None

    @property
    def silent(self) -> bool:
        """Nothing of a request is here."""
        return self.state == IDLE

    # What the event loop calls.

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

    def data_received(self, data: bytes) -> None:
        """Take what arrived, into the state that waits for it."""
        state = self.state
        if state == IDLE:
            self._begin(data, 0)
        elif state == HEAD:
            self._more_head(data)
        elif state == BODY:
            self._more_body(data)
        elif state in (BUSY, TURN):
            # Paused only now, as pausing costs a system call; so at most one more read
            # of the loop (256 kB) is held, and that of a verified sender.
            if not self.paused:
                self.transport.pause_reading()
                self.paused = True
            self.buffer = bytes(self.buffer[self.at :]) + data
            self.at = 0
        elif state == LEAVING:
            self.discarded += len(data)
            if self.discarded > self.server.limits.linger_bytes:
                self.transport.abort()

    def eof_received(self) -> bool:
        """Hear that no more will be sent; what was asked is answered all the same."""
        self.eof = True
        if self.state in (BUSY, TURN):
            return True
        return self._broken_off()

    def pause_writing(self) -> None:
        """Hear that answers pile up unread."""
        self.choked = True
        server = self.server
        server.choked[self] = server.loop.time() + server.limits.unread_time

    def resume_writing(self) -> None:
        """Hear that answers are being read again."""
        self.choked = False
        self.server.choked.pop(self, None)
        if self.state == TURN:
            self.server.loop.call_soon(self._next)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; a body that was admitted is still handed over."""
        state, self.state = self.state, CLOSED
        self.server.forget(self)
        self.buffer = b""
        if state == HEAD:
            self.server.turn_away("broken off in the head")
        elif state == BODY:
            self._ask_about_body(BODY_BROKEN_OFF)

    # A request's head.

    def _begin(self, data: bytes, at: int) -> None:
        """Look for a whole head at `at`, where a request begins."""
        most = self.server.limits.head_bytes
        end = data.find(_HEAD_END, at, at + most)
        if end < 0 or data[at] == _RETURN:
            received = len(data) - at
            data, at = data[at:].lstrip(b"\r\n"), 0  # stray line ends between requests
            self.discarded += received - len(data)
            end = data.find(_HEAD_END, 0, most)
            if end < 0:
                if data or self.discarded >= most:
                    self._begin_slowly(data)
                return
        self._request(data, at, end)

    def _begin_slowly(self, data: bytes) -> None:
        """Take the beginning of a head; from here its time runs."""
        server = self.server
        server.idle.pop(self, None)
        server.owing[self] = None
        self.state = HEAD
        self.deadline = server.loop.time() + server.limits.head_time
        self.buffer = bytearray()
        self.scanned = 0
        if not data:
            self._unreadable(None, "empty lines only")
            return
        if not (65 <= data[0] <= 90 or 97 <= data[0] <= 122):
            # Another protocol, TLS as a rule, whose client would wait for us in vain.
            self._unreadable(None, "not HTTP")
            return
        self._more_head(data)

    def _more_head(self, data: bytes) -> None:
        """Add to a head that has begun; each byte is copied once and looked at once."""
        buffer = cast("bytearray", self.buffer)
        buffer += data
        most = self.server.limits.head_bytes
        end = buffer.find(_HEAD_END, max(0, self.scanned - 3), most)
        self.scanned = len(buffer)
        if end >= 0:
            self.buffer = b""
            self._request(bytes(buffer), 0, end)
        elif len(buffer) >= most:
            self._give_up_head("head too large")
        elif buffer.endswith(b"\n\n"):
            self._give_up_head("lines end with bare line feeds")

    def _give_up_head(self, problem: str) -> None:
        beginning = bytes(self.buffer[: self.server.limits.head_bytes])
        self.buffer = b""
        self.unread = True
        line = read_beginning(beginning, problem)
        self._unreadable(None if line is None else make_head(line, {}, self.peer), problem)

    def _request(self, data: bytes, at: int, end: int) -> None:
        """Go through a whole head; what follows it in `data` is its body or comes later."""
        server = self.server
        if self.verified and self.state == IDLE:
            server.idle.pop(self, None)
        else:
            server.owing.pop(self, None)
        end += 4
        if len(data) > end:
            self.buffer, self.at = data, end
            data = data[at:end]
        elif at:
            data = data[at:]
        first, _, lines = data.partition(b"\r\n")
        line = read_line(first)
        reader = server.reader
        problem = line.problem or reader.read(lines)
        if problem is not None:
            head = make_head(line, reader.seen if line.problem is None else {}, self.peer)
            self._unreadable(None if line.path is None else head, problem)
            return
        head = make_head(line, reader.seen, self.peer)
        self.state = BUSY
        self.manner = connection_wish(line, reader.seen)
        if line.method == "HEAD":
            self.manner += WITHOUT_BODY
        try:
            token = server.handler.admit(head)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            self._fail("admit", error)
            return
        if isinstance(token, Answer):
            self.unread = b"content-length" in reader.seen or b"transfer-encoding" in reader.seen
            self._send_last(token)
            return
        if not self.verified:
            self.verified = True
            server.strangers.pop(self, None)
        if b"content-length" in reader.seen or b"transfer-encoding" in reader.seen:
            self._begin_body(head, token, reader.seen, line)
        else:
            self._ask(head, token, b"", None)

    def _unreadable(self, head: Head | None, reason: str) -> None:
        """Have a request decided that can't be read, and leave: who knows where the next begins."""
        self.server.owing.pop(self, None)
        self.state = BUSY
        self.unread = True
        self.manner = CLOSE + (WITHOUT_BODY if head is not None and head.method == "HEAD" else 0)
        try:
            answer = self.server.handler.unreadable(head, reason)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            self._fail("unreadable", error)
            return
        self._send(answer)

    # Its body.

    def _begin_body(self, head: Head, token: object, seen: dict[bytes, bytes], line: Line) -> None:
        length = int(seen.get(b"content-length", b"0"))
        chunked = b"transfer-encoding" in seen
        if not length and not chunked:
            self._ask(head, token, b"", None)
            return
        if line.method in ("GET", "HEAD"):
            # It means nothing there, and no caller shall wait for it.
            self.unread = True
            self.manner = _last(self.manner)
            self._ask(head, token, b"", None)
            return
        if line.old and chunked:
            self.manner = CLOSE
        server = self.server
        early = bytes(self.buffer[self.at :])
        self.buffer, self.at = b"", 0
        self.head, self.token = head, token
        most, time = server.limits.body_bytes, server.limits.body_time
        if isinstance(token, LongBody):
            time = token.read_time
        if isinstance(token, LongBody) and not chunked:
            most = token.read_bytes
            self.body = Beginning(length, most, token.kept_bytes)
        else:
            self.body = Chunks(most) if chunked else Counted(length, most)
        self.state = BODY
        self.deadline = server.loop.time() + time
        server.owing[self] = None
        if seen.get(b"expect", b"").lower() == b"100-continue" and not early and not line.old:
            if length > most:
                self._whole_body(BODY_TOO_LONG)
                return
            self.transport.write(_CONTINUE)
        if early:
            self._more_body(early)

    def _more_body(self, data: bytes) -> None:
        body = cast("Counted | Chunks", self.body)
        end = body.feed(data)
        if end >= 0:
            self._whole_body(None, data[end:])
        elif body.problem is not None:
            self._whole_body(body.problem)

    def _whole_body(self, problem: str | None, rest: bytes = b"") -> None:
        self.server.owing.pop(self, None)
        self.state = BUSY
        self.buffer, self.at = rest, 0
        if problem is not None:
            self.unread = True
            self.manner = CLOSE
        self._ask_about_body(problem)

    def _ask_about_body(self, problem: str | None) -> None:
        head, token, body = self.head, self.token, self.body
        self.head = self.token = self.body = None
        if head is not None and body is not None:
            self._ask(head, token, bytes(body.body), problem)

    # Its answer.

    def _ask(self, head: Head, token: object, body: bytes, problem: str | None) -> None:
        self.serial += 1
        reply = partial(self._reply, self.serial)
        try:
            self.server.handler.answer(head, token, body, problem, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            self._fail("answer", error)

    def _reply(self, serial: int, answer: Answer) -> None:
        if serial == self.serial and self.state == BUSY:
            self._send(answer)

    def _fail(self, where: str, error: Exception) -> None:
        self.server.note_failure(where, error)
        if self.state == BUSY:
            self._send_last(_FAILED)

    def _send_last(self, answer: Answer) -> None:
        self.manner = _last(self.manner)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        server = self.server
        manner = self.manner
        if server.draining and not self.buffer:  # what is here already is still answered
            manner = _last(manner)
        self.transport.write(
            server.responses.by_manner[manner].get(answer) or server.responses.build(answer, manner)
        )
        if manner in (CLOSE, CLOSE + WITHOUT_BODY):
            self.leave()
        elif self.buffer or self.paused or self.choked:
            self.state = TURN
            if not self.choked:
                server.loop.call_soon(self._next)
        elif self.eof:
            self.leave()
        else:
            self.state = IDLE
            self.since = server.now
            server.idle[self] = None

    def _next(self) -> None:
        """Go on with what was sent before the last answer was given."""
        if self.state != TURN or self.choked:
            return
        data, at = bytes(self.buffer), self.at
        self.buffer, self.at = b"", 0
        self.state = IDLE
        self.since = self.server.now
        self.server.idle[self] = None
        if at < len(data):
            self._begin(data, at)
        if self.state in (IDLE, HEAD, BODY):
            if self.eof:
                if not self._broken_off():
                    self.leave()
            elif self.paused:
                self.paused = False
                self.transport.resume_reading()

    # Its end.

    def _broken_off(self) -> bool:
        """Answer what the end of input cut off; False when there is nothing to answer."""
        if self.state == HEAD:
            self._give_up_head("head broken off")
        elif self.state == BODY:
            self._whole_body(BODY_BROKEN_OFF)
        else:
            return False
        return True

    def overdue(self) -> None:
        """End what took too long."""
        if self.state == HEAD:
            self._give_up_head("head not whole in time")
        elif self.state == BODY:
            self._whole_body(BODY_LATE)
        elif self.state == IDLE:
            self.server.turn_away("silent")
            self.leave()
        else:
            self.transport.abort()

    def leave(self) -> None:
        """Close once the last answer has left.

        Closing with input unread resets the connection and may take the answer with it; so then
        only our half is closed, and the rest is read and forgotten for a while.
        """
        server = self.server
        server.idle.pop(self, None)
        server.owing[self] = None
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

    def drop(self, reason: str) -> None:
        """Close at once, and count it."""
        self.state = CLOSED
        self.server.forget(self)
        self.server.turn_away(reason)
        self.transport.abort()


def _last(manner: int) -> int:
    """Give the manner of a last answer in place of another."""
    return CLOSE + (WITHOUT_BODY if manner >= WITHOUT_BODY else 0)


async def serve(sock: socket.socket, handler: Handler, limits: Limits) -> Server:
    """Serve on a bound socket, in the running loop; the socket itself stays the caller's.

    The number of connections is also bounded by the process's limit of open files.
    """
    loop = asyncio.get_running_loop()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = limits.connections
    if files != resource.RLIM_INFINITY:
        room = max(1, min(room, files - _FILES_FOR_OTHERS))
    server = Server(handler, limits, loop, room)
    # uvloop and asyncio set TCP_NODELAY on every connection they accept.
    server.listen(
        await loop.create_server(
            partial(Connection, server), sock=sock.dup(), backlog=limits.backlog
        )
    )
    return server
