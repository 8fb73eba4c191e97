"""What one sees at a glance, as a value and as the API's object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.times import MINUTE_MS
from switchhook.web.chart import CAUSES
from switchhook.web.json import Json, time_of

if TYPE_CHECKING:
    from switchhook.capacity.status import CapacityNow
    from switchhook.overview.pulse import LastHour
    from switchhook.streams.issues.issues import Issue, IssueNote
    from switchhook.streams.names import Names
    from switchhook.streams.tail import TailRow
    from switchhook.web.chart import Mark


class KeptPromises(Protocol):
    """How calling back goes: of the last 24 hours what was kept, now what waits.

    `in_time` is the share of what was `owed` to its end that was kept within its time, None where
    nothing was; `median_s` the seconds until half of the kept ones were called back.
    """

    @property
    def kept(self) -> int: ...

    @property
    def owed(self) -> int: ...

    @property
    def in_time(self) -> float | None: ...

    @property
    def median_s(self) -> float | None: ...

    @property
    def waiting(self) -> int: ...

    @property
    def due(self) -> int: ...

    @property
    def dials(self) -> bool: ...


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page shows, but its tail. `waiting` is None where nobody counted."""

    now_ms: int
    pulse: LastHour
    accounts: tuple[CapacityNow, ...]
    named: bool
    """Whether the operator named any account."""
    running: int
    waiting: int | None
    top: tuple[Issue, ...]
    open_issues: int
    marks: tuple[Mark, ...] = ()
    """What happened in the hour: changes and incidents."""
    promises: KeptPromises | None = None
    """None where no account calls back."""


def now_json(overview: Overview) -> Json:
    """All of it."""
    shown = overview.pulse
    return {
        "at": time_of(overview.now_ms * 1000),
        "accounts": [account_json(each) for each in overview.accounts],
        "running": overview.running,
        "waiting": overview.waiting,
        "promises": None if overview.promises is None else promises_json(overview.promises),
        **pulse_json(shown),
        "causes": list(CAUSES),
        "minutes": [
            {"at": time_of((shown.since_ms + n * MINUTE_MS) * 1000), "streams": list(minute)}
            for n, minute in enumerate(shown.minutes)
        ],
        "marks": [mark_json(each) for each in overview.marks],
        "issues": [issue_json(each) for each in overview.top],
        "open_issues": overview.open_issues,
    }


def promises_json(found: KeptPromises) -> Json:
    """How calling back goes."""
    return {
        "kept": found.kept,
        "owed": found.owed,
        "in_time": None if found.in_time is None else round(found.in_time, 4),
        "median_s": found.median_s,
        "waiting": found.waiting,
        "due": found.due,
        "dials": found.dials,
    }


def pulse_json(shown: LastHour) -> Json:
    """What failed, and how fast answers were."""
    return {
        "failed": {
            "share": shown.failed.share,
            "failed": shown.failed.some,
            "streams": shown.failed.all,
            "causes": [{"cause": cause, "streams": some} for cause, some in shown.failed_of],
        },
        "answers": {
            "answers": shown.answers.answers,
            "p50_ms": shown.answers.p50_ms,
            "p99_ms": shown.answers.p99_ms,
            "slower": shown.answers.beyond,
        },
    }


def mark_json(mark: Mark) -> Json:
    """What happened, as plots mark it."""
    return {"at": time_of(mark.at_ms * 1000), "kind": mark.kind, "what": mark.word}


def account_json(now: CapacityNow) -> Json:
    """How an account stands."""
    foretold = now.forecast
    return {
        "account": now.account,
        "active": now.active,
        "allowed": now.allowed,
        "headroom": now.headroom,
        "age_s": now.age_s,
        "problem": now.problem or None,
        "forecast": foretold
        and {
            "earliest_at": _time(foretold.earliest_ms),
            "likely_at": _time(foretold.likely_ms),
            "latest_at": _time(foretold.latest_ms),
            "chance": foretold.chance,
        },
    }


def issue_json(issue: Issue) -> Json:
    """One issue; `trend` counts hours, oldest first."""
    print_ = issue.fingerprint
    return {
        "id": issue.id,
        "cause": print_.cause,
        "kind": print_.kind,
        "host": print_.host,
        "endpoint": print_.endpoint,
        "state": issue.state.value,
        "reopened": issue.reopened,
        "first_at": _time(issue.first_ms),
        "last_at": _time(issue.last_ms),
        "streams": issue.streams,
        "recent": issue.recent,
        "trend": list(issue.trend),
        "mark": note_json(issue.last_note) if issue.last_note is not None else None,
    }


def note_json(note: IssueNote) -> Json:
    """What somebody said of an issue."""
    return {
        "at": _time(note.at_ms),
        "state": note.state.value,
        "by": note.by,
        "note": note.note,
    }


def row_json(row: TailRow, names: Names) -> Json:
    """One receipt of the tail."""
    return {
        "seq": row.seq,
        "id": row.id,
        "at": time_of(row.at_us),
        "endpoint": row.endpoint,
        "call_sid": row.call_sid,
        "from": row.number,
        "bot": row.bot(names),
        "cause": row.cause,
        "error_kind": row.error or None,
        "option": row.option,
        "lead": row.destination(names),
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else time_of(ms * 1000)
