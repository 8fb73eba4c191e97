"""The thread that a test's Exotel lives in, and its time: it passes while somebody waits for it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.testing.errors import ClosedError, HangsError
from switchhook.exotel.times import IST

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_T = TypeVar("_T")

_INSTANT_S = 1e-7
"""Too short to be seen in a trace, and long enough for the clock to come to rest."""
_GRACE_S = 2.0
"""Real seconds for open WebSockets to close at the end; a link waits one for its bot."""


class LoopThread:
    """An event loop in a thread of its own, on a clock that stands still while the test thinks."""

    def __init__(self, *, real_time: bool, patience_s: float) -> None:
        self.loop = asyncio.SelectorEventLoop() if real_time else VirtualLoop()
        self.clock = Clock(self.loop, datetime.now(IST) if real_time else VIRTUAL_START)
        self._patience_s = patience_s
        self._waiting = 0
        self._abroad = 0
        self._home = asyncio.Event()
        self._freeze()
        self._thread = threading.Thread(target=self.loop.run_forever, name="exotel", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether its loop has ended."""
        return self.loop.is_closed()

    @property
    def entered(self) -> bool:
        """Whether this is the thread."""
        return threading.current_thread() is self._thread

    # Doing.

    def do(self, what: Callable[..., _T], *arguments: Any) -> _T:
        """Call something in the thread, without letting time pass."""
        if self.closed or self.entered:
            return what(*arguments)

        async def done() -> _T:
            return what(*arguments)

        return self._wait_for(done())

    def act(self, what: Callable[..., _T], *arguments: Any) -> _T:
        """The same, and let happen what follows from it at once, in this process."""
        if self.entered:
            return what(*arguments)

        async def done() -> _T:
            result = what(*arguments)
            # A clock that jumps does so only when there is nothing left to do.
            await asyncio.sleep(_INSTANT_S)
            return result

        return self.run(done())

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let time pass until this is done. Raises HangsError when that takes too long."""

        async def passing() -> _T:
            with self.passing():
                return await work

        if self.closed:
            work.close()
            raise ClosedError
        if self.entered:
            work.close()
            raise RuntimeError("an app called in the emulator's thread can't wait for it")
        return self._wait_for(passing())

    def _wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        # Not the future's own timeout, which can't be told from a TimeoutError of the work.
        if not ended.wait(self._patience_s):
            future.cancel()
            raise HangsError(self._patience_s)
        return future.result()

    # Time.

    @contextmanager
    def passing(self) -> Iterator[None]:
        """While entered, by any number at once, time passes."""
        self._waiting += 1
        self._freeze()
        try:
            yield
        finally:
            self._waiting -= 1
            self._freeze()

    def _freeze(self) -> None:
        if isinstance(self.loop, VirtualLoop):
            self.loop.frozen = not self._waiting

    @contextmanager
    def outside(self) -> Iterator[None]:
        """While entered, by any number at once, something of the world is in use."""
        with self.clock.outside():
            self._abroad += 1
            self._home.clear()
            try:
                yield
            finally:
                self._abroad -= 1
                if not self._abroad:
                    self._home.set()

    # The end.

    async def wind_up(self) -> None:
        """End what is left in the loop, once nothing of the world is in use, or after a while."""
        if self._abroad:
            await asyncio.wait((asyncio.ensure_future(self._home.wait()),), timeout=_GRACE_S)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()

    def end(self) -> None:
        """Stop the loop. Raises HangsError where the thread doesn't return."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            raise HangsError(self._patience_s)
        self.loop.close()
