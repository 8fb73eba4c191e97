"""The way back of a ledger that is missing, damaged or not the right one: out of a backup."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli.erasing_again import preparing
from switchhook.cli.ledger import deed, now_us
from switchhook.errors import BackupError, DataFolderError, LedgerError
from switchhook.exotel.phone_numbers import counted
from switchhook.ledger.belonging import note_file
from switchhook.retention import backup as backups
from switchhook.retention import erasure_list_file
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER, DataFolder, read_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from switchhook.retention.erasure import Proof


def restore_ledger(
    source: Path,
    folder: Path,
    identities: Path | None,
    lists: Sequence[Path],
    proofs: list[Proof],
    progress: Callable[[str], None],
) -> backups.Manifest:
    """Put the ledger of a backup in the place of the one there, which is moved aside.

    What was erased since is erased in it again: `lists` name what, `proofs` gets the proofs.

    Raises BackupError, DataFolderError, LedgerError.
    """
    identity, place = read_identity(folder), folder / LEDGER
    with ExitStack() as held:
        _stop_unless_lost(folder, held)
        aside = folder / f".{LEDGER}-of-a-backup"
        shutil.rmtree(aside, ignore_errors=True)
        held.callback(shutil.rmtree, aside, ignore_errors=True)
        manifest = backups.restore(
            source,
            aside,
            identities=identities,
            only=f"{LEDGER}/",
            progress=progress,
            prepare=preparing(source, [folder / erasure_list_file.FILE, *lists], proofs, progress),
        )
        _check(source, manifest, identity.node)
        if place.exists():
            place.rename(folder / f"{LEDGER}-before-{time.strftime('%Y%m%d-%H%M%S')}")
        (aside / LEDGER).rename(place)
        _sync(folder)
        noted = note_file(place)
        assert noted is not None, "a data folder has an identity"
        noted.unlink(missing_ok=True)
    ledger = open_ledger(place)  # and notes it as the one that belongs here
    LedgerAudit(ledger).note(deed("restored the ledger", made=manifest.made), now_us())
    ledger.close()
    return manifest


def _check(source: Path, manifest: backups.Manifest, node: int) -> None:
    nothing = "take another backup; nothing was changed"
    if manifest.node != node:
        ours = f"this one is node {counted(node)}"
        problem = f"is of another data folder (node {counted(manifest.node)}, {ours})"
        raise BackupError(str(source), problem, nothing)
    if not any(saved.name.startswith(f"{LEDGER}/") for saved in manifest.files):
        raise BackupError(str(source), "has no ledger", nothing)
    for each in manifest.damaged or ():
        if each.name == backups.LEDGER_FILE:
            hint = "take an older backup; nothing was changed"
            raise BackupError(str(source), f"its {each}", hint)


def _stop_unless_lost(folder: Path, held: ExitStack) -> None:
    """Hold the console's place; a console that waits for its ledger may go on waiting."""
    try:
        held.enter_context(DataFolder.open(folder, "console"))
    except DataFolderError as error:
        try:
            open_ledger(folder / LEDGER).close()
        except LedgerError:
            return
        hint = "stop the console first; nothing was changed"
        raise DataFolderError(str(folder), error.problem, hint) from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
