"""Looking at what was kept: `tail`, `streams`, and `rebuild` of what is folded from it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from switchhook.cli import output
from switchhook.cli.data import data_folder, steady_now_ms
from switchhook.cli.exporting import ExportOptions, write_export
from switchhook.cli.moments import with_zone
from switchhook.cli.nothing_found import say_nothing_found
from switchhook.cli.now import names_in
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.reads import noted
from switchhook.errors import ConfigError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.journal import JournalReader, Record
from switchhook.journal.receipt import (
    RecordKind,
    decode_receipt,
    read_passthru,
    receipt_id,
)
from switchhook.store import SqliteStore
from switchhook.store import rebuild as rebuild_store
from switchhook.streams.json import receipt_json, unreadable_json
from switchhook.streams.names import Names
from switchhook.streams.parameters import STREAM_FILTERS
from switchhook.streams.queries import StreamQueries
from switchhook.streams.routed_json import given_json
from switchhook.streams.routed_record import RoutedRecord, read_routed
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import parse_query, query_text
from switchhook.system.data_folder import JOURNAL, STORE, read_identity
from switchhook.system.priority import lower_priority, yield_cpu
from switchhook.web.masking import mask_json
from switchhook.web.moments import is_date_like
from switchhook.web.parameters import RefusedParameter, read_filters

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCH = 500
_FOLLOW_S = 0.1
_MOST_DAMAGED = 5
_RECEIPTS = (RecordKind.PASSTHRU, RecordKind.ADMISSION, RecordKind.VOICEBOT)


def tail(
    *,
    lines: Annotated[
        int,
        Parameter(name=["--lines", "-n"], validator=Number(gte=0), help="How many to begin with."),
    ] = 20,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    endpoint: Annotated[str | None, Parameter(help="Those of one endpoint only.")] = None,
    tests: Annotated[bool, Parameter(name="--tests", negative="")] = False,
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
    tests
        Those of requests that `doctor` and `endpoint test` marked as tests, in place of callers'.
    """
    folder = data_folder(config, data)
    kinds = (RecordKind.TEST,) if tests else _RECEIPTS
    journal = JournalReader(folder / JOURNAL)
    node = read_identity(folder).node
    # Lines for people show no number.
    whole = not json or noted(folder, "tail", follow="yes" if follow else "", endpoint=endpoint)
    found: list[dict[str, Any]] = []
    before: int | None = None
    end = journal.last_seq()
    while len(found) < lines and (records := journal.read_back(before, _BATCH)):
        before = records[-1].seq
        read = (_shown(record, kinds, node, endpoint) for record in records if record.seq <= end)
        found += [each for each in read if each is not None]
    for receipt in reversed(found[:lines]):
        _print(receipt, json, whole)
    if not found and lines:
        of = f" of the endpoint {output.plain(endpoint)}" if endpoint is not None else ""
        output.err.print(f"there is no receipt{of} yet")
    while follow:
        records = journal.read(end, _BATCH)
        for record in records:
            end = record.seq
            fresh = _shown(record, kinds, node, endpoint)
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
    exporting: ExportOptions | None = None,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """List streams, newest first, by the filters of the API.

    A CallSid, a StreamSID or a telephone number alone finds the streams of it.

    For example:

        switchhook streams cause:throttled from:98765 since:2h
        switchhook streams --cause throttled --since 2h
        switchhook streams option:B --export streams.csv
        switchhook streams is:failed yesterday --export dial.csv --numbers e164 --rows callers
        switchhook streams +91 98765 43210

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
        A time, or how long ago: 90s, 15m, 2h, 7d; today, yesterday, 21:30. Without a zone it is of
        the one shown.
    until
        Likewise; of a day, all.
    limit
        How many at most, up to 1,000.
    """
    folder = data_folder(config, data)
    now_ms = steady_now_ms(folder)
    reading = Reading(folder, names_in(folder, config))
    text = _search(reading, " ".join(query))
    given = {
        "endpoint": endpoint,
        "call_sid": call_sid,
        "stream_sid": stream_sid,
        "status": status,
        "cause": cause,
        "option": option,
        "since": since and with_zone(since, now_ms),
        "until": until and with_zone(until, now_ms, end=True),
        "limit": str(limit),
    }
    pairs = [(name, value) for name, value in given.items() if value is not None]
    values = _filters(pairs, text, now_ms)
    if exporting is not None and exporting.export is not None:
        others = [name for name, _ in pairs if name != "limit"]
        names = names_in(folder, config)
        return write_export(folder, exporting, values.get("q"), text, names, others)
    if exporting is not None and (without := next(iter(exporting.said()), None)):
        raise ConfigError("only an export takes it", key=f"--{without}", hint="add --export FILE")
    asked = " ".join(f"{name}:{value}" for name, value in pairs)
    whole = not json or noted(folder, "streams", search=text or None, filters=asked)
    found = reading.queries.streams(values)["streams"]
    if json:
        for each in found:
            output.print_json(each if whole else mask_json(each))
        return reading.say_damage()
    if not found:
        say_nothing_found(reading.store, values.get("q"), names_in(folder, config))
        return reading.say_damage()
    output.print_table(
        ("HEARD OF", "CAUSE", "", "STATUS", "LASTED", "STREAM", "CALL", "ADVICE"),
        (
            (
                output.day_clock(each["last_received_at"]),
                output.cause_text(each["cause"]),
                output.option_text(each["option"]),
                each["status"],
                None if each["duration_s"] is None else f"{each['duration_s']} s",
                each["sid"],
                each["call_sid"],
                each["advice"],
            )
            for each in found
        ),
    )
    return reading.say_damage()


def _search(reading: Reading, text: str) -> str:
    """What is typed as a search; an id of whatever form is one."""
    text = text.strip()
    if text and " " not in text and ":" not in text:
        if reading.queries.kept_call(text) is not None:
            return query_text(Query((Condition("call", (text,)),)))
        if reading.queries.stream(text) is not None:
            sid = reading.queries.stream_named(text)
            return query_text(Query((Condition("stream", (sid,)),)))
    return text


def _filters(pairs: list[tuple[str, str]], text: str, now_ms: int) -> dict[str, Any]:
    """What the options and the search ask; raises ConfigError where they can't be understood."""
    try:
        values = read_filters(pairs, now_ms, STREAM_FILTERS)
    except RefusedParameter as refused:
        option = (refused.parameter or "").replace("_", "-")
        raise ConfigError(refused.problem, key=f"--{option}", hint=refused.hint) from None
    if not text:
        return values
    query = parse_query(text, now_ms, output.own_zone())
    for each in query.problems:
        shown = text[each.at : each.at + each.length][:80]
        said, at = (mask_text(part, but=is_date_like) for part in (each.problem, shown))
        problem = f"{said} (at {each.at}: {at})"
        raise ConfigError(problem, key="the search", hint=each.hint)
    return {**values, "q": query}


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


def _shown(
    record: Record, kinds: tuple[RecordKind, ...], node: int, endpoint: str | None
) -> dict[str, Any] | None:
    if record.damage:
        output.err.print(f"record {record.seq}: {record.damage}")
        return None
    if record.kind not in kinds:
        return None
    name = receipt_id(record.at, node, record.seq)
    try:
        receipt = decode_receipt(record.body)
    except ValueError:
        return None if endpoint else unreadable_json(name, record.at, "can't be read")
    if endpoint is not None and receipt.endpoint != endpoint:
        return None
    return receipt_json(name, receipt, read_passthru(receipt)) | _given(record)


def _given(record: Record) -> dict[str, Any]:
    """What receipts of other kinds than a passthru's have beside."""
    read = read_routed(record)
    return given_json(read.receipt) if isinstance(read, RoutedRecord) else {}


def _print(receipt: dict[str, Any], json: bool, whole: bool) -> None:
    if json:
        output.print_json(receipt if whole else mask_json(receipt))
    else:
        output.out.print(output.receipt_line(receipt), soft_wrap=True)
