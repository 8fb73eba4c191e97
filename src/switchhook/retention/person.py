"""All that is held on one person, by their number, and when each of it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.times import DAY_MS
from switchhook.journal.receipt import RecordKind
from switchhook.retention.policy import Matter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.retention.policy import RetentionLimits

NOT_REACHED = (
    "backups: they can't be searched where they are; restore one to look into it",
    "exports, messages that were sent, and what log and trace collectors took",
    "Exotel's own records, and your bot's",
)
KINDS = {
    RecordKind.PASSTHRU: "passthru",
    RecordKind.TAKEOVER: "configuration",
    RecordKind.SAMPLE: "refused request",
    RecordKind.STATUS: "status callback",
    RecordKind.HEARTBEAT: "heartbeat",
    RecordKind.TEST: "test",
    RecordKind.VOICEBOT: "address given",
    RecordKind.ADMISSION: "admission",
    RecordKind.BOT_REPORT: "bot's report",
}
# What a table's rows are, the class that they go with, and when each is from, in so many ms.
_TABLES: dict[str, tuple[str, Matter | None, str, float]] = {
    "alerts": ("alert", Matter.ALERTS, "resolved_ms", 1),
    "deliveries": ("alert message", Matter.ALERTS, "created_ms", 1),
    "silences": ("silence", Matter.ALERTS, "until_ms", 1),
    "call_details": ("call details", Matter.CALLS, "fetched_ms", 1),
    "calls_due": ("call details to be asked for", None, "due_ms", 1),
    "audit": ("audit entry", Matter.AUDIT, "at_us", 0.001),
    "users": ("name of an account", None, "created_us", 0.001),
    "links": ("invitation", None, "created_us", 0.001),
    "issue_marks": ("note of an issue", None, "", 1),
    "saved_views": ("saved view", None, "", 1),
    "promises": ("promise of a callback", Matter.PROMISES, "since_ms", 1),
    "promise_events": ("step of a promise", Matter.PROMISES, "at_ms", 1),
    "promise_attempts": ("attempt to call back", Matter.PROMISES, "asked_ms", 1),
    "promise_refusals": ("callback that was not promised", Matter.PROMISES, "at_ms", 1),
    "do_not_call": ("entry of the do-not-call list", None, "at_ms", 1),
    "hand_settings": ("setting by hand", None, "since_ms", 1),
}
_TO_RAW, _TO_STORIES = Matter.RAW, Matter.STORIES


class HeldRecord(msgspec.Struct, frozen=True):
    """A record of the journal that holds the number: `times` is how often.

    `raw_until_ms` is when what came goes, a tenth of its limit later at the most, and
    `story_until_ms` when what was made of it does; None is never.
    """

    seq: int
    kind: str
    at_ms: int
    sids: tuple[str, ...]
    times: int
    raw_until_ms: int | None
    story_until_ms: int | None


class HeldRow(msgspec.Struct, frozen=True):
    """A row of the ledger that holds the number; it stays until it is removed where None."""

    kind: str
    at_ms: int | None
    until_ms: int | None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The report: of `searched` records up to `until_seq`, all where `whole`.

    `audit_mentions` counts entries with the number as it is masked there, which other numbers of
    the same ends share.
    """

    number: str
    searched: int
    until_seq: int
    whole: bool
    records: tuple[HeldRecord, ...] = ()
    refused_files: int = 0
    rows: tuple[HeldRow, ...] = ()
    audit_mentions: int = 0
    not_reached: tuple[str, ...] = NOT_REACHED

    @property
    def sids(self) -> tuple[str, ...]:
        """The SIDs of the calls and streams that name the number, in their order."""
        return tuple(dict.fromkeys(sid for each in self.records for sid in each.sids))


def held_record(
    seq: int, kind: int, at_ms: int, sids: tuple[str, ...], times: int, limits: RetentionLimits
) -> HeldRecord:
    """A record, with when it goes."""
    known = kind in set(RecordKind)
    return HeldRecord(
        seq,
        KINDS.get(RecordKind(kind), "record") if known else "record",
        at_ms,
        sids,
        times,
        _until(at_ms, limits, _TO_RAW),
        _until(at_ms, limits, _TO_STORIES),
    )


def held_row(table: str, row: Mapping[str, Any], limits: RetentionLimits) -> HeldRow:
    """A row of a table of the ledger, with when it goes."""
    kind, matter, column, unit = _TABLES.get(table, (table.replace("_", " "), None, "", 1))
    at = row.get(column)
    at_ms = int(at * unit) if isinstance(at, int) else None
    until_ms = _until(at_ms, limits, matter) if at_ms is not None and matter else None
    return HeldRow(kind, at_ms, until_ms)


def _until(at_ms: int, limits: RetentionLimits, matter: Matter) -> int | None:
    days = limits.days(matter)
    return at_ms + days * DAY_MS if days else None
