"""The console program: its parts, and HTTP on the private port."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING

import uvloop

from switchhook.config.live import POLL_S
from switchhook.server.console_parts import ConsoleSide
from switchhook.server.exposed import warn_of
from switchhook.server.gc import freeze_heap
from switchhook.server.joined import join_cluster
from switchhook.server.keeping import one_machine
from switchhook.server.served_app import ServedApp
from switchhook.server.sockets import listening, url_of
from switchhook.server.unavailable import open_when_possible
from switchhook.system.data_folder import DataFolder
from switchhook.system.logs import set_up as set_up_logs
from switchhook.system.priority import lower_priority
from switchhook.system.supervised import LOCK_WAIT_S, end_process

if TYPE_CHECKING:
    from switchhook.config import Config
    from switchhook.config.live import Settings, SettingsKeeper
    from switchhook.system.supervised import SupervisorPipes

log = logging.getLogger("switchhook")


async def _console(
    keeper: SettingsKeeper,
    settings: Settings,
    sock: socket.socket,
    pipes: SupervisorPipes,
    answer_url: str | None,
) -> int:
    loop = asyncio.get_running_loop()
    pipes.watch(loop)
    held = await asyncio.to_thread(
        DataFolder.open, keeper.data_folder, "console", wait_s=LOCK_WAIT_S
    )
    held.say_where(url_of(sock))
    app = ServedApp(sock)
    if pipes.beat is None:
        print(f"console {url_of(sock)}", flush=True)  # noqa: T201 - the one line on stdout
    pipes.ready(loop)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        loop.add_signal_handler(number, app.leave)

    if settings.config.cluster.database is None:
        await _alone(keeper, settings, held, app, url_of(sock), answer_url)
    else:
        # What a cluster needs is loaded by its nodes only.
        from switchhook.server.clustered import ClusteredConsole

        console = ClusteredConsole(
            held, keeper, settings, app, address=url_of(sock), answer_url=answer_url
        )
        await console.run()
        held.close()
        end_process()
    held.close()
    return 0


async def _alone(
    keeper: SettingsKeeper,
    settings: Settings,
    held: DataFolder,
    app: ServedApp,
    address: str,
    answer_url: str | None,
) -> None:
    """The console of a machine that shares nothing with others."""

    async def make() -> ConsoleSide:
        kept = await asyncio.to_thread(one_machine, held)
        side = ConsoleSide(held, kept, settings, address=address, answer_url=answer_url)
        await side.open()
        return side

    side = await open_when_possible(make, app)
    if side is not None:
        await side.start()
        following = asyncio.create_task(_follow(keeper, side))
        app.show(side.app, side.pages.close)
        freeze_heap()
        await app.left.wait()
        following.cancel()
        await app.end()
        await side.stop()
    else:
        await app.end()


async def _follow(keeper: SettingsKeeper, side: ConsoleSide) -> None:
    """Look at the operator's files as the answer process does."""
    while True:
        await asyncio.sleep(POLL_S)
        settings, _ = await asyncio.to_thread(keeper.poll)
        if settings is not None:
            set_up_logs(json=settings.config.log.json, level=settings.config.log.level)
            await side.take_over(settings)


def answer_url_of(config: Config) -> str | None:
    """Where the answer side is to be asked how it is; None where only it knows its port."""
    listen = config.answer.listen
    if not listen.port:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    return f"http://[{host}]:{listen.port}" if ":" in host else f"http://{host}:{listen.port}"


def run(
    keeper: SettingsKeeper, fd: int | None, pipes: SupervisorPipes, answer_url: str | None
) -> int:
    """Follow the journal until told to end; `fd` is a socket that somebody else owns."""
    pipes.die_with_parent()
    lower_priority()
    settings = keeper.start()
    if pipes.beat is None:  # else the supervisor says it
        warn_of(keeper)
        join_cluster(settings.config, keeper.data_folder)
    set_up_logs(json=settings.config.log.json, level=settings.config.log.level)
    listen = settings.config.console.listen
    sock = listening(listen.host, listen.port, fd)
    url = answer_url or answer_url_of(settings.config)
    return uvloop.run(_console(keeper, settings, sock, pipes, url))
