"""The rows of releases in the ledger, and what is read of them.

A row that can't be read whole stands for itself all the same, and its standing says so.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, Index, MetaData, Table

from switchhook.exotel.phone_numbers import HIDDEN
from switchhook.ledger.sql import COUNTED, KEYED, Blob, Number, Text
from switchhook.releases.release import Release, ReleaseAct, ReleaseState, Standing, Step

if TYPE_CHECKING:
    from sqlalchemy import Row

TABLES = MetaData()
RELEASES = Table(
    "releases",
    TABLES,
    Column("number", Number, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("made", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since_ms", Number, nullable=False),
    Column("share", Number, nullable=False),
    Column("said", Text, nullable=False),
    Index("releases_of_subject", "subject", "number"),
    **COUNTED,
)
STEPS = Table(
    "release_steps",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("number", Number, nullable=False),
    Column("act", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("said", Text, nullable=False),
    Index("release_steps_of_subject", "subject", "id"),
    **COUNTED,
)
REPORTS = Table(
    "release_reports",
    TABLES,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("at_ms", Number, nullable=False),
    Column("body", Blob, nullable=False),
    **KEYED,
)


class Made(msgspec.Struct, frozen=True, omit_defaults=True):
    """What never changes of a release, beside its text."""

    author: str
    reason: str
    at_ms: int
    parent: int | None = None
    by_file: bool = False


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What goes with a state or a step."""

    by: str = ""
    reason: str = ""
    share: int = 0
    evidence: str = ""
    problems: tuple[str, ...] = ()


def json_of(value: Made | Said) -> str:
    return msgspec.json.encode(value).decode()


def hash_of(text: str) -> str:
    """The SHA-256 of a text in hex: what receipts call a release."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_DAMAGED = "is damaged in the ledger"
_MASKED = "had something masked in it when a number was erased"


def standing_of(row: Row[tuple[object, ...]]) -> Standing:
    flaw = ""
    try:
        made = msgspec.json.decode(row.made, type=Made)
        said = msgspec.json.decode(row.said, type=Said)
        state = ReleaseState(row.state)
    except (ValueError, RecursionError):
        made, said, state = Made("", "", 0), Said(), ReleaseState.RETIRED
        flaw = _DAMAGED
    if not flaw and hash_of(row.text) != row.hash:
        flaw = _MASKED if HIDDEN in row.text else _DAMAGED
    release = Release(
        number=row.number,
        subject=row.subject,
        text=row.text,
        hash=row.hash,
        author=made.author,
        reason=made.reason,
        made_ms=made.at_ms,
        parent=made.parent,
        by_file=made.by_file,
    )
    return Standing(
        release=release,
        state=state,
        since_ms=row.since_ms,
        by=said.by,
        reason=said.reason,
        share=row.share,
        problems=said.problems,
        evidence=said.evidence,
        flaw=flaw,
    )


def step_of(row: Row[tuple[object, ...]]) -> Step:
    try:
        said = msgspec.json.decode(row.said, type=Said)
    except (ValueError, RecursionError):
        said = Said(evidence="what was said of this step is damaged in the ledger")
    return Step(
        number=row.number,
        at_ms=row.at_ms,
        act=ReleaseAct(row.act),
        to=ReleaseState(row.to),
        by=said.by,
        reason=said.reason,
        share=said.share,
        evidence=said.evidence,
    )
