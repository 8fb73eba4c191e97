"""What the operator's files and the data folder look like: right, ours, and for nobody else."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.config.files import (
    CheckedConfig,
    Inputs,
    Overrides,
    check_config,
    read_whole,
    words,
)
from switchhook.config.last_good import KeptFolder
from switchhook.doctor.endpoint_queries import rules_state
from switchhook.doctor.finding import fail, ok, unchecked, warn
from switchhook.errors import ConfigError, DataFolderError, SwitchhookError
from switchhook.server.exposed import exposed
from switchhook.system.data_folder import read_identity
from switchhook.system.file_system import mounted, refuse_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.config import Config
    from switchhook.doctor.finding import Finding

_MOST = 10


def check_configuration(
    file: str | None, folder: Path, environ: Mapping[str, str]
) -> tuple[CheckedConfig | None, list[Finding]]:
    """The configuration in a file where it checks out, and what is found of it."""
    check = "configuration"
    if file is None:
        return None, [ok(check, "no file: by what ran last on the data folder, or the defaults")]
    try:
        checked = check_config(
            read_whole(file),
            str(Path(file).absolute()),
            Overrides(),
            Inputs(environ),
        )
    except ConfigError as error:
        lines = str(error).splitlines()
        return None, [fail(check, each, f"see switchhook check {file}") for each in lines[:_MOST]]
    except OSError as error:
        return None, [fail(check, f"{file} can't be read: {words(error)}", _readable_by(file))]
    found = [warn(check, *_parted(each)) for each in checked.config.warnings]
    if not _runs(checked, folder):
        problem = f"{file} holds something else than runs, or ran last"
        todo = "a running server takes it over within a second, or says in its log why not"
        found.append(warn(check, problem, todo))
    return checked, found or [ok(check, f"{file} checks out")]


def _runs(checked: CheckedConfig, folder: Path) -> bool:
    """Whether it is what was taken over last; True where nothing ever was, or none can tell."""
    try:
        kept = KeptFolder(folder).config()
    except (OSError, SwitchhookError):
        return True
    return kept is None or checked.same(kept.text, kept.files, kept.variables)


def check_rules(folder: Path, config: Config) -> list[Finding]:
    """The rules files beside what runs."""
    found = []
    for point in config.endpoints:
        check, state = f"rules of {point.name}", rules_state(folder, config, point)
        if state.state in ("refused", "missing"):
            todo = "mend the file: until then the rules before it run"
            found.append(fail(check, state.problem.replace("\n", "; "), todo))
        elif state.state == "undone":
            todo = (
                "change the file: whatever else checks out is taken over; what runs is shown by"
                f" `switchhook rules show {point.name}`"
            )
            found.append(warn(check, state.problem, todo))
        elif state.state == "released":
            if state.problem:
                todo = f"write what runs into the file: `switchhook rules show {point.name}`"
                found.append(warn(check, state.problem, todo))
        elif state.state in ("changed", "unknown"):
            todo = "a server takes it over when it starts, and within a second while it runs"
            found.append(warn(check, state.problem, todo))
        elif state.problem:
            todo = f"it runs all the same: switchhook check {point.rules}"
            found.append(warn(check, state.problem.replace("\n", "; "), todo))
        else:
            found.append(ok(check, f"{point.rules or 'the built-in ones'}: {state.state}"))
    return found


def check_exposure(checked: CheckedConfig | None, folder: Path, config: Config) -> list[Finding]:
    """What others of this machine or of the network can read that they should not."""
    said = exposed(checked or CheckedConfig(config, "", {}, {}), folder)
    found = [warn("who can read secrets", *_parted(each)) for each in said]
    return found or [ok("who can read secrets", "only the user that owns them")]


def check_folder(folder: Path) -> list[Finding]:
    """Whether the data folder can be used, and by whom this is asked."""
    check = "data folder"
    if not folder.exists():
        problem = f"{folder} is not there yet"
        return [unchecked(check, problem, "`switchhook serve` makes it; or name it by --data")]
    owner, me = folder.stat().st_uid, os.geteuid()
    try:
        refuse_network(folder, mounted())
        read_identity(folder)
    except DataFolderError as error:
        if owner != me and not os.access(folder, os.R_OK | os.X_OK):
            todo = f"run this as {_user(owner)}: sudo -u {_user(owner)} switchhook doctor"
            return [unchecked(check, f"{folder} belongs to {_user(owner)}", todo)]
        return [fail(check, f"{folder}: {error.problem}", error.hint)]
    whose = f"it belongs to {_user(owner)}"
    if me not in (0, owner):
        return [warn(check, f"{folder}: {whose}, and not to you", f"sudo -u {_user(owner)} …")]
    strangers = [each for each in _top(folder) if each.stat().st_uid != owner]
    if strangers:
        problem = f"{folder}: {whose}, but {strangers[0].name} in it belongs to another"
        todo = f"chown -R {_user(owner)}: {folder}"
        return [fail(check, problem, todo)]
    return [ok(check, f"{folder}: {whose}")]


def _top(folder: Path) -> list[Path]:
    return [*folder.iterdir(), *(each for name in ("journal", "store", "ledger", "kept")
            if (folder / name).is_dir() for each in (folder / name).iterdir())]  # fmt: skip


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _readable_by(file: str) -> str:
    return f"let {_user(os.geteuid())} read it, or run this as who may: {file}"


def _parted(sentence: str) -> tuple[str, str]:
    """A warning of ours, and what it says to do."""
    if sentence.endswith(")") and " (" in sentence:
        said, _, todo = sentence[:-1].rpartition(" (")
        return said, todo
    said, _, todo = sentence.rpartition(": ")
    return (said, todo) if said else (sentence, "")
