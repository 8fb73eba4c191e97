"""What others can reach that they should not: files with secrets, and ports without encryption.

Sentences for the operator, with the command that mends it; nothing is changed.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.system.data_folder import IDENTITY, LEDGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from switchhook.config import Config
    from switchhook.config.files import CheckedConfig

_GROUP, _OTHERS = 0o070, 0o007


def open_ports(config: Config) -> Iterator[str]:
    """The sides that a network reaches without a proxy that could encrypt."""
    answer, console = config.answer, config.console
    if not answer.listen.loopback and not answer.trusted_proxies:
        yield (
            f"answer.listen: {answer.listen} takes plain HTTP from the network, so secrets and"
            " numbers cross it for all to read (put a proxy with https before it, and name its"
            " address in answer.trusted_proxies)"
        )
    bots = config.ofrep.listen
    if bots is not None and not bots.loopback:
        yield (
            f"ofrep.listen: {bots} takes plain HTTP from the network, so tokens and what bots say"
            " of callers cross it for all to read (listen on loopback behind a proxy with https, or"
            " on a network of your own)"
        )
    if not console.listen.loopback and not console.trusted_proxies:
        yield (
            f"console.listen: {console.listen} takes plain HTTP from the network, so passwords and"
            " sessions cross it for all to read (put a proxy with https before it, and name its"
            " address in console.trusted_proxies)"
        )


def readable_problem(path: str, mode: int, owner: int, me: int) -> str | None:
    """What is wrong with the permissions of a file or folder with secrets; None where nothing is.

    A group may read what belongs to another user: that is how we are given it.
    """
    others, group = mode & _OTHERS, mode & _GROUP and owner == me
    if not others and not group:
        return None
    who = "everybody on this machine" if others else "its group"
    private = 0o700 if stat.S_ISDIR(mode) else 0o600
    mend = f"chmod {private & mode & 0o700:o} {shlex.quote(path)}"
    return f"{path} holds secrets, and {who} may read it (mode {stat.S_IMODE(mode):04o}): {mend}"


def readable(paths: Iterable[str | Path]) -> Iterator[str]:
    """What is wrong with files and folders that hold secrets; those that aren't there are left."""
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116 - a link's target is what counts
        except OSError:
            continue
        problem = readable_problem(str(path), found.st_mode, found.st_uid, os.geteuid())
        if problem is not None:
            yield problem


def secret_places(checked: CheckedConfig, folder: Path, backup: str = "") -> list[str | Path]:
    """Where secrets lie: the configuration if it has some itself, those it names, the data.

    `backup` is the newest one, where it is known.
    """
    said = [secret.reveal() for point in checked.config.endpoints for secret in point.secrets]
    itself = [checked.config.file] if any(each in checked.text for each in said) else []
    ours: list[str | Path] = []
    if (folder / IDENTITY).exists():  # else it is none yet, and will be tightened when it is made
        ledger = folder / LEDGER
        ours = [folder, folder / IDENTITY, ledger, ledger / "ledger.sqlite"]
    return [*itself, *checked.files, *ours, *([backup] if backup else [])]
