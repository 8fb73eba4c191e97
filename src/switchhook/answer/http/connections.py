"""What the connections of one listening socket share: who is here, how many, until when.

One timer sweeps over all that owe something, instead of one for each request.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from typing import Protocol

from switchhook.answer.http.head_parser import HeaderReader
from switchhook.answer.http.messages import ConnectionLimits, Handler, Responses

log = logging.getLogger("switchhook.answer")

CROWDED_OUT = "closed for a newer connection"


class Peer(Protocol):
    """A connection, as others see it: who it is of, what it owes, and how it ends."""

    peer: str
    key: object
    verified: bool
    since: float
    deadline: float
    transport: asyncio.Transport

    @property
    def silent(self) -> bool: ...
    def give_up(self) -> None: ...
    def overdue(self) -> None: ...
    def leave(self) -> None: ...
    def drop(self, reason: str) -> None: ...


class SlowSenders:
    """Who is waited for, longest first: `most` in all, `per_address` of each but None."""

    __slots__ = ("_most", "_of_address", "_per_address", "all")

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self.all: dict[Peer, None] = {}
        self._of_address: dict[object, dict[Peer, None]] = {}

    def __len__(self) -> int:
        return len(self.all)

    def add(self, connection: Peer, address: object) -> Peer | None:
        """Wait for one more; the one that must not be waited for any longer for it."""
        self.all[connection] = None
        if address is not None:
            same = self._of_address.setdefault(address, {})
            same[connection] = None
            if len(same) > self._per_address:
                return next(iter(same))
        return next(iter(self.all)) if len(self.all) > self._most else None

    def slowest(self, address: object) -> Peer | None:
        """The one of an address that is waited for longest."""
        return next(iter(self._of_address.get(address, ())), None)

    def remove(self, connection: Peer, address: object) -> None:
        """Wait for it no more, if it was."""
        if self.all.pop(connection, self) is self or address is None:
            return
        same = self._of_address[address]
        del same[connection]
        if not same:
            del self._of_address[address]


class Server:
    """The bookkeeping of one listening socket; its dictionaries are sets in order of arrival."""

    def __init__(
        self,
        handler: Handler,
        limits: ConnectionLimits,
        loop: asyncio.AbstractEventLoop,
        connections: int,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.loop = loop
        self.reader = HeaderReader()
        self.responses = Responses()
        self.draining = False
        self.failures = 0
        self.now = loop.time()  # exact to a tick

        self.connections: dict[Peer, None] = {}
        self.unverified: dict[Peer, None] = {}  # never verified a secret
        self.idle: dict[Peer, None] = {}  # verified, and nothing owed; longest idle first
        self.with_deadline: dict[Peer, None] = {}  # have a deadline
        self.leaving: dict[Peer, None] = {}  # the last answer is written
        self.slow = SlowSenders(max(1, connections // 2), max(1, limits.per_address // 2))
        self.write_blocked: dict[Peer, float] = {}  # don't read their answers; until when

        self._most = connections
        self._addresses: dict[object, int] = {}
        self._accepting: asyncio.Server | None = None
        self._drained_at = self._grace = 0.0
        self._empty: asyncio.Future[None] | None = None
        self._sweeper = loop.call_later(limits.tick, self._sweep)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets listened on; none after `stop_accepting`."""
        return tuple(self._accepting.sockets) if self._accepting is not None else ()

    # Connections come and go.

    def listen(self, accepting: asyncio.Server) -> None:
        """Take over what accepts."""
        self._accepting = accepting

    def take(self, connection: Peer) -> str | None:
        """Count a new connection, or say why there is no room for it."""
        peer = connection.peer
        key = None if self.limits.exempt(peer) else _network(peer)
        if key is not None and self._addresses.get(key, 0) >= self.limits.per_address:
            gone = next((each for each in self.leaving if each.key == key), None)
            gone = gone or self.slow.slowest(key)
            if gone is None:
                return "too many connections from one address"
            gone.drop(CROWDED_OUT)
        if len(self.connections) >= self._most and not self._shed():
            return "too many connections"
        if key is not None:
            self._addresses[key] = self._addresses.get(key, 0) + 1
            connection.key = key
        self.connections[connection] = self.unverified[connection] = None
        self.with_deadline[connection] = None
        connection.since = self.loop.time()
        connection.deadline = connection.since + self.limits.silent_time
        return None

    def _shed(self) -> bool:
        """Make room by closing one that has its last answer, else the oldest of too large a kind.

        An eighth stays for unverified: with less, a flood would push out the honest new ones
        before their secret has arrived; and as much for the slow. Of both, the more numerous
        make room, so that no flood of one kind takes the place of the other. While both are few,
        the longest idle goes. Whom we owe an answer stays.
        """
        share = max(1, self._most // 8)
        unverified, slow = len(self.unverified), len(self.slow)
        groups = [self.leaving, self.idle, self.unverified, self.with_deadline]
        if max(unverified, slow) >= share:
            groups.insert(1, self.unverified if unverified >= slow else self.slow.all)
        for group in groups:
            for connection in group:
                connection.drop(CROWDED_OUT)
                return True
        return False

    def wait(self, connection: Peer, seconds: float) -> None:
        """Give a connection so long for the rest of its request.

        Of verified senders only so many may be waited for, or the slow ones among them would hold
        every place: the one waited for longest is answered by what is here of it.
        """
        connection.deadline = self.loop.time() + seconds
        self.with_deadline[connection] = None
        if connection.verified:
            slowest = self.slow.add(connection, connection.key)
            if slowest is not None:
                slowest.give_up()

    def waited(self, connection: Peer) -> None:
        """Wait no more: it is whole, or too late."""
        self.with_deadline.pop(connection, None)
        self.slow.remove(connection, connection.key)

    def forget(self, connection: Peer) -> None:
        """Strike a connection out everywhere."""
        if connection not in self.connections:
            return
        for group in (
            self.connections,
            self.unverified,
            self.idle,
            self.leaving,
            self.write_blocked,
        ):
            group.pop(connection, None)
        self.waited(connection)
        if connection.key is not None:
            count = self._addresses.pop(connection.key) - 1
            if count:
                self._addresses[connection.key] = count
        if not self.connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def turn_away(self, reason: str) -> None:
        """Have a connection counted that got no answer."""
        try:
            self.handler.turned_away(reason)
        except Exception as error:  # noqa: BLE001 - counting must not stop the others
            self.note_failure("turned_away", error)

    def note_failure(self, where: str, error: Exception) -> None:
        """Count and log that the handler raised, without its message: that may quote a request.

        Logged at the 1st, 2nd, 4th, 8th ... time, so that no sender can fill a disk.
        """
        self.failures += 1
        if self.failures & (self.failures - 1) == 0:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "%s raised %s at %s:%s (%d so far); answered 302",
                where,
                type(error).__name__,
                frame.filename,
                frame.lineno,
                self.failures,
            )

    # Time passes.

    def _sweep(self) -> None:
        """End what is overdue; one timer for all instead of one for each."""
        self._sweeper = self.loop.call_later(self.limits.tick, self._sweep)
        self.now = now = self.loop.time()
        for connection in [each for each in self.with_deadline if each.deadline <= now]:
            connection.overdue()
        for connection in [each for each, until in self.write_blocked.items() if until <= now]:
            connection.drop("answers left unread")
        self._leave_idle(now)

    def _leave_idle(self, now: float) -> None:
        oldest = now - self.limits.idle_time
        late = []
        for connection in self.idle:
            if connection.since > oldest:
                break
            late.append(connection)
        if self.draining:
            silent = [each for each in self.with_deadline if each.silent]
            late = [
                each
                for each in (*self.idle, *silent)
                if max(each.since, self._drained_at) + self._grace <= now
            ]
        for connection in late:
            connection.leave()

    # The end.

    def drain(self, grace: float) -> None:
        """Close each connection with its next answer; idle ones after `grace` seconds.

        New connections are still taken until `stop_accepting`.
        """
        self.draining = True
        self._drained_at = self.loop.time()
        self._grace = grace

    def stop_accepting(self) -> None:
        """Leave new connections to whoever else listens; the socket given stays open."""
        if self._accepting is not None:
            self._accepting.close()
            self._accepting = None

    async def close(self, timeout: float) -> int:  # noqa: ASYNC109 - counts the unanswered instead of raising
        """Stop accepting, wait until all owed answers have left, then close the rest.

        Idle connections keep the grace of an earlier `drain`. Returns how many connections were
        cut at the end of `timeout` seconds.
        """
        self.stop_accepting()
        if not self.draining:
            self.drain(0.0)
        self._leave_idle(self.loop.time())
        if self.connections:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=timeout)
        self._sweeper.cancel()
        cut = list(self.connections)
        for connection in cut:
            connection.transport.abort()
        await asyncio.sleep(0)
        return len(cut)


def _network(address: str) -> object:
    """Say what one sender holds: an IPv4 address, or 2^64 IPv6 ones."""
    if ":" not in address:
        return address
    return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:8]
