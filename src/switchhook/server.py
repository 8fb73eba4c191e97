"""The only module that knows all the parts: it wires them into the two programs, and into one.

`serve` is the supervisor with both; `run_answer` and `run_console` are what it starts, or what
those who deploy them apart start themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import uvloop

from switchhook.answer.answerer import SWEEP_S, Answerer
from switchhook.answer.asgi import AnswerApp
from switchhook.answer.endpoints import Endpoint
from switchhook.answer.http import Limits
from switchhook.answer.protocol import serve as serve_http
from switchhook.answer.repeats import MOST_REMEMBERED, WINDOW_MS, Asked, RepeatMemory
from switchhook.config import Config, Mode
from switchhook.data_folder import DataFolder
from switchhook.journal import JournalEvent, JournalReader, JournalWriter
from switchhook.process import Tether
from switchhook.rules import BUILTIN, load_rules
from switchhook.settings import Settings, SettingsKeeper, find_data_folder
from switchhook.supervisor import Child, program, supervise
from switchhook.wire.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.answer.connections import Server

log = logging.getLogger("switchhook")

LOCK_WAIT_S = 15.0
"""A process that takes over waits this long for the one before it to let go of the data folder."""
_POLL_S = 0.2  # how often files of the operator are looked at
_DRAIN_S = 2.0
_CLOSE_S = 4.0
_FLUSH_S = 4.0
JOURNAL = "journal"


def endpoints_of(settings: Settings, key: bytes) -> dict[str, Endpoint]:
    """What the configuration and the running rules say, ready to answer; `key` is the folder's."""
    secrets = [each.reveal() for point in settings.config.endpoints for each in point.secrets]
    redactor = Redactor(key, secrets)
    return {
        point.name: Endpoint(
            name=point.name,
            sync=point.mode is Mode.SYNC,
            report_only=point.auth == "report-only",
            secrets=tuple(secret.reveal().encode() for secret in point.secrets),
            ruleset=settings.rulesets[point.name],
            safe_option=point.safe_option,
            deadline_ms=point.deadline_ms,
            region=point.region,
            zone=ZoneInfo(point.zone),
            bodies=(point.bodies.A or "", point.bodies.B or ""),
            redactor=redactor,
        )
        for point in settings.config.endpoints
    }


def trusted_by(config: Config) -> Callable[[str], bool]:
    """Whether an address is a configured proxy's."""
    networks = config.answer.trusted_proxies

    def trusted(address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in networks)

    return trusted


def remember_asked(
    journal: Path, boot: Mapping[str, object], *, mono_ms: int, wall_ms: int
) -> RepeatMemory:
    """The questions of the last ten minutes, from the journal.

    The monotonic clock starts anew with the machine: what was asked before this boot (its first
    record is `boot["first_seq"]`) is placed by the wall clock.
    """
    memory = RepeatMemory()
    first_seq = boot["first_seq"]
    assert isinstance(first_seq, int)
    reader = JournalReader(journal)
    try:
        asked = reader.load_asked(MOST_REMEMBERED, since_at=wall_ms - 2 * WINDOW_MS)
    finally:
        reader.close()
    for seq, key, option, mono, at in zip(*asked, strict=True):
        if seq < first_seq or mono > mono_ms:
            mono = mono_ms - max(0, wall_ms - at)
        if mono_ms - mono < WINDOW_MS:
            memory.remember(key, Asked(seq, at, mono, option))
    return memory


class AnswerProcess:
    """The answer program: journal, settings, answerer and server on one loop."""

    def __init__(
        self, keeper: SettingsKeeper | None, settings: Settings, folder: DataFolder
    ) -> None:
        self._keeper, self._settings, self._folder = keeper, settings, folder
        loop = asyncio.get_running_loop()
        config = settings.config
        path = folder.path / JOURNAL
        self.journal = JournalWriter(
            path,
            node=folder.node,
            notify=loop.call_soon_threadsafe,
            observe=self._observe,
            segment_bytes=config.journal.segment_mb << 20,
            ceiling_bytes=int(config.journal.ceiling_gb * (1 << 30)),
            pending_bytes=config.journal.pending_mb << 20,
        )
        boot = folder.boot(self.journal.next_seq)
        self.answerer = Answerer(
            endpoints_of(settings, folder.key),
            self.journal,
            node=folder.node,
            key=folder.key,
            last_at=self.journal.last_at,
            memory=remember_asked(
                path,
                boot,
                mono_ms=time.monotonic_ns() // 1_000_000,
                wall_ms=time.time_ns() // 1_000_000,
            ),
            trusted=trusted_by(config),
        )
        self._tell(settings)
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, sock: socket.socket) -> None:
        """Listen, and do what the loop does beside."""
        answer = self._settings.config.answer
        limits = Limits(
            connections=answer.max_connections,
            per_address=answer.max_connections_per_address,
            exempt=trusted_by(self._settings.config),
        )
        self._server = await serve_http(sock, self.answerer, limits)
        self.begin()

    def begin(self) -> None:
        """What goes on beside answering, whoever owns the sockets."""
        for each in self._settings.running:
            self.answerer.keep_take_over(each)
        self._sweep()
        if self._keeper is not None:
            self._tasks.append(asyncio.create_task(self._follow_files(self._keeper)))

    async def stop(self, grace: float) -> None:
        """Answer what is owed, then flush; `grace` lets idle connections ask once more."""
        if self._server is not None:
            if grace:
                self._server.drain(grace)
                await asyncio.sleep(grace)
            await self._server.close(_CLOSE_S)
        self._sweeping.cancel()
        for task in self._tasks:
            task.cancel()
        self.answerer.keep_counts()
        await asyncio.to_thread(self.journal.close, _FLUSH_S)
        self._folder.close()

    def _sweep(self) -> None:
        self.answerer.sweep()
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    async def _follow_files(self, keeper: SettingsKeeper) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            settings, taken = await asyncio.to_thread(keeper.poll)
            for each in taken:
                log.warning("%s is taken over (%s)", each.name, each.hash[:12])
                self.answerer.keep_take_over(each)
            if settings is not None:
                self._settings = settings
                self.answerer.endpoints = endpoints_of(settings, self._folder.key)
                self._tell(settings)

    def _tell(self, settings: Settings) -> None:
        for complaint in settings.complaints:
            if complaint not in self.answerer.problems:
                log.error("%s", complaint)
        self.answerer.problems = settings.complaints

    def _observe(self, event: JournalEvent) -> None:
        log.log(logging.ERROR if event.trouble else logging.INFO, "journal: %s", event)
        if event.trouble:
            self.answerer.alarms[event.name] = f"journal: {event}"
        elif event.name == "recovered":
            for over in ("failing", "unwritten", "at_ceiling"):
                self.answerer.alarms.pop(over, None)


async def _answer(
    keeper: SettingsKeeper, settings: Settings, sock: socket.socket, tether: Tether
) -> int:
    loop = asyncio.get_running_loop()
    tether.watch(loop)
    ending = asyncio.Event()
    grace = 0.0

    def leave() -> None:
        nonlocal grace
        grace = _DRAIN_S
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    loop.add_signal_handler(signal.SIGUSR1, leave)
    folder = await asyncio.to_thread(
        DataFolder.open, keeper.data_folder, "answer", wait_s=LOCK_WAIT_S
    )
    process = AnswerProcess(keeper, settings, folder)
    await process.start(sock)
    gc.collect()
    gc.freeze()  # what lives now lives for good; the collector need not look at it again
    gc.set_threshold(50_000, 20, 50)
    if tether.beat is None:
        print(f"answer {url_of(sock)}", flush=True)  # noqa: T201 - the one line on stdout
    tether.ready(loop)
    await ending.wait()
    await process.stop(grace)
    return 0


def answer_app(config: Config | str | Path | None) -> AnswerApp:
    """The answer side as an ASGI app; see `switchhook.answer_app`."""
    process: AnswerProcess | None = None

    async def open_handler() -> Answerer:
        nonlocal process
        keeper: SettingsKeeper | None = None
        if isinstance(config, Config):
            settings, path = await asyncio.to_thread(settings_of, config), Path(config.data)
        else:
            file = None if config is None else str(config)
            keeper = SettingsKeeper(find_data_folder(file, None), file, environ=os.environ)
            settings, path = await asyncio.to_thread(keeper.start), keeper.data_folder
        folder = await asyncio.to_thread(DataFolder.open, path, "answer")
        process = AnswerProcess(keeper, settings, folder)
        process.begin()
        return process.answerer

    async def close_handler() -> None:
        if process is not None:
            await process.stop(0.0)

    return AnswerApp(open_handler, close_handler)


def settings_of(config: Config) -> Settings:
    """Settings for a configuration that a program made itself; its rules files are read once."""
    rulesets = {
        point.name: BUILTIN
        if point.rules is None
        else load_rules(Path(point.rules).read_bytes(), file=point.rules)
        for point in config.endpoints
    }
    return Settings(config=config, rulesets=rulesets, sources=())


def run_answer(keeper: SettingsKeeper, fd: int | None, tether: Tether) -> int:
    """The answer program; `fd` is the number of a listening socket that somebody else owns."""
    tether.die_with_parent()
    settings = keeper.start()
    sock = listening(settings.config.answer.listen.host, settings.config.answer.listen.port, fd)
    return uvloop.run(_answer(keeper, settings, sock, tether))


async def _console(
    keeper: SettingsKeeper, settings: Settings, sock: socket.socket, tether: Tether
) -> int:
    # Starlette and uvicorn are the console's alone: the answer process starts without them.
    import uvicorn  # noqa: PLC0415

    from switchhook.console.app import ConsoleParts, create_app  # noqa: PLC0415
    from switchhook.console.fold import Folder  # noqa: PLC0415
    from switchhook.store.sqlite import SqliteStore  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    tether.watch(loop)
    held = await asyncio.to_thread(
        DataFolder.open, keeper.data_folder, "console", wait_s=LOCK_WAIT_S
    )
    journal = JournalReader(held.path / JOURNAL)
    store = SqliteStore(held.path, journal)
    await asyncio.to_thread(store.open)
    folder = Folder(journal, store)
    running = _Running(keeper, settings)
    app = create_app(
        ConsoleParts(
            journal=journal,
            store=store,
            folder=folder,
            overview=running.overview,
            complaints=running.complaints,
            loopback_only=settings.config.console.listen.loopback,
        )
    )
    folder.start()
    following = asyncio.create_task(running.follow())
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=3,
            lifespan="off",
        )
    )
    if tether.beat is None:
        print(f"console {url_of(sock)}", flush=True)  # noqa: T201 - the one line on stdout
    tether.ready(loop)
    for number in (signal.SIGUSR1,):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    await server.serve(sockets=[sock.dup()])
    following.cancel()
    await asyncio.to_thread(folder.stop)
    await asyncio.to_thread(store.close)
    journal.close()
    held.close()
    return 0


class _Running:
    """What runs beside, as the console tells it."""

    def __init__(self, keeper: SettingsKeeper, settings: Settings) -> None:
        self._keeper, self._settings = keeper, settings

    async def follow(self) -> None:
        """Look at the files as the answer process does."""
        while True:
            await asyncio.sleep(_POLL_S)
            settings, _ = await asyncio.to_thread(self._keeper.poll)
            self._settings = settings or self._settings

    def complaints(self) -> list[str]:
        """What is wrong with the operator's files, one sentence each."""
        return list(self._settings.complaints)

    def overview(self) -> dict[str, object]:
        """The endpoints with what decides for them."""
        settings = self._settings
        return {
            "complaints": list(settings.complaints),
            "endpoints": [
                {
                    "name": point.name,
                    "mode": point.mode.value,
                    "auth": point.auth.value,
                    "safe_option": point.safe_option.value,
                    "deadline_ms": point.deadline_ms,
                    "release": settings.rulesets[point.name].release,
                    "rules": [rule.name for rule in settings.rulesets[point.name].rules],
                }
                for point in settings.config.endpoints
            ],
        }


def run_console(keeper: SettingsKeeper, fd: int | None, tether: Tether) -> int:
    """The console program: follow the journal, fold, and answer on the private port."""
    tether.die_with_parent()
    with contextlib.suppress(OSError):
        os.nice(19)  # callers wait for the answer process, nobody for this one
    settings = keeper.start()
    listen = settings.config.console.listen
    sock = listening(listen.host, listen.port, fd)
    return uvloop.run(_console(keeper, settings, sock, tether))


def run_both(config: Config, words: list[str]) -> int:
    """Supervise both programs; `words` are the options that they get."""
    systemd = inherited()
    answer = systemd.get("answer") or listening(
        config.answer.listen.host, config.answer.listen.port
    )
    console = systemd.get("console") or listening(
        config.console.listen.host, config.console.listen.port
    )

    def announce() -> None:
        sys.stdout.write(f"answer {url_of(answer)}\nconsole {url_of(console)}\n")
        sys.stdout.flush()

    async def run() -> int:
        children = [
            Child("answer", program("answer", *words), answer),
            Child("console", program("console", *words), console),
        ]
        return await supervise(children, announce)

    return asyncio.run(run())


def listening(host: str, port: int, fd: int | None = None) -> socket.socket:
    """A bound and listening TCP socket: the one that was handed over, or a new one."""
    if fd is not None:
        return socket.socket(fileno=fd)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(4096)
    return sock


_FIRST_SYSTEMD_FD = 3  # sd_listen_fds(3)


def inherited() -> dict[str, socket.socket]:
    """Sockets that systemd opened for us, by their FileDescriptorName."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    numbers = range(_FIRST_SYSTEMD_FD, _FIRST_SYSTEMD_FD + count)
    return {
        name: socket.socket(fileno=number) for name, number in zip(names, numbers, strict=False)
    }


def url_of(sock: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port, *_ = sock.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
