"""What differs between two texts, line by line. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher
from enum import StrEnum

import msgspec

CONTEXT = 2
"""Lines that stay the same, shown around those that differ."""


class Sign(StrEnum):
    """What became of a line."""

    SAME = ""
    GONE = "-"
    NEW = "+"
    LEFT_OUT = "…"


class LineShown(msgspec.Struct, frozen=True):
    """One line of what differs between two texts."""

    sign: Sign
    text: str


def line_differences(old: str, new: str) -> list[LineShown]:
    """What differs line by line, with a little around it; nothing where nothing does."""
    before, after = old.splitlines(), new.splitlines()
    shown: list[LineShown] = []
    groups = SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT)
    for group in groups:
        if shown:
            shown.append(LineShown(Sign.LEFT_OUT, ""))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                shown += [LineShown(Sign.SAME, each) for each in before[i1:i2]]
                continue
            shown += [LineShown(Sign.GONE, each) for each in before[i1:i2]]
            shown += [LineShown(Sign.NEW, each) for each in after[j1:j2]]
    return shown
