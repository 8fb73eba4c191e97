"""What checked out last, kept in the data folder, so that no broken file changes what runs.

`kept/config.json` holds the configuration that runs with the secrets it was given, and a history
without any. `kept/rules-<endpoint>.json` holds an endpoint's rules and those before them,
`kept/pools.json` the same of the pools, and `kept/candidate-….json` a release that decides for a
share of the callers beside them. What is to be kept is decided by pure functions; `KeptFolder`
carries it out, one process at a time.

Each file has a checksum. Of damaged rules the newest text that has its own hash is kept on; where
there is none, or the configuration is damaged, the operator's file has to serve. A damaged
candidate decides for nobody.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from switchhook.config.kept_files import Damaged, KeptFiles
from switchhook.config.kept_text import (
    FORMAT,
    Candidate,
    KeptPools,
    KeptRules,
    TakenOver,
    bounded,
    salvage,
)
from switchhook.errors import ConfigError
from switchhook.journal.receipt import ConfigApplied
from switchhook.rules.rollout import POOLS, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ENDPOINT = re.compile("[A-Za-z0-9_-]{1,64}")


class RunningSource(msgspec.Struct, frozen=True):
    """Where something that runs came from. `text` has no secrets; `file` is None for built-in.

    `name` is `config`, `pools` or `rules/<endpoint>`, `at` ISO 8601 in UTC, empty for built-in.
    `file` is empty for rules released to an endpoint that names none; `release` is the number of
    the release that put it in place, 0 where the file did.
    """

    name: str
    hash: str
    text: str
    by: str
    at: str
    file: str | None = None
    release: int = 0

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


Text = TypeVar("Text", bound=KeptRules)


class KeptFolder(KeptFiles):
    """The folder `kept` of a data folder, with what is in it."""

    def file_of(self, subject: str) -> Path:
        """Where a subject's texts are kept. Raises ConfigError for what can't be one's name."""
        return self.path / f"{_stem_of(subject)}.json"

    def candidate_file(self, subject: str) -> Path:
        """Where a subject's candidate is. Raises ConfigError for what can't be one's name."""
        return self.path / f"candidate-{_stem_of(subject)}.json"

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
        return self._text(self.file_of(subject_of(endpoint)), KeptRules, sure=sure)

    def pools(self, *, sure: bool = False) -> KeptPools | None:
        """The kept pools, as `rules` gives an endpoint's."""
        return self._text(self.file_of(POOLS), KeptPools, sure=sure)

    def kept(self, subject: str) -> KeptRules | None:
        """What is kept of a subject, as `rules` gives an endpoint's."""
        return self.read(self.file_of(subject), _kind_of(subject))

    def candidate(self, subject: str) -> Candidate | None:
        """The candidate of a subject, None without one. Raises OSError, DataFolderError."""
        file = self.candidate_file(subject)
        found = self.read(file, Candidate)
        if found is not None and not found.whole:
            raise Damaged(self._data, file)
        return found

    def config(self) -> KeptConfig | None:
        """The kept configuration. Raises OSError, DataFolderError."""
        return self.read(self.config_file, KeptConfig)

    def change_rules(
        self, endpoint: str, change: Callable[[KeptRules | None], KeptRules | None]
    ) -> KeptRules | None:
        """Read, change and write an endpoint's rules while no other process does.

        Raises OSError where they can't be written, DataFolderError, and what `change` raises.
        """
        return self.change(self.file_of(subject_of(endpoint)), KeptRules, change)

    def change_pools(
        self, change: Callable[[KeptPools | None], KeptPools | None]
    ) -> KeptPools | None:
        """The same for the pools."""
        return self.change(self.file_of(POOLS), KeptPools, change)

    def change_config(self, change: Callable[[KeptConfig | None], KeptConfig]) -> KeptConfig:
        """The same for the configuration."""
        new = self.change(self.config_file, KeptConfig, change)
        assert new is not None
        return new

    def put(self, subject: str, change: Callable[[KeptRules | None], KeptRules]) -> KeptRules:
        """The same for a subject that a release is put in place of.

        Its candidate is removed where it was proposed beside something else than what then runs.
        """
        with self.locked():
            new = self.changed(self.file_of(subject), _kind_of(subject), change)
            assert new is not None
            with suppress(Damaged):
                found = self.candidate(subject)
                if found is not None and found.beside != new.current.hash:
                    self.candidate_file(subject).unlink(missing_ok=True)
        return new

    def propose(self, subject: str, candidate: Candidate | None) -> None:
        """Put a candidate beside what runs, in place of another, or remove it where it is None.

        Raises OSError where that can't be written, DataFolderError.
        """
        file = self.candidate_file(subject)
        with self.locked():
            if candidate is None:
                file.unlink(missing_ok=True)
                return
            runs = self.kept(subject)
            beside = "" if runs is None or runs.aside else runs.current.hash
            new = msgspec.structs.replace(candidate, beside=beside)
            self.replace(file, new)

    def mend_text(
        self,
        file: Path,
        kind: type[Text],
        instead: Callable[[Text | None], Text | None] = lambda sure: sure,
    ) -> None:
        """The same as `mend`, given what is sure of damaged texts, or None."""
        self.mend(file, kind, lambda content: instead(salvage(content, kind)))

    def _text(self, file: Path, kind: type[Text], *, sure: bool) -> Text | None:
        try:
            return self.read(file, kind)
        except Damaged as error:
            found = salvage(error.file.read_bytes(), kind) if sure else None
            if found is None:
                raise
            return found


def _stem_of(subject: str) -> str:
    """What a subject's files are called; nothing that is no name becomes a path."""
    if subject == POOLS:
        return POOLS
    kind, _, endpoint = subject.partition("/")
    if kind != "rules" or not _ENDPOINT.fullmatch(endpoint):
        raise ConfigError(f"no such endpoint: {(endpoint or subject)[:80]!r}")
    return f"rules-{endpoint}"


def _kind_of(subject: str) -> type[KeptRules]:
    return KeptPools if subject == POOLS else KeptRules
