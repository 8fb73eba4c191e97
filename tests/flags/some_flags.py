"""Flags to try things with."""

from __future__ import annotations

from switchhook.access.audit import Deed
from switchhook.flags.changes import FlagWanted
from switchhook.rules.flags import Flag, FlagKind, Window

NOW = 1_795_423_380_000
OFF = Flag("off", FlagKind.BOOLEAN, False, "Nobody to vendor B")
SHARE = Flag("share", FlagKind.PERCENTAGE, 10)
MOST = Flag("most", FlagKind.NUMBER, 5)
PART = Flag("part", FlagKind.NUMBER, 0.5)
LINES = Flag("lines", FlagKind.LIST, ["a"])
VENDOR = Flag("vendor", FlagKind.TEXT, "a")
DAY = Flag("day", FlagKind.WINDOW, Window("09:00", "21:00"))
FLAGS = (OFF, SHARE, MOST, PART, LINES, VENDOR, DAY)


def want(flag, value, for_s=None, reason="it fails"):
    return FlagWanted(flag=flag, value=value, reason=reason, for_s=for_s)


def deed(what, subject="", details=None):
    return Deed(who="asha", what=what, subject=subject, details=details or {})
