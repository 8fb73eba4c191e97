"""How many of the last day's callers each rule would have decided, for `switchhook check`."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from switchhook.cli import output
from switchhook.cli.data import steady_now_ms
from switchhook.errors import DataFolderError, JournalError
from switchhook.exotel.cause import judge
from switchhook.journal.receipt import RecordKind, decode_receipt, read_passthru
from switchhook.metrics import count_text
from switchhook.releases.backtest import nameless_words
from switchhook.releases.trial import caller_of
from switchhook.rules.decide import decide
from switchhook.server.places import journal_of
from switchhook.system.data_folder import IDENTITY, JOURNAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from switchhook.journal.receipt import Receipt
    from switchhook.rules.decide import Rule, Ruleset

DAY_MS = 24 * 3600 * 1000
LONGEST_S = 3.0
"""Seconds that callers are looked at; then it is said how far that went."""
_BATCH = 500


class Matches(msgspec.Struct):
    """What was counted: the callers that each rule of an endpoint would have decided.

    `callers` are all of them by endpoint, `by_rule` by endpoint and rule; `nameless` the requests
    by endpoint that name no caller. `since_ms` is the oldest that was looked at where time ran out,
    else None.
    """

    callers: Counter[str]
    by_rule: Counter[tuple[str, str]]
    nameless: Counter[str] = msgspec.field(default_factory=Counter)
    since_ms: int | None = None


def show_matches(folder: Path, rulesets: Mapping[str, Ruleset], *, json: bool) -> None:
    """Print how many of the last day's callers each rule would have decided.

    Prints nothing where the folder holds no journal.
    """
    if not (folder / IDENTITY).exists() or not (folder / JOURNAL).exists():
        return
    try:
        found = count_matches(folder, rulesets)
    except (OSError, DataFolderError, JournalError) as error:
        output.err.print(f"the last day's callers can't be looked at: {error}", soft_wrap=True)
        return
    for endpoint, ruleset in rulesets.items():
        _show(endpoint, ruleset, found, json=json)


def count_matches(
    folder: Path, rulesets: Mapping[str, Ruleset], longest_s: float = LONGEST_S
) -> Matches:
    """Decide the last day's passthrus again, newest first, for as long as there is time.

    A caller who came more than once counts once for each rule: whom `release backtest` takes for
    one. Raises DataFolderError,
    JournalError, OSError.
    """
    found = Matches(Counter(), Counter())
    since, until = steady_now_ms(folder) - DAY_MS, time.monotonic() + longest_s
    seen: set[tuple[str, str, int]] = set()
    for at, receipt in _newest(folder, since):
        ruleset = rulesets.get(receipt.endpoint)
        if ruleset is None:
            continue
        passthru = read_passthru(receipt)
        zone = ZoneInfo(receipt.zone)
        rule = decide(passthru, judge(passthru), receipt.facts, at, zone, ruleset).rule
        caller = caller_of(passthru)
        found.nameless[receipt.endpoint] += not caller
        for name in ("", rule) if caller else ():  # no rule has an empty name: it stands for all
            key = receipt.endpoint, name, caller
            if key not in seen:
                seen.add(key)
                found.by_rule[receipt.endpoint, name] += 1
        if time.monotonic() > until:
            found.since_ms = at
            break
    found.callers = Counter({point: found.by_rule.pop((point, ""), 0) for point in rulesets})
    return found


def _newest(folder: Path, since_ms: int) -> Iterator[tuple[int, Receipt]]:
    journal = journal_of(folder)
    seq = None
    while records := journal.read_back(seq, _BATCH):
        for record in records:
            seq = record.seq
            if record.damage or record.kind != RecordKind.PASSTHRU:
                continue
            if record.at < since_ms:
                return
            try:
                receipt = decode_receipt(record.body)
            except ValueError:
                continue
            if receipt.repeat_of is None and receipt.method != "HEAD":
                yield record.at, receipt


def _promised(rule: Rule) -> str:
    return f"a callback as class {rule.class_}: {rule.promise}" if rule.promise else ""


def _show(endpoint: str, ruleset: Ruleset, found: Matches, *, json: bool) -> None:
    all_of_them = found.callers[endpoint]
    counted = [
        (each, found.by_rule[endpoint, each.name])
        for each in (*ruleset.rules, ruleset.default_rule)
    ]
    promises = any(rule.promise for rule, _ in counted)
    if json:
        for rule, callers in counted:
            output.print_json(
                {"endpoint": endpoint, "rule": rule.name, "option": rule.option.value,
                 "promise": rule.promise or None, "callers": callers, "of": all_of_them,
                 "without_caller": found.nameless[endpoint]}
            )  # fmt: skip
    elif all_of_them:
        output.print_table(
            ("RULE", "OPTION", "CALLERS", *(("PROMISED",) if promises else ())),
            (
                (
                    rule.name,
                    output.option_text(rule.option.value),
                    callers,
                    *((_promised(rule),) if promises else ()),
                )
                for rule, callers in counted
            ),
        )
    span = "of the last 24 hours"
    if found.since_ms is not None:
        moment = datetime.fromtimestamp(found.since_ms / 1000, UTC)
        span = f"since {moment.isoformat(timespec='seconds')}, newest first, as time ran out"
    were = "was" if all_of_them == 1 else "were"
    said = f"endpoint {endpoint}: {count_text(all_of_them, 'caller')} {span} {were} looked at"
    if not all_of_them:
        said = f"endpoint {endpoint}: no callers {span}"
    output.err.print(said, soft_wrap=True)
    if nameless := found.nameless[endpoint]:
        output.err.print(f"endpoint {endpoint}: {nameless_words(nameless)}", soft_wrap=True)
