"""Callers who never wait for one another: each asks once, at its moment, and notes what it heard.

`python -m lab.callers '{…}'` prints an empty line when it begins, asks until it is terminated, then
prints one line of JSON for each.
A latency counts from the moment at which a request was due, as benchmarks/load.py has it.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kept_receipts import query
from lab.patience import until
from program import request

PATIENCE_S = 10.0
"""After which a caller is one who was never answered."""
GOES_WRONG = 0.2
"""The share of streams that fail: whose callers take Option B."""


class Order(msgspec.Struct, frozen=True):
    """Whom to ask, by `paths` in turn, how often a second, and the start of the calls' names."""

    host: str
    port: int
    paths: list[str]
    rate: float
    name: str
    seed: int = 1


class Answer(msgspec.Struct, frozen=True):
    """What a caller heard: `status` 0 where there was no answer; `at` is Unix time, in s."""

    call: str
    path: str
    at: float
    ms: float
    status: int


class _Crowd:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.answers: list[Answer] = []
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._chance = random.Random(order.seed)

    async def ask_until(self, ended: asyncio.Event) -> None:
        due = time.perf_counter()
        waiting: set[asyncio.Task[None]] = set()
        for number in range(10**9):
            due += self._chance.expovariate(self.order.rate)
            with_time = max(0.0, due - time.perf_counter())
            try:
                await asyncio.wait_for(ended.wait(), with_time)
                break
            except TimeoutError:
                task = asyncio.create_task(self._ask(number, due))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        if waiting:
            await asyncio.wait(waiting, timeout=PATIENCE_S + 1)

    async def _ask(self, number: int, due: float) -> None:
        call = f"{self.order.name}-{number}"
        path = self.order.paths[number % len(self.order.paths)]
        at = time.time()
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = await self._exchange(call, path)
        except (OSError, EOFError, TimeoutError):
            status = 0
        ms = (time.perf_counter() - due) * 1000
        self.answers.append(Answer(call, path, at, round(ms, 2), status))

    async def _exchange(self, call: str, path: str) -> int:
        """Ask on a connection that is free, else on a new one."""
        wrong = self._chance.random() < GOES_WRONG
        failed = {"status": "failed", "Error": "3005 the bot closed"} if wrong else {}
        target = f"{path}?".encode() + query(call, f"s-{call}", **failed)
        while self._free and self._free[-1][0].at_eof():
            self._free.pop()[1].close()
        if self._free:
            reader, writer = self._free.pop()
        else:
            reader, writer = await asyncio.open_connection(self.order.host, self.order.port)
        try:
            writer.write(request(target, "hooks.example.com"))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        self._free.append((reader, writer))
        return int(head.split()[1])


class Callers:
    """Such a process, from the block's start to its end; then `answers` has what they heard."""

    def __init__(self, order: Order, said: Path) -> None:
        self.answers: Sequence[Answer] = ()
        self._order = order
        self._said = said

    def __enter__(self) -> Callers:
        order = json.dumps(msgspec.to_builtins(self._order))
        # They are no part of the machine that is busy: they don't wait for it to note what they do.
        words = ["nice", "-n", "-10", sys.executable, "-m", "lab.callers", order]
        with self._said.open("wb") as said:
            folder = Path(__file__).parents[1]
            self._process = subprocess.Popen(words, stdout=said, cwd=folder, process_group=0)
        until(lambda: self._said.stat().st_size, "callers begin")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(PATIENCE_S * 3)
        finally:
            self._process.kill()
        assert code == 0
        lines = filter(None, self._said.read_bytes().splitlines())
        self.answers = [msgspec.json.decode(line, type=Answer) for line in lines]


async def _main(order: Order) -> None:
    crowd, ended = _Crowd(order), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    await crowd.ask_until(ended)
    for each in crowd.answers:
        sys.stdout.buffer.write(msgspec.json.encode(each) + b"\n")


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(sys.argv[1], type=Order)))
