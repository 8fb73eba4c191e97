"""Keep the answer and the console process running; own their sockets.

The listening sockets live here and outlive the processes that answer on them: while one is
replaced, callers wait in the socket's queue. A process that is dead or hangs (`liveness`) is
replaced; one that dies again and again is given longer and longer pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.system.liveness import Look, Silence, read_look
from switchhook.system.supervised import BEAT_S, READY

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

log = logging.getLogger("switchhook.supervisor")

TICK_S = 0.05
"""How often each process is looked at."""
START_PATIENCE = 30.0
"""How many times as long a process may be silent before its first beat: a journal is recovered, a
disk is slow, or all of a machine's programs start at once."""
STOP_S = 5.0
"""Between SIGTERM and SIGKILL."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STEADY_S = 10.0  # a process that lived so long starts again without a pause


class Child:
    """One program, kept running. `command` gets the numbers of its file descriptors appended.

    One that is `needed` has to start, or there is no sense in starting at all. `patience` is how
    many times as long as others it may be silent before it is said to hang.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        sock: socket.socket,
        *,
        needed: bool = True,
        patience: float = 1.0,
    ) -> None:
        self.name = name
        self.needed = needed
        self._patience = patience
        self.ready = asyncio.Event()
        self._command, self._socket = tuple(command), sock
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._beat_fd = -1
        self._life_fd = -1
        self._silence = Silence(TICK_S, 0.0)
        self._started = 0.0
        self._pause = 0.0

    @property
    def pid(self) -> int | None:
        """Of the process that works now."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start a process; also beside one that is about to leave."""
        beat_read, beat_write = os.pipe()
        life_read, life_write = os.pipe()
        sock = self._socket.fileno()
        fds = (sock, beat_write, life_read)
        names = ("--socket-fd", "--beat-fd", "--life-fd")
        options = [part for name, fd in zip(names, fds, strict=True) for part in (name, str(fd))]
        self._forget_pipes()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*self._command, *options], pass_fds=fds, stdin=subprocess.DEVNULL
            )
        finally:
            os.close(beat_write)
            os.close(life_read)
        self._beat_fd, self._life_fd = beat_read, life_write
        os.set_blocking(beat_read, False)
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        self._silence = Silence(TICK_S, self._started, max(START_PATIENCE, self._patience))
        self.ready.clear()
        loop.add_reader(beat_read, self._heard)

    def failed_start(self) -> int | None:
        """The exit code of a process that ended before it was ready."""
        if self._process is None or self.ready.is_set():
            return None
        code = self._process.poll()
        return None if code is None else (code or 1) if code >= 0 else 1

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._beat_fd, 4096)
            if not data:
                asyncio.get_running_loop().remove_reader(self._beat_fd)
                return
            self._silence.broken()
            if READY in data:
                self._silence = Silence(TICK_S, asyncio.get_running_loop().time(), self._patience)
                self.ready.set()

    def _forget_pipes(self) -> None:
        if self._beat_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._beat_fd)
            os.close(self._beat_fd)
            os.close(self._life_fd)
            self._beat_fd = self._life_fd = -1

    async def keep(self) -> None:
        """Replace the process whenever it is dead or hung, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self._leaving = [process for process in self._leaving if process.poll() is None]
            process = self._process
            if process is None:
                continue
            now = asyncio.get_running_loop().time()
            code = process.poll()
            if code is None:
                if not self._hangs(process, now):
                    continue
                log.error("%s hangs (process %d); it is replaced", self.name, process.pid)
                process.kill()
                while process.poll() is None:  # noqa: ASYNC110 - a disk that hangs may hold it
                    await asyncio.sleep(TICK_S)
            else:
                log.error("%s ended with %s; it is started again", self.name, _ending(code))
            await self._wait_before_restart(now)
            self.start()

    def _hangs(self, process: subprocess.Popen[bytes], now: float) -> bool:
        return self._silence.watch(now) and self._silence.hangs(_look_at(process.pid))

    async def _wait_before_restart(self, now: float) -> None:
        if now - self._started >= _STEADY_S:
            self._pause = 0.0
        elif self._pause:
            await asyncio.sleep(self._pause)
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)

    def upgrade(self) -> None:
        """Start a fresh process; the old one answers what it owes and makes way."""
        old = self._process
        if old is None or old.poll() is not None:
            return
        log.info("%s is replaced by a fresh process", self.name)
        # Its life pipe stays open as long as ours does: closing ends it, so it is leaked on
        # purpose to the old process's own end.
        self._keep_life_of(old)
        self.start()
        old.send_signal(signal.SIGUSR1)
        self._leaving.append(old)

    def _keep_life_of(self, old: subprocess.Popen[bytes]) -> None:
        life, beat = self._life_fd, self._beat_fd
        asyncio.get_running_loop().remove_reader(beat)
        self._beat_fd = self._life_fd = -1

        def close() -> None:
            if old.poll() is None:
                asyncio.get_running_loop().call_later(BEAT_S, close)
                return
            os.close(life)
            os.close(beat)

        close()

    async def stop(self) -> None:
        """End it gently, and after `STOP_S` at once."""
        alive = [*self._leaving, *([self._process] if self._process else [])]
        alive = [process for process in alive if process.poll() is None]
        for process in alive:
            process.terminate()
        # Once the process listens no more either, who waits in the queue is told so at once, and a
        # balancer asks another node: who came just then must not wait until all has ended.
        self._socket.close()
        end = asyncio.get_running_loop().time() + STOP_S
        while any(process.poll() is None for process in alive):
            if asyncio.get_running_loop().time() > end:
                self._kill(alive)
                end += STOP_S
            await asyncio.sleep(0.02)
        self._forget_pipes()

    def _kill(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            if process.poll() is None:
                log.error("%s does not end (process %d); it is killed", self.name, process.pid)
                process.kill()


def _look_at(pid: int) -> Look:
    """What the system says of a process; nothing, where it has no /proc."""
    stat, schedstat = (_read(Path(f"/proc/{pid}/{name}")) for name in ("stat", "schedstat"))
    return read_look(stat, schedstat, _TICKS_PER_S)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _ending(code: int) -> str:
    if code >= 0:
        return f"code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def program(*words: str) -> list[str]:
    """The command line of one of our own programs."""
    return [sys.executable, "-m", "switchhook", *words]


async def supervise(children: Sequence[Child], announce: Callable[[], None]) -> int:
    """Run the children until SIGTERM or SIGINT; SIGHUP replaces each by a fresh process.

    `announce` is called once, when all do their work; one that isn't `needed` and failed is not
    waited for. The result is the exit code.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    def upgrade() -> None:
        for child in children:
            child.upgrade()

    loop.add_signal_handler(signal.SIGHUP, upgrade)
    for child in children:
        child.start()
    code = await _until_ready(children, stopped)
    keepers = [asyncio.create_task(child.keep()) for child in children]
    if code == 0 and not stopped.is_set():
        announce()
        await stopped.wait()
    for keeper in keepers:
        keeper.cancel()  # it may rest before it starts one anew
    kept = await asyncio.gather(*keepers, return_exceptions=True)
    await asyncio.gather(*(child.stop() for child in children))
    for error in kept:
        if isinstance(error, Exception):
            raise error
    return code


async def _until_ready(children: Sequence[Child], stopped: asyncio.Event) -> int:
    """0 once all are ready; a needed child that ends before its first beat ends the whole start."""
    awaited = list(children)
    while not stopped.is_set() and not all(child.ready.is_set() for child in awaited):
        for child in list(awaited):
            code = child.failed_start()
            if code is None:
                continue
            if child.needed:
                return code
            log.error("%s could not start; callers are answered without it", child.name)
            awaited.remove(child)
        await asyncio.sleep(TICK_S / 5)
    return 0
