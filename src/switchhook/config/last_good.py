"""What checked out last, kept in the data folder, so that no broken file changes what runs.

`kept/config.json` holds the configuration that runs with the secrets it was given, and a history
without any. `kept/rules-<endpoint>.json` holds an endpoint's rules and those before them. What is
to be kept is decided by pure functions; `KeptFolder` carries it out, one process at a time.

Each file has a checksum. Of damaged rules the newest text that has its own hash is kept on; where
there is none, or the configuration is damaged, the operator's file has to serve.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from switchhook.checked_json import (
    Damage,
    damage_of,
    has_checksum,
    is_whole,
    set_aside,
    with_checksum,
)
from switchhook.errors import ConfigError, DataFolderError
from switchhook.journal.receipt import ConfigApplied
from switchhook.system.data_folder import atomic_write
from switchhook.system.folder_lock import lock_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 1
MOST_KEPT = 50
"""Take-overs in a history."""
MOST_TEXT = 4_000_000
"""Characters of all texts in a history."""
LOCK_WAIT_S = 2.0

_ENDPOINT = re.compile("[A-Za-z0-9_-]{1,64}")


class TakenOver(msgspec.Struct, frozen=True):
    """One take-over: a text that ran from `at` (ISO 8601, UTC) on, and who brought it.

    `number` counts from 1; `before` is the number of what an undo goes back to.
    """

    number: int
    hash: str
    at: str
    by: str
    text: str
    before: int | None = None


class RunningSource(msgspec.Struct, frozen=True):
    """Where something that runs came from. `text` has no secrets; `file` is None for built-in.

    `name` is `config` or `rules/<endpoint>`, `at` ISO 8601 in UTC, empty for built-in.
    """

    name: str
    hash: str
    text: str
    by: str
    at: str
    file: str | None = None

    @property
    def take_over(self) -> ConfigApplied:
        """The same as the journal keeps it."""
        return ConfigApplied(self.name, self.hash, self.text, self.by)


class UnusedFile(msgspec.Struct, frozen=True):
    """What an operator's file holds that does not run, and why, in lines.

    `name` is that of the `RunningSource` which runs in its place; `refused` is whether it is wrong,
    else it waits: for another text after an undo, or for a restart.
    """

    name: str
    file: str
    problem: str
    refused: bool = True


class KeptRules(msgspec.Struct, frozen=True):
    """The rules of an endpoint: what runs, what ran, and what was undone.

    `file` is where they came from last; `undone` are hashes of texts that are not taken over as
    long as the file holds nothing else.
    """

    file: str
    running: int
    history: tuple[TakenOver, ...]
    undone: tuple[str, ...] = ()
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.entry(self.running) is None:
            raise ValueError("what runs is not in the history")

    def entry(self, number: int | None) -> TakenOver | None:
        return next((each for each in self.history if each.number == number), None)

    @property
    def current(self) -> TakenOver:
        entry = self.entry(self.running)
        assert entry is not None
        return entry


class KeptConfig(msgspec.Struct, frozen=True):
    """The configuration that ran last, whole, and what secret files and variables gave it.

    The texts of the history are for people: without secrets.
    """

    file: str
    text: str
    files: dict[str, str]
    variables: dict[str, str]
    history: tuple[TakenOver, ...]
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not self.history:
            raise ValueError("no history")

    def __repr__(self) -> str:
        return f"KeptConfig(file={self.file!r})"


def settle(kept: KeptRules | None, found: TakenOver, file: str) -> KeptRules:
    """What is kept once `file` was seen to hold rules that check out.

    `found` has their text, with no number yet. An undone text is not taken over again until the
    file has held another.
    """
    if kept is None:
        first = msgspec.structs.replace(found, number=1)
        return KeptRules(file, 1, (first,))
    if found.hash == kept.current.hash:
        return msgspec.structs.replace(kept, file=file, undone=())
    if found.hash in kept.undone:
        return msgspec.structs.replace(kept, file=file)
    entry = msgspec.structs.replace(found, number=kept.history[-1].number + 1, before=kept.running)
    return KeptRules(file, entry.number, bounded((*kept.history, entry)))


def undo(kept: KeptRules, *, in_file: str | None, at: str, by: str) -> KeptRules | None:
    """Go back to the rules before the running ones; None where there are none before.

    `in_file` is the hash of what the rules file holds now, None where it can't be read.
    """
    target = kept.entry(kept.current.before)
    if target is None:
        return None
    entry = msgspec.structs.replace(
        target, number=kept.history[-1].number + 1, at=at, by=by, before=target.before
    )
    undone = {kept.current.hash, *kept.undone, *([in_file] if in_file else [])} - {entry.hash}
    return KeptRules(
        kept.file, entry.number, bounded((*kept.history, entry)), tuple(sorted(undone))
    )


def settle_config(kept: KeptConfig | None, found: KeptConfig) -> KeptConfig:
    """What is kept once a configuration checked out; `found` has one entry, with no number yet."""
    if kept is None:
        entry = msgspec.structs.replace(found.history[0], number=1)
        return msgspec.structs.replace(found, history=(entry,))
    if (kept.text, kept.files, kept.variables) == (found.text, found.files, found.variables):
        return msgspec.structs.replace(kept, file=found.file)
    last = kept.history[-1]
    entry = msgspec.structs.replace(found.history[0], number=last.number + 1, before=last.number)
    return msgspec.structs.replace(found, history=bounded((*kept.history, entry)))


def bounded(history: tuple[TakenOver, ...]) -> tuple[TakenOver, ...]:
    """The newest of a history, within the bounds, and always the last and what it undoes to."""
    last = history[-1]
    room, texts = MOST_KEPT, MOST_TEXT
    kept: list[TakenOver] = []
    for entry in reversed(history):
        needed = entry is last or entry.number == last.before
        if needed or (room > 0 and texts >= len(entry.text)):
            kept.append(entry)
        room, texts = room - 1, texts - len(entry.text)
    return tuple(reversed(kept))


def salvage(content: bytes) -> KeptRules | None:
    """What is sure of damaged rules: from the newest text on that has the hash noted beside it.

    That of the rules that run, else of those they would be undone to, and so on; None without any.
    """
    try:
        kept = msgspec.json.decode(content, type=KeptRules)
    except (ValueError, RecursionError):
        return None
    sure = {each.number: each for each in kept.history if _hash(each.text) == each.hash}
    number: int | None = kept.running
    tried: set[int] = set()
    while number is not None and number not in sure and number not in tried:
        tried.add(number)
        entry = kept.entry(number)
        number = None if entry is None else entry.before
    if number not in sure:
        return None
    found = sure[number]
    before = found.before if found.before in sure else None
    entry = msgspec.structs.replace(found, before=before)
    history = (*(each for each in sure.values() if each.number < found.number), entry)
    return KeptRules(kept.file, found.number, history)


def shown_hash(digest: str) -> str:
    """A hash as sentences have it: short, and by its first word taken for no number."""
    return f"sha256:{digest[:16]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


Kept = TypeVar("Kept", KeptRules, KeptConfig)


class KeptFolder:
    """The folder `kept` of a data folder. Reading takes no lock, for files are replaced whole."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.path = data / "kept"

    def rules_file(self, endpoint: str) -> Path:
        """Where an endpoint's rules are kept. Raises ConfigError for what can't be one's name."""
        if not _ENDPOINT.fullmatch(endpoint):
            raise ConfigError(f"no such endpoint: {endpoint[:80]!r}")
        return self.path / f"rules-{endpoint}.json"

    def endpoints(self) -> tuple[str, ...]:
        """The endpoints whose rules are kept, in order of their names."""
        names = (
            file.name[len("rules-") : -len(".json")] for file in self.path.glob("rules-*.json")
        )
        return tuple(sorted(name for name in names if _ENDPOINT.fullmatch(name)))

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    def rules(self, endpoint: str, *, sure: bool = False) -> KeptRules | None:
        """An endpoint's kept rules; None where there are none. Raises OSError, DataFolderError.

        Where they are damaged that is Damaged; if `sure`, what is sure of them, if anything.
        """
        try:
            return self._read(self.rules_file(endpoint), KeptRules)
        except Damaged as error:
            found = salvage(error.file.read_bytes()) if sure else None
            if found is None:
                raise
            return found

    def config(self) -> KeptConfig | None:
        """The kept configuration. Raises OSError, DataFolderError."""
        return self._read(self.config_file, KeptConfig)

    def change_rules(
        self, endpoint: str, change: Callable[[KeptRules | None], KeptRules | None]
    ) -> KeptRules | None:
        """Read, change and write an endpoint's rules while no other process does.

        Raises OSError where they can't be written, DataFolderError, and what `change` raises.
        """
        file = self.rules_file(endpoint)
        with self._locked():
            old = self._read(file, KeptRules)
            new = change(old)
            if new is not None and (new != old or not _is_checked(file)):
                atomic_write(file, with_checksum(msgspec.json.encode(new)))
        return new

    def change_config(self, change: Callable[[KeptConfig | None], KeptConfig]) -> KeptConfig:
        """The same for the configuration."""
        with self._locked():
            old = self._read(self.config_file, KeptConfig)
            new = change(old)
            if new != old or not _is_checked(self.config_file):
                atomic_write(self.config_file, with_checksum(msgspec.json.encode(new)))
        return new

    def mend(
        self,
        file: Path,
        kind: type[Kept],
        instead: Callable[[Any], Kept | None] = lambda sure: sure,
    ) -> None:
        """Set a damaged file aside, so that a new one can be kept.

        `instead` says what is kept in its place, given what is sure of damaged rules, or None.
        Raises OSError, and DataFolderError for a newer version's.
        """
        if not self._is_damaged(file, kind):
            return
        with self._locked():
            if not self._is_damaged(file, kind):  # another process was first
                return
            new = instead(salvage(file.read_bytes()) if kind is KeptRules else None)
            set_aside(file)
            if new is not None:
                atomic_write(file, with_checksum(msgspec.json.encode(new)))

    def damage(self, file: Path, lost: str) -> Damage | None:
        """What to say of damaged ones of a file that lie beside it; `lost` is what was in them."""
        return damage_of(file, self._data, lost)

    def _is_damaged(self, file: Path, kind: type[Kept]) -> bool:
        try:
            self._read(file, kind)
        except Damaged:
            return True
        return False

    def _read(self, file: Path, kind: type[Kept]) -> Kept | None:
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            raw = msgspec.json.decode(content) if is_whole(content) else None
        except (ValueError, RecursionError):
            raw = None
        newest = raw.get("format") if isinstance(raw, dict) else None
        if isinstance(newest, int) and newest > FORMAT:
            problem = f"{file.name} was written by a newer version (format {newest})"
            raise DataFolderError(str(self._data), problem, "run the newer version")
        try:
            return msgspec.convert(raw, kind)
        except ValueError:
            raise Damaged(self._data, file) from None

    def _locked(self) -> _Locked:
        for folder in (self._data, self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
        return _Locked(self.path / "lock")


def _is_checked(file: Path) -> bool:
    with suppress(FileNotFoundError):
        return has_checksum(file.read_bytes())
    return False


class Damaged(DataFolderError):  # noqa: N818 - it says what the file is
    """A kept file that no version wrote so."""

    def __init__(self, data: Path, file: Path) -> None:
        hint = "`switchhook serve` sets it aside, and keeps what runs anew"
        if file.name == "config.json":
            hint += "; commands go without it by --config FILE"
        super().__init__(str(data), f"{file.name} is damaged", hint)
        self.file = file


class _Locked:
    """A lock that is waited for a little: a process that hangs must not keep others from starting.

    Raises OSError where it can't be had.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._file, flags, 0o600)
        if not lock_within(self._descriptor, LOCK_WAIT_S):
            os.close(self._descriptor)
            raise TimeoutError(0, "another process is writing there and does not end")

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
