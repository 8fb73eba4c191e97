"""The console program: follow the journal, fold, and answer on the private port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from switchhook.console import ConsoleParts, Folder, create_app
from switchhook.data_folder import JOURNAL, STORE, DataFolder
from switchhook.journal import JournalReader
from switchhook.process import LOCK_WAIT_S
from switchhook.server.sockets import listening, url_of
from switchhook.settings import POLL_S
from switchhook.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.process import Tether
    from switchhook.settings import Settings, SettingsKeeper


async def _console(
    keeper: SettingsKeeper, settings: Settings, sock: socket.socket, tether: Tether
) -> int:
    loop = asyncio.get_running_loop()
    tether.watch(loop)
    held = await asyncio.to_thread(
        DataFolder.open, keeper.data_folder, "console", wait_s=LOCK_WAIT_S
    )
    journal = JournalReader(held.folder(JOURNAL))
    store = SqliteStore(held.folder(STORE), journal)
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
    server = _Server(
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
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        loop.add_signal_handler(number, server.leave)
    await server.serve(sockets=[sock.dup()])
    following.cancel()
    await asyncio.to_thread(folder.stop)
    await asyncio.to_thread(store.close)
    journal.close()
    held.close()
    return 0


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn raises them again, which would end us with the store open."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def leave(self) -> None:
        """Answer what is owed and end."""
        self.should_exit = True


class _Running:
    """What runs beside, as the console tells it."""

    def __init__(self, keeper: SettingsKeeper, settings: Settings) -> None:
        self._keeper, self._settings = keeper, settings

    async def follow(self) -> None:
        """Look at the files as the answer process does."""
        while True:
            await asyncio.sleep(POLL_S)
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


def run(keeper: SettingsKeeper, fd: int | None, tether: Tether) -> int:
    """Follow the journal until told to end; `fd` is a socket that somebody else owns."""
    tether.die_with_parent()
    with contextlib.suppress(OSError):
        os.nice(19)  # callers wait for the answer process, nobody for this one
    settings = keeper.start()
    listen = settings.config.console.listen
    sock = listening(listen.host, listen.port, fd)
    return uvloop.run(_console(keeper, settings, sock, tether))
