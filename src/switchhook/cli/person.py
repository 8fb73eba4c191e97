"""What is held on one person: `person`."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import output
from switchhook.cli.data import limits_or_last, own_data_folder
from switchhook.cli.ledger import deed, now_us
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.errors import ConfigError
from switchhook.exotel.spellings import NotANumber, read_number
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.person_search import PersonSearch
from switchhook.server.places import journal_of, ledger_of, sealed_of

if TYPE_CHECKING:
    from switchhook.retention.person import Person

_YIELD_S = 0.0005


def person(
    number: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    region: str = "IN",
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Report all that is held on one person, by their number, and when each of it goes.

    It reads everything, and is noted in the audit log.

    Parameters
    ----------
    number
        The whole number, with its country code; - reads it from standard input, so that it stands
        in no history of commands.
    region
        Where a number without a country code is read.
    """
    folder = own_data_folder(config, data)
    found = read_number(sys.stdin.readline() if number == "-" else number, region)
    if isinstance(found, NotANumber):
        raise ConfigError(found.problem, key="number", hint="the whole of it, for that is searched")
    with ExitStack() as opened:
        ledger = ledger_of(folder)
        opened.callback(ledger.close)
        journal = journal_of(folder)
        opened.callback(journal.close)
        LedgerAudit(ledger).note(deed("looked up a person", found.masked), now_us())
        search = PersonSearch(journal, sealed_of(folder), LedgerErasures(ledger))
        report = search.find(found, limits_or_last(folder, config), _go_on)
    if json:
        output.print_json({**msgspec.to_builtins(report), "sids": list(report.sids)})
    else:
        _print(report)
    return 0


def _go_on() -> bool:
    """Go on, having left the processor to callers for a moment."""
    time.sleep(_YIELD_S)
    return True


def _print(report: Person) -> None:
    output.print_pairs(
        [
            ("number", report.number),
            ("searched", f"{report.searched:,} records, up to {report.until_seq:,}"),
            ("held in", f"{len(report.records):,} records, {len(report.rows):,} rows"),
            ("refused", f"{report.refused_files:,} files of records that were refused"),
            ("audit", f"{report.audit_mentions:,} mentions of {report.number}"),
            *(("call, stream", output.plain(sid)) for sid in report.sids),
            *(("not reached", each) for each in report.not_reached),
        ]
    )
    output.out.print()
    output.print_table(
        ("WHAT", "FROM", "KEPT UNTIL", "STORY UNTIL", "RECORD"),
        [
            *(
                (
                    each.kind,
                    _moment(each.at_ms),
                    _until(each.raw_until_ms),
                    _until(each.story_until_ms),
                    f"{each.seq:,}",
                )
                for each in report.records
            ),
            *(
                (each.kind, _moment(each.at_ms), _until(each.until_ms), "", "")
                for each in report.rows
            ),
        ],
    )


def _moment(ms: int | None) -> str:
    if ms is None:
        return ""
    return output.moment(datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds"))


def _until(ms: int | None) -> str:
    return "it is removed" if ms is None else _moment(ms)
