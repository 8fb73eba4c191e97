"""The small files of the data folder that nobody reads until they are needed: looked at before."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.checked_json import Damage
from switchhook.errors import DataFolderError
from switchhook.ledger.belonging import read_backup
from switchhook.retention.erasure_list_file import FILE as ERASURES
from switchhook.retention.erasure_list_file import read_list

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.system.data_folder import DataFolder

LOOK_S = 60.0
"""How often to look; the bytes are read, as a bit that flips changes neither size nor time."""

_MEND = (
    "restore that file from an older backup, run `switchhook rebuild`, and make another backup;"
    " what can't be read is lost else"
)

log = logging.getLogger("switchhook")


class OwnFiles:
    """The identity, which is written anew, the list of erasures, and what the newest backup found.

    `look` touches the disk.

    What is kept of the operator's files has its own keeper.
    """

    def __init__(self, held: DataFolder) -> None:
        self._held = held
        self.damage: tuple[Damage, ...] = ()
        self.looked = False
        """Whether it has looked once: nothing is known of what is damaged before."""

    def look(self) -> None:
        """See what is damaged now, and log what was not seen before."""
        try:
            found = tuple(self._look())
        except OSError:
            return  # a disk that fails is told of by what needs it
        for each in found:
            if each not in self.damage:
                log.error("%s", each)
        self.damage, self.looked = found, True

    def _look(self) -> Iterable[Damage]:
        identity = self._held.keep_identity()
        if identity is not None:
            yield identity
        backup = read_backup(self._held.path)
        for said in () if backup is None else backup.damaged:
            yield Damage(f"the newest backup holds damage: {said}", _MEND)
        try:
            read_list(self._held.path / ERASURES, self._held.node)
        except DataFolderError as error:
            yield Damage(f"the list of erasures, {ERASURES}: {error.problem}", error.hint)
