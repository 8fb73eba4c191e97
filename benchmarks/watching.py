"""Browsers that watch the page Now while callers are answered: how soon each receipt is there.

`python -m benchmarks.watching CONSOLE_PORT ANSWER_PORT PATH BROWSERS SECONDS` listens to as many
live feeds, asks a passthru ten times a second, and prints one line of JSON: milliseconds from each
answer until the feed of the first browser, and of the last, told of its receipt.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import sys
import time

import msgspec

from benchmarks.by_link import cookie
from switchhook.system.priority import yield_cpu

EVERY_S = 0.1
SETTLE_S, LAST_S = 1.5, 3.0
_QUERY = (
    "CallSid={sid}&From=09876543210&Stream%5BStatus%5D=completed&Stream%5BDisconnectedBy%5D=bot"
)


class Watched(msgspec.Struct):
    """Delays in ms, of those receipts that were told of.

    Of `asked`, `missed` were not, or too late, at either end.
    """

    first: list[float]
    last: list[float]
    asked: int
    missed: int
    browsers: int
    dropped: int
    received_mb: float


class Browser:
    """One live feed; keeps the end of what it heard, for a marker may be cut in two."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        head = "GET /feed?page=now HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        self.sock.sendall(f"{head}Cookie: {cookie()['Cookie']}\r\n\r\n".encode())
        self.sock.setblocking(False)
        self.tail = b""
        self.received = 0

    def hear(self) -> bytes:
        """What came, with the end of what came before. ConnectionError where it ended."""
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError("the feed ended")
        self.received += len(data)
        whole = self.tail + data
        self.tail = whole[-200:]
        return whole


def ask(port: int, path: str, sid: str) -> None:
    """One passthru on a connection of its own, waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        target = f"{path}?{_QUERY.format(sid=sid)}"
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = sock.recv(4096)
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 302")):
        raise RuntimeError(f"a passthru was answered {head[:100]!r}")


def watch(console: int, answer: int, path: str, browsers: int, seconds: float) -> Watched:
    """Watch for so long."""
    feeds = {each.sock.fileno(): each for each in (Browser(console) for _ in range(browsers))}
    ends = (min(feeds), max(feeds))
    told: dict[int, list[float]] = {fd: [] for fd in ends}
    waiting: dict[int, dict[bytes, float]] = {fd: {} for fd in ends}
    poll = select.epoll()
    for fd in feeds:
        poll.register(fd, select.EPOLLIN)
    asked = dropped = 0
    begin = time.monotonic() + SETTLE_S
    next_at, until = begin, begin + seconds
    while (now := time.monotonic()) < until + LAST_S and feeds:
        if next_at <= now < until:
            next_at += EVERY_S
            sid = f"watched{secrets.token_hex(8)}"
            ask(answer, path, sid)
            asked += 1
            for waits in waiting.values():
                waits[sid.encode()] = time.monotonic()
        wake_at = next_at if next_at < until else until + LAST_S
        for fd, _ in poll.poll(max(wake_at - time.monotonic(), 0.001)):
            try:
                heard = feeds[fd].hear()
            except ConnectionError:
                poll.unregister(fd)
                del feeds[fd]
                dropped += 1
                continue
            yield_cpu()
            if fd in told:
                at = time.monotonic()
                for sid_heard in [each for each in waiting[fd] if each in heard]:
                    told[fd].append(1000 * (at - waiting[fd].pop(sid_heard)))
    received = sum(each.received for each in feeds.values()) / 1e6
    missed = sum(asked - len(told[fd]) for fd in ends)
    return Watched(
        told[ends[0]], told[ends[1]], asked, missed, browsers, dropped, round(received, 1)
    )


def main() -> None:
    """Watch, and print what came of it."""
    # Browsers are on other machines: here they must not keep the client from its core.
    os.nice(19)
    console, answer, path, browsers, seconds = sys.argv[1:6]
    found = watch(int(console), int(answer), path, int(browsers), float(seconds))
    print(json.dumps(msgspec.to_builtins(found)), flush=True)


if __name__ == "__main__":
    main()
