"""Looking at what was kept: `tail`, `streams`, and `rebuild` of what is folded from it."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from switchhook.cli import output
from switchhook.cli.by_itself import by_itself, needs_all, say_own_journal
from switchhook.cli.data import data_folder, steady_now_ms, there_for_deed
from switchhook.cli.exporting import ExportOptions, write_export
from switchhook.cli.moments import with_zone
from switchhook.cli.nothing_found import say_endpoint_unknown, say_nothing_found
from switchhook.cli.now import names_in
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.reading import reading, say_damage
from switchhook.cli.reads import not_noted, noted
from switchhook.errors import ClusterError, ConfigError, JournalError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.journal import JournalReader
from switchhook.journal.receipt import (
    RecordKind,
    decode_one_copy,
    decode_receipt,
    id_of,
    read_passthru,
)
from switchhook.journal.source import Origin, own_number
from switchhook.server.places import database_of, journal_of, see_whose
from switchhook.store import PostgresqlStore
from switchhook.store import rebuild as rebuild_store
from switchhook.streams.json import receipt_json, unreadable_json
from switchhook.streams.parameters import STREAM_FILTERS
from switchhook.streams.routed_json import given_json
from switchhook.streams.routed_record import RoutedRecord, read_routed
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import parse_query, query_text
from switchhook.streams.store import Marks
from switchhook.system.data_folder import JOURNAL, STORE, read_identity
from switchhook.system.priority import lower_priority, yield_cpu
from switchhook.web.masking import mask_json
from switchhook.web.moments import is_date_like
from switchhook.web.parameters import RefusedParameter, read_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from switchhook.cli.by_itself import ByItself
    from switchhook.cli.reading import Reading
    from switchhook.journal.source import JournalRecord, ReadableJournal
    from switchhook.streams.names import Names

_BATCH = 500
_FOLLOW_S = 0.1
_TIMES = ("since", "until")
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

    Read straight from the journal, so it needs no console. On a node whose cluster's database is
    away it is the node's own, which is said above, with exit code 1.

    Parameters
    ----------
    follow
        Go on with each new one until interrupted.
    tests
        Those of requests that `doctor` and `endpoint test` marked as tests, in place of callers'.
    """
    folder = data_folder(config, data)
    kinds = (RecordKind.TEST,) if tests else _RECEIPTS
    away = by_itself(folder)
    journal = _journal(folder, away)
    node = read_identity(folder).node
    whole = True  # lines for people show no number
    if json and away is not None:
        whole = not_noted()
    elif json:
        whole = noted(folder, "tail", follow="yes" if follow else "", endpoint=endpoint)
    found: list[dict[str, Any]] = []
    before: int | None = None
    alone = set[Origin]()
    end = journal.last_seq()
    while len(found) < lines and (records := journal.read_back(before, _BATCH)):
        before = records[-1].seq
        alone |= _answered_alone(records)  # what marks a receipt follows it, and was read before
        marks = (Marks(one_copy=own_number(each) in alone) for each in records)
        for record, mark in zip(records, marks, strict=True):
            shown = _shown(record, kinds, node, endpoint, mark) if record.seq <= end else None
            found += [] if shown is None else [shown]
    for receipt in reversed(found[:lines]):
        _print(receipt, json, whole)
    if not found and lines:
        of = f" of the endpoint {output.plain(endpoint)}" if endpoint is not None else ""
        output.err.print(f"there is no receipt{of} yet")
        say_endpoint_unknown(folder, config, endpoint)
    while follow:
        records = _following(journal, end)
        for record in records:
            end = record.seq
            fresh = _shown(record, kinds, node, endpoint, None)
            if fresh is not None:
                _print(fresh, json, whole)
        if not records:
            time.sleep(_FOLLOW_S)
    return int(bool(journal.damage) or away is not None)


def _following(journal: ReadableJournal, end: int) -> Sequence[JournalRecord]:
    """What came since; raises ClusterError where the nodes' database went away meanwhile."""
    try:
        return journal.read(end, _BATCH)
    except JournalError as error:
        cause = error.__cause__
        if not isinstance(cause, ClusterError):
            raise
        hint = "run it again: until that is back it follows this node's own journal"
        raise ClusterError(cause.database, cause.problem, hint) from error


def _journal(folder: Path, away: ByItself | None) -> ReadableJournal:
    """The journal of all nodes, or this node's own while the database is away, which is said."""
    if away is None:
        return journal_of(folder)
    say_own_journal(away)
    return JournalReader(folder / JOURNAL)


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

    A CallSid, a StreamSID or a telephone number alone finds the streams of it. On a node whose
    cluster's database is away they are those of its own journal, which is said above, with exit
    code 1.

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
    folder, names = data_folder(config, data), cache(lambda: names_in(folder, config))
    given = {
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
    exported = exporting is not None and exporting.export is not None
    if exporting is not None and not exported and (said := next(iter(exporting.said()), None)):
        raise ConfigError("only an export takes it", key=f"--{said}", hint="add --export FILE")
    if exported:
        needs_all(folder, "without --export they are listed, or run it once that is back")
    with reading(folder, names) as found:
        now_ms = steady_now_ms(folder, found.store)
        text = _search(found, " ".join(query))
        pairs = _pairs(given, now_ms)
        values = _filters(pairs, text, now_ms)
        if exporting is None or not exported:
            if not _list(found, values, text, pairs, names, json=json):
                say_endpoint_unknown(folder, config, endpoint)
            return found.code()
        others = [name for name, _ in pairs if name != "limit"]
        return write_export(folder, exporting, values.get("q"), text, names(), others)


def _pairs(given: Mapping[str, str | None], now_ms: int) -> list[tuple[str, str]]:
    """The filters that are given; a time without a zone is of the one shown."""
    said = [(name, value) for name, value in given.items() if value is not None]
    return [
        (name, with_zone(value, now_ms, end=name == "until") if name in _TIMES else value)
        for name, value in said
    ]


def _list(
    found: Reading,
    values: Mapping[str, Any],
    text: str,
    pairs: Sequence[tuple[str, str]],
    names: Callable[[], Names],
    *,
    json: bool,
) -> bool:
    """Print the streams that fit; whether there is one."""
    asked = " ".join(f"{name}:{value}" for name, value in pairs)
    whole = not json or found.noted("streams", search=text or None, filters=asked)
    streams = found.queries.streams(values)["streams"]
    if json:
        for each in streams:
            output.print_json(each if whole else mask_json(each))
        return bool(streams)
    if not streams:
        say_nothing_found(found.store, values.get("q"), names())
        return False
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
            for each in streams
        ),
    )
    return True


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
    folder = there_for_deed(config, data)
    lower_priority()
    if (url := database_of(folder)) is not None:
        return _begin_again(folder, url)
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
    return say_damage(journal.damage)


def _begin_again(folder: Path, url: str) -> int:
    """Have the node that leads fold the journal of all nodes into an empty store."""
    see_whose(folder, url)
    store = PostgresqlStore(url, journal_of(folder))
    try:
        store.begin_again()
    finally:
        store.close()
    output.out.print("the nodes' store is empty: the node that leads folds it from the journal")
    return 0


def _answered_alone(records: Iterable[JournalRecord]) -> set[Origin]:
    """The numbers of the receipts that some records mark as answered with one copy."""
    marks = (each for each in records if each.kind == RecordKind.ONE_COPY and not each.damage)
    return {own_number(each)._replace(seq=decode_one_copy(each.body).seq) for each in marks}


def _shown(
    record: JournalRecord,
    kinds: tuple[RecordKind, ...],
    node: int,
    endpoint: str | None,
    marks: Marks | None,
) -> dict[str, Any] | None:
    """A receipt to show; `marks` is None where nobody knows of any yet."""
    if record.damage:
        output.err.print(f"record {record.seq:,}: {record.damage}")
        return None
    if record.kind not in kinds:
        return None
    name = id_of(record, node)
    try:
        receipt = decode_receipt(record.body)
    except ValueError:
        return None if endpoint else unreadable_json(name, record.at, "can't be read")
    if endpoint is not None and receipt.endpoint != endpoint:
        return None
    return receipt_json(name, receipt, read_passthru(receipt), marks=marks) | _given(record)


def _given(record: JournalRecord) -> dict[str, Any]:
    """What receipts of other kinds than a passthru's have beside."""
    read = read_routed(record)
    return given_json(read.receipt) if isinstance(read, RoutedRecord) else {}


def _print(receipt: dict[str, Any], json: bool, whole: bool) -> None:
    if json:
        output.print_json(receipt if whole else mask_json(receipt))
    else:
        output.out.print(output.receipt_line(receipt), soft_wrap=True)
