"""Where a command finds what it reads: the data folder and the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from switchhook.cli import output
from switchhook.config import Config, load_config
from switchhook.config.console import base_url
from switchhook.config.discovery import find_config
from switchhook.config.files import read_whole
from switchhook.config.keys import RefusedValue
from switchhook.config.last_good import KeptFolder
from switchhook.config.live import find_data_folder
from switchhook.config.own_links import running_config
from switchhook.config.retention import limits_in
from switchhook.errors import ConfigError, DataFolderError
from switchhook.overview.verdict_file import read_verdict
from switchhook.retention.policy import RetentionLimits
from switchhook.server.places import store_of
from switchhook.server.steady_clock import SteadyClock
from switchhook.system.data_folder import first_seq_of_boot, read_identity
from switchhook.system.folder_lock import holder_pid, is_free, url_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.store import PostgresqlStore, SqliteStore
    from switchhook.system.folder_lock import Holder

T = TypeVar("T")

_START_S = 5.0


def found_config(config: str | None, data: str | None) -> str | None:
    """The configuration that is named, or found where no data folder is named either.

    A data folder has the configuration that ran last on it. Raises ConfigError.
    """
    return config if config or data else find_config(None).file


def public_url(said: str | None) -> str | None:
    """How Exotel reaches the answer side, as `--url` says it. Raises ConfigError."""
    if said is None:
        return None
    try:
        return base_url('such as "https://hooks.example.com"')(said)
    except RefusedValue as refused:
        raise ConfigError(refused.problem, key="--url", hint=refused.hint) from None


def found_data_folder(config: str | None, data: str | None) -> Path:
    """The data folder, which may be missing. Raises ConfigError, also for a file that is."""
    if data is None and config is not None and not Path(config).exists():
        hint = "say the right one, or --data"
        raise ConfigError("no such file", file=config, key="--config", hint=hint)
    return find_data_folder(found_config(config, data), data)


def data_folder(config: str | None, data: str | None) -> Path:
    """The data folder, which has to be there. Raises ConfigError, DataFolderError."""
    folder = found_data_folder(config, data)
    read_identity(folder)
    return folder


def not_up(folder: Path, *sides: Holder) -> list[str]:
    """Those of some sides, or of both, that don't listen; one that is starting gets a moment."""
    return [
        f"the {side} side"
        for side in sides or ("answer", "console")
        if url_within(folder, side, _START_S) is None
    ]


def say_not_up(sides: list[str]) -> None:
    """That an address is where somebody is going to listen."""
    if sides:
        says = (
            "are not up yet, and their addresses are"
            if sides[1:]
            else "is not up yet: its address is"
        )
        said = f"{' and '.join(sides)} {says} what the configuration says"
        output.err.print(f"{said} (start it: switchhook serve)", soft_wrap=True)


def store_in(folder: Path) -> SqliteStore | PostgresqlStore:
    """What is folded, to ask."""
    return store_of(folder)


def steady_now_ms(folder: Path, store: SqliteStore | PostgresqlStore | None = None) -> int:
    """Unix time as the console has it: evenly, while the system's clock steps.

    `store` is what is folded, where it is open already.
    """
    return SteadyClock(store or store_in(folder), lambda: first_seq_of_boot(folder)).now_ms()


def console_runs(folder: Path) -> bool:
    """Whether a console runs on a data folder: nobody else dials, and tells answer processes.

    Its lock tells, as the number of one that was killed may be another process's by now, or that
    of what is left of it. One in a container of its own tells by a file, which is good for a while
    after its end.
    """
    if is_free(folder, "console"):
        return False
    if holder_pid(folder, "console") is not None:
        return True
    written = read_verdict(folder)
    return written is not None and written.fresh(steady_now_ms(folder))


def config_in(file: str | None) -> Config:
    """The configuration in a file, or the one without a file. Raises ConfigError, OSError."""
    if file is None:
        return Config()
    return load_config(
        read_whole(file),
        file=file,
        environ=os.environ,
        read_file=lambda path: Path(path).read_bytes(),
    )


def config_for(folder: Path, file: str | None) -> Config:
    """The configuration in a file; where none is named, the one that ran last on a data folder.

    Raises ConfigError, OSError.
    """
    return running_config(folder) if file is None else config_in(file)


def config_or_last(folder: Path, file: str | None) -> Config:
    """The same; where the file can't be used now, that is said, and the one that ran last serves.

    Raises ConfigError, OSError where neither can.
    """
    return _or_last(config_for, folder, file)


def config_for_deed(config: str | None, data: str | None) -> Config:
    """The configuration for what can't be undone: that which is named or found, and no other.

    With a data folder alone it is the one that ran last there. Raises ConfigError, OSError.
    """
    folder, file = found_data_folder(config, data), found_config(config, data)
    try:
        return config_for(folder, file)
    except (ConfigError, OSError):
        output.err.print(
            "nothing was done, as no other configuration stands in for one that is refused where"
            " a deed can't be undone: mend it, or name the data folder alone, by --data"
        )
        raise


def folder_for_deed(config: str | None, data: str | None) -> Path:
    """The data folder for what can't be undone, which may be missing; of a file that checks out.

    Raises ConfigError, OSError.
    """
    if found_config(config, data) is not None:
        config_for_deed(config, data)
    return found_data_folder(config, data)


def there_for_deed(config: str | None, data: str | None) -> Path:
    """The same, which has to be there. Raises SwitchhookError, OSError."""
    folder = folder_for_deed(config, data)
    read_identity(folder)
    return folder


def there_or_last(config: str | None, data: str | None) -> Path:
    """The data folder, which has to be there, to look at it; a file that is refused is said.

    Raises SwitchhookError, OSError.
    """
    folder = data_folder(config, data)
    config_or_last(folder, found_config(config, data))
    return folder


def own_folder_for_deed(config: str | None, data: str | None) -> Path:
    """The same of this user, which has to be there. Raises SwitchhookError, OSError."""
    folder_for_deed(config, data)
    return own_data_folder(config, data)


def _or_last(read: Callable[[Path, str | None], T], folder: Path, file: str | None) -> T:
    try:
        return read(folder, file)
    except (ConfigError, OSError) as error:
        if file is None:
            raise
        found = read(folder, None)
        why = "; ".join(map(output.plain, str(error).splitlines()))
        output.err.print(f"by the configuration that ran last, as {why}")
        return found


def own_data_folder(config: str | None, data: str | None) -> Path:
    """The data folder of this user, which has to be there. Raises ConfigError, DataFolderError."""
    folder = data_folder(config, data)
    if folder.stat().st_uid != os.geteuid():
        problem = "it belongs to another user"
        raise DataFolderError(str(folder), problem, "run this as the user that owns it")
    return folder


def keep_limits(folder: Path, config: str | None) -> RetentionLimits:
    """The limits in the configuration that is named, else in the one that ran last.

    Raises ConfigError, OSError.
    """
    if config is not None:
        return limits_in(read_whole(config).decode(errors="replace"), config)
    kept = KeptFolder(folder).config()
    return RetentionLimits() if kept is None else limits_in(kept.text, kept.file)


def limits_or_last(folder: Path, config: str | None) -> RetentionLimits:
    """The same; where the file can't be used now, that is said, and the one that ran last serves.

    Raises ConfigError, OSError where neither can.
    """
    return _or_last(keep_limits, folder, config)


def is_full(folder: Path) -> bool:
    """Whether the disk of a data folder has hardly any room."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_blocks > 0 and found.f_bavail < 0.01 * found.f_blocks
