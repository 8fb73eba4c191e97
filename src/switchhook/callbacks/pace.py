"""How fast a campaign may dial: as many calls a minute as free streams can take. Pure.

By Little's law `streams` places that are taken for `mean_s` seconds each serve `streams` times 60
by `mean_s` calls a minute. A campaign of Exotel's (exotel-platform E.7) gets its pace before it is
sent: while it runs it can be paused and resumed, and nothing else.
"""

from __future__ import annotations

import msgspec


class CampaignPace(msgspec.Struct, frozen=True):
    """The pace that an account's streams allow; None where something of it isn't known.

    `allowed` are the account's streams, `reserve` those kept for who calls in, `mean_s` how long a
    stream lasts on average, in seconds.
    """

    allowed: int | None
    reserve: int
    mean_s: float | None

    @property
    def streams(self) -> int | None:
        """What a campaign may take."""
        return None if self.allowed is None else max(self.allowed - self.reserve, 0)

    @property
    def calls_a_minute(self) -> float | None:
        """Answered calls a minute, so that on average no more streams are taken than may be."""
        if self.streams is None or self.mean_s is None or self.mean_s <= 0:
            return None
        return self.streams * 60 / self.mean_s

    @property
    def words(self) -> str:
        """The pace as it is told, with how it is computed."""
        if self.streams is None:
            return "not known: Exotel has not said how many streams the account may use"
        if self.calls_a_minute is None:
            return "not known: too few streams have ended to tell how long they last"
        if not self.streams:
            return f"none: all {self.allowed} streams are kept for those who call in"
        return (
            f"{_figure(self.calls_a_minute)} answered calls a minute: {self.allowed} streams, less"
            f" {self.reserve} kept for those who call in, for {self.mean_s:.0f} s each"
        )


def _figure(calls: float) -> str:
    return f"{calls:.1f}" if calls < 10 else f"{int(calls)}"
