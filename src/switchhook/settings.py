"""What runs: the configuration and every endpoint's rules, and how changed files are taken over.

A file is taken over only if it checks out. If it doesn't, what ran goes on running, also after a
restart, and a complaint says so.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from switchhook.config import Config, EndpointConfig, data_folder_of, override, without_secrets
from switchhook.errors import ConfigError, DataFolderError
from switchhook.kept import (
    Damaged,
    KeptConfig,
    KeptFolder,
    KeptRules,
    TakenOver,
    bounded,
    settle,
    undo,
)
from switchhook.operator_files import (
    Candidate,
    Overrides,
    Watch,
    kept_candidate,
    read_config,
    read_whole,
    signature,
)
from switchhook.receipt import TakeOver
from switchhook.rules import BUILTIN, Ruleset, load_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Overrides", "Settings", "SettingsKeeper", "Source", "find_data_folder"]

RETRY_S = 5.0
"""What could not be kept is tried again after so long."""
CONFIG = "config"

Look = Ruleset | ConfigError
"""What a rules file was when it was read last."""


class Source(msgspec.Struct, frozen=True):
    """Where something that runs came from. `text` has no secrets; `file` is None for built-in."""

    name: str
    hash: str
    text: str
    by: str
    at: str
    file: str | None = None

    @property
    def take_over(self) -> TakeOver:
        return TakeOver(self.name, self.hash, self.text, self.by)


class Settings(msgspec.Struct, frozen=True):
    """What runs at one time. `rulesets` and `sources` have an entry for each endpoint."""

    config: Config
    rulesets: Mapping[str, Ruleset]
    sources: tuple[Source, ...]
    complaints: tuple[str, ...] = ()

    @property
    def running(self) -> tuple[TakeOver, ...]:
        """Everything that runs, as the journal keeps it when a process starts."""
        return tuple(source.take_over for source in self.sources)


def find_data_folder(config_file: str | None, data: str | None) -> Path:
    """The data folder: what the command line says, else the file, even a damaged one."""
    if data is not None or config_file is None:
        return Path(Config().data if data is None else data)
    try:
        content = read_whole(config_file)
    except OSError:
        content = b""
    return Path(data_folder_of(content, file=config_file))


class _RunningConfig(msgspec.Struct, frozen=True):
    config: Config
    source: Source
    candidate: Candidate | None = None  # None: built-in
    complaints: tuple[str, ...] = ()
    unkept: bool = False


class _RunningRules(msgspec.Struct, frozen=True):
    ruleset: Ruleset
    source: Source
    look: Look | None = None
    complaints: tuple[str, ...] = ()
    unkept: bool = False


class SettingsKeeper:
    """Reads the operator's files, keeps what checks out, and tells when something changes.

    `start` once, then `poll` about five times a second, both in one thread at a time. `undo` and
    `history` need neither, and may be called in another process.
    """

    def __init__(
        self,
        data_folder: str | Path,
        config_file: str | None,
        *,
        overrides: Overrides = Overrides(),
        environ: Mapping[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.data_folder = Path(data_folder).absolute()
        self.config_file = None if config_file is None else str(Path(config_file).absolute())
        self._overrides, self._environ, self._now = overrides, environ, now
        self._kept = KeptFolder(self.data_folder)
        self._damage: dict[Path, str] = {}
        self._watch_config, self._watches = Watch(), dict[str, Watch]()
        self._config_paths: tuple[str, ...] = ()
        self._kept_seen: dict[str, object] = {}
        self._config: _RunningConfig
        self._rules: dict[str, _RunningRules] = {}
        self._tried = self._now()

    def start(self) -> Settings:
        """What runs from now on: the files, or what checked out last for those that don't.

        Raises ConfigError where nothing ever checked out, DataFolderError for a newer one.
        """
        self._config, looks = self._first_config()
        self._rules = {
            point.name: self._judge(point, looks.get(point.name), "start")
            for point in self._config.config.endpoints
        }
        self._settings = self._compose()
        return self._settings

    def poll(self) -> tuple[Settings | None, tuple[TakeOver, ...]]:
        """The new settings where anything changed, complaints included, and what was taken over.

        A changed file is judged once it was the same in two calls; an undo at once.
        """
        now = self._now()
        retry = abs((now - self._tried).total_seconds()) >= RETRY_S
        watched = (self.config_file, *self._config_paths) if self.config_file else ()
        before = self._settings
        looks: dict[str, Look] = {}
        moved = {
            name
            for name, point in self._files().items()
            if self._watches.setdefault(name, Watch()).settled((point,))
        }
        changed = self._watch_config.settled(watched) or (retry and self._config.unkept)
        if changed:
            looks = self._judge_config()
        for point in self._config.config.endpoints:
            running = self._rules.get(point.name)
            if running is None or running.source.file != point.rules or point.name in looks:
                self._rules[point.name] = self._judge(point, looks.get(point.name), "changed file")
            elif point.name in moved or (retry and running.unkept):
                self._rules[point.name] = self._judge(point, None, "changed file")
            elif point.rules is not None and self._kept_moved(point.name):
                self._rules[point.name] = self._adopt(point, running)
            else:
                continue
            changed = True
        if retry:
            self._tried = now
        if not changed:
            return None, ()
        self._settings = self._compose()
        taken = _taken_over(before, self._settings)
        return (None if self._settings == before else self._settings), taken

    def undo(self, endpoint: str, by: str) -> TakenOver:
        """Put the rules before the running ones back; running processes see it at their next poll.

        Raises ConfigError where there are none before, DataFolderError where it can't be written.
        """

        def change(kept: KeptRules | None) -> KeptRules:
            if kept is None:
                problem = f"endpoint {endpoint} has no rules that were taken over"
                raise ConfigError(problem, hint="is it the right name and data folder?")
            try:
                in_file = hashlib.sha256(read_whole(kept.file)).hexdigest()
            except OSError:
                in_file = None
            back = undo(kept, in_file=in_file, at=self._time(), by=f"undo: {by}")
            if back is None:
                problem = f"endpoint {endpoint} has no rules before those that run"
                raise ConfigError(problem, hint="change the rules file instead")
            load_rules(back.current.text, file=f"the rules before ({back.current.at})")
            return back

        try:
            return self._kept.change_rules(endpoint, change).current
        except OSError as error:
            problem = f"the undo can't be written: {_words(error)}"
            hint = "make room, or check who owns it"
            raise DataFolderError(str(self.data_folder), problem, hint) from error

    def history(self, endpoint: str) -> tuple[TakenOver, ...]:
        """The take-overs of an endpoint's rules, oldest first; the last is the one that runs."""
        try:
            kept = self._kept.rules(endpoint)
        except OSError as error:
            problem = f"the history can't be read: {_words(error)}"
            raise DataFolderError(str(self.data_folder), problem, "check who owns it") from error
        return kept.history if kept else ()
