"""What is kept how long: `keep`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from switchhook.cli import output
from switchhook.cli.data import limits_or_last, own_data_folder
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.server.retention_rows import report_of

if TYPE_CHECKING:
    from switchhook.retention.policy import ClassReport


def keep(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show what is kept how long, the oldest of each class, and what was removed."""
    folder = own_data_folder(config, data)
    found = report_of(folder, limits_or_last(folder, config), _now_ms)
    if json:
        for each in found:
            output.print_json(_class_json(each))
        return 0
    output.print_table(
        ("CLASS", "KEPT", "OLDEST", "REMOVED"),
        (
            (
                each.matter.value,
                f"{each.days} days" if each.days else "for ever",
                "" if each.oldest_ms is None else output.moment(_time(each.oldest_ms)),
                f"{each.removed.rows:,}",
            )
            for each in found
        ),
    )
    return 0


def _class_json(each: ClassReport) -> dict[str, Any]:
    return {
        "class": each.matter.value,
        "days": each.days,
        "oldest_at": None if each.oldest_ms is None else _time(each.oldest_ms),
        "overdue_s": each.overdue_ms // 1000,
        "removed": each.removed.rows,
        "removed_bytes": each.removed.bytes,
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
