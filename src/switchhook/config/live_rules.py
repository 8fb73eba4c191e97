"""The rules of one endpoint as they run: taken over from their file, or kept from before."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.config.files import FileWatch, Signature, read_whole, signature, words
from switchhook.config.last_good import (
    Damaged,
    KeptFolder,
    KeptRules,
    RunningSource,
    TakenOver,
    UnusedFile,
    settle,
    shown_hash,
)
from switchhook.config.rules_terms import RulesTerms
from switchhook.errors import ConfigError, DataFolderError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.rules.decide import Ruleset

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.checked_json import Damage


RUNS_ALL_THE_SAME = "it runs all the same, and switchhook check says what to write instead"
"""Ends what is said of rules that can't be what was meant."""


class EndpointRules:
    """Which rules an endpoint runs, where they came from, and what is to be complained about."""

    def __init__(self, endpoint: str, kept: KeptFolder, time: Callable[[], str]) -> None:
        self._endpoint, self._kept, self._time = endpoint, kept, time
        self._name = f"rules of endpoint {endpoint}"
        self._lost = f"{self._name}: their history"
        self._terms = self._ran_by = RulesTerms()  # now, and when `ruleset` was read
        self.ruleset, self.source = self._terms.builtin, self._builtin()
        self.damage: Damage | None = None
        self.unused: UnusedFile | None = None
        self._said: tuple[str, ...] = ()
        self.begun = False
        self._look: Ruleset | ConfigError | None = None  # what the file was when last read
        # What checked out last, whether it runs or not, and by which terms.
        self._checked: tuple[RulesTerms, Ruleset] | None = None
        self._watch = FileWatch()
        self._seen: Signature = None  # of the kept file
        self._unkept: str | None = None

    @property
    def complaints(self) -> tuple[str, ...]:
        """Sentences for the operator."""
        damage = None if self.damage is None else str(self.damage)
        return (*self._said, *filter(None, (self._doubtful(), damage, self._unkept)))

    def _doubtful(self) -> str | None:
        """What can't be what was meant in the rules that run; they may have run for years."""
        if not self.ruleset.doubts:
            return None
        first, *more = self.ruleset.doubts
        told = f"{first.file}: {first.key}: {mask_text(first.problem)}"
        if not told.startswith(self._name):
            told = f"{self._name}: {told}"
        others = f", and {len(more)} more" if more else ""
        return f"{told}{others}; {RUNS_ALL_THE_SAME}"

    def lacking(self, file: str, terms: RulesTerms) -> ConfigError | None:
        """Why there would be no rules to run with that file; None where there are. Runs nothing.

        Rules that ran are none where they name what a changed configuration has no more.
        """
        look = self._read(file, terms)
        if isinstance(look, Ruleset):
            return None
        if self.source.file is not None:
            if terms == self._terms or terms.takes(self.source.text):
                return None
            look.hint = "; ".join(filter(None, (look.hint, "change it first, or both at once")))
            return look
        try:
            kept = self._kept.rules(self._endpoint, sure=True)
        except Damaged as error:
            look.hint = _with_way_back(look, f"what was kept in {error.file.name} is damaged")
            kept = None
        except (OSError, DataFolderError):
            kept = None
        return None if kept is not None and terms.takes(kept.current.text) else look

    def run(self, file: str | None, terms: RulesTerms, by: str) -> None:
        """Judge the file now; None is the built-in rules.

        Raises ConfigError where there are none to run, DataFolderError for a newer version's.
        """
        self._unkept = None
        self._terms = terms
        if file is None:
            self._ran_by, self.ruleset = terms, terms.builtin
            self.source, self._said = self._builtin(), ()
            self.damage = self.unused = None
        else:
            look = self._look = self._read(file, terms)
            self._choose(file, self._settled(file, look, by), look)
        self.begun = True

    def poll(self, file: str | None, terms: RulesTerms, *, retry: bool) -> None:
        """Look whether anything changed; `retry` what could not be kept."""
        resting = file is not None and self._watch.settled((file,))
        changed = file != self.source.file or terms != self._terms
        try:
            if retry and file is not None:
                self._look_at_kept(file)
            if not self.begun or changed or resting or (retry and self._unkept):
                self.run(file, terms, "changed file")
            elif file is not None:
                self._follow_kept(file)
        except (ConfigError, DataFolderError) as error:
            self._said = (f"{self._name}: {_line(error)}",)
            if file is not None:
                self.unused = UnusedFile(self.source.name, file, str(error))

    def _follow_kept(self, file: str) -> None:
        """Run what another process has undone, or taken over, since the last look."""
        seen = signature(self._kept.rules_file(self._endpoint))
        if seen is None or seen == self._seen:
            return
        try:
            kept = self._kept.rules(self._endpoint)
        except Damaged:
            self._look_at_kept(file)
            return
        except OSError:
            return  # what runs is in memory, and the next look tries again
        self._seen = seen
        if self._look is not None:
            self._choose(file, kept, self._look)

    def _look_at_kept(self, file: str) -> None:
        """Keep what runs anew, where what was kept of it has been damaged or removed since.

        Raises DataFolderError for a newer version's.
        """
        if self.source.file is None:
            return
        place = self._kept.rules_file(self._endpoint)

        def as_it_runs(sure: KeptRules | None) -> KeptRules:
            runs = self.source
            return settle(sure, TakenOver(0, runs.hash, runs.at, runs.by, runs.text), file)

        try:
            self._kept.mend(place, KeptRules, as_it_runs)
            if not place.exists():
                self._kept.change_rules(self._endpoint, lambda old: old or as_it_runs(None))
        except OSError as error:
            self._cannot_be_kept(error)
        self.damage = self._kept.damage(place, self._lost)

    def _read(self, file: str, terms: RulesTerms) -> Ruleset | ConfigError:
        try:
            content = read_whole(file)
        except OSError as error:
            return ConfigError(f"it can't be read: {words(error)}", file=file)
        release = hashlib.sha256(content).hexdigest()
        for by, known in filter(None, ((self._ran_by, self.ruleset), self._checked)):
            if by == terms and known.release == release:
                return known
        try:
            found = terms.load(content, file=file)
        except ConfigError as error:
            return error
        self._checked = terms, found
        return found

    def _settled(self, file: str, look: Ruleset | ConfigError, by: str) -> KeptRules | None:
        """What is kept after this look, on the disk if it takes it, else in memory."""

        def change(old: KeptRules | None) -> KeptRules | None:
            if isinstance(look, ConfigError):
                return old
            found = TakenOver(0, look.release, self._time(), by, look.text)
            if old is not None and not self._terms.takes(old.current.text):
                # What was undone to can't run any more, so that the file has to.
                old = msgspec.structs.replace(old, undone=())
            return settle(old, found, file)

        try:
            self._kept.mend(self._kept.rules_file(self._endpoint), KeptRules)
            return self._kept.change_rules(self._endpoint, change)
        except OSError as error:
            self._cannot_be_kept(error)
        finally:
            self.damage = self._kept.damage(self._kept.rules_file(self._endpoint), self._lost)
        try:
            return change(self._kept.rules(self._endpoint))
        except (OSError, DataFolderError):
            return change(None)

    def _choose(self, file: str, kept: KeptRules | None, look: Ruleset | ConfigError) -> None:
        if kept is None:
            if self.source.file is None:
                assert isinstance(look, ConfigError)  # else `settle` had made an entry of it
                if self.damage is not None:
                    look.hint = _with_way_back(look, self.damage.problem)
                raise look
            self._complain(file, look, ())
            return
        entry = kept.current
        as_it_runs = entry.hash == self.ruleset.release and self._ran_by == self._terms
        if not as_it_runs or self.source.file is None:
            self.ruleset, self._ran_by = self._loaded(entry, look), self._terms
            self.source = RunningSource(
                f"rules/{self._endpoint}", entry.hash, entry.text, entry.by, entry.at, file
            )
        self.source = msgspec.structs.replace(self.source, file=file)
        self._complain(file, look, kept.undone)

    def _loaded(self, entry: TakenOver, look: Ruleset | ConfigError) -> Ruleset:
        if isinstance(look, Ruleset) and look.release == entry.hash:
            return look
        return self._terms.load(entry.text, file=f"{self._name} kept since {entry.at}")

    def _complain(self, file: str, look: Ruleset | ConfigError, undone: tuple[str, ...]) -> None:
        since = f"those of {self.source.at} ({shown_hash(self.source.hash)}) go on running"
        self._said, self.unused = (), None
        if isinstance(look, ConfigError):
            self._said = (f"{self._name}: {_line(look)}; {since}",)
            self.unused = UnusedFile(self.source.name, file, str(look))
        elif look.release != self.source.hash and look.release in undone:
            problem = f"{file} still holds what was undone"
            self._said = (f"{self._name}: {problem}; {since}",)
            self.unused = UnusedFile(self.source.name, file, problem, refused=False)

    def _cannot_be_kept(self, error: OSError) -> None:
        self._unkept = f"{self._name} can't be kept in the data folder: {words(error)}"

    def _builtin(self) -> RunningSource:
        rules = self._terms.builtin
        return RunningSource(f"rules/{self._endpoint}", rules.release, rules.text, "built-in", "")


def _with_way_back(look: ConfigError, damage: str) -> str:
    return "; ".join(filter(None, (look.hint, damage, "put the file back, or restore a backup")))


def _line(error: Exception) -> str:
    return "; ".join(str(error).splitlines())
