"""What is said of a value that begins with `-`, which the options' parser takes for an option."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from cyclopts import CycloptsPanel, MissingArgumentError, UnknownOptionError

from switchhook.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import CycloptsError
    from rich.panel import Panel


_BEGINS = 'A value that begins with "-"'


def panel_of(error: CycloptsError) -> Panel:
    """The parser's error as it is shown, with how such a value is written."""
    said = _with_how(error)
    return CycloptsPanel(error if said is None else output.plain(said))


def _with_how(error: CycloptsError) -> str | None:
    if isinstance(error, UnknownOptionError):
        said = error.token.keyword or error.token.value
        if not _may_be_value(said):
            return None
        return f'Unknown option: {said}. {_BEGINS} stands at the end, behind "--": -- {said}'
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        names, words = error.argument.names, error.root_input_tokens or ()
        how = _joined(names, words)
        return None if how is None else f"{error} {how}"
    return None


def _joined(names: Sequence[str], words: Sequence[str]) -> str | None:
    for name, said in pairwise(words):
        if name in names and _may_be_value(said):
            return f"{_BEGINS} is joined to its option: {name}={said}"
    return None


def _may_be_value(said: str) -> bool:
    return len(said) > 2 and said[0] == "-" and said[1] != "-"
