"""What is known of promises, account by account, for figures, alerts and the first line. Pure."""

from __future__ import annotations

import msgspec

from switchhook.callbacks.dialling import BY_ITSELF, Dialling


class AccountPromises(msgspec.Struct, frozen=True, kw_only=True):
    """How an account's promises stood at `at_ms` (Unix time).

    `waiting` are not proven yet, open or paused; `due` may be dialled now; `on_the_way` were asked
    for and are not known to be over, of `unknown` nobody knows whether Exotel calls. `late` will
    miss their time. `kept`, `dropped`, `broken` ended in a day; of `owed` to their end in it
    `in_time` were kept. `refused`, `refuted` and `abandoned` are those of an hour.
    """

    account: str
    at_ms: int
    dialling: Dialling
    waiting: int = 0
    due: int = 0
    on_the_way: int = 0
    unknown: int = 0
    late: int = 0
    kept: int = 0
    dropped: int = 0
    broken: int = 0
    owed: int = 0
    in_time: int = 0
    refused: int = 0
    refuted: int = 0
    abandoned: int = 0

    @property
    def off(self) -> bool:
        """Whether promises wait and nobody may be dialled, by a person's will."""
        return bool(self.waiting) and not self.dialling.allowed and not self.exotel_refuses

    @property
    def exotel_refuses(self) -> bool:
        """Whether dialling was stopped by itself."""
        return bool(self.dialling.stopped) and self.dialling.stopped_by in BY_ITSELF
