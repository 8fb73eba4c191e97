"""The journal: an append-only log of small binary records in SQLite files.

`JournalWriter` is the one who writes, `JournalReader` any number of those who read,
`SealedSegments` the one who deletes and masks what is not written any more. What a record is,
says `receipt`; those who write, read and seal see its kind and its bytes.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchhook.journal.asked import AskedQuestions
    from switchhook.journal.reader import JournalReader
    from switchhook.journal.sealed import SealedSegments
    from switchhook.journal.segment import Record
    from switchhook.journal.upkeep import JournalEvent
    from switchhook.journal.writer import JournalWriter

__all__ = [
    "AskedQuestions",
    "JournalEvent",
    "JournalReader",
    "JournalWriter",
    "Record",
    "SealedSegments",
]
_PLACES = {
    "AskedQuestions": "asked",
    "JournalEvent": "upkeep",
    "JournalReader": "reader",
    "JournalWriter": "writer",
    "Record": "segment",
    "SealedSegments": "sealed",
}


def __getattr__(name: str) -> object:
    """Loaded by the first that asks: who only reads has no use for what a receipt means."""
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
