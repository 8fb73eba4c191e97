"""The load generator: a process of its own, pinned, on raw sockets and epoll.

`python -m benchmarks.load '{"port": …}'` prints one line of JSON. An event loop's timers are exact
to a millisecond only and its callbacks cost as much as a request, so there is none here.

- *closed*: every connection asks again as soon as it was answered, for `seconds`.
- *open*: requests are due at `rate` a second, at random moments (exponential gaps, fixed seed),
  whether earlier ones were answered or not. A latency counts from the moment a request was due,
  also when no connection was free then: nothing is omitted because the server was slow.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import re
import select
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterator

import msgspec

from benchmarks.figures import quantile
from benchmarks.traffic import posts, requests

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3})[^\r]*\r\n(?:[^\r]+\r\n)*?content-length: *(\d+)\r\n", re.I)
_DRAIN_S = 15.0


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What to do. Times in seconds; `rate` 0 is a closed loop.

    `before_stream` asks as an applet before the stream does, `body_bytes` has the parameters posted
    in a form of that length.
    """

    port: int
    path: str
    seconds: float
    warm_up: float
    connections: int = 128
    rate: float = 0.0
    cpus: list[int] | None = None
    seed: int = 1
    before_stream: bool = False
    body_bytes: int = 0


class Outcome(msgspec.Struct):
    """What came of it. Latencies in ms; `sent` and `statuses` count the warm-up too."""

    sent: int
    statuses: dict[str, int]
    unanswered: int
    broken: int
    measured: int
    seconds: float
    p50: float
    p90: float
    p99: float
    p999: float
    longest: float
    client_busy: float
    late_p99: float = 0.0
    """Open loop: how long after its moment a request left, client's own delay and waiting for a
    free connection included."""


class Pool:
    """Connections, and what each waits for."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.due: dict[int, float] = {}  # by descriptor: since when the answer is awaited
        self.partial: dict[int, bytes] = {}
        self.statuses: dict[int, int] = {}
        self.known: dict[bytes, int] = {}  # whole answers seen before, with their status
        self.sent = self.broken = 0
        self.texts: Iterator[bytes] = (
            posts(order.path, order.body_bytes)
            if order.body_bytes
            else requests(order.path, before_stream=order.before_stream)
        )
        for _ in range(order.connections):
            sock = socket.create_connection(("127.0.0.1", order.port), timeout=10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            if order.body_bytes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * order.body_bytes)
            self.sockets[sock.fileno()] = sock
            self.poll.register(sock.fileno(), select.EPOLLIN)

    def ask(self, fd: int, since: float) -> None:
        """Send the next request; the socket's buffer is empty, so it goes out whole."""
        text = next(self.texts)
        self.due[fd] = since
        self.sent += 1
        if self.sockets[fd].send(text) != len(text):
            raise RuntimeError("a request did not fit into the socket's buffer")

    def take(self, fd: int) -> bool:
        """Read an answer; whether it is whole. A connection that ends is counted and left out."""
        try:
            data = self.sockets[fd].recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.broken += 1
            self.poll.unregister(fd)
            self.due.pop(fd, None)
            return False
        status = self.known.get(data)
        if status is None:
            data = self.partial.pop(fd, b"") + data
            status = read_status(data)
            if status is None:
                self.partial[fd] = data
                return False
            if len(self.known) < 1000:
                self.known[data] = status
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return True


def read_status(data: bytes) -> int | None:
    """The status of an answer; None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = _HEAD.match(data[: end + 2])
    if head is None:
        raise RuntimeError(f"an answer without a length: {data[:200]!r}")
    if len(data) > end + 4 + int(head[2]):
        raise RuntimeError(f"more than an answer: {data[:200]!r}")
    return int(head[1]) if len(data) == end + 4 + int(head[2]) else None


def closed(pool: Pool) -> Outcome:
    """Every connection asks again as soon as it was answered."""
    order, clock, due = pool.order, time.perf_counter, pool.due
    latencies = array("d")
    began = clock()
    since, until = began + order.warm_up, began + order.warm_up + order.seconds
    for fd in list(pool.sockets):
        pool.ask(fd, clock())
    measuring = False
    started_at = ended_at = busy = 0.0
    while pool.due:
        events = pool.poll.poll(_DRAIN_S)
        now = clock()
        if not events:
            break
        if not measuring and since <= now < until:
            measuring, started_at, busy = True, now, time.process_time()
        elif measuring and now >= until:
            measuring, ended_at, busy = False, now, time.process_time() - busy
        for fd, _ in events:
            if not pool.take(fd):
                continue
            now = clock()
            if measuring:
                latencies.append(now - due[fd])
            if now < until:
                pool.ask(fd, now)
            else:
                del due[fd]
    return outcome(pool, latencies, ended_at - started_at, busy)


def open_loop(pool: Pool) -> Outcome:
    """Requests are due at their moments, whatever became of those before."""
    order, clock, due = pool.order, time.perf_counter, pool.due
    chance = random.Random(order.seed)
    latencies, lateness = array("d"), array("d")
    free = deque(pool.sockets)
    began = next_due = clock()
    since, until = began + order.warm_up, began + order.warm_up + order.seconds
    busy, quiet = 0.0, True
    while next_due < until or due:
        now = clock()
        if quiet and now >= since:
            quiet, busy = False, time.process_time()
        while next_due <= now and next_due < until and free:
            pool.ask(free.popleft(), next_due)
            if next_due >= since:
                lateness.append(clock() - next_due)
            next_due += chance.expovariate(order.rate)
        wait = max(next_due - clock(), 0.0) if next_due < until and free else _DRAIN_S
        # `select` on the epoll's descriptor waits to the microsecond, epoll to the millisecond.
        if not select.select([pool.poll], [], [], wait)[0]:
            if wait == _DRAIN_S:
                break
            continue
        for fd, _ in pool.poll.poll(0):
            if pool.take(fd):
                asked = due.pop(fd)
                if asked >= since:
                    latencies.append(clock() - asked)
                free.append(fd)
    found = outcome(pool, latencies, order.seconds, time.process_time() - busy)
    found.late_p99 = 1000 * quantile(sorted(lateness), 0.99)
    return found


def outcome(pool: Pool, latencies: array[float], seconds: float, busy: float) -> Outcome:
    """Put the figures together."""
    ordered = sorted(1000 * each for each in latencies)
    return Outcome(
        sent=pool.sent,
        statuses={str(status): count for status, count in sorted(pool.statuses.items())},
        unanswered=pool.sent - sum(pool.statuses.values()),
        broken=pool.broken,
        measured=len(ordered),
        seconds=seconds,
        p50=quantile(ordered, 0.5),
        p90=quantile(ordered, 0.9),
        p99=quantile(ordered, 0.99),
        p999=quantile(ordered, 0.999),
        longest=ordered[-1] if ordered else 0.0,
        client_busy=busy / seconds if seconds else 0.0,
    )


def main() -> None:
    """Do what the first argument orders."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    if order.cpus:
        os.sched_setaffinity(0, order.cpus)
    if order.rate:
        # What runs beside on the client's core must not be taken for a late answer. A closed loop
        # would keep the kernel's own threads from that core.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    pool = Pool(order)
    gc.disable()  # nothing here makes cycles
    found = open_loop(pool) if order.rate else closed(pool)
    json.dump(msgspec.to_builtins(found), sys.stdout)


if __name__ == "__main__":
    main()
