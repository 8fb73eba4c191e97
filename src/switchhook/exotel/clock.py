"""The clock that those get who wait and tell the time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time of day, a time that never goes back, and waiting; tests bring their own."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...

    def mono_ms(self) -> int:
        """Milliseconds of a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
