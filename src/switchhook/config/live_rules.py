"""The rules of one endpoint as they run: taken over from their file, or kept from before."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.config.files import FileWatch, Signature, read_whole, signature, words
from switchhook.config.kept_files import Damaged
from switchhook.config.kept_text import (
    KeptRules,
    TakenOver,
    overruled_text,
    settle,
    way_back,
)
from switchhook.config.last_good import KeptFolder, RunningSource, UnusedFile
from switchhook.config.live_candidate import FollowedCandidate
from switchhook.config.rules_terms import RulesTerms
from switchhook.errors import ConfigError, DataFolderError
from switchhook.exotel.phone_numbers import mask_text, shown_hash
from switchhook.rules.decide import Ruleset
from switchhook.rules.rollout import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.checked_json import Damage


RUNS_ALL_THE_SAME = "it runs all the same, and switchhook check says what to write instead"
"""Ends what is said of rules that can't be what was meant."""


class EndpointRules:
    """Which rules an endpoint runs, where they came from, and what is to be complained about."""

    def __init__(self, endpoint: str, kept: KeptFolder, time: Callable[[], str]) -> None:
        self._endpoint, self._kept, self._time = endpoint, kept, time
        self._name = f"rules of endpoint {endpoint}"
        self._place = kept.file_of(subject_of(endpoint))
        self._lost = f"{self._name}: their history"
        self._terms = self._ran_by = RulesTerms()  # now, and when `ruleset` was read
        self.ruleset = self._terms.builtin
        self.source = _builtin(endpoint, self.ruleset)
        self.damage: Damage | None = None
        self.unused: UnusedFile | None = None
        self._said: tuple[str, ...] = ()
        self.begun = False
        self._look: Ruleset | ConfigError | None = None  # what the file was when last read
        # What checked out last, whether it runs or not, and by which terms.
        self._checked: tuple[RulesTerms, Ruleset] | None = None
        self._watch = FileWatch()
        self._seen: Signature = None  # of the kept file
        # Of it and its folder, when it was found whole: nothing was damaged or removed since.
        self._whole: tuple[Signature, Signature] | None = None
        self._followed: FollowedCandidate[Ruleset] = FollowedCandidate(subject_of(endpoint), kept)
        self._unkept: str | None = None

    @property
    def complaints(self) -> tuple[str, ...]:
        """Sentences for the operator."""
        damage = None if self.damage is None else str(self.damage)
        more = (_doubtful(self._name, self.ruleset), damage, self._unkept, self._followed.complaint)
        return (*self._said, *filter(None, more))

    @property
    def candidate(self) -> Ruleset | None:
        """The rules that decide for a share of the callers beside these, if any."""
        return self._followed.loaded

    def lacking(self, file: str | None, terms: RulesTerms) -> ConfigError | None:
        """Why there would be no rules to run with that file; None where there are. Runs nothing.

        Rules that ran are none where they name what a changed configuration has no more.
        """
        if file is None:
            return self._lacking_released(terms)
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

    def _lacking_released(self, terms: RulesTerms) -> ConfigError | None:
        """Why what was released to an endpoint without a file could not run by other terms."""
        if self.source.file != "" or terms == self._terms:
            return None
        name = f"release {self.source.release} of {self._name}"
        try:
            terms.load(self.source.text, file=name)
        except ConfigError as error:
            return error
        return None

    def run(self, file: str | None, terms: RulesTerms, by: str) -> None:
        """Judge the file now; None is the built-in rules, unless others were released.

        Raises ConfigError where there are none to run, DataFolderError for a newer version's.
        """
        self._unkept = None
        self._terms = terms
        if file is None:
            self._without_file()
        else:
            look = self._look = self._read(file, terms)
            self._choose(file, self._settled(file, look, by), look)
        self.begun = True
        self._follow_candidate()

    def poll(self, file: str | None, terms: RulesTerms, *, retry: bool) -> None:
        """Look whether anything changed; `retry` what could not be kept."""
        resting = file is not None and self._watch.settled((file,))
        changed = (file or "") != (self.source.file or "") or terms != self._terms
        try:
            if retry:
                self._look_at_kept(file or "")
            if not self.begun or changed or resting or (retry and self._unkept):
                self.run(file, terms, "changed file")
            else:
                self._follow_kept(file)
                self._follow_candidate()
        except (ConfigError, DataFolderError) as error:
            self._said = (f"{self._name}: {_line(error)}",)
            if file is not None:
                self.unused = UnusedFile(self.source.name, file, str(error))

    def _without_file(self) -> None:
        """Run what was released to an endpoint that names no file, else the built-in rules."""
        self._look = self._terms.builtin
        kept = self._set_aside()
        released = kept if kept is not None and not kept.file and not kept.aside else None
        if released is not None and (self.begun or not self._nothing_runs(released)):
            self._choose("", released, self._terms.builtin)
            return
        self._ran_by, self.ruleset = self._terms, self._terms.builtin
        self.source = _builtin(self._endpoint, self.ruleset)
        self._said, self.unused = (), None
        if released is not None:
            said = f"release {released.current.release} can't run here"
            self._said = (f"{self._name}: {said}; the built-in rules run",)

    def _set_aside(self) -> KeptRules | None:
        """What is kept; rules that came from a file wait until the configuration names one."""

        def change(old: KeptRules | None) -> KeptRules | None:
            if old is None or not old.file:
                return old
            return msgspec.structs.replace(old, aside=True)

        kept: KeptRules | None = None
        try:
            self._kept.mend_text(self._place, KeptRules)
            kept = self._kept.rules(self._endpoint)
            if kept is not None and kept.file and not kept.aside:
                kept = self._kept.change_rules(self._endpoint, change)
        except OSError as error:
            self._cannot_be_kept(error)
        finally:
            self.damage = self._kept.damage(self._place, self._lost)
        return kept

    def _follow_kept(self, file: str | None) -> None:
        """Run what another process has released, undone or taken over, since the last look."""
        seen = signature(self._place)
        if seen is None or seen == self._seen:
            return
        try:
            kept = self._kept.rules(self._endpoint)
        except Damaged:
            self._whole = None
            self._look_at_kept(file or "")
            return
        except OSError:
            return  # what runs is in memory, and the next look tries again
        self._seen = seen
        if file is None:
            self._without_file()
        elif self._look is not None:
            self._choose(file, kept, self._look)

    def _follow_candidate(self) -> None:
        runs = "" if self.source.file is None else self.source.hash
        self._followed.look(runs, self._terms, self._terms.load)

    def _look_at_kept(self, file: str) -> None:
        """Keep what runs anew, where what was kept of it has been damaged or removed since.

        Raises DataFolderError for a newer version's.
        """
        place = self._place
        at = signature(place), signature(place.parent)
        if self.source.file is None or (at == self._whole and self._unkept is None):
            return

        def as_it_runs(sure: KeptRules | None) -> KeptRules:
            runs, look = self.source, self._look
            found = TakenOver(0, runs.hash, runs.at, runs.by, runs.text, release=runs.release)
            kept = settle(sure, found, file)
            if file and isinstance(look, Ruleset) and look.release != runs.hash:
                # Not to be taken over at the next start because what was undone is not known.
                kept = msgspec.structs.replace(kept, undone=(look.release,))
            return kept

        try:
            self._kept.mend_text(place, KeptRules, as_it_runs)
            if not place.exists():
                self._kept.change_rules(self._endpoint, lambda old: old or as_it_runs(None))
        except OSError as error:
            self._cannot_be_kept(error)
        else:
            self._whole = at
        self.damage = self._kept.damage(place, self._lost)

    def _read(self, file: str, terms: RulesTerms) -> Ruleset | ConfigError:
        try:
            content = read_whole(file)
        except OSError as error:
            return ConfigError(f"it can't be read: {words(error)}", file=file)
        read = ((self._ran_by, self.ruleset), self._checked)
        known = _read_before(read, hashlib.sha256(content).hexdigest(), terms)
        if known is not None:
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
                return old and msgspec.structs.replace(old, aside=False)
            found = TakenOver(0, look.release, self._time(), by, look.text)
            if old is not None and self._nothing_runs(old):
                # What was released or undone to can't run any more, so that the file has to.
                old = msgspec.structs.replace(old, undone=())
            return settle(old, found, file)

        try:
            self._kept.mend_text(self._place, KeptRules)
            return self._kept.change_rules(self._endpoint, change)
        except OSError as error:
            self._cannot_be_kept(error)
        finally:
            self.damage = self._kept.damage(self._place, self._lost)
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
        refused: ConfigError | None = None
        if not as_it_runs or self.source.file is None:
            entry, refused = self._run_entry(kept, look)
            self._ran_by = self._terms
            self.source = RunningSource(
                f"rules/{self._endpoint}",
                entry.hash,
                entry.text,
                entry.by,
                entry.at,
                file,
                entry.release,
            )
        self.source = msgspec.structs.replace(self.source, file=file)
        self._complain(file, look, kept.undone)
        if refused is not None:
            said = f"release {kept.current.release} can't run here: {_line(refused)}"
            self._said = (f"{self._name}: {said}; {_since(self.source)}", *self._said)

    def _run_entry(
        self, kept: KeptRules, look: Ruleset | ConfigError
    ) -> tuple[TakenOver, ConfigError | None]:
        """Load what is kept as running; in its place, and why, what this version can run.

        A process that runs something goes on with that. One that starts takes the nearest that
        an undo would come to, and never the file, which was overruled.
        """
        entry, refused = kept.current, None
        for each in way_back(kept):
            try:
                self.ruleset = self._loaded(each, look)
            except ConfigError as error:
                refused = refused or error
                if self.begun or not entry.release:
                    break
            else:
                return each, refused
        assert refused is not None
        raise refused

    def _nothing_runs(self, kept: KeptRules) -> bool:
        """Whether nothing of what is kept can run: of what a person undid, only what is current."""
        tried = way_back(kept) if kept.current.release else (kept.current,)
        read, terms = ((self._ran_by, self.ruleset), self._checked), self._terms
        # With hundreds of endpoints reading once more what was read takes seconds.
        return not any(
            _read_before(read, each.hash, terms) is not None or terms.takes(each.text)
            for each in tried
        )

    def _loaded(self, entry: TakenOver, look: Ruleset | ConfigError) -> Ruleset:
        if isinstance(look, Ruleset) and look.release == entry.hash:
            return look
        return self._terms.load(entry.text, file=f"{self._name} kept since {entry.at}")

    def _complain(self, file: str, look: Ruleset | ConfigError, undone: tuple[str, ...]) -> None:
        since = _since(self.source)
        self._said, self.unused = (), None
        if not file:
            return
        if isinstance(look, ConfigError):
            self._said = (f"{self._name}: {_line(look)}; {since}",)
            self.unused = UnusedFile(self.source.name, file, str(look))
        elif look.release != self.source.hash and look.release in undone:
            problem = overruled_text(file, self.source.by, self.source.release)
            if not self.source.release:  # what a person released is as it should be
                self._said = (f"{self._name}: {problem}; {since}",)
            self.unused = UnusedFile(self.source.name, file, problem, refused=False)

    def _cannot_be_kept(self, error: OSError) -> None:
        self._unkept = f"{self._name} can't be kept in the data folder: {words(error)}"


def _read_before(
    read: Iterable[tuple[RulesTerms, Ruleset] | None], release: str, terms: RulesTerms
) -> Ruleset | None:
    """Of rules that were read by some terms, those of a release by these."""
    for by, known in filter(None, read):
        if by == terms and known.release == release:
            return known
    return None


def _builtin(endpoint: str, rules: Ruleset) -> RunningSource:
    return RunningSource(f"rules/{endpoint}", rules.release, rules.text, "built-in", "")


def _doubtful(name: str, rules: Ruleset) -> str | None:
    """What can't be what was meant in the rules that run; they may have run for years."""
    if not rules.doubts:
        return None
    first, *more = rules.doubts
    told = f"{first.file}: {first.key}: {mask_text(first.problem)}"
    if not told.startswith(name):
        told = f"{name}: {told}"
    others = f", and {len(more)} more" if more else ""
    return f"{told}{others}; {RUNS_ALL_THE_SAME}"


def _since(source: RunningSource) -> str:
    return f"those of {source.at} ({shown_hash(source.hash)}) go on running"


def _with_way_back(look: ConfigError, damage: str) -> str:
    return "; ".join(filter(None, (look.hint, damage, "put the file back, or restore a backup")))


def _line(error: Exception) -> str:
    return "; ".join(str(error).splitlines())
