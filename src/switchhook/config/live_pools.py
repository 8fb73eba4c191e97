"""The pools as they run: those of the configuration, with the weights that were released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.config.files import Signature, signature, words
from switchhook.config.kept_files import Damaged
from switchhook.config.kept_text import (
    KeptPools,
    TakenOver,
    hash_of,
    is_of_a_node,
    overruled_text,
    settle_pools,
)
from switchhook.config.last_good import KeptFolder, RunningSource, UnusedFile
from switchhook.config.live_candidate import FollowedCandidate
from switchhook.errors import DataFolderError
from switchhook.rules.pools_text import laid_over, lost_names, pools_text, read_pools
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.checked_json import Damage
    from switchhook.rules.bot_pool import Pool

_LOST = "pools: what was released of them"


class PoolsCandidate(msgspec.Struct, frozen=True):
    """Pools that are drawn among for a share of the callers; `number` is the release's."""

    number: int
    hash: str
    pools: tuple[Pool, ...]


class RunningPools:
    """Which pools run, where their weights came from, and what is to be complained about.

    What a release said stays while the configuration says what it said before. An edit of it is in
    force at once, and changes what it changes and no more.
    """

    def __init__(self, kept: KeptFolder, time: Callable[[], str]) -> None:
        self._kept, self._time = kept, time
        self._place = kept.file_of(POOLS)
        self._configured: tuple[Pool, ...] = ()
        self._file = ""
        self._followed: FollowedCandidate[tuple[Pool, ...]] = FollowedCandidate(POOLS, kept)
        self._seen: Signature = None  # of the kept file
        self._unkept: str | None = None
        self._said: str | None = None
        self._held: KeptPools | None = None
        self.pools: tuple[Pool, ...] = ()
        self.source: RunningSource | None = None
        self.damage: Damage | None = None
        self.unused: UnusedFile | None = None

    @property
    def complaints(self) -> tuple[str, ...]:
        """Sentences for the operator."""
        damage = None if self.damage is None else str(self.damage)
        return tuple(filter(None, (self._said, damage, self._unkept, self._followed.complaint)))

    @property
    def candidate(self) -> PoolsCandidate | None:
        """What is drawn among for a share of the callers, if anything."""
        found, pools = self._followed.candidate, self._followed.loaded
        if found is None or pools is None:
            return None
        return PoolsCandidate(found.number, found.hash, pools)

    def run(self, configured: tuple[Pool, ...], file: str | None, by: str) -> None:
        """Take the configuration's pools over, with what was released.

        Raises DataFolderError for what a newer version kept.
        """
        self._configured, self._file = configured, file or ""
        self._unkept = None
        written = pools_text(configured)

        def change(old: KeptPools | None) -> KeptPools | None:
            if old is None and not configured:
                return None
            runs = configured
            if old is not None:
                before = written if old.written is None else old.written
                runs = laid_over(old.current.text, configured, written=before)
            text = pools_text(runs)
            found = TakenOver(0, hash_of(text), self._time(), by, text)
            return settle_pools(old, found, written, self._file)

        self._take(self._settled(change))

    def poll(self, configured: tuple[Pool, ...], file: str | None, *, retry: bool) -> None:
        """Look whether anything changed; `retry` what could not be kept."""
        try:
            if retry:
                self._look_at_kept()
            if configured != self._configured or (retry and self._unkept):
                self.run(configured, file, "changed file")
            else:
                self._follow_kept()
        except DataFolderError as error:
            self._said = f"pools: {'; '.join(str(error).splitlines())}"

    def _settled(self, change: Callable[[KeptPools | None], KeptPools | None]) -> KeptPools | None:
        """What is kept, on the disk if it takes it, else in memory."""
        try:
            self._kept.mend_text(self._place, KeptPools)
            return self._kept.change_pools(change)
        except OSError as error:
            self._cannot_be_kept(error)
        finally:
            self.damage = self._kept.damage(self._place, _LOST)
        try:
            return change(self._kept.pools())
        except (OSError, DataFolderError):
            return change(self._held)

    def _take(self, kept: KeptPools | None) -> None:
        """Run what is kept."""
        self._held = kept
        self._said = self.unused = self.source = None
        self.pools = self._configured
        if kept is not None:
            entry = kept.current
            self.pools = laid_over(entry.text, self._configured)
            self.source = RunningSource(
                POOLS, entry.hash, entry.text, entry.by, entry.at, self._file, entry.release
            )
            self._complain(entry)
        self._follow_candidate()

    def _complain(self, entry: TakenOver) -> None:
        if lost := lost_names(entry.text, self._configured):
            named = ", ".join(lost[:3])
            self._said = f"pools: the configuration has {named} no more, which ran"
        elif self.pools != self._configured and (entry.release or is_of_a_node(entry.by)):
            problem = overruled_text(self._file, entry.by, entry.release, "weights")
            if not entry.release:  # what a person released is as it should be
                self._said = f"pools: {problem}"
            self.unused = UnusedFile(POOLS, self._file, problem, refused=False)

    def _follow_kept(self) -> None:
        """Run what another process has released or taken over since the last look."""
        seen = signature(self._place)
        if seen is not None and seen != self._seen:
            try:
                kept = self._kept.pools()
            except Damaged:
                self._look_at_kept()
                return
            except OSError:
                return  # what runs is in memory, and the next look tries again
            self._seen = seen
            self._take(kept)
            return
        self._follow_candidate()

    def _follow_candidate(self) -> None:
        def load(text: str, *, file: str) -> tuple[Pool, ...]:
            return read_pools(text, file=file, pools=self._configured)

        runs = "" if self.source is None else self.source.hash
        self._followed.look(runs, self._configured, load)

    def _look_at_kept(self) -> None:
        """Keep what runs anew, where what was kept of it has been damaged or removed since.

        Raises DataFolderError for a newer version's.
        """
        held = self._held
        if held is None:
            return
        try:
            self._kept.mend_text(self._place, KeptPools, lambda _: held)
            if not self._place.exists():
                self._kept.change_pools(lambda old: old or held)
        except OSError as error:
            self._cannot_be_kept(error)
        self.damage = self._kept.damage(self._place, _LOST)

    def _cannot_be_kept(self, error: OSError) -> None:
        self._unkept = f"pools can't be kept in the data folder: {words(error)}"
