"""Where the configuration is when the command line names none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from switchhook.config.files import words
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = ("switchhook.toml", "/etc/switchhook/switchhook.toml")
"""Looked at in this order; the first is in the folder that a command is run in."""


class FoundConfig(msgspec.Struct, frozen=True):
    """The file to use, None for none, and those of `PLACES` that are there but not it."""

    file: str | None
    not_taken: tuple[str, ...] = ()


def find_config(named: str | None, places: Iterable[str] = PLACES) -> FoundConfig:
    """The file that is named, else the first that is there; all paths absolute.

    Raises ConfigError for a place that this user can't look into: what would run then is a guess.
    """
    there = [] if named is None else [os.path.abspath(named)]  # noqa: PTH100 - may be missing
    for place in places:
        path = os.path.abspath(place)  # noqa: PTH100
        try:
            if not Path(path).exists() or any(_same(path, each) for each in there):
                continue
        except OSError as error:
            if named is None and not there:
                problem = f"this user can't look there: {words(error)}"
                hint = "run it as the user that may, or say --config, or --data"
                raise ConfigError(problem, file=path, hint=hint) from None
            continue
        there.append(path)
    return FoundConfig(there[0] if there else None, tuple(there[1:]))


def _same(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except FileNotFoundError:
        return False
