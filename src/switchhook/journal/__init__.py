"""The journal: an append-only log of small binary records in SQLite files.

`JournalWriter` is the one who writes, `JournalReader` any number of those who read,
`SealedSegments` the one who deletes and masks what is not written any more. What a record is,
says `receipt`; those who write, read and seal see its kind and its bytes.
"""

from switchhook.journal.reader import AskedQuestions, JournalReader
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
