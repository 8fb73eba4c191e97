"""What becomes of a store that fails: tried again as it is, or begun anew from the journal."""

from __future__ import annotations

import threading
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import apsw

from switchhook.errors import DataFolderError
from switchhook.sqlite_file import damage_text, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.sqlite_file import FileId

DAMAGE = (apsw.CorruptError, apsw.NotADBError)
# What a disk or another process does to us, whatever is in the records.
CIRCUMSTANCES = (
    apsw.AuthError,
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
FAILURES = (*DAMAGE, *CIRCUMSTANCES, OSError)

SURE_OF_DAMAGE = 2
"""So often must a file look damaged, each time by a connection of its own."""
TRIES = 4
"""So often, one after the other, must a file be unreadable before it is given up."""
BEGIN_AGAIN_S = 60.0
"""Between two stores begun anew: a disk that damages them all is not to be worn out."""


class Remedy(Enum):
    """What to do with the store's file, once its connections are closed."""

    WAIT = "wait"
    """Try it again: it is what is around it that fails."""
    BEGIN = "begin"
    """Put an empty one in its place and fold the journal into that."""


def remedy(error: Exception, times: int, begun_s: float | None) -> Remedy:
    """What to do after a file has failed `times` times in this way.

    `begun_s` is how long ago a new one was begun for such a reason; None where never.
    """
    if begun_s is not None and begun_s < BEGIN_AGAIN_S:
        return Remedy.WAIT
    enough = {True: SURE_OF_DAMAGE, False: TRIES}[is_damage(error)]
    lasting = isinstance(error, (*DAMAGE, apsw.IOError))
    return Remedy.BEGIN if lasting and times >= enough else Remedy.WAIT


_DAMAGED = "damaged"


class StorePlace(NamedTuple):
    """A store's file: its name, and which file it is."""

    path: Path
    file: FileId


class StoreHealth:
    """What fails of a store, by what was being done, and which files are given up; any thread."""

    def __init__(self, folder: Path, steady: Callable[[], float]) -> None:
        self._folder, self._steady = folder, steady
        self._problems: dict[str, DataFolderError] = {}
        self._times: Counter[tuple[str, StorePlace | None]] = Counter()
        self._given_up: StorePlace | None = None
        self._begun: float | None = None
        self._made_again: tuple[str, int] | None = None
        self._lock = threading.Lock()

    def failed(
        self, what: str, error: Exception, place: StorePlace | None, *, afresh: bool = False
    ) -> DataFolderError:
        """Note a failure; gives it in words. `afresh` where nothing of the file was remembered."""
        way = _DAMAGED if is_damage(error) else what, place
        since = None if self._begun is None else self._steady() - self._begun
        said = explain(
            error, self._folder, "" if place is None else f"the store's {place.path.name}"
        )
        with self._lock:
            self._times[way] += SURE_OF_DAMAGE if afresh else 1
            if place is not None and remedy(error, self._times[way], since) is Remedy.BEGIN:
                self._given_up = place
            self._problems[what] = said
        return said

    def refused(self, what: str, error: DataFolderError) -> None:
        """Note what a person has to mend."""
        self._problems[what] = error

    def went_well(self, what: str) -> None:
        """Note that something was done again."""
        if self._problems:
            with self._lock:
                self._problems.pop(what, None)
                for way in [way for way in self._times if way[0] == what]:
                    del self._times[way]  # but not damage: that stays, wherever it is

    def given_up(self, place: StorePlace) -> bool:
        """Whether a file is not to be used any more."""
        return place == self._given_up

    def begin(self, why: str, goal: int) -> None:
        """Note that a new store is begun, and why; it is made again up to the seq `goal`."""
        if why == "was damaged":
            self._begun = self._steady()
        self._made_again = why, goal
        self._times.clear()
        self._given_up = None

    def problem(self, position: int) -> DataFolderError | None:
        """The worst of what fails now; that it is made again, until `position` is far enough."""
        for what in ("open", "fold", "read", "erase", "retention"):
            if found := self._problems.get(what):
                return found
        if self._made_again is None:
            return None
        why, goal = self._made_again
        if position >= goal:
            self._made_again = None
            return None
        problem = f"the store {why} and is made again from the journal: {position:,} of {goal:,}"
        hint = "nothing is to be done: lists and searches are whole again when that has ended"
        return DataFolderError(str(self._folder), problem + " records so far", hint)


def explain(error: Exception, folder: Path, name: str = "") -> DataFolderError:
    """Say what fails, and what to do about it."""
    what = name or "the store"
    if is_damage(error):
        return DataFolderError(str(folder), f"{what} is damaged: {damage_text(error)}", MADE_AGAIN)
    said = str(error) if isinstance(error, apsw.Error) else getattr(error, "strerror", None) or ""
    said = said.lower() or f"it fails with {type(error).__name__}"
    for kinds, hint in _HINTS:
        if isinstance(error, kinds):
            return DataFolderError(str(folder), f"{what} can't be used: {said}", hint)
    return DataFolderError(str(folder), f"{what} can't be used: {said}", _TRIED_AGAIN)


MADE_AGAIN = "the console makes it again from the journal; `switchhook rebuild` does it at once"
_TRIED_AGAIN = "it is tried again by itself"
_HINTS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (apsw.FullError, "make room on its disk; it goes on by itself"),
    (apsw.IOError, "look at its disk; it is opened again by itself"),
    (
        (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, OSError),
        "let the user that runs switchhook own it, and be able to write it; it goes on by itself",
    ),
)
