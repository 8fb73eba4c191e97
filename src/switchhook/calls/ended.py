"""Streams and calls that ended, as the fold comes to them: for forecasts, and for call details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchhook.calls.sources import GIVE_UP_MS
from switchhook.exotel.call_words import is_final
from switchhook.exotel.passthru import StreamStatus
from switchhook.journal.source import moment_of
from switchhook.streams.parsed_record import CallbackRecord, PassthruRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.exotel.wire.status_callback import StatusCallback
    from switchhook.streams.fold import Folded

_FINAL = {StreamStatus.COMPLETED, StreamStatus.FAILED, StreamStatus.CANCELLED}
_MOST_REMEMBERED = 10_000


class StreamEnds(Protocol):
    """Who is told of streams that ran: the watch."""

    def ended(self, account: str, at_ms: int, lasted_s: float) -> None: ...


class CallEnds(Protocol):
    """Who is told of calls: the fetcher of their details."""

    def ended(self, call_sid: str, account: str, at_ms: int) -> None: ...


class EndedCalls:
    """An observer of the fold: `folder.observe(ends.folded)`.

    `accounts_of` gives the account of each endpoint; where there is none, nothing is told. What
    ended more than an hour ago, as when a store is rebuilt, is passed over.
    """

    def __init__(
        self,
        accounts_of: Callable[[], Mapping[str, str]],
        streams: StreamEnds,
        calls: CallEnds,
        now_ms: Callable[[], int],
    ) -> None:
        self._accounts_of, self._now_ms = accounts_of, now_ms
        self._streams, self._calls = streams, calls
        self._seen: dict[tuple[str | None, str | None], None] = {}

    def folded(self, folded: Folded) -> None:
        """Look through a batch; in the fold's thread."""
        accounts = self._accounts_of()
        if not accounts:
            return
        since_ms = self._now_ms() - GIVE_UP_MS
        for parsed in folded.records:
            at_ms = folded.placed.get(parsed.record.seq, moment_of(parsed.record))
            if at_ms < since_ms:
                continue
            match parsed:
                case PassthruRecord():
                    self._passthru(parsed, accounts, at_ms)
                case CallbackRecord(received=received, callback=callback):
                    self._callback(callback, received.account, at_ms)

    def _passthru(self, parsed: PassthruRecord, accounts: Mapping[str, str], at_ms: int) -> None:
        account = accounts.get(parsed.receipt.endpoint)
        if account is None or not parsed.enters_stories:
            return
        passthru, stream = parsed.passthru, parsed.passthru.stream
        if (
            stream is None
            or stream.state not in _FINAL
            or not self._new(passthru.call_sid, stream.sid)
        ):
            return
        # One that was throttled, or reached no bot, held no place.
        if stream.duration_s:
            self._streams.ended(account, at_ms, float(stream.duration_s))
        if passthru.call_sid is not None:
            self._calls.ended(passthru.call_sid, account, at_ms)

    def _callback(self, callback: StatusCallback | None, account: str, at_ms: int) -> None:
        if callback is None or callback.call_sid is None:
            return
        if is_final(callback.status):
            self._calls.ended(callback.call_sid, account, at_ms)

    def _new(self, call_sid: str | None, stream_sid: str | None) -> bool:
        """Whether a stream wasn't told of before: a later passthru of its call may repeat it."""
        if stream_sid is None:
            return True
        key = call_sid, stream_sid
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True
