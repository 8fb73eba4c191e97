"""Which part of what was kept a command looks at: `--since 7d`, `--against 24h`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cli.data import store_in
from switchhook.errors import ClusterError, ConfigError, DataFolderError
from switchhook.web.moments import read_length

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.journal.source import JournalSource


def length_ms(text: str, option: str) -> int:
    """A length of time such as 24h or 7d, in ms. Raises ConfigError that names the option."""
    length_s = read_length(text)
    if length_s is None or not text[-1:].isalpha():
        raise ConfigError(f"not a length of time: {text[:40]!r}", key=option, hint="such as 24h")
    return length_s * 1000


def first_since(folder: Path, journal: JournalSource, since_ms: int) -> int:
    """The first number of the journal that is not before a moment, or one past the last."""
    try:
        return store_in(folder).seqs_between(since_ms, None)[0]
    except (ClusterError, DataFolderError):  # the journal alone does, unless its clock stepped
        return journal.seek(since_ms)
