"""The code under test, as apps that the emulator calls in this process."""

from __future__ import annotations

import asyncio
import inspect
import io
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from switchhook.emulator.net.in_process import wsgi
from switchhook.emulator.testing.errors import HangsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from switchhook.emulator.net.asgi import ASGIApp, Message, Receive, Scope, Send

NEWEST = 5
"""Crashes that are told of a failed test."""

_THREADS = 32


class UnderTest:
    """The code under test, as ASGI apps; it remembers what that raised and logged as errors."""

    def __init__(self, outside: Callable[[], Any]) -> None:
        self._outside = outside
        self._crashes: list[str] = []
        self._errors = io.StringIO()
        self._threads: set[threading.Thread] = set()
        self._pool: ThreadPoolExecutor | None = None

    def crashes(self) -> list[str]:
        """In words, for whoever reads a failure."""
        crashes = [f"the app raised\n{crash}" for crash in self._crashes[-NEWEST:]]
        errors = self._errors.getvalue()
        return [*crashes, f"wsgi.errors\n{errors}"] if errors else crashes

    def asgi(self, app: Any) -> ASGIApp:
        """An ASGI app, called in the loop's thread."""

        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0

            async def say(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            with _Witness(self._crashes, lambda: status):
                await app(scope, receive, say)

        return called

    def wsgi(self, app: Any) -> ASGIApp:
        """A WSGI app, called in threads, as its servers do: it may block, and ask our API."""

        def noted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ |= {"wsgi.errors": self._errors, "wsgi.multithread": True}
            found: Iterable[bytes] = app(environ, start_response)
            return found

        whole = wsgi(noted)

        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            request = await receive()
            with self._outside(), _Witness(self._crashes, lambda: 0):
                answer = await asyncio.get_running_loop().run_in_executor(
                    self._executor(), self._call, whole, scope, request
                )
            for message in answer:
                await send(message)

        return called

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "exotel-app")
        return self._pool

    def _call(self, app: ASGIApp, scope: Scope, request: Message) -> list[Message]:
        """Call an app that awaits nothing but us, with no loop in its thread."""
        self._threads.add(threading.current_thread())
        said: list[Message] = []

        async def hear() -> Message:
            return request

        async def say(message: Message) -> None:
            said.append(message)

        async def work() -> None:
            await app(scope, hear, say)

        ended = next(iter(work().__await__()), None)
        assert ended is None, "a WSGI app waits for nothing"
        return said

    def close(self, patience_s: float) -> None:
        """Wait for requests whose caller has left. Raises HangsError."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise HangsError(patience_s)


class _Witness:
    """Notes what an app raises, and lets it go on its way."""

    def __init__(self, crashes: list[str], status: Callable[[], int]) -> None:
        self._crashes, self._status = crashes, status

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            # Starlette answers 500 first, and would raise after that; we don't wait so long.
            error = error.__context__ if self._status() >= 500 else None
        if isinstance(error, Exception):
            self._crashes.append("".join(traceback.format_exception(error)).rstrip())


def is_asgi(app: object) -> bool:
    """Whether it is an ASGI app: these are coroutine functions, or have one as their `__call__`."""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
        getattr(app, "__call__", None)  # noqa: B004  its kind is asked, not whether there is one
    )
