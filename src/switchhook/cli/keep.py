"""What is kept how long: `keep`."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from switchhook.cli import output
from switchhook.cli.data import limits_or_last, own_data_folder
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.retention.erasure import awaited
from switchhook.retention.ledger import LedgerErasures
from switchhook.server.places import has_ledger, ledger_of
from switchhook.server.retention_rows import report_of

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.retention.policy import ClassReport


def keep(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show what is kept how long, the oldest of each class, what was removed, and erasures."""
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
    _print_erasures(folder)
    return 0


def _print_erasures(folder: Path) -> None:
    """Those that are not done yet."""
    if not has_ledger(folder):
        return
    with closing(ledger_of(folder)) as ledger:
        running = LedgerErasures(ledger).running()
    for each in running:
        waits = [f"{node.name} {node.words}" for node in awaited(each.nodes, {})]
        more = f": {', '.join(waits)}" if waits else ""
        said = f"erasure {each.id} of {each.masked} goes on, at {each.phase.value}{more}"
        output.out.print(output.plain(said), soft_wrap=True)


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
