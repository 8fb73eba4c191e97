"""What `check` and a start say of secrets that others can get at."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.config.exposure import open_ports, readable, secret_places
from switchhook.ledger.belonging import read_backup

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config.files import CheckedConfig
    from switchhook.config.live import SettingsKeeper

log = logging.getLogger("switchhook")


def exposed(checked: CheckedConfig, folder: Path) -> list[str]:
    """One sentence each, of a configuration and the data folder that it runs on."""
    backup = read_backup(folder)
    places = secret_places(checked, folder, "" if backup is None else backup.file)
    return [*open_ports(checked.config), *readable(places)]


def warn_of(keeper: SettingsKeeper) -> None:
    """Say it at a start, with what else is questionable in the configuration that runs."""
    checked = keeper.checked
    for each in (*checked.config.warnings, *exposed(checked, keeper.data_folder)):
        log.warning("%s", each)
