"""Looking at what was kept: `tail`, `streams`, `call`, and `rebuild` of what is folded from it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from switchhook.cli import output
from switchhook.cli.data import data_folder, steady_now_ms
from switchhook.cli.exporting import write_export
from switchhook.cli.now import names_in
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.reads import noted
from switchhook.errors import ConfigError
from switchhook.journal import JournalReader, Record
from switchhook.journal.receipt import RecordKind, decode_receipt, read_passthru, receipt_id
from switchhook.store import SqliteStore
from switchhook.store import rebuild as rebuild_store
from switchhook.streams.json import receipt_json, unreadable_json
from switchhook.streams.names import Names
from switchhook.streams.parameters import STREAM_FILTERS
from switchhook.streams.queries import StreamQueries
from switchhook.system.data_folder import JOURNAL, STORE, read_identity
from switchhook.system.priority import lower_priority, yield_cpu
from switchhook.web.masking import mask_json
from switchhook.web.parameters import RefusedParameter, read_filters

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCH = 500
_FOLLOW_S = 0.1
_MOST_DAMAGED = 5


def tail(
    *,
    lines: Annotated[int, Parameter(name=["--lines", "-n"], help="How many to begin with.")] = 20,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    endpoint: Annotated[str | None, Parameter(help="Those of one endpoint only.")] = None,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Show the newest receipts, oldest first: what was understood, decided and why.

    Read straight from the journal, so it needs no console.

    Parameters
    ----------
    follow
        Go on with each new one until interrupted.
    """
    folder = data_folder(config, data)
    journal = JournalReader(folder / JOURNAL)
    node = read_identity(folder).node
    # Lines for people show no number.
    whole = not json or noted(folder, "tail", follow="yes" if follow else "", endpoint=endpoint)
    found: list[dict[str, Any]] = []
    before: int | None = None
    end = journal.last_seq()
    while len(found) < lines and (records := journal.read_back(before, _BATCH)):
        before = records[-1].seq
        read = (_shown(record, node, endpoint) for record in records if record.seq <= end)
        found += [each for each in read if each is not None]
    for receipt in reversed(found[: max(lines, 0)]):
        _print(receipt, json, whole)
    while follow:
        records = journal.read(end, _BATCH)
        for record in records:
            end = record.seq
            fresh = _shown(record, node, endpoint)
            if fresh is not None:
                _print(fresh, json, whole)
        if not records:
            time.sleep(_FOLLOW_S)
    return 1 if journal.damage else 0


def streams(
    *query: Annotated[str, Parameter(help="A search, as on the console's page.")],
    endpoint: str | None = None,
    call_sid: str | None = None,
    stream_sid: str | None = None,
    status: str | None = None,
    cause: str | None = None,
    option: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 50,
    export: str | None = None,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """List streams, newest first, by the filters of the API.

    For example:

        switchhook streams cause:throttled from:98765 since:2h
        switchhook streams --cause throttled --since 2h
        switchhook streams option:B --export streams.csv

    Parameters
    ----------
    endpoint
        The endpoint's name.
    call_sid
        The call's.
    stream_sid
        The stream's.
    status
        Its status, such as completed or failed.
    cause
        Our verdict, such as throttled or connect_failed.
    option
        A or B.
    since
        A time with its zone, or how long ago: 90s, 15m, 2h, 7d.
    until
        Likewise.
    limit
        How many at most, up to 1,000.
    export
        Write all that the search finds to this file: .csv, .ndjson or .parquet.
    """
    given = {
        "q": " ".join(query) or None,
        "endpoint": endpoint,
        "call_sid": call_sid,
        "stream_sid": stream_sid,
        "status": status,
        "cause": cause,
        "option": option,
        "since": since,
        "until": until,
        "limit": str(limit),
    }
    pairs = [(name, value) for name, value in given.items() if value is not None]
    try:
        values = read_filters(pairs, steady_now_ms(data_folder(config, data)), STREAM_FILTERS)
    except RefusedParameter as refused:
        option = (refused.parameter or "").replace("_", "-")
        name = "the search" if option == "q" else f"--{option}"
        raise ConfigError(refused.problem, key=name, hint=refused.hint) from None
    folder = data_folder(config, data)
    if export is not None:
        others = [name for name, _ in pairs if name not in ("q", "limit")]
        return write_export(
            folder, Path(export), values.get("q"), " ".join(query), names_in(folder, config), others
        )
    asked = " ".join(f"{name}:{value}" for name, value in pairs if name != "q")
    whole = not json or noted(folder, "streams", search=given["q"], filters=asked)
    reading = Reading(folder, names_in(folder, config))
    found = reading.queries.streams(values)["streams"]
    if json:
        for each in found:
            output.print_json(each if whole else mask_json(each))
        return reading.say_damage()
    output.print_table(
        ("HEARD OF", "STREAM", "STATUS", "LASTED", "CAUSE", "", "ADVICE"),
        (
            (
                output.moment(each["last_received_at"])[5:],
                output.sid(each["sid"]),
                each["status"],
                None if each["duration_s"] is None else f"{each['duration_s']} s",
                output.cause_text(each["cause"]),
                output.option_text(each["option"]),
                each["advice"],
            )
            for each in found
        ),
    )
    return reading.say_damage()


def call(call_sid: str, *, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show one call: its passthrus and streams in order.

    Exit code 1 if there is none, or if something of it can't be read.

    Parameters
    ----------
    call_sid
        The CallSid.
    """
    folder = data_folder(config, data)
    reading = Reading(folder)
    found = reading.queries.call(call_sid)
    if found is None:
        output.err.print(f"no receipt names call {output.plain(call_sid)}")
        reading.say_damage()
        return 1
    if not noted(folder, "call", call=call_sid):
        found = mask_json(found)
    damaged = reading.say_damage()
    if json:
        output.print_json(found)
        return damaged
    first = output.moment(found["first_received_at"])
    shown = {name: value for name, value in found.items() if isinstance(value, str)}
    output.print_pairs(
        [
            ("call", found["call_sid"]),
            ("first heard of", first),
            *((name, shown.get(name)) for name in ("direction", "from", "to", "status")),
        ]
    )
    for receipt in found["passthrus"]:
        output.out.print()
        output.out.print(output.receipt_line(receipt), soft_wrap=True)
        output.print_pairs([("  advice", receipt["advice"]), ("  receipt", receipt["id"])])
    for stream in found["streams"]:
        output.out.print()
        output.print_pairs(
            [
                ("stream", stream["sid"]),
                ("status", stream["status"]),
                ("lasted", None if stream["duration_s"] is None else f"{stream['duration_s']} s"),
                ("bot", stream["url"]),
                ("error", stream["error"]),
                ("cause", output.cause_text(stream["cause"])),
                ("advice", stream["advice"]),
            ]
        )
    return damaged


def rebuild(*, config: CONFIG = None, data: DATA = None) -> int:
    """Make the store again from the journal; a console that runs takes it over by itself."""
    folder = data_folder(config, data)
    lower_priority()
    journal = JournalReader(folder / JOURNAL, yield_cpu=yield_cpu)
    columns = TextColumn("folding"), BarColumn(), MofNCompleteColumn(), TextColumn("records")
    with Progress(*columns, console=output.err) as progress:
        task = progress.add_task("fold", total=journal.last_seq())
        path = rebuild_store(
            folder / STORE,
            journal,
            lambda seq, last: progress.update(task, completed=seq, total=last),
        )
    output.out.print(f"{path.name} is in place, {journal.last_seq()} records folded")
    return _say_damage(journal.damage)


class Reading:
    """What is read from a data folder, and what of it can't be."""

    def __init__(self, folder: Path, names: Names | None = None) -> None:
        self.journal = JournalReader(folder / JOURNAL)
        self.store = SqliteStore(folder / STORE, self.journal)
        behind = self.journal.last_seq() - self.store.position()
        if behind > 0:
            output.err.print(
                f"the store is {behind} records behind the journal: is the console running?"
            )
        self.queries = StreamQueries(self.journal, self.store, lambda: names or Names())

    def say_damage(self) -> int:
        """Say what can't be read and so isn't shown; the exit code for it."""
        _, newest = self.store.quarantined(_MOST_DAMAGED)
        found = {each.seq: each.reason for each in newest}
        return _say_damage(found | self.journal.damage)


def _say_damage(damage: Mapping[int, str]) -> int:
    for seq, reason in sorted(damage.items())[:_MOST_DAMAGED]:
        output.err.print(f"record {seq} can't be read, and is not shown: {reason}")
    if len(damage) > _MOST_DAMAGED:
        output.err.print(f"and {len(damage) - _MOST_DAMAGED} more like these")
    return 1 if damage else 0


def _shown(record: Record, node: int, endpoint: str | None) -> dict[str, Any] | None:
    if record.damage:
        output.err.print(f"record {record.seq}: {record.damage}")
        return None
    if record.kind != RecordKind.PASSTHRU:
        return None
    name = receipt_id(record.at, node, record.seq)
    try:
        receipt = decode_receipt(record.body)
    except ValueError:
        return None if endpoint else unreadable_json(name, record.at, "can't be read")
    if endpoint is not None and receipt.endpoint != endpoint:
        return None
    return receipt_json(name, receipt, read_passthru(receipt))


def _print(receipt: dict[str, Any], json: bool, whole: bool) -> None:
    if json:
        output.print_json(receipt if whole else mask_json(receipt))
    else:
        output.out.print(output.receipt_line(receipt), soft_wrap=True)
