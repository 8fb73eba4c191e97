"""What people said of issues: only ever added to, so that who said what when stays known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, Index, MetaData, Row, Table, func, insert, select

from switchhook.access.audit_ledger import append
from switchhook.ledger.sql import STRICT, Number, Text
from switchhook.streams.issues.issues import IssueNote, IssueState

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_notes = Table(
    "issue_marks",
    TABLES,
    Column("number", Number, primary_key=True),
    Column("issue", Text, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index("issue_marks_issue", "issue", "number"),
    **STRICT,
)

_NOTE = (_notes.c.issue, _notes.c.at_ms, _notes.c.state, _notes.c.by, _notes.c.note)
_LONGEST_HISTORY = 200


class LedgerIssueHistory:
    """`IssueHistory` over the ledger; `heard` is told of what is added."""

    def __init__(
        self, ledger: Ledger, heard: Callable[[IssueNote], object] = lambda note: None
    ) -> None:
        self._ledger, self._heard = ledger, heard

    def latest(self) -> dict[str, IssueNote]:
        last = select(func.max(_notes.c.number)).group_by(_notes.c.issue)
        with self._ledger.reading() as connection:
            rows = connection.execute(select(*_NOTE).where(_notes.c.number.in_(last)))
            return {row.issue: _note(row) for row in rows}

    def history(self, issue: str) -> list[IssueNote]:
        asked = select(*_NOTE).where(_notes.c.issue == issue).order_by(_notes.c.number.desc())
        with self._ledger.reading() as connection:
            return [_note(row) for row in connection.execute(asked.limit(_LONGEST_HISTORY))]

    def add(self, note: IssueNote, deed: Deed) -> None:
        row = {**msgspec.structs.asdict(note), "state": note.state.value}
        with self._ledger.writing() as connection:
            connection.execute(insert(_notes).values(row))
            append(connection, deed, note.at_ms * 1000)
        self._heard(note)


def _note(row: Row[str, int, str, str, str]) -> IssueNote:
    issue, at_ms, state, by, note = row
    return IssueNote(issue, at_ms, IssueState(state), by, note)
