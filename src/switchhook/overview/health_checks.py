"""What is checked of both programs, and what a sentence of `/healthz` belongs to."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True):
    """Something that is well or is not: its name, and what it is when it is well."""

    name: str
    well: str


class Meaning(msgspec.Struct, frozen=True):
    """What a sentence belongs to, why it is said, and what to do."""

    check: Check
    why: str = ""
    todo: str = ""


ANSWERING = Check("Answering", "Callers are answered.")
DISK = Check("Receipts", "Every receipt reaches the disk before its answer leaves.")
LET_IN = Check("Let in", "Nothing that looks like a passthru is refused.")
JOURNAL = Check("Journal", "All records can be read, and they are below their ceiling.")
FILES = Check("Your files", "Configuration and rules run as their files say, or as was released.")
OWN_FILES = Check("Own files", "What Switchhook keeps for itself is whole.")
RELEASES = Check("Releases", "Each release decides for whom it was released, and is watched.")
CLOCK = Check("Clock", "The system's clock goes as time goes.")
FOLD = Check("Fold", "All that was received is shown.")
STORE = Check("Store", "Streams, calls and counts can be read and written.")
LEDGER = Check("Ledger", "Users, the audit log, alerts and capacity can be read and written.")
EXOTEL = Check("Exotel's API", "Accounts and calls can be asked for.")
KEEPING = Check("Keep and forget", "Retention, erasures and backups go on.")
NODES = Check(
    "Nodes", "This machine is alone, or one node of its cluster that hands over what it keeps."
)
OTHER = Check("Anything else", "Alerts and traces leave; nothing else is complained of.")

OF_ANSWER = (ANSWERING, DISK, LET_IN, JOURNAL, FILES, RELEASES, OWN_FILES, CLOCK, OTHER)
OF_CONSOLE = (
    FOLD, STORE, LEDGER, JOURNAL, FILES, RELEASES, OWN_FILES, EXOTEL, CLOCK, KEEPING, NODES, OTHER
)  # fmt: skip
