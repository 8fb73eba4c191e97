"""What runs: the configuration and every endpoint's rules, and how changed files are taken over.

A file is taken over only if it checks out. If it doesn't, what ran goes on running, also after a
restart, and a complaint says so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import Damage
from switchhook.config import Config, data_folder_of
from switchhook.config.files import Overrides, read_hash, read_whole, words
from switchhook.config.kept_text import UNDO, KeptRules, TakenOver, undo
from switchhook.config.last_good import KeptFolder, RunningSource, UnusedFile
from switchhook.config.live_config import RunningConfig
from switchhook.config.live_pools import PoolsCandidate, RunningPools
from switchhook.config.live_rules import EndpointRules
from switchhook.config.rules_terms import kinds_of, terms_of
from switchhook.errors import ConfigError, DataFolderError
from switchhook.rules.decide import EndpointKind, Ruleset
from switchhook.rules.rules_file import load_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.config.files import CheckedConfig
    from switchhook.journal.receipt import ConfigApplied

__all__ = ["Overrides", "RunningSource", "Settings", "SettingsKeeper", "find_data_folder"]

POLL_S = 0.2
"""How often to `poll`."""
RETRY_S = 2.0
"""What could not be kept is tried again after so long."""


class Settings(msgspec.Struct, frozen=True):
    """What runs at one time.

    `rulesets` has each endpoint's by its name; `sources` say where the configuration and they came
    from; `complaints` are sentences for the operator, those of `damage` to what is kept included.
    `unused` are the operator's files that hold something else than what runs. `config` has the
    pools that run, with the weights that were released. `candidates` are the rules that decide for
    a share of the callers beside those that run, by endpoint; `pools_candidate` the pools that are
    drawn among for a share.
    """

    config: Config
    rulesets: Mapping[str, Ruleset]
    sources: tuple[RunningSource, ...] = ()
    complaints: tuple[str, ...] = ()
    damage: tuple[Damage, ...] = ()
    unused: tuple[UnusedFile, ...] = ()
    candidates: Mapping[str, Ruleset] = MappingProxyType({})
    pools_candidate: PoolsCandidate | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """What is complained of in the operator's own files."""
        ours = {str(each) for each in self.damage}
        return tuple(each for each in self.complaints if each not in ours)

    @property
    def running(self) -> tuple[ConfigApplied, ...]:
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


class SettingsKeeper:
    """Reads the operator's files, keeps what checks out, and tells when something changes.

    `start` once, then `poll` every `POLL_S`, never two calls at a time. `undo` and
    `history` need neither, and work from another process.
    """

    def __init__(
        self,
        data_folder: str | Path,
        config_file: str | None,
        *,
        environ: Mapping[str, str],
        overrides: Overrides = Overrides(),  # noqa: B008 - it is frozen
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.data_folder = Path(data_folder).absolute()
        self.config_file = None if config_file is None else str(Path(config_file).absolute())
        self._now = now
        self._kept = KeptFolder(self.data_folder)
        self._config = RunningConfig(
            self.config_file,
            self._kept,
            overrides=overrides,
            environ=environ,
            lacking=self._lacking,
            time=self._time,
        )
        self._pools = RunningPools(self._kept, self._time)
        self._rules: dict[str, EndpointRules] = {}
        self._tried = now()

    def start(self) -> Settings:
        """What runs from now on: the files, or what checked out last for those that don't.

        Raises ConfigError where nothing ever checked out, DataFolderError for a newer one.
        """
        self._config.start()
        self._pools.run(self._config.config.pools, self.config_file, "start")
        for point in self._config.config.endpoints:
            terms = terms_of(self._config.config, point)
            self._of(point.name).run(point.rules, terms, "start")
        self._settings = self._composed()
        return self._settings

    @property
    def checked(self) -> CheckedConfig:
        """The configuration that runs, with all that it was made of."""
        return self._config.checked

    def poll(self) -> tuple[Settings | None, tuple[ConfigApplied, ...]]:
        """The new settings where anything changed, complaints included, and what was taken over.

        A changed file is judged once it was the same in two calls; an undo at once.
        """
        now = self._now()
        retry = abs((now - self._tried).total_seconds()) >= RETRY_S
        if retry:
            self._tried = now
        self._config.poll(retry=retry)
        self._pools.poll(self._config.config.pools, self.config_file, retry=retry)
        for point in self._config.config.endpoints:
            terms = terms_of(self._config.config, point)
            self._of(point.name).poll(point.rules, terms, retry=retry)
        before, self._settings = self._settings, self._composed()
        if self._settings == before:
            return None, ()
        ran = {(source.name, source.hash, source.at) for source in before.sources}
        taken = tuple(
            source.take_over
            for source in self._settings.sources
            if (source.name, source.hash, source.at) not in ran
        )
        return self._settings, taken

    def undo(self, endpoint: str, by: str) -> TakenOver:
        """Put the rules before the running ones back; running processes see it at their next poll.

        Raises ConfigError where there are none before, DataFolderError where it can't be written.
        """

        def change(kept: KeptRules | None) -> KeptRules:
            if kept is None or kept.aside:
                problem = f"endpoint {endpoint} has no rules that were taken over from a file"
                raise ConfigError(problem, hint="is it the right name, and the right data folder?")
            back = undo(kept, in_file=read_hash(kept.file), at=self._time(), by=f"{UNDO}{by}")
            if back is None:
                problem = f"endpoint {endpoint} has no rules before those that run"
                raise ConfigError(problem, hint="change the rules file instead")
            _check_undo(kept.current.text, back.current.text, endpoint)
            return back

        try:
            restored = self._kept.change_rules(endpoint, change)
        except OSError as error:
            raise self._unusable("the undo can't be written", error) from error
        assert restored is not None
        return restored.current

    def history(self, endpoint: str) -> tuple[TakenOver, ...]:
        """The take-overs of an endpoint's rules, oldest first; `runs` says which runs.

        Raises ConfigError for what can't be an endpoint's name, DataFolderError.
        """
        try:
            kept = self._kept.rules(endpoint)
        except OSError as error:
            raise self._unusable("the history can't be read", error) from error
        return kept.history if kept else ()

    def runs(self, endpoint: str) -> TakenOver | None:
        """What of an endpoint's history runs; None where the built-in rules do. Raises the same."""
        try:
            kept = self._kept.rules(endpoint)
        except OSError as error:
            raise self._unusable("what runs can't be read", error) from error
        return None if kept is None or kept.aside else kept.current

    def endpoints(self) -> tuple[str, ...]:
        """The endpoints with a history of rules, by name."""
        return self._kept.endpoints()

    def _of(self, endpoint: str) -> EndpointRules:
        if endpoint not in self._rules:
            self._rules[endpoint] = EndpointRules(endpoint, self._kept, self._time)
        return self._rules[endpoint]

    def _lacking(self, config: Config) -> ConfigError | None:
        for point in config.endpoints:
            lacking = self._of(point.name).lacking(point.rules, terms_of(config, point))
            if lacking is not None:
                return lacking
        return None

    def _composed(self) -> Settings:
        config, pools = self._config.config, self._pools
        names = [point.name for point in config.endpoints]
        self._rules = {name: self._rules[name] for name in names}
        rules = self._rules.values()
        damage = (self._config.damage, pools.damage, *(each.damage for each in rules))
        unused = (self._config.unused, pools.unused, *(each.unused for each in rules))
        candidates = {
            name: each.candidate for name, each in self._rules.items() if each.candidate is not None
        }
        return Settings(
            msgspec.structs.replace(config, pools=pools.pools),
            MappingProxyType({name: each.ruleset for name, each in self._rules.items()}),
            (
                self._config.source,
                *filter(None, (pools.source,)),
                *(each.source for each in rules),
            ),
            (
                *self._config.complaints,
                *pools.complaints,
                *(complaint for each in rules for complaint in each.complaints),
            ),
            tuple(each for each in damage if each is not None),
            tuple(each for each in unused if each is not None),
            MappingProxyType(candidates),
            pools.candidate,
        )

    def _time(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds")

    def _unusable(self, problem: str, error: OSError) -> DataFolderError:
        hint = "make room, or check who owns it"
        return DataFolderError(str(self.data_folder), f"{problem}: {words(error)}", hint)


def _check_undo(runs: str, before: str, endpoint: str) -> None:
    """Whether the rules before can run where these do: of one kind. Raises ConfigError."""
    file = f"the rules before those that run at {endpoint}"
    refused: ConfigError | None = None
    for kind in kinds_of(runs) or (EndpointKind.PASSTHRU,):
        try:
            load_rules(before, file=file, kind=kind)
        except ConfigError as error:
            refused = refused or error
        else:
            return
    assert refused is not None
    raise refused
