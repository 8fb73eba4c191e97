"""How an account calls back, as configured. Pure values; `config/callbacks.py` reads them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchhook.exotel.times import WEEKDAYS

DAYS = tuple(day[:3] for day in WEEKDAYS)
"""Weekdays as the configuration names them, Monday first."""


class VoicemailCounts(StrEnum):
    """What a callback that a voicemail took counts as."""

    ATTEMPT = "attempt"
    KEPT = "kept"


class CallingHours(msgspec.Struct, frozen=True):
    """When people may be called, in their own zone: from and until minutes of the day, on days.

    `days` has the numbers of weekdays, Monday 0.
    """

    from_minute: int = 9 * 60
    until_minute: int = 21 * 60
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


HOURS = {"default": CallingHours(), "lenders": CallingHours(8 * 60, 19 * 60)}
"""Presets: Exotel's guides and the rules of 2010; the Reserve Bank for lenders (facts.md 4.1)."""


class CallbackSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[accounts.NAME.callbacks]`: from where, into what, when and how often it calls back.

    `exophone` is E.164. One of `flow` and `has_bot` is set: the bot's address holds secrets and is
    kept in the configuration. `reserve` are streams kept free for those who call in, `classes` the
    weights by which classes get their turns (one that is not named has 1). `price` is what a call
    costs whose price isn't known yet; money is in the account's currency. `tell` names destinations
    of alerts that hear how each promise ended.
    """

    exophone: str = ""
    flow: str = ""
    has_bot: bool = False
    hours: CallingHours = HOURS["default"]
    zone: str = "Asia/Kolkata"
    """Where a number's own zone isn't known, or isn't one."""
    delay_s: int = 60
    within_s: int = 4 * 3600
    attempts: int = 3
    gap_s: int = 15 * 60
    declined_gap_s: int = 2 * 3600
    """Below `within_s`, else who was busy once is never called again."""
    a_day: int = 3
    ring_s: int = 30
    longest_s: int = 900
    """TimeLimit of the call."""
    served_s: int = 20
    """A talk with a bot for so long, in any call, and the caller was served."""
    voicemail: VoicemailCounts = VoicemailCounts.ATTEMPT
    campaigns: bool = False
    """Whether callees of campaigns are called back too."""
    reserve: int = 2
    classes: dict[str, int] = {}
    calls_an_hour: int = 600
    spend_an_hour: float = 1_000.0
    spend_a_number: float = 20.0
    price: float = 1.0
    check_whitelist: bool = False
    tell: tuple[str, ...] = ()
