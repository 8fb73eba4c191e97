"""The answer program's end of the socket, with a real shipper's end that says what it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import uvloop

from patience import PATIENCE_S
from switchhook.answer.hand_over import HandOver
from switchhook.answer.hand_over_client import HandOverClient
from switchhook.system.hand_over_socket import SOCKET_NAME, pack


class Shipper:
    """A server at the socket: what it hears, and its connections."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / SOCKET_NAME
        self.heard = b""
        self.writers: list[asyncio.StreamWriter] = []
        self.came = 0
        self.reads = True
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._meet, str(self.path))

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        self.writers.append(writer)
        while self.reads and (data := await reader.read(4096)):
            self.heard += data
        if self.reads:
            writer.close()
            self.writers.remove(writer)

    def say(self, data: bytes) -> None:
        self.writers[-1].write(data)

    def die(self) -> None:
        """As a process that is killed: the name of the socket stays."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


class Meeting:
    """Both ends, and a journal of a hundred records."""

    def __init__(self, folder: Path) -> None:
        self.newest = 100
        self.shipper = Shipper(folder)
        loop = asyncio.get_running_loop()
        self.hand_over = HandOver(lambda: self.newest, lambda: int(loop.time() * 1e9))
        self.told: list[int] = []
        self.hand_over.on_kept = lambda: self.told.append(self.hand_over.kept)
        self.client = HandOverClient(folder, self.hand_over)
        self.running = asyncio.create_task(self.client.run())

    async def connected(self) -> None:
        before = self.shipper.came
        await until(lambda: self.shipper.came > before or self.shipper.writers)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - of what is looked at nothing tells of a change
            await asyncio.sleep(0.005)


@asynccontextmanager
async def meeting(folder: Path) -> AsyncIterator[Meeting]:
    met = Meeting(folder)
    try:
        await met.shipper.start()
        await met.connected()
        yield met
    finally:
        met.running.cancel()
        await asyncio.wait([met.running])
        met.shipper.die()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    """Run a coroutine on a loop of either kind."""

    def run(coroutine):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(coroutine)

    return run


def test_what_the_shipper_says_is_heard_byte_by_byte_and_many_at_once(run, tmp_path):
    async def scene():
        async with meeting(tmp_path) as met:
            for byte in pack(7):
                assert not met.hand_over.healthy
                met.shipper.say(bytes([byte]))
                await asyncio.sleep(0)
            await until(lambda: met.hand_over.kept == 7)
            met.shipper.say(pack(8) + pack(50) + pack(100)[:3])
            await until(lambda: met.hand_over.kept == 50)
            met.shipper.say(pack(100)[3:])
            await until(lambda: met.hand_over.kept == 100)
            assert met.told == [7, 50, 100]

    run(scene())


def test_what_becomes_durable_in_one_turn_of_the_loop_is_told_once(run, tmp_path):
    async def scene():
        async with meeting(tmp_path) as met:
            for seq in range(1, 40):
                met.hand_over.durable(seq)
            await until(lambda: met.shipper.heard)
            met.hand_over.durable(41)
            await until(lambda: len(met.shipper.heard) == 16)
            assert met.shipper.heard == pack(39) + pack(41)

    run(scene())


def test_a_shipper_that_dies_is_found_again(run, tmp_path):
    async def scene():
        async with meeting(tmp_path) as met:
            met.shipper.say(pack(100))
            await until(lambda: met.hand_over.healthy)
            met.shipper.die()
            await until(lambda: not met.hand_over.healthy)
            met.hand_over.durable(100)  # nobody is there to be told
            met.shipper.path.unlink(missing_ok=True)
            await met.shipper.start()
            await until(lambda: met.shipper.writers)
            assert not met.hand_over.healthy
            met.shipper.say(pack(100))
            await until(lambda: met.hand_over.healthy)

    run(scene())


@pytest.mark.parametrize(
    "lie", [pack(101), b"\xff" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["one", "ff", "http"]
)
def test_who_says_what_can_not_be_is_left_and_asked_anew(run, tmp_path, caplog, lie):
    async def scene():
        async with meeting(tmp_path) as met:
            met.shipper.say(pack(90))
            await until(lambda: met.hand_over.kept == 90)
            met.shipper.say(lie)
            await until(lambda: met.shipper.came == 2)
            assert (met.hand_over.kept, met.hand_over.healthy) == (90, False)
            met.shipper.say(pack(100))
            await until(lambda: met.hand_over.healthy)

    run(scene())
    assert "there is no such record here" in caplog.text


def test_for_a_shipper_that_does_not_read_nothing_is_stored_up(run, tmp_path):
    async def scene():
        met = Meeting(tmp_path)
        met.shipper.reads = False
        await met.shipper.start()
        await met.connected()
        transport = met.client._transport
        assert transport is not None
        cast("asyncio.Transport", met.shipper.writers[-1].transport).pause_reading()
        seq = 0
        while not met.client._choked:
            seq += 1
            met.hand_over.durable(seq)
            await asyncio.sleep(0)
        for more in range(10_000):
            met.hand_over.durable(seq + more)
            await asyncio.sleep(0)
        assert transport.get_write_buffer_size() <= 2048
        met.running.cancel()
        await asyncio.wait([met.running])
        met.shipper.die()

    run(scene())


def test_while_there_is_no_shipper_it_is_looked_for_and_the_end_is_at_once(run, tmp_path):
    async def scene():
        met = Meeting(tmp_path)
        await asyncio.sleep(0.2)
        assert not met.running.done()
        await met.shipper.start()
        await met.connected()
        met.shipper.say(pack(100))
        await until(lambda: met.hand_over.healthy)
        met.running.cancel()
        await asyncio.wait([met.running])
        await until(lambda: not met.hand_over.healthy)
        met.shipper.die()

    run(scene())
