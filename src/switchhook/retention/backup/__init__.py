"""All that must not be lost of a data folder as one file: made while it runs, checked, restored."""

from __future__ import annotations

from switchhook.retention.backup.manifest import LEDGER_FILE, MANIFEST, DamagedFile, Manifest, Saved
from switchhook.retention.backup.restoring import check, restore
from switchhook.retention.backup.saving import back_up

__all__ = [
    "LEDGER_FILE",
    "MANIFEST",
    "DamagedFile",
    "Manifest",
    "Saved",
    "back_up",
    "check",
    "restore",
]
