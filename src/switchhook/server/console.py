"""The console program: its parts, and HTTP on the private port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from switchhook.config.live import POLL_S
from switchhook.server.console_parts import ConsoleSide
from switchhook.server.exposed import warn_of
from switchhook.server.gc import freeze_heap
from switchhook.server.sockets import listening, url_of
from switchhook.server.unavailable import open_when_possible
from switchhook.system.data_folder import DataFolder
from switchhook.system.logs import set_up as set_up_logs
from switchhook.system.priority import lower_priority
from switchhook.system.supervised import LOCK_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

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
    app = _ServedApp(sock)
    if pipes.beat is None:
        print(f"console {url_of(sock)}", flush=True)  # noqa: T201 - the one line on stdout
    pipes.ready(loop)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        loop.add_signal_handler(number, app.leave)

    async def make() -> ConsoleSide:
        side = ConsoleSide(held, settings, address=url_of(sock), answer_url=answer_url)
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
    held.close()
    return 0


class _ServedApp:
    """Answers on a socket with what is shown at the time, from the first `show` on."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._app: ASGIApp | None = None
        self._closing: Callable[[], object] = lambda: None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.left = asyncio.Event()
        """Whether we were told to leave."""

    def show(self, app: ASGIApp, closing: Callable[[], object] = lambda: None) -> None:
        """Answer with an app from now on; `closing` ends what in it never ends by itself.

        Who was told to leave before begins no more.
        """
        self._app, self._closing = app, closing
        if self._server is None and not self.left.is_set():
            self._server = _Server(
                uvicorn.Config(
                    self._answer,
                    interface="asgi3",  # a method is not known for one
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    date_header=False,
                    proxy_headers=False,
                    timeout_graceful_shutdown=3,
                    lifespan="off",
                    ws="none",  # nothing here is a WebSocket, and its packages take time to load
                )
            )
            self._serving = asyncio.create_task(self._server.serve(sockets=[self._sock.dup()]))
            self._serving.add_done_callback(lambda _: self.left.set())

    def leave(self) -> None:
        """Take no more requests, and end."""
        self._closing()
        if self._server is not None:
            self._server.should_exit = True
        self.left.set()

    async def end(self) -> None:
        """Wait until what is being answered has been."""
        if self._serving is not None:
            await self._serving

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "it serves from the first app on"
        await self._app(scope, receive, send)


async def _follow(keeper: SettingsKeeper, side: ConsoleSide) -> None:
    """Look at the operator's files as the answer process does."""
    while True:
        await asyncio.sleep(POLL_S)
        settings, _ = await asyncio.to_thread(keeper.poll)
        if settings is not None:
            set_up_logs(json=settings.config.log.json, level=settings.config.log.level)
            await side.take_over(settings)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn raises them again, which would end us with the store open."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
    set_up_logs(json=settings.config.log.json, level=settings.config.log.level)
    listen = settings.config.console.listen
    sock = listening(listen.host, listen.port, fd)
    url = answer_url or answer_url_of(settings.config)
    return uvloop.run(_console(keeper, settings, sock, pipes, url))
