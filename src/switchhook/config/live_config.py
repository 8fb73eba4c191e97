"""The configuration as it runs: taken over from its file, or kept from before."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import Damage
from switchhook.cluster.settings import is_same_database
from switchhook.config import Config, override, without_secrets
from switchhook.config.files import (
    CheckedConfig,
    FileWatch,
    Inputs,
    Overrides,
    check_config,
    is_missing,
    read_whole,
    recheck_config,
    words,
)
from switchhook.config.kept_files import Damaged
from switchhook.config.kept_text import TakenOver
from switchhook.config.last_good import (
    KeptConfig,
    KeptFolder,
    RunningSource,
    UnusedFile,
    settle_config,
)
from switchhook.errors import ConfigError, DataFolderError
from switchhook.journal.receipt import Keep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.cluster.settings import ClusterSettings

    Lacking = Callable[[Config], ConfigError | None]

_NAME = "configuration"
_LOST = f"{_NAME}: what was kept of it"
_BY_HAND = "commands go by it: start with that file, or remove kept/config.json"
_WAY_BACK = "put the file back, or restore a backup"


class RunningConfig:
    """Which configuration runs, where it came from, and what is to be complained about.

    `lacking` tells why the endpoints of a configuration could not run: one that names rules which
    never checked out does not check out itself.
    """

    def __init__(
        self,
        file: str | None,
        kept: KeptFolder,
        *,
        overrides: Overrides,
        environ: Mapping[str, str],
        lacking: Lacking,
        time: Callable[[], str],
    ) -> None:
        self._file, self._kept, self._time = file, kept, time
        self._overrides, self._environ, self._lacking = overrides, environ, lacking
        self.config = Config()
        self.source = RunningSource("config", hashlib.sha256(b"").hexdigest(), "", "built-in", "")
        self.damage: Damage | None = None
        self.unused: UnusedFile | None = None
        self._said: tuple[str, ...] = ()
        self._checked: CheckedConfig | None = None
        self._watch = FileWatch()
        self._paths: tuple[str, ...] = ()
        self._unkept: str | None = None
        self._useless = ""
        """Why what was kept of it can't run."""

    @property
    def complaints(self) -> tuple[str, ...]:
        """Sentences for the operator."""
        damage = None if self.damage is None else str(self.damage)
        return (*self._said, *filter(None, (damage, self._unkept)))

    @property
    def checked(self) -> CheckedConfig:
        """What runs, with all that it was made of."""
        return self._checked or CheckedConfig(self.config, "", {}, {})

    def start(self) -> None:
        """Run the file's, or the kept one where that doesn't check out.

        Raises ConfigError where there is neither, or where a file is named that is not there and
        never ran here; DataFolderError for a newer version's.
        """
        if self._file is None:
            self.config = self._overrides.apply(Config())
            self._look_at_kept()
            return
        kept = self._read_kept()
        self._checked = self._recheck(kept)
        look = self._look(self._file)
        if isinstance(look, CheckedConfig):
            self._take(self._file, look, "start")
            self.config = look.config
            return
        if kept is None or self._checked is None:
            if self.damage is not None:
                look.hint = "; ".join(filter(None, (look.hint, self.damage.problem, _WAY_BACK)))
            elif self._useless:
                said = f"what ran last can't run either: {self._useless}"
                look.hint = "; ".join(filter(None, (look.hint, said)))
            raise look
        if kept.file != self._file and is_missing(self._file):
            # Another name is a slip of whoever starts it; only a file that ran can have vanished.
            look.hint = f"what ran last on the data folder is {kept.file}: name that, or make it"
            raise look
        last = kept.history[-1]
        self.config = self._checked.config
        self.source = _source(last, kept.file)
        self._complain(look)

    def poll(self, *, retry: bool) -> None:
        """Look whether the file, or a secret file, changed; `retry` what could not be kept."""
        if retry:
            self._look_at_kept()
        if self._file is None:
            return
        resting = self._watch.settled((self._file, *self._paths))
        if not resting and not (retry and self._unkept):
            return
        look = self._look(self._file)
        if isinstance(look, ConfigError):
            self._complain(look)
            return
        old, new = self.config, look.config
        later = _restart_for(old, new)
        try:
            pinned = override(_pinned(old, new))
        except ConfigError as error:
            self._complain(_not_before(later, error) if later else error)
            return
        self._take(self._file, look, "changed file")
        self.config = pinned
        self._complain(None, *((f"{_NAME}: {later}",) if later else ()))

    def _look(self, file: str) -> CheckedConfig | ConfigError:
        inputs = Inputs(self._environ)
        self._paths = ()
        try:
            checked = check_config(read_whole(file), file, self._overrides, inputs)
        except OSError as error:
            return ConfigError(f"it can't be read: {words(error)}", file=file)
        except ConfigError as error:
            return error
        finally:
            self._paths = tuple(inputs.paths)
        before = self._checked
        short = _cut_short(checked, before, file) if before is not None else ""
        if short:
            problem = "it is the beginning of the one that runs: was it cut short?"
            hint = "if you mean it, add a comment at its end"
            return ConfigError(problem, file=short, hint=hint)
        lacking = self._lacking(checked.config)
        if lacking is not None:
            rules = {each.rules for each in checked.config.endpoints if each.rules}
            self._paths += tuple(sorted(rules))
            return lacking
        return checked

    def _read_kept(self) -> KeptConfig | None:
        try:
            self._kept.mend(self._kept.config_file, KeptConfig, lambda _: None)
            return self._kept.config()
        except OSError as error:
            self._unkept = f"{_NAME} can't be read in the data folder: {words(error)}"
            return None
        finally:
            self.damage = self._kept.damage(self._kept.config_file, _LOST)

    def _look_at_kept(self) -> None:
        """Keep what runs anew, where what was kept of it has been damaged or removed since.

        Without a file nothing is kept: what was before is for commands, and only said.
        """
        file = self._kept.config_file
        try:
            if self._checked is None:
                self._kept.config()
            else:
                self._kept.mend(file, KeptConfig, lambda _: self._as_it_runs())
                if not file.exists():
                    self._kept.change_config(lambda old: old or self._as_it_runs())
        except Damaged as error:
            self.damage = Damage(f"{_NAME}: {error.problem}, which was kept of a file", _BY_HAND)
            return
        except (OSError, DataFolderError) as error:
            self._cannot_be_kept(error)
        self.damage = self._kept.damage(file, _LOST)

    def _as_it_runs(self) -> KeptConfig:
        """What is kept of the configuration that runs, where nothing else is."""
        look, source = self._checked, self.source
        assert look is not None
        entry = TakenOver(1, source.hash, source.at, source.by, source.text)
        file = source.file or self._file or ""
        return KeptConfig(file, look.text, look.files, look.variables, (entry,))

    def _recheck(self, kept: KeptConfig | None) -> CheckedConfig | None:
        """The kept configuration, if it still checks out; an older version may have kept it."""
        if kept is None:
            return None
        try:
            checked = recheck_config(
                kept.text,
                kept.file,
                self._overrides,
                files=kept.files,
                variables=kept.variables,
            )
        except ConfigError as error:
            self._useless = str(error)
            return None
        lacking = self._lacking(checked.config)
        self._useless = "" if lacking is None else str(lacking)
        return checked if lacking is None else None

    def _take(self, file: str, look: CheckedConfig, by: str) -> None:
        """Keep what runs from now on, and say where it came from."""
        record = without_secrets(look.text)
        digest = hashlib.sha256(record.encode()).hexdigest()
        found = TakenOver(0, digest, self._time(), by, record)

        def change(old: KeptConfig | None) -> KeptConfig:
            new = KeptConfig(file, look.text, look.files, look.variables, (found,))
            return settle_config(old, new)

        self._unkept = None
        known = self._checked is not None and self._checked.same(
            look.text, look.files, look.variables
        )
        try:
            entry = self._kept.change_config(change).history[-1]
        except (OSError, DataFolderError) as error:
            self._cannot_be_kept(error)
            entry = found
        if not known or self.source.file is None:
            self.source = _source(entry, file)
        self._checked = look
        self._complain(None)

    def _cannot_be_kept(self, error: OSError | DataFolderError) -> None:
        said = words(error) if isinstance(error, OSError) else str(error)
        self._unkept = f"{_NAME} can't be kept in the data folder: {said}"

    def _complain(self, error: ConfigError | None, *more: str) -> None:
        self._said, self.unused = more, None
        file = self._file or ""
        if more:
            self.unused = UnusedFile("config", file, "\n".join(more), refused=False)
        if error is not None:
            self.unused = UnusedFile("config", file, str(error))
            said = "; ".join(str(error).splitlines())
            self._said = (f"{_NAME}: {said}; that of {self.source.at} goes on running", *more)


def _source(entry: TakenOver, file: str) -> RunningSource:
    return RunningSource("config", entry.hash, entry.text, entry.by, entry.at, file)


def _cut_short(checked: CheckedConfig, before: CheckedConfig, file: str) -> str:
    """The file that seems to have lost its end: the configuration's, or one of whom not to call.

    Of secrets, who takes the last one out means it.
    """
    if checked.config == before.config:
        return ""
    if checked.text != before.text and before.text.startswith(checked.text):
        return file
    fewer = _not_to_call(before.config) - _not_to_call(checked.config)
    for path, text in checked.files.items() if fewer else ():
        was = before.files.get(path, "")
        if text != was and was.startswith(text):
            return path
    return ""


def _not_to_call(config: Config) -> set[tuple[str, str]]:
    return {(each.name, number) for each in config.accounts for number in each.do_not_call}


def _pinned(old: Config, new: Config) -> Config:
    """The new one, but for what can't move under a running process: where it listens, its data.

    Whoever asks the nodes' database may be another from now on, or have another password. Nor does
    one that runs alone begin to keep receipts twice.
    """
    pinned = msgspec.structs.replace(
        new,
        data=old.data,
        answer=old.answer,
        console=old.console,
        journal=old.journal,
        cluster=_with_credentials(old.cluster, new.cluster),
        traces=old.traces,
    )
    if old.cluster.database is not None or new.cluster.database is None:
        return pinned
    alone = (msgspec.structs.replace(each, keep=Keep.LOCAL) for each in new.endpoints)
    return msgspec.structs.replace(pinned, endpoints=tuple(alone))


def _with_credentials(old: ClusterSettings, new: ClusterSettings) -> ClusterSettings:
    """The old settings, by the new URL where that leads to the same database."""
    if old.database and new.database and is_same_database(old.database, new.database):
        return msgspec.structs.replace(old, database=new.database)
    return old


def _restart_for(old: Config, new: Config) -> str:
    """What changed that a running process can't take over; empty where nothing did."""
    old = msgspec.structs.replace(old, cluster=_with_credentials(old.cluster, new.cluster))
    keys = ["data"] if old.data != new.data else []
    for section in ("answer", "console", "journal", "cluster", "traces"):
        was, now = (msgspec.structs.asdict(getattr(each, section)) for each in (old, new))
        keys += [f"{section}.{key}" for key in was if was[key] != now[key]]
    if not keys:
        return ""
    said = f"{', '.join(keys)} changed; that takes a restart"
    if old.cluster.database is None and new.cluster.database is not None:
        return f"{said}, and `switchhook cluster join` before it"
    return said


def _not_before(later: str, error: ConfigError) -> ConfigError:
    """Of a file that checks out, but not beside what can't move before a restart."""
    said = "; ".join(str(error).splitlines())
    return ConfigError(f"{later}, and the rest waits for it, as beside what runs: {said}")
