"""What changed rules would have decided otherwise: `switchhook check --against`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.cli.data import steady_now_ms
from switchhook.cli.kept_since import first_since
from switchhook.journal.receipt import (
    RecordKind,
    decode_address,
    decode_admission,
    decode_receipt,
    id_of,
    read_passthru,
)
from switchhook.releases.trial import DISPUTED, Became, Trial
from switchhook.rules.flags import SettingsThen
from switchhook.rules.rollout import subject_of
from switchhook.server.places import has_ledger, journal_of
from switchhook.streams.names import Names
from switchhook.system.data_folder import read_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from switchhook.journal.source import JournalRecord
    from switchhook.releases.trial import Given, Tried
    from switchhook.rules.decide import Ruleset

_BATCH = 1000
_MOST_LISTED = 50
_TURN_OFF = "; CEL's answer counts here, and with answer.compiled_rules = false where they run"
_DECODE = {
    RecordKind.PASSTHRU: decode_receipt,
    RecordKind.ADMISSION: decode_admission,
    RecordKind.VOICEBOT: decode_address,
}


def compare(folder: Path, rulesets: Mapping[str, Ruleset], span_ms: int, *, json: bool) -> None:
    """Say how many kept receipts rules, by endpoint, would answer otherwise, and which."""
    node = read_identity(folder).node
    seen = changed = unable = 0
    listed: list[dict[str, str | None]] = []
    faulty: Counter[tuple[str, str]] = Counter()
    for record, tried in _tried(folder, rulesets, span_ms):
        if tried.became is Became.UNABLE:
            unable += 1
        if tried.became is Became.FAULT:
            faulty[tried.endpoint, tried.why] += 1
        if tried.was is None or tried.would is None:
            continue
        seen += 1
        if tried.was.same_answer(tried.would):
            continue
        changed += 1
        if json:
            output.print_json(_row(record, node, tried, tried.was, tried.would))
        elif len(listed) < _MOST_LISTED:
            listed.append(_row(record, node, tried, tried.was, tried.would))
    if listed:
        _print(listed)
    if changed > len(listed) and not json:
        output.err.print(f"and {changed - len(listed)} more: --json lists them all")
    if unable:
        output.err.print(f"{unable} receipts can't be decided again, and were left out")
    for (endpoint, why), count in faulty.items():
        receipts = "1 receipt" if count == 1 else f"{count} receipts"
        todo = _TURN_OFF if why.startswith(DISPUTED) else ""
        output.err.print(f"{receipts} of endpoint {endpoint}: {why}{todo}", soft_wrap=True)
    output.err.print(f"{changed} of {seen} receipts would be answered otherwise")


def _tried(
    folder: Path, rulesets: Mapping[str, Ruleset], span_ms: int
) -> Iterator[tuple[JournalRecord, Tried]]:
    """What comes of each receipt that one of the rulesets is tried on."""
    since_ms = max(0, steady_now_ms(folder) - span_ms)
    flags = _flags_since(folder, since_ms, rulesets)
    trials = [
        Trial(subject_of(name), each.release, each.judged_by_cel(), None, Names(), flags=flags.at)
        for name, each in rulesets.items()
    ]
    journal = journal_of(folder)
    seq = first_since(folder, journal, since_ms) - 1
    while records := journal.read(seq, _BATCH):
        seq = records[-1].seq
        for record in records:
            tries = (each.try_on(record) for each in trials)
            found = next((each for each in tries if each is not None), None)
            if found is not None:
                yield record, found


def _flags_since(folder: Path, since_ms: int, rulesets: Mapping[str, Ruleset]) -> SettingsThen:
    """What flags were set to at any moment since then, where rules read one."""
    if not any(each.flags for each in rulesets.values()) or not has_ledger(folder):
        return SettingsThen()
    from switchhook.cli.flag import with_flags  # most rules read none, and it loads the ledger

    return with_flags(folder, lambda flags, _now_ms: flags.since(since_ms))


def _row(
    record: JournalRecord, node: int, tried: Tried, was: Given, would: Given
) -> dict[str, str | None]:
    receipt = _DECODE[RecordKind(record.kind)](record.body)
    return {
        "id": id_of(record, node),
        "endpoint": tried.endpoint,
        "call_sid": read_passthru(receipt).call_sid,
        "before": was.answer,
        "rule_before": was.rule,
        "after": would.answer,
        "rule_after": would.rule,
    }


def _print(rows: list[dict[str, str | None]]) -> None:
    output.print_table(
        ("RECEIPT", "CALL", "WAS", "", "WOULD BE", ""),
        (
            (
                each["id"],
                each["call_sid"],
                output.option_text(each["before"]),
                each["rule_before"],
                output.option_text(each["after"]),
                each["rule_after"],
            )
            for each in rows
        ),
    )
