"""Answers 200 once a page is on the disk: the least that who keeps what it answered can take.

One thread appends a page for all that came meanwhile, and syncs it; `BENCH_FILE` is where.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from benchmarks.rivals import bare

_PAGE = bytes(4096)
_waiting: SimpleQueue[asyncio.Future[None]] = SimpleQueue()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    loop = asyncio.get_running_loop()
    if scope["type"] == "lifespan":
        await receive()
        Thread(target=_keep, args=(loop,), daemon=True).start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    kept = loop.create_future()
    _waiting.put(kept)
    await kept
    await bare.app(scope, receive, send)


def _keep(loop: asyncio.AbstractEventLoop) -> None:
    descriptor = os.open(os.environ["BENCH_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while True:
        group = [_waiting.get()]
        while True:
            try:
                group.append(_waiting.get_nowait())
            except Empty:
                break
        os.write(descriptor, _PAGE)
        os.fdatasync(descriptor)
        loop.call_soon_threadsafe(partial(_tell, group))


def _tell(group: list[asyncio.Future[None]]) -> None:
    for each in group:
        if not each.done():  # whoever asked may be gone
            each.set_result(None)
