"""When a search is given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """The end of a search's time; `monotonic` is the clock, in seconds."""

    def __init__(self, limit_s: float, monotonic: Callable[[], float]) -> None:
        self._limit_s, self._monotonic = limit_s, monotonic
        self._until = monotonic() + limit_s

    @property
    def passed(self) -> bool:
        return self._monotonic() > self._until

    @property
    def left_s(self) -> float:
        """Seconds until then; negative afterwards."""
        return self._until - self._monotonic()

    def check(self) -> None:
        """Raises SearchError once it has passed."""
        if self.passed:
            raise self.error()

    def error(self) -> SearchError:
        hint = "narrow it: a shorter time (since:1h), a cause or an endpoint, fewer words"
        return SearchError(f"the search took longer than {self._limit_s:g} s", hint)
