"""What all nodes are told to run, put in place in one node's data folder, and offered from it.

What is told of a subject stands above what ran here, once. What changes here after that, as
somebody edits the rules file in place, is offered to all nodes, and runs on all where nobody told
anything else meanwhile: one edit on one node is a release for all, as on one machine.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from switchhook.cluster import told
from switchhook.cluster.runs import Runs
from switchhook.config.files import Signature, signature, words
from switchhook.config.kept_files import Damaged
from switchhook.config.kept_text import of_a_node
from switchhook.config.last_good import KeptFolder
from switchhook.config.released import Candidate, ReleasedRules
from switchhook.errors import ConfigError, DataFolderError
from switchhook.rules.rollout import POOLS, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from switchhook.cluster.told import ToldRow
    from switchhook.config.kept_text import TakenOver


class ToldBefore(msgspec.Struct, frozen=True):
    """What was told and put in place, by subject: the hashes."""

    hashes: dict[str, str] = {}
    format: int = 1


class Follows(Enum):
    """What is to be done about a subject."""

    NOTHING = auto()
    NOTE = auto()
    """What is told runs here: that is remembered."""
    PUT = auto()
    """What is told is put in place here."""
    OFFER = auto()
    """What runs here is offered to all."""


def follows(told_hash: str, before: str | None, runs: str | None) -> Follows:
    """What follows from the hashes of what is told, of what was put in place, of what runs.

    `before` is None where nothing was told yet, `runs` None for the built-in rules: whoever took
    the rules out of one node's configuration meant that node.
    """
    if told_hash == runs:
        return Follows.NOTHING if before == told_hash else Follows.NOTE
    if told_hash != before:
        return Follows.PUT
    return Follows.NOTHING if runs is None else Follows.OFFER


class ToldRules:
    """See above. One thread; raises DataFolderError, ConfigError."""

    def __init__(self, folder: Path, name: str, config_hash: Callable[[], str]) -> None:
        self._folder = folder
        self._kept, self._released = KeptFolder(folder), ReleasedRules(folder)
        self._name, self._config_hash = name, config_hash
        self._file = self._kept.path / "told.json"
        self._seen: dict[str, tuple[Signature, TakenOver | None]] = {}
        self._before: dict[str, str] | None = None
        self._unreadable: dict[str, str] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """Topics that this release can't read, a sentence each."""
        return tuple(self._unreadable.values())

    def settle(self, rows: Mapping[str, ToldRow], offer: Callable[[str, int, bytes], bool]) -> None:
        """Put in place what is told, and offer what changed here."""
        try:
            self._settle(rows, offer)
        except OSError as error:
            said, hint = f"what is told can't be put in place: {words(error)}", "make room"
            raise DataFolderError(str(self._folder), said, hint) from error

    def _settle(
        self, rows: Mapping[str, ToldRow], offer: Callable[[str, int, bytes], bool]
    ) -> None:
        for topic, row in sorted(rows.items()):
            subject = told.subject_of_text(topic)
            if subject is not None and row.body:
                try:
                    self._settle_text(topic, subject, row, offer)
                except (msgspec.DecodeError, ConfigError):
                    of = told.subject_words(subject)
                    said = f"what all nodes run of {of} is of another release"
                    self._unreadable[topic] = f"{said}; run one release on all nodes"
        for topic, row in sorted(rows.items()):
            subject = told.subject_of_candidate(topic)
            if subject is not None:
                self._settle_candidate(subject, row)

    def runs(self) -> Runs:
        """What runs here."""
        found = {name: self._running(subject_of(name)) for name in self._kept.endpoints()}
        pools = self._running(POOLS)
        return Runs(
            self._config_hash(),
            {name: each.hash for name, each in found.items() if each is not None},
            "" if pools is None else pools.hash,
        )

    def _settle_text(
        self, topic: str, subject: str, row: ToldRow, offer: Callable[[str, int, bytes], bool]
    ) -> None:
        text, runs = told.read_text(row.body), self._running(subject)
        before = self._known().get(subject)
        match follows(text.hash, before, None if runs is None else runs.hash):
            case Follows.PUT:
                self._released.run(subject, text.text, release=text.release, by=text.by)
                self._note(subject, text.hash)
            case Follows.NOTE:
                self._note(subject, text.hash)
            case Follows.OFFER if runs is not None:
                new = offered(runs, self._name)
                if offer(topic, row.version, told.encode(new)):
                    self._note(subject, new.hash)
        self._unreadable.pop(topic, None)

    def _settle_candidate(self, subject: str, row: ToldRow) -> None:
        wanted = told.read_candidate(row.body)
        found = self._candidate(subject)
        if wanted is None:
            if found is not None:
                self._released.propose(subject, None)
            return
        runs = self._running(subject)
        beside = "" if runs is None else runs.hash
        same = found is not None and (found.number, found.hash) == (wanted.number, wanted.hash)
        if beside == wanted.beside and not (same and found and found.beside == wanted.beside):
            self._released.propose(subject, Candidate(wanted.number, wanted.hash, wanted.text))

    def _candidate(self, subject: str) -> Candidate | None:
        try:
            return self._released.candidate(subject)
        except Damaged:
            return None

    def _running(self, subject: str) -> TakenOver | None:
        """What runs here of a subject; the file is read where it has changed."""
        seen = signature(self._kept.file_of(subject))
        known = self._seen.get(subject)
        if known is None or known[0] != seen or seen is None:
            known = self._seen[subject] = seen, self._released.running(subject)
        return known[1]

    def _known(self) -> Mapping[str, str]:
        if self._before is None:
            try:
                found = self._kept.read(self._file, ToldBefore)
            except Damaged:
                found = None  # what is told is put in place once more
            self._before = {} if found is None else dict(found.hashes)
        return self._before

    def _note(self, subject: str, hash: str) -> None:
        hashes = {**self._known(), subject: hash}
        with self._kept.locked():
            self._kept.replace(self._file, ToldBefore(hashes))
        self._before = hashes


def offered(runs: TakenOver, name: str) -> told.ToldText:
    """What runs on a node as all are told of it."""
    by = runs.by if runs.release else of_a_node(runs.by, name)
    return told.ToldText(runs.text, runs.hash, by, runs.at, runs.release)
