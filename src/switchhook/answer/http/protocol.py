"""HTTP/1.1 as the public port speaks it: what is asked on a connection, and answered.

Until its secret is verified a connection is worth nothing, so everything it can hold is counted
here: bytes before the parser sees them, time, connections. A connection is idle, gets a head and
perhaps a body, is busy until its answer is there, and is idle again. How it comes and leaves, and
who has to wait for whom, is its base's (`Link`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from switchhook.answer.http.body import expect_body
from switchhook.answer.http.growing_head import HEAD_END, GrowingHead
from switchhook.answer.http.head_parser import (
    Headers,
    RequestLine,
    connection_wish,
    make_head,
    make_unread_head,
    read_beginning,
    read_line,
)
from switchhook.answer.http.link import BODY, BUSY, CLOSED, HEAD, IDLE, LEAVING, TURN, Link
from switchhook.answer.http.messages import (
    BODY_BROKEN_OFF,
    BODY_GIVEN_UP,
    BODY_LATE,
    BODY_TOO_LONG,
    BODY_UNREAD,
    CLOSE,
    HEAD_GIVEN_UP,
    HEAD_LATE,
    WITHOUT_BODY,
    Answer,
    Head,
    last,
)

if TYPE_CHECKING:
    from switchhook.answer.http.body import Chunks, Counted
    from switchhook.answer.http.connections import Server

_LINE_ENDS = b"\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(Link):
    """One connection; answers its requests in order, one at a time."""

    __slots__ = ("body", "growing", "head", "token")

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.growing: GrowingHead | None = None  # only while a head arrives
        self.head: Head | None = None  # these three only while a body arrives
        self.token: object = None
        self.body: Counted | Chunks | None = None

    # What the event loop calls.

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
            self.hold(data)
        elif state == LEAVING:
            self.discard(data)

    def eof_received(self) -> bool:
        """Hear that no more will be sent; what was asked is answered all the same."""
        self.eof = True
        if self.state in (BUSY, TURN):
            return True
        return self._break_off()

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
        end = data.find(HEAD_END, at, at + most)
        if end < 0 or data[at] in _LINE_ENDS:
            received = len(data) - at
            data, at = data[at:].lstrip(_LINE_ENDS), 0  # stray line ends between requests
            self.discarded += received - len(data)
            end = data.find(HEAD_END, 0, most)
            if end < 0:
                if data or self.discarded >= most:
                    self._begin_slowly(data)
                return
        self._request(data, at, end)

    def _begin_slowly(self, data: bytes) -> None:
        """Take the beginning of a head; from here its time runs."""
        server = self.server
        server.idle.pop(self, None)
        self.state = HEAD
        self.growing = GrowingHead(server.limits.head_bytes)
        self._more_head(data)
        if self.state == HEAD:
            server.wait(self, server.limits.head_time)

    def _more_head(self, data: bytes) -> None:
        growing = cast("GrowingHead", self.growing)
        end = growing.feed(data)
        if end >= 0:
            self.growing = None
            self._request(bytes(growing.received), 0, end)
        elif growing.problem is not None:
            self._give_up_head(growing.problem)

    def _request(self, data: bytes, at: int, end: int) -> None:
        """Go through a whole head; what follows it in `data` is its body or comes later."""
        server = self.server
        if self.verified and self.state == IDLE:
            server.idle.pop(self, None)
        else:
            server.waited(self)
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
            if line.problem is not None:
                reader.read(lines)  # the secret may stand there
            self._unreadable(line, problem, reader.headers, data)
            return
        headers = reader.headers
        self._admit(make_head(line, headers, self.peer), line, headers)

    def _admit(self, head: Head, line: RequestLine, headers: Headers) -> None:
        """Have a head judged: who may not ask is answered now, its body unread."""
        self.state = BUSY
        self.manner = connection_wish(line, headers)
        if line.method == "HEAD":
            self.manner += WITHOUT_BODY
        try:
            token = self.server.handler.admit(head)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            self.fail("admit", error)
            return
        if isinstance(token, Answer):
            self.unread = headers.announces_body
            self.send_last(token)
            return
        if not self.verified:
            self.verify()
        if headers.announces_body:
            self._begin_body(head, token, headers.seen, line)
        else:
            self.ask(head, token, b"", None)

    # One that can't be read.

    def _give_up_head(self, problem: str) -> None:
        growing, self.growing = cast("GrowingHead", self.growing), None
        self.server.waited(self)
        received = bytes(growing.received[: self.server.limits.head_bytes])
        self._unreadable(read_beginning(received, problem), problem, Headers(), received)

    def _unreadable(
        self, line: RequestLine | None, problem: str, headers: Headers, received: bytes
    ) -> None:
        """Have it judged by what could be read, and leave: who knows where the next begins."""
        head = make_unread_head(line, problem, headers, self.peer)
        self.state = BUSY
        self.unread = True
        self.manner = CLOSE + (WITHOUT_BODY if head.method == "HEAD" else 0)
        try:
            token = self.server.handler.unreadable(head, received)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            self.fail("unreadable", error)
            return
        if isinstance(token, Answer):
            self.send(token)
            return
        self.verify()
        self.ask(head, token, b"", None if head.method in ("GET", "HEAD") else BODY_UNREAD)

    # Its body.

    def _begin_body(
        self, head: Head, token: object, seen: dict[bytes, bytes], line: RequestLine
    ) -> None:
        server = self.server
        body, time = expect_body(seen, token, server.limits)
        if body.feed(b"") == 0:  # there is none
            self.ask(head, token, b"", None)
            return
        if line.method in ("GET", "HEAD"):
            # It means nothing there, and no caller shall wait for it.
            self.unread = True
            self.manner = last(self.manner)
            self.ask(head, token, b"", None)
            return
        if line.old and b"transfer-encoding" in seen:
            self.manner = CLOSE
        early = self.buffer[self.at :]
        self.buffer, self.at = b"", 0
        self.head, self.token, self.body = head, token, body
        self.state = BODY
        if early:
            self._more_body(early)
        elif seen.get(b"expect", b"").lower() == b"100-continue" and not line.old:
            if body.too_long:
                self._whole_body(BODY_TOO_LONG)
            else:
                self.transport.write(_CONTINUE)
        if self.body is body:
            server.wait(self, time)

    def _more_body(self, data: bytes) -> None:
        body = cast("Counted | Chunks", self.body)
        end = body.feed(data)
        if end >= 0:
            self._whole_body(None, data[end:])
        elif body.problem is not None:
            self._whole_body(body.problem)

    def _whole_body(self, problem: str | None, rest: bytes = b"") -> None:
        self.server.waited(self)
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
            self.ask(head, token, bytes(body.body), problem)

    def go_on(self) -> None:
        """Go on with what was sent before the last answer was given."""
        if self.state != TURN or self.write_blocked:
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
                if not self._break_off():
                    self.leave()
            elif self.paused:
                self.paused = False
                self.transport.resume_reading()

    # Its end.

    def _break_off(self) -> bool:
        """Answer what the end of input cut off; False when there is nothing to answer."""
        if self.state == HEAD:
            self._give_up_head("head broken off")
        elif self.state == BODY:
            self._whole_body(BODY_BROKEN_OFF)
        else:
            return False
        return True

    def give_up(self) -> None:
        """Answer by what is here of a request, though the rest may still come in time."""
        if self.state == HEAD:
            self._give_up_head(HEAD_GIVEN_UP)
        else:
            self._whole_body(BODY_GIVEN_UP)

    def overdue(self) -> None:
        """End what took too long."""
        if self.state == HEAD:
            self._give_up_head(HEAD_LATE)
        elif self.state == BODY:
            self._whole_body(BODY_LATE)
        elif self.state == IDLE:
            self.server.turn_away("silent")
            self.leave()
        else:
            self.transport.abort()

    def drop(self, reason: str) -> None:
        """Close at once, and count it; a body that was admitted is still handed over."""
        self.state = CLOSED
        self.server.forget(self)
        self._ask_about_body(BODY_GIVEN_UP)
        self.server.turn_away(reason)
        self.transport.abort()
