"""What people said of issues: only ever added to, so that who said what when stays known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.access.audit_ledger import append
from switchhook.streams.issues.issues import IssueNote, IssueState

if TYPE_CHECKING:
    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE issue_marks (
  number INTEGER PRIMARY KEY,
  issue TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  by TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX issue_marks_issue ON issue_marks (issue, number);
"""

_COLUMNS = "issue, at_ms, state, by, note"
_LONGEST_HISTORY = 200


class SqliteIssueHistory:
    """`IssueHistory` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def latest(self) -> dict[str, IssueNote]:
        asked = (
            f"SELECT {_COLUMNS} FROM issue_marks WHERE number IN"  # noqa: S608
            " (SELECT max(number) FROM issue_marks GROUP BY issue)"
        )
        with self._ledger.reading() as connection:
            return {row[0]: _note(row) for row in connection.execute(asked)}

    def history(self, issue: str) -> list[IssueNote]:
        asked = (
            f"SELECT {_COLUMNS} FROM issue_marks WHERE issue = ?"  # noqa: S608
            " ORDER BY number DESC LIMIT ?"
        )
        with self._ledger.reading() as connection:
            return [_note(row) for row in connection.execute(asked, (issue, _LONGEST_HISTORY))]

    def add(self, note: IssueNote, deed: Deed) -> None:
        with self._ledger.writing() as connection:
            connection.execute(
                f"INSERT INTO issue_marks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                (note.issue, note.at_ms, note.state.value, note.by, note.note),
            )
            append(connection, deed, note.at_ms * 1000)


def _note(row: tuple[Any, ...]) -> IssueNote:
    issue, at_ms, state, by, note = row
    return IssueNote(issue, at_ms, IssueState(state), by, note)
