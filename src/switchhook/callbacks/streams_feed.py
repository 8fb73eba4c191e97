"""Whether an account's bots take streams just now, by what the journal tells of each one's end.

While they don't, nobody is called back: they would answer, and find nobody there.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from switchhook.journal.source import moment_of
from switchhook.streams.parsed_record import PassthruRecord
from switchhook.streams.recent import BOT_FAILED, BOT_WELL

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.streams.fold import Folded

WINDOW_MS = 20_000
LEAST, LEAST_BACK = 4, 2
_MOST = 5_000


class StreamsFeed:
    """The streams of the last seconds, by account; any thread may ask.

    `account_of` gives the account of an endpoint, empty where it has none.
    """

    def __init__(self, account_of: Callable[[str], str], now_ms: Callable[[], int]) -> None:
        self._account_of, self._now_ms = account_of, now_ms
        self._lock = threading.Lock()
        self._ends: deque[tuple[int, str, bool]] = deque(maxlen=_MOST)

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        with self._lock:
            for parsed in folded.records:
                if not isinstance(parsed, PassthruRecord) or not parsed.enters_stories:
                    continue
                cause = parsed.verdict.cause
                if cause in BOT_FAILED or cause in BOT_WELL:
                    at_ms = folded.placed.get(parsed.record.seq, moment_of(parsed.record))
                    account = self._account_of(parsed.receipt.endpoint)
                    self._ends.append((at_ms, account, cause in BOT_FAILED))

    def are_back(self, account: str, since_ms: int) -> bool:
        """Whether streams of an account have ended well since a time, and none has failed."""
        with self._lock:
            ends = [failed for at, of, failed in self._ends if of == account and at >= since_ms]
        return len(ends) >= LEAST_BACK and not any(ends)

    def why(self, account: str) -> str:
        """Why whoever is called back would find nobody there; empty where somebody is."""
        since_ms = self._now_ms() - WINDOW_MS
        with self._lock:
            ends = [failed for at, of, failed in self._ends if of == account and at >= since_ms]
        if len(ends) < LEAST or not all(ends):
            return ""
        return f"the bots take no stream: the last {len(ends)} all failed"
