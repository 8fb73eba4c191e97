"""The answer program: journal, settings, answerer and HTTP on one loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from switchhook.answer.answerer import SWEEP_S, Answerer
from switchhook.answer.asgi import AnswerApp
from switchhook.answer.hand_over_client import HandOverClient
from switchhook.answer.health import note_event
from switchhook.answer.http.listening import serve as serve_http
from switchhook.answer.http.messages import ConnectionLimits
from switchhook.capacity.facts_file import LOOK_S, FactsReader
from switchhook.config import Config
from switchhook.config.live import POLL_S, Settings, SettingsKeeper, find_data_folder
from switchhook.exotel.phone_numbers import shown_hash
from switchhook.journal import JournalEvent, JournalWriter
from switchhook.rules.outcome import EndpointKind
from switchhook.server.answer_settings import (
    endpoints_of,
    receiving_accounts,
    settings_of,
    trusted_by,
)
from switchhook.server.asked_before import remember_asked
from switchhook.server.gc import freeze_heap
from switchhook.server.given_before import remember_given
from switchhook.server.sockets import listening, url_of
from switchhook.system.data_folder import JOURNAL, DataFolder, boot_id
from switchhook.system.logs import set_up as set_up_logs
from switchhook.system.priority import take_short_turns
from switchhook.system.supervised import LOCK_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from switchhook.answer.http.connections import Server
    from switchhook.answer.places import PlacesGiven
    from switchhook.system.supervised import SupervisorPipes

log = logging.getLogger("switchhook")

SHIPPER_LOOK_S = 1.0
ALONE = "this node's receipts are on its disk alone"
_DRAIN_S = 2.0
_RENEW_LOOKS = 10  # facts age and run out though their file stays as it is
# The parts of an end, which is whole within five seconds.
_PATIENCE_S, _HURRY_S, _FLUSH_S = 2.0, 1.0, 1.5


class AnswerProcess:
    """The answer program: journal, settings, answerer and server on one loop.

    `owns_log` is whether the process is its own, so that its log is as the configuration says.
    """

    def __init__(
        self,
        keeper: SettingsKeeper | None,
        settings: Settings,
        folder: DataFolder,
        *,
        owns_log: bool = False,
    ) -> None:
        self._keeper, self._settings, self._folder = keeper, settings, folder
        self._owns_log = owns_log
        self.journal = self._open_journal()
        try:
            self.answerer = self._make_answerer()
        except BaseException:
            self.journal.close(_FLUSH_S)
            raise
        self._facts = FactsReader(folder.path, boot_id(), folder.node)
        # Before anybody asks: what people set is in force from the first answer on.
        now_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
        self.answerer.learn(*self._facts.look(now_ms, mono_ms))
        self._tell(settings)
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def _open_journal(self) -> JournalWriter:
        loop = asyncio.get_running_loop()
        journal = self._settings.config.journal
        return JournalWriter(
            self._folder.folder(JOURNAL),
            node=self._folder.node,
            notify=loop.call_soon_threadsafe,
            defer=loop.call_soon,
            observe=self._observe,
            segment_bytes=journal.segment_mb << 20,
            ceiling_bytes=int(journal.ceiling_gb * (1 << 30)),
            pending_bytes=journal.pending_mb << 20,
        )

    def _make_answerer(self) -> Answerer:
        settings, folder = self._settings, self._folder
        first_seq = folder.boot(self.journal.next_seq)["first_seq"]
        assert isinstance(first_seq, int)
        self._booted = 1 < first_seq == self.journal.next_seq
        return Answerer(
            endpoints_of(settings, folder.key),
            self.journal,
            node=folder.node,
            key=folder.key,
            memory=remember_asked(
                folder.folder(JOURNAL),
                first_seq,
                mono_ms=time.monotonic_ns() // 1_000_000,
                wall_ms=time.time_ns() // 1_000_000,
            ),
            trusted=trusted_by(settings.config),
            accounts=receiving_accounts(settings.config, folder.key),
            places=self._places_given(),
        )

    def _places_given(self) -> PlacesGiven | None:
        """What was given before; nothing is looked for where nothing gives any."""
        points = self._settings.config.endpoints
        if all(each.kind is EndpointKind.PASSTHRU for each in points):
            return None
        journal, now_ms = self._folder.folder(JOURNAL), time.time_ns() // 1_000_000
        return remember_given(journal, self.journal.next_seq, wall_ms=now_ms)

    async def start(self, sock: socket.socket) -> None:
        """Listen, and do what the loop does beside."""
        answer = self._settings.config.answer
        limits = ConnectionLimits(
            connections=answer.max_connections,
            per_address=answer.max_connections_per_address,
            exempt=trusted_by(self._settings.config),
        )
        self._server = await serve_http(sock, self.answerer, limits)
        self.begin()

    def begin(self) -> None:
        """What goes on beside answering, whoever owns the sockets."""
        if self._booted:
            self.answerer.keep_boot()
        for each in self._settings.running:
            self.answerer.keep_config_applied(each)
        self._sweep()
        self._begin_task(self._follow_facts(), "facts", "rules see accounts as unknown")
        if self._settings.config.cluster.database is not None:
            shipper = HandOverClient(self._folder.path, self.answerer.hand_over)
            self._begin_task(shipper.run(), "hand-over", "receipts are kept once, not twice")
            lost = "whether the database takes this node's receipts is not seen"
            self._begin_task(self._follow_shipper(), "shipper", lost)
        if self._keeper is not None:
            lost = "changed files are no longer taken over"
            self._begin_task(self._follow_files(self._keeper), "files", lost)

    async def stop(self, grace: float) -> None:
        """Answer what is owed, then flush; `grace` lets idle connections ask once more."""
        if self._server is not None:
            if grace:
                self._server.drain(grace)
                await asyncio.sleep(grace)
            closing = asyncio.create_task(self._server.close(_PATIENCE_S + _HURRY_S))
            await asyncio.wait([closing], timeout=_PATIENCE_S)
            self.answerer.sweep(everything=True)  # a stalled disk keeps no caller beyond our end
            await closing
        self._sweeping.cancel()
        for task in self._tasks:
            task.cancel()
        self.answerer.keep_counts()
        # First what waits, so that its lateness can still be kept; then the end.
        await asyncio.to_thread(self.journal.flush, _FLUSH_S / 2)
        await asyncio.sleep(0)
        await asyncio.to_thread(self.journal.close, _FLUSH_S / 2)
        self._folder.close()

    def _sweep(self) -> None:
        self.answerer.sweep()
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    async def _follow_files(self, keeper: SettingsKeeper) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            settings, taken = await asyncio.to_thread(keeper.poll)
            self._look_at_folder()
            for each in taken:
                log.warning("%s is taken over (%s)", each.name, shown_hash(each.hash))
                self.answerer.keep_config_applied(each)
            if settings is not None:
                self._settings = settings
                self.answerer.endpoints = endpoints_of(settings, self._folder.key)
                self.answerer.accounts = receiving_accounts(settings.config, self._folder.key)
                self._tell(settings)

    def _look_at_folder(self) -> None:
        alarms = self.answerer.alarms
        if self._folder.still_there():
            alarms.pop("folder", None)
        elif "folder" not in alarms:
            alarms["folder"] = f"the data folder {self._folder.path} was moved or removed"
            log.critical("%s: receipts go to where it is now; bring it back", alarms["folder"])

    async def _follow_facts(self) -> None:
        """Look ten times a second whether the console knows something new.

        That is one stat; what reads the file runs in a thread, as a full disk can hold it up.
        """
        reader, seen, look = self._facts, _NO_FILE, 0
        while True:
            stamp = _stamp_of(reader.path)
            if stamp != seen or look % _RENEW_LOOKS == 0:
                now_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
                known = await asyncio.to_thread(reader.look, now_ms, mono_ms)
                self.answerer.learn(*known)
                self._complain_of_facts(reader.complaint)
                self._note("rollouts", reader.unwatched)
            seen, look = stamp, look + 1
            await asyncio.sleep(LOOK_S)

    async def _follow_shipper(self) -> None:
        """Hear from the shipper where the database takes nothing of this journal any more."""
        from switchhook.cluster.hand_over_state import read_state  # who runs alone has no such file

        while True:
            state = None
            with contextlib.suppress(OSError):  # the journal says it itself
                state = await asyncio.to_thread(read_state, self._folder.path)
            diverged = state is not None and state.conflict
            self.answerer.hand_over.diverged = diverged
            said = f"{ALONE}: {state.problem}" if state is not None and diverged else None
            if said is not None and said != self.answerer.alarms.get("shipper"):
                log.error("%s", said)
            self._note("shipper", said)
            await asyncio.sleep(SHIPPER_LOOK_S)

    def _complain_of_facts(self, complaint: str | None) -> None:
        """Say it while an account is watched or asked for room: only then anybody writes facts."""
        config = self._settings.config
        asked = any(each.kind is EndpointKind.ADMIT for each in config.endpoints)
        watched = asked or any(each.poll for each in config.accounts)
        self._note("facts", complaint if watched else None)

    def _note(self, what: str, alarm: str | None) -> None:
        if alarm is None:
            self.answerer.alarms.pop(what, None)
        else:
            self.answerer.alarms[what] = alarm

    def _begin_task(self, work: Coroutine[None, None, None], name: str, lost: str) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled():
                return
            log.critical("following %s failed", name, exc_info=task.exception())
            self.answerer.alarms[name] = f"{lost}: restart switchhook"

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        self._tasks.append(task)

    def _tell(self, settings: Settings) -> None:
        if self._owns_log:
            set_up_logs(json=settings.config.log.json, level=settings.config.log.level)
        for complaint in settings.complaints:
            if complaint not in self.answerer.problems:
                log.error("%s", complaint)
        self.answerer.problems = settings.complaints

    def _observe(self, event: JournalEvent) -> None:
        log.log(logging.ERROR if event.trouble else logging.INFO, "journal: %s", event)
        note_event(self.answerer.alarms, event)


_NO_FILE = (0, 0, 0)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - called ten times a second
    except OSError:
        return _NO_FILE
    return status.st_ino, status.st_mtime_ns, status.st_size


async def _answer(
    keeper: SettingsKeeper, settings: Settings, sock: socket.socket, pipes: SupervisorPipes
) -> int:
    loop = asyncio.get_running_loop()
    pipes.watch(loop)
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
    folder.say_where(url_of(sock))
    process = AnswerProcess(keeper, settings, folder, owns_log=True)
    await process.start(sock)
    freeze_heap()
    gc.set_threshold(50_000, 20, 50)  # a request leaves nothing for it
    if pipes.beat is None:
        print(f"answer {url_of(sock)}", flush=True)  # noqa: T201 - the one line on stdout
    pipes.ready(loop)
    await ending.wait()
    sock.close()  # else who comes now would wait in its queue until this process is gone
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
        try:
            process = AnswerProcess(keeper, settings, folder)
        except BaseException:
            folder.close()  # the next request tries again
            raise
        process.begin()
        return process.answerer

    async def close_handler() -> None:
        if process is not None:
            await process.stop(0.0)

    return AnswerApp(open_handler, close_handler)


def run(keeper: SettingsKeeper, fd: int | None, pipes: SupervisorPipes) -> int:
    """Answer until told to end; `fd` is the number of a socket that somebody else owns."""
    pipes.die_with_parent()
    take_short_turns()
    settings = keeper.start()
    if pipes.beat is None:  # else the supervisor says it
        from switchhook.server.exposed import warn_of
        from switchhook.server.joined import join_cluster

        warn_of(keeper)
        join_cluster(settings.config, keeper.data_folder)
    sock = listening(settings.config.answer.listen.host, settings.config.answer.listen.port, fd)
    return uvloop.run(_answer(keeper, settings, sock, pipes))
