"""`python -m benchmarks.killed_callbacks [KILLS]`: programs are killed while people are called.

An emulator that answers requests for a call well, late, not at all or with an error, and a
Switchhook with some hundred promises, whose console, answer side or both are ended by `kill -9` at
any moment and started again, 200 times; then it may finish. Counted is who was called twice, and
who is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.calling_back_world import EXOPHONE, FLOW, KEY, SID, TOKEN, Observer, plan_of
from benchmarks.children import ends_with_us
from benchmarks.machine import PYTHON
from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.serving import serving
from switchhook.emulator.plan.plan import Caller, Fault
from switchhook.errors import DataFolderError
from switchhook.exotel.times import IST
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import link_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONFIG = """
[answer]
url = "http://127.0.0.1:{answer}"
[accounts.main]
sid = "{sid}"
url = "http://127.0.0.1:{exotel}"
key_env = "CALLED_BACK_KEY"
token_env = "CALLED_BACK_TOKEN"
rate_per_minute = 150
status_secret_env = ["CALLED_BACK_STATUS"]
[accounts.main.callbacks]
exophone = "{exophone}"
flow = "{flow}"
hours = "0:00-24:00"
delay_s = 0
within_s = 7200
attempts = 3
gap_s = 10
declined_gap_s = 15
a_day = 20
ring_s = 5
longest_s = 15
reserve = 0
calls_an_hour = 12000
spend_an_hour = 100000.0
spend_a_number = 1000.0
"""
FAULTS = (
    Fault(what="connect-before", seconds=3, probability=0.1),
    Fault(what="connect-after", seconds=3, probability=0.1),
    Fault(what="connect-5xx-after", code=504, probability=0.05),
    Fault(what="connect-late", seconds=6, probability=0.2),
    Fault(what="callback-lost", probability=0.3),
    Fault(what="callback-twice", probability=0.1),
)
MET = ("yes", "yes", "no-answer", "busy", "declined")
BEHAVIOUR = {"lists_lag_s": 20.0, "lists_ongoing": False, "details_delay_s": 10.0}
SECRETS = {
    "CALLED_BACK_KEY": KEY,
    "CALLED_BACK_TOKEN": TOKEN,
    "CALLED_BACK_STATUS": "the-status-secret-of-a-trial",
}
PROMISES_A_KILL = 2
_READY_S, _END_S = 30.0, 1_800.0
_ENDED = ("kept", "dropped", "broken")


class Switchhook:
    """The program under `serve`, on ports that stay the same."""

    def __init__(self, folder: Path, answer: int, console: int) -> None:
        self.folder, self._answer, self.console = folder, answer, console
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        words = ["serve", "--config", str(self.folder / "s.toml"), "--data", self.data]
        words += ["--answer", f"127.0.0.1:{self._answer}", "--console", f"127.0.0.1:{self.console}"]
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(PYTHON, "-m", "switchhook", *words),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                preexec_fn=ends_with_us,
                env=os.environ | SECRETS,
            )
        await self.until_ready()

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    async def until_ready(self) -> None:
        """Until the console answers. Raises TimeoutError, RuntimeError where it ended."""
        assert self._process is not None
        async with asyncio.timeout(_READY_S):
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError((self.folder / "log").read_text()[-2_000:])
                with contextlib.suppress(OSError, RuntimeError, HTTPException, DataFolderError):
                    await self.ask("GET", "/api/v1/promises/summary")
                    return
                await asyncio.sleep(0.05)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API answers. Raises OSError, HTTPException, RuntimeError."""
        return await asyncio.to_thread(self._ask, method, path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        token = link_token(read_identity(Path(self.data)).key)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        link = HTTPConnection("127.0.0.1", self.console, timeout=20)
        with contextlib.closing(link):
            link.request(method, path, json.dumps(body) if body else None, headers)
            reply = link.getresponse()
            text = reply.read()
        if reply.status not in (200, 201):
            raise RuntimeError(f"{reply.status}: {text[:200]!r}")
        return json.loads(text)

    async def kill(self, side: str) -> None:
        """End one side, or both with their supervisor, at once."""
        assert self._process is not None
        if side == "both":
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            await self.start()
        elif (pid := self._child(side)) is not None:
            os.kill(pid, signal.SIGKILL)

    def _child(self, side: str) -> int | None:
        assert self._process is not None
        pid = self._process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if side.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[:4]:
                    return int(child)
        return None

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _number(at: int) -> str:
    return f"+9198765{at:05d}"


@asynccontextmanager
async def _exotel(chance: random.Random, count: int) -> AsyncIterator[tuple[Observer, int]]:
    """An emulator's API on a port, in real time."""
    callers = {}
    for at in range(count):
        answers: Any = chance.choice(MET)
        callers[f"c{at}"] = Caller(number=_number(at), answers=answers, rings_s=1.0)
    exchange = Exchange(
        plan_of(callers, FAULTS, 3.0, BEHAVIOUR),
        clock=Clock(asyncio.get_running_loop(), datetime.now(IST)),
        chance=Chance(chance.getrandbits(32)),
        web=Web(AddressAllowList()),
        dial=dialler(AddressAllowList()),
        keep_media=False,
    )
    seen = Observer()
    exchange.watchers.append(seen)
    async with serving(make_rest(exchange), host="127.0.0.1", port=0, ws=False) as served:
        yield seen, served.port
    await exchange.stop()


async def _run(kills: int, seed: int) -> tuple[Counter[str], Observer]:
    chance, count = random.Random(seed), kills * PROMISES_A_KILL
    with tempfile.TemporaryDirectory() as folder:
        async with _exotel(chance, count) as (seen, exotel):
            answer, console = _free_port(), _free_port()
            (Path(folder) / "s.toml").write_text(
                CONFIG.format(answer=answer, sid=SID, exotel=exotel, exophone=EXOPHONE, flow=FLOW)
            )
            program = Switchhook(Path(folder), answer, console)
            try:
                await program.start()
                await _promise(program, count)
                await _kill(program, kills, chance)
                states = await _until_over(program, count)
            finally:
                await program.end()
        return states, seen


async def _promise(program: Switchhook, count: int) -> None:
    for at in range(count):
        said = {"account": "main", "number": _number(at), "reason": "a trial"}
        await program.ask("POST", "/api/v1/promises", said)
    said = {"account": "main", "reason": "a trial"}
    await program.ask("POST", "/api/v1/promises/allow-dialling", said)


async def _kill(program: Switchhook, kills: int, chance: random.Random) -> None:
    began = time.monotonic()
    for done in range(1, kills + 1):
        await asyncio.sleep(chance.uniform(0.0, 2.5))
        await program.kill(chance.choice(("console", "console", "console", "answer", "both")))
        await program.until_ready()
        if done % 20 == 0:
            states = (await program.ask("GET", "/api/v1/promises/summary"))["states"]
            held = {name: n for name, n in states.items() if n}
            sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {done} kills: {held}\n")


async def _until_over(program: Switchhook, count: int) -> Counter[str]:
    """How many ended how, once all have."""
    async with asyncio.timeout(_END_S):
        while True:
            states = Counter[str]()
            cursor = ""
            while True:
                more = f"&cursor={cursor}" if cursor else ""
                page = await program.ask("GET", f"/api/v1/promises?limit=500{more}")
                states.update(each["state"] for each in page["promises"])
                cursor = page["next"]
                if not cursor:
                    break
            if sum(states[each] for each in _ENDED) >= count:
                return states
            await asyncio.sleep(5)


def main() -> int:
    """Kill, wait, and say who was called twice and who is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.killed_callbacks")
    parser.add_argument("kills", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    states, seen = asyncio.run(_run(options.kills, options.seed))
    count = options.kills * PROMISES_A_KILL
    ended = ", ".join(f"{number:,} {state}" for state, number in states.most_common())
    print(f"{options.kills} kills, {count:,} promises: {ended}; {seen.doubles.text()}")
    return 1 if seen.doubles.any or sum(states.values()) != count else 0


if __name__ == "__main__":
    sys.exit(main())
