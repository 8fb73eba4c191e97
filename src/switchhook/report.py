"""Tells switchhook what a bot sees of its streams: `POST /report/{endpoint}`.

For bots in Python; it needs the standard library alone, so that this one file can be copied into a
bot. A call of it puts an event into a queue and returns: it never waits, never raises and holds up
no audio. A thread of its own sends them. What finds the queue full, or can't be delivered in time,
is dropped and counted in `dropped`.

    from switchhook.report import Reporter

    reporter = Reporter("https://hooks.example/report/sales-in/SECRET")

    async def serve(websocket):
        stream = reporter.stream(call_sid, stream_sid)   # from Exotel's start message
        stream.started()
        ...
        stream.first_in()                                # the first sound of the caller
        stream.first_out()                               # the first sound that the bot sent
        ...
        stream.ended(by="bot")                           # or stream.error("no answer of the model")

It can be used from any thread and from asyncio. `close` gives the last events a moment; the
interpreter's end does so, too.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import ssl
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Reporter", "StreamReporter"]

MOST_QUEUED = 1_000
MOST_AT_ONCE = 100
TIMEOUT_S = 5.0
GIVE_UP_S = 60.0
"""How long an event is tried to be delivered."""
LONGEST_TEXT, LONGEST_SID, LONGEST_EVENT = 500, 128, 2048
EVENTS = ("started", "first_in", "first_out", "ended", "error")
_EARLIEST_S, _LATEST_S = 1_000_000_000.0, 10_000_000_000.0
"""What lies outside is no time: a clock that nobody has set."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_END_S = 1.0
_OK, _TOO_MANY, _OURS = 200, 429, 500


class Reporter:
    """Sends events to one endpoint; `url` is its report URL with the secret.

    `most_queued` events wait at the most. `dropped` counts what was not delivered, `delivered` what
    was, `problem` says why the last delivery failed, empty where it didn't.
    """

    def __init__(
        self, url: str, *, most_queued: int = MOST_QUEUED, timeout_s: float = TIMEOUT_S
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the URL of a reporter begins with https:// and a host")
        self._url, self._timeout_s = parts, timeout_s
        self._most = max(1, most_queued)
        self.dropped = self.delivered = 0
        self.problem = ""
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.close, _END_S)

    def _begin(self) -> None:
        """Begin with nothing queued; a child process begins anew, as threads are not forked."""
        self._queue: deque[tuple[float, dict[str, Any]]] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = self._busy = False

    def stream(self, call_sid: str, stream_sid: str = "") -> StreamReporter:
        """The reporter of one stream."""
        return StreamReporter(self, call_sid, stream_sid)

    def send(self, event: str, call_sid: str, stream_sid: str = "", **more: str) -> bool:
        """Queue one event as of now; False where it was dropped.

        What the server would refuse is dropped at once, as it would refuse all that goes with it:
        an event that is not one of `EVENTS`, or of no call.
        """
        try:
            said = {"call_sid": call_sid, "stream_sid": stream_sid, "event": event, **more}
            whole, problem = _event(said, time.time())
            with self._change:
                if problem:
                    self.problem = problem
                if problem or self._ending or len(self._queue) >= self._most:
                    self.dropped += 1
                    return False
                self._queue.append((time.monotonic(), whole))
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="switchhook-report", daemon=True
                    )
                    self._thread.start()
                self._change.notify_all()
        except Exception:  # noqa: BLE001 - a bot's audio goes on, whatever happens here
            self.dropped += 1
            return False
        return True

    def flush(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Wait until all that is queued was delivered or dropped; not from a loop of asyncio."""
        with self._change:
            return self._change.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Deliver what is queued, as far as the time goes, and take nothing more."""
        self.flush(timeout_s)
        with self._change:
            self._ending = True
            self.dropped += len(self._queue)
            self._queue.clear()
            self._change.notify_all()
        atexit.unregister(self.close)

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            with self._change:
                self._busy = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._queue or self._ending)
                if not self._queue:
                    return
                self._busy = True
                some = [self._queue.popleft() for _ in range(min(MOST_AT_ONCE, len(self._queue)))]
            if self._deliver([event for _, event in some]):
                pause_s = _FIRST_PAUSE_S
                continue
            with self._change:
                # Back in their place, unless they are too old or newer ones have taken it.
                room, now = self._most - len(self._queue), time.monotonic()
                young = [each for each in some if now - each[0] < GIVE_UP_S]
                kept = [] if self._ending else young[max(0, len(young) - room) :]
                self.dropped += len(some) - len(kept)
                self._queue.extendleft(reversed(kept))
                self._change.wait_for(lambda: self._ending, pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _deliver(self, events: list[dict[str, Any]]) -> bool:
        """Send some; False where it is worth trying again. What is refused is dropped."""
        try:
            status = self._post(json.dumps(events).encode())
        except Exception as error:  # noqa: BLE001 - as in `send`
            self.problem = type(error).__name__
            return False
        if status == _OK:
            self.problem = ""
            self.delivered += len(events)
            return True
        self.problem = f"answered with {status}"
        if status == _TOO_MANY or status >= _OURS:
            return False
        self.dropped += len(events)
        return True

    def _post(self, body: bytes) -> int:
        host, port = self._url.hostname or "", self._url.port
        connection: http.client.HTTPConnection
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                host, port, timeout=self._timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        try:
            headers = {"Content-Type": "application/json"}
            target = self._url.path + (f"?{self._url.query}" if self._url.query else "")
            connection.request("POST", target, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def __repr__(self) -> str:
        return f"Reporter(…, dropped={self.dropped}, delivered={self.delivered})"


class StreamReporter:
    """What one stream reports; each of the first sounds once, whoever calls how often."""

    def __init__(self, reporter: Reporter, call_sid: str, stream_sid: str = "") -> None:
        self._reporter, self._sids = reporter, (call_sid, stream_sid)
        self._said: set[str] = set()

    def started(self) -> None:
        """The start message came."""
        self._once("started")

    def first_in(self) -> None:
        """The first sound of the caller came."""
        self._once("first_in")

    def first_out(self) -> None:
        """The first sound of the bot was sent."""
        self._once("first_out")

    def ended(self, by: str = "") -> None:
        """The stream is over; `by` is who ended it: bot, caller, exotel."""
        self._once("ended", by=by)

    def error(self, what: str) -> None:
        """Something went wrong; said as often as it does."""
        self._reporter.send("error", *self._sids, error=what)

    def _once(self, event: str, **more: str) -> None:
        if event not in self._said:
            self._said.add(event)
            self._reporter.send(event, *self._sids, **more)


def _event(said: dict[str, Any], now_s: float) -> tuple[dict[str, Any], str]:
    """An event as the server takes it, or why it would not; texts that are too long are cut."""
    texts = {name: _text(name, text) for name, text in said.items() if text}
    texts = {name: text for name, text in texts.items() if text}
    if texts.get("event") not in EVENTS:
        return {}, f"there is no event {texts.get('event', '')!r}: {', '.join(EVENTS)}"
    if not ("call_sid" in texts or "stream_sid" in texts):
        return {}, "an event has neither call_sid nor stream_sid"
    at = {"at": round(now_s, 3)} if _EARLIEST_S <= now_s < _LATEST_S else {}
    while len(json.dumps(whole := {**texts, **at}).encode()) > LONGEST_EVENT:
        name = max(texts, key=lambda each: len(texts[each]))
        if len(texts[name]) <= LONGEST_SID:
            return {}, f"an event has more than {LONGEST_EVENT:,} bytes"
        texts[name] = texts[name][: len(texts[name]) // 2]
    return whole, ""


def _text(name: str, value: object) -> str:
    most = LONGEST_SID if name in ("call_sid", "stream_sid") else LONGEST_TEXT
    return str(value).encode(errors="replace").decode().strip()[:most]
