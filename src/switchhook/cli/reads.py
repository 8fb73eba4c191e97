"""Commands that print whole numbers say so to the audit log first, or print them masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import output
from switchhook.cli.ledger import deed, now_us
from switchhook.errors import LedgerError
from switchhook.server.places import has_ledger, ledger_of

if TYPE_CHECKING:
    from pathlib import Path


def not_noted() -> bool:
    """Say that numbers are masked, as the database that notes reads is away: False."""
    output.err.print("numbers are masked, as this read can't be noted meanwhile")
    return False


def noted(folder: Path, command: str, **asked: str | None) -> bool:
    """Note that whoever runs a command reads numbers by it; where False, it has to mask them.

    `asked` is what was asked for. A machine without a ledger has no audit log, and says so.
    """
    if not has_ledger(folder):
        output.err.print("there is no ledger here, so this read is in no audit log")
        return True
    said = {name: text for name, text in asked.items() if text}
    try:
        ledger = ledger_of(folder)
        try:
            what = "read numbers by command line"
            LedgerAudit(ledger).note(deed(what, command, **said), now_us())
        finally:
            ledger.close()
    except LedgerError as error:
        output.err.print(
            f"numbers are masked, as this read can't be noted: {error}", soft_wrap=True
        )
        return False
    return True
