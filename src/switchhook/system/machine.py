"""How a machine is that answers callers: its disk, its files, and its answer side."""

from __future__ import annotations

import msgspec


class Machine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What its own console sees of it; None is not known, as before the first look.

    `free_share` and `free_bytes` are of the data folder's fullest disk. `refused` counts complaints
    about the operator's files, `damaged` small files of our own, and `refusal`, `damage` and `mend`
    say the first of each in words. `asked` is whether anybody asks its answer side, `answers`
    whether that answers, `waiting` whether receipts wait there for the disk. `looked_ago_s` is how
    old all of it was when it was told.

    Encoded it leaves out what is not known: releases of before knew no None of the two counts.
    """

    free_share: float | None = None
    free_bytes: float | None = None
    refused: int | None = None
    refusal: str = ""
    damaged: int | None = None
    damage: str = ""
    mend: str = ""
    asked: bool = False
    answers: bool | None = None
    waiting: bool | None = None
    looked_ago_s: float = 0.0
