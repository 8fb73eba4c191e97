"""What is being answered ends with the session that asked: over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import ClassVar

import pytest
import uvicorn

from patience import PATIENCE_S
from switchhook.access.roles import EVERYTHING, Role, Viewer
from switchhook.system.local_keys import link_cookie, link_proof
from switchhook.web.sign_in.live_requests import LiveRequests
from switchhook.web.sign_in.tokens import hashed
from web.sign_in.house import DEED, HASH, HOUR, KEY, MINUTE, House

BY_LINK = f"{link_cookie(KEY)}={link_proof(KEY)}"


class Feed:
    """A live feed that somebody watches by a bare socket; `opened` are closed by `serving`."""

    opened: ClassVar[list[asyncio.StreamWriter]] = []

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def begin(cls, port, cookie=""):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET /feed HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"data: begun\n\n")
        cls.opened.append(writer)
        return cls(reader, writer)

    async def ended(self):
        """Wait for the end of the response; it is a proper one."""
        async with asyncio.timeout(PATIENCE_S):
            rest = await self.reader.readuntil(b"0\r\n\r\n")
        self.writer.close()
        return rest

    @property
    def open(self):
        return not self.reader.at_eof() and not self.reader._buffer.endswith(b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def serving(house):
    """The console on a free port, looking at its sessions as often as it can."""
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        house.app, log_config=None, lifespan="off", proxy_headers=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment]
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        while Feed.opened:
            Feed.opened.pop().close()
        await task


def session(house, name, role=Role.OPERATOR):
    """A session without a browser: its cookie and id."""
    user = house.kept.users.named(name) or house.kept.users.add(
        name, role, DEED, house.now_us, password_hash=HASH
    )
    proof = f"proof-of-{name}-{len(house.kept.passes.sessions())}"
    found = house.kept.passes.open_session(
        user.id, hashed(proof), "127.0.0.1", "", DEED, house.now_us
    )
    return f"switchhook={proof}", found


def answering(house):
    """How many requests are being answered."""
    return sum(map(len, house.access.live.viewers().values()))


def disable(house, found):
    house.kept.users.set_disabled(found.user.id, True, DEED, house.now_us)


def other_role(house, found):
    house.kept.users.set_role(found.user.id, Role.VIEWER, DEED, house.now_us)


def end(house, found):
    house.kept.passes.end_session(found.id, DEED, house.now_us)


def new_password(house, found):
    house.kept.users.set_password(found.user.id, "hash", DEED, house.now_us)


def grow_old(house, _):
    house.now_us += 12 * HOUR


def mask_again(house, found):
    house.access.reveals.forget(found.key)


def reveal_runs_out(house, _):
    house.now_us += 15 * MINUTE


@pytest.mark.parametrize(
    "happens",
    [disable, other_role, end, new_password, grow_old, mask_again, reveal_runs_out],
)
def test_a_feed_ends_with_its_session_whoever_ended_it(tmp_path, happens):
    """Another process too: what happens here happens in the ledger alone."""

    async def watch():
        house = House(tmp_path)
        house.user("boss")
        cookie, found = session(house, "asha")
        house.access.reveals.add(found.key, EVERYTHING)
        async with serving(house) as port:
            mine = await Feed.begin(port, cookie)
            await house.access.look()
            assert answering(house) == 1
            happens(house, found)
            await house.access.look()
            await mine.ended()
            assert answering(house) == 0

    asyncio.run(watch())


def test_others_feeds_go_on(tmp_path):
    """Ending one session ends nobody else's, not even the same user's others."""

    async def watch():
        house = House(tmp_path)
        house.user("boss")
        cookies = [session(house, name) for name in ("asha", "asha", "ravi")]
        async with serving(house) as port:
            feeds = [await Feed.begin(port, cookie) for cookie, _ in cookies]
            end(house, cookies[0][1])
            await house.access.look()
            await feeds[0].ended()
            await house.access.look()
            assert answering(house) == 2
            assert all(feed.open for feed in feeds[1:])

    asyncio.run(watch())


def test_signing_out_ends_the_feed_at_once(tmp_path):
    """Without waiting for the next look."""

    async def watch():
        house = House(tmp_path)
        cookie, _ = session(house, "asha")
        async with serving(house) as port:
            feed = await Feed.begin(port, cookie)
            from switchhook.web.sign_in.tokens import csrf_of

            token = csrf_of(cookie.partition("=")[2])
            body = f"csrf={token}"
            head = (
                f"POST /logout HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write((head + body).encode())
            assert b"303" in await reader.readline()
            await feed.ended()
            writer.close()

    asyncio.run(watch())


def test_an_open_feed_ends_with_the_first_account(tmp_path):
    """What was open to everybody on this machine is so no more."""

    async def watch():
        house = House(tmp_path)
        async with serving(house) as port:
            feed = await Feed.begin(port, BY_LINK)
            await house.access.look()
            assert feed.open
            house.user()
            await house.access.look()
            await feed.ended()

    asyncio.run(watch())


def test_an_open_feed_keeps_its_session(tmp_path):
    """A wall screen is in use though nobody touches it."""

    async def watch():
        house = House(tmp_path)
        cookie, _ = session(house, "asha")
        async with serving(house) as port:
            feed = await Feed.begin(port, cookie)
            for _ in range(3):
                house.now_us += 3 * HOUR
                await house.access.look()
            assert feed.open
            assert house.kept.passes.sessions()[0].used_us == house.now_us

    asyncio.run(watch())


def test_a_browser_that_leaves_is_forgotten(tmp_path):
    async def watch():
        house = House(tmp_path)
        async with serving(house) as port:
            feed = await Feed.begin(port, BY_LINK)
            feed.writer.close()
            await feed.writer.wait_closed()
            async with asyncio.timeout(PATIENCE_S):
                while answering(house):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0)

    asyncio.run(watch())


def test_a_cancellation_by_others_goes_through():
    """A server that shuts down is no session that ends."""

    async def watch():
        house_ended = []
        live = LiveRequests()

        async def answer():
            with live.bound(Viewer("asha", Role.VIEWER, "k")) as bound:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    house_ended.append(bound.ended)

        begun = asyncio.Event()
        task = asyncio.create_task(answer())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert house_ended == [False]

    asyncio.run(watch())
