"""The audit log: who did what, when and from where; each entry carries the hash of the one before.

A changed, removed or inserted entry breaks the chain there, and `verify_chain` says where. What is
cut off at the end shows by `ChainHead`, or by an exported log that has more.

What to note: a `Deed`, without secrets (a call is named by its CallSid); telephone numbers in what
people write are masked.
A module of the ledger notes it in the transaction that does it; whoever does something elsewhere
calls `AuditLog.note`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.phone_numbers import counted, mask_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from switchhook.access.roles import Viewer

FIRST = bytes(32)
"""What stands for the hash before the first entry."""
LONGEST_TEXT = 256
LONGEST_DETAILS = 4_000


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did.

    `what` is a short phrase of ours ("signed in", "silenced an alert"), never text from outside;
    `subject` what it was done to; `origin` an address, or "command line".
    """

    who: str
    what: str
    subject: str = ""
    origin: str = ""
    details: Mapping[str, str] = msgspec.field(default_factory=dict)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log; `details` is JSON."""

    seq: int
    at_us: int
    who: str
    what: str
    subject: str
    origin: str
    details: str
    hash: bytes


class ChainHead(msgspec.Struct, frozen=True):
    """The entry before the oldest that is kept, its hash, and the newest number ever given."""

    base_seq: int = 0
    base_hash: bytes = FIRST
    newest_seq: int = 0


class ChainResult(msgspec.Struct, frozen=True):
    """What checking found: how many entries follow from each other, and where it breaks if so."""

    verified: int
    broken_at: int | None = None
    problem: str = ""


def deed_of(viewer: Viewer, what: str, subject: str = "", /, **details: str) -> Deed:
    """A deed of somebody at the console; `details` may have any name."""
    return Deed(who=viewer.name, what=what, subject=subject, origin=viewer.origin, details=details)


def entry_of(deed: Deed, seq: int, at_us: int, previous: bytes) -> AuditEntry:
    """The entry for a deed after the one with the hash `previous`.

    Long texts are cut, and numbers masked but in what is `Ours`: people write notes and reasons,
    and no erasure reaches what nobody may change.
    """
    details = msgspec.json.encode(
        {name: _kept(text) for name, text in sorted(deed.details.items())}
    ).decode()
    entry = AuditEntry(
        seq=seq,
        at_us=at_us,
        who=_kept(deed.who),
        what=_cut(deed.what, LONGEST_TEXT),
        subject=_kept(deed.subject),
        origin=_cut(deed.origin, LONGEST_TEXT),
        details=details if len(details) <= LONGEST_DETAILS else '{"cut":"too long"}',
        hash=b"",
    )
    return msgspec.structs.replace(entry, hash=entry_hash(previous, entry))


def entry_hash(previous: bytes, entry: AuditEntry) -> bytes:
    """SHA-256 over the hash before and everything that the entry says.

    The entry goes in as a JSON list in the order below, without blanks, so that anybody can check
    an export with a few lines of any language.
    """
    said = [
        entry.seq,
        entry.at_us,
        entry.who,
        entry.what,
        entry.subject,
        entry.origin,
        entry.details,
    ]
    return hashlib.sha256(previous + msgspec.json.encode(said)).digest()


def verify_chain(entries: Iterable[AuditEntry], head: ChainHead | None = None) -> ChainResult:
    """Check entries, oldest first. With a `head`, also that none is missing at either end."""
    expected_seq, previous = (head.base_seq, head.base_hash) if head else (0, FIRST)
    verified = 0
    for entry in entries:
        expected_seq += 1
        if entry.seq != expected_seq:
            problem = f"entry {counted(expected_seq)} is missing"
            return ChainResult(verified, expected_seq, problem)
        if entry.hash != entry_hash(previous, entry):
            problem = f"entry {counted(entry.seq)}, or the one before it, is not as it was written"
            return ChainResult(verified, entry.seq, problem)
        previous = entry.hash
        verified += 1
    if head and expected_seq != head.newest_seq:
        missing = min(expected_seq, head.newest_seq) + 1
        return ChainResult(
            verified, missing, f"the log ends before entry {counted(missing)}, which was written"
        )
    return ChainResult(verified)


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries; None is any. `before_seq` is for the next page."""

    who: str | None = None
    what: str | None = None
    subject: str | None = None
    since_us: int | None = None
    before_seq: int | None = None


class AuditLog(Protocol):
    """The log in the ledger. Raises LedgerError."""

    def note(self, deed: Deed, now_us: int) -> AuditEntry:
        """Keep a deed that was done elsewhere; do it before you tell that it was done."""

    def entries(self, wanted: AuditFilter, limit: int) -> list[AuditEntry]:
        """The newest first."""

    def oldest_first(self, after_seq: int = 0) -> Iterator[AuditEntry]:
        """All, in steps: the file is not held open between them."""

    def whats(self) -> list[str]:
        """The phrases that occur, for a choice."""

    def head(self) -> ChainHead: ...

    def trim(self, before_us: int, deed: Deed, now_us: int) -> int:
        """Forget what is older, and note it; the chain still holds from there. How many."""

    def oldest_us(self) -> int | None:
        """When the oldest entry was written."""


def _kept(text: str) -> str:
    return _cut(mask_text(text), LONGEST_TEXT)


def _cut(text: str, longest: int) -> str:
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
