"""The answer program's end of the socket on which the shipper says what is kept twice.

Whoever loses the other connects again. What is sent is a hint that may be left out, so nothing of
it is stored up: while the shipper doesn't read, only the last number is remembered.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from switchhook.system.hand_over_socket import Seqs, address_in, pack

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.answer.hand_over import HandOver

log = logging.getLogger("switchhook.answer")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
_MOST_UNSENT_BYTES = 1024


class HandOverClient(asyncio.Protocol):
    """Connects `hand_over` with the shipper of a data folder, for as long as `run` does."""

    def __init__(self, folder: Path, hand_over: HandOver) -> None:
        self._folder, self._hand_over = folder, hand_over
        self._transport: asyncio.Transport | None = None
        self._seqs = Seqs()
        self._told = self._choked = False
        self._unsent: int | None = None
        self._lost = asyncio.Event()
        hand_over.hint = self._hint

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_S
        try:
            while True:
                self._told = False
                try:
                    with address_in(self._folder) as address:
                        await loop.create_unix_connection(lambda: self, address)
                except OSError as error:
                    log.debug("the shipper is not reached: %s", error)
                else:
                    await self._lost.wait()
                pause = FIRST_PAUSE_S if self._told else min(2 * pause, LONGEST_PAUSE_S)
                await asyncio.sleep(pause)
        finally:
            if self._transport is not None:
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._transport.set_write_buffer_limits(high=_MOST_UNSENT_BYTES)
        self._seqs = Seqs()
        self._choked, self._unsent = False, None
        self._lost.clear()
        self._hand_over.connected()

    def data_received(self, data: bytes) -> None:
        seq = self._seqs.feed(data)
        if seq is None:
            return
        known = self._hand_over.unbelieved
        if self._hand_over.said(seq):
            self._told = True
            return
        if not known:
            log.error("the shipper says that %d is kept twice: there is no such record here", seq)
        self._told = False
        self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._close()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._send()

    def _close(self) -> None:
        """Be without a shipper, at once: what it has sent meanwhile is not heard."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            self._hand_over.disconnected()
            self._lost.set()

    def _hint(self, seq: int) -> None:
        """Send what became durable last, once for all that does in this turn of the loop."""
        if self._transport is None:
            return
        first, self._unsent = self._unsent is None, seq
        if first and not self._choked:
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        if self._unsent is None or self._transport is None or self._choked:
            return
        seq, self._unsent = self._unsent, None
        self._transport.write(pack(seq))
