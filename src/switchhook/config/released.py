"""Putting releases in place, from any process that has the data folder.

    rules = ReleasedRules("data")
    rules.run("rules/sales", text, release=12, by="asha")   # in force for all callers from now on
    rules.propose("rules/sales", Candidate(13, hash, text)) # decides for a share, once that is told
    rules.propose("rules/sales", None)                      # and for nobody any more

Both programs look five times a second. What is put in place outlives both, and needs neither.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.config.files import read_hash, words
from switchhook.config.kept_text import (
    Candidate,
    KeptPools,
    KeptRules,
    TakenOver,
    hash_of,
    put,
    way_back,
)
from switchhook.config.last_good import KeptFolder
from switchhook.errors import DataFolderError
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Candidate", "ReleasedRules", "TakenOver"]


class ReleasedRules:
    """What runs of each subject, and beside it; see `rules.rollout` for their names.

    All methods raise DataFolderError where the folder can't be read or written, and ConfigError for
    what can't be a subject. Whether a text can run is its caller's to check.
    """

    def __init__(
        self,
        data_folder: str | Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = Path(data_folder).absolute()
        self._kept, self._now = KeptFolder(self._folder), now

    def running(self, subject: str) -> TakenOver | None:
        """What is kept as running; None for the built-in rules, or where nothing ever ran."""
        with self._usable("what runs can't be read"):
            kept = self._kept.kept(subject)
        return None if kept is None or kept.aside else kept.current

    def ran(self, subject: str) -> tuple[TakenOver, ...]:
        """What ran before what runs, as undos would go back through it, the nearest first."""
        with self._usable("what ran can't be read"):
            kept = self._kept.kept(subject)
        return () if kept is None or kept.aside else tuple(way_back(kept))[1:]

    def run(self, subject: str, text: str, *, release: int, by: str) -> None:
        """Put a release in place: it decides for all callers of its subject from now on.

        Its candidate goes, as it was beside something else.
        """
        at = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        found = TakenOver(0, hash_of(text), at, by, text, release=release)

        def change(kept: KeptRules | None) -> KeptRules:
            if kept is not None:
                from_file = bool(kept.file) and subject != POOLS
                return put(kept, found, in_file=read_hash(kept.file) if from_file else None)
            kind = KeptPools if subject == POOLS else KeptRules
            first = TakenOver(1, found.hash, at, by, text, release=release)
            return kind("", 1, (first,))

        with self._usable(f"release {release} can't be put in place"):
            self._kept.put(subject, change)

    def candidate(self, subject: str) -> Candidate | None:
        """The candidate of a subject, None without one."""
        with self._usable("the candidate can't be read"):
            return self._kept.candidate(subject)

    def propose(self, subject: str, candidate: Candidate | None) -> None:
        """Put a candidate beside what runs, in place of another; None removes it."""
        with self._usable("the candidate can't be put in place"):
            self._kept.propose(subject, candidate)

    @contextmanager
    def _usable(self, problem: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "make room, or check who owns it"
            said = f"{problem}: {words(error)}"
            raise DataFolderError(str(self._folder), said, hint) from error
