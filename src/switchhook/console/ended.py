"""Telling who wants to know of streams that ended just now: the forecast, and call details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.passthru import StreamStatus
from switchhook.receipt import Kind, decode_receipt
from switchhook.story import enters_stories
from switchhook.wire.kept import read_passthru

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.console.fold import Folded
    from switchhook.names import Names

FRESH_MS = 600_000
"""What ended longer ago is history: a rebuild must not ask for the details of every old call."""
_OVER = (StreamStatus.COMPLETED, StreamStatus.FAILED, StreamStatus.CANCELLED)


class EndedStreams:
    """An observer of the fold.

    `stream` is told account, time in ms and the seconds that it lasted; `call` CallSid, account and
    time.
    """

    def __init__(
        self,
        names: Callable[[], Names],
        now_ms: Callable[[], int],
        *,
        stream: Callable[[str, int, float], None],
        call: Callable[[str, str, int], None],
    ) -> None:
        self._names, self._now_ms = names, now_ms
        self._stream, self._call = stream, call

    def take(self, folded: Folded) -> None:
        """Look through a batch; nothing is read where no account is configured."""
        accounts = self._names().accounts_of
        since_ms = self._now_ms() - FRESH_MS
        if not accounts:
            return
        for record in folded.records:
            if record.kind != Kind.PASSTHRU or record.at < since_ms:
                continue
            try:
                receipt = decode_receipt(record.body)
                passthru = read_passthru(receipt)
            except Exception:  # noqa: BLE001, S112 - what can't be read was quarantined by the fold
                continue
            account = accounts.get(receipt.endpoint)
            if account is None or not enters_stories(receipt):
                continue
            stream = passthru.stream
            if stream is not None and stream.state in _OVER:
                self._stream(account, record.at, float(stream.duration_s or 0))
            if passthru.call_sid is not None and (stream is None or stream.state in _OVER):
                self._call(passthru.call_sid, account, record.at)
