"""A back-test as page, API and commands give it: counts, and receipts by their ids. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.releases.backtest import BackTest, Change, Example, Part, Tally
    from switchhook.releases.trial import Given
    from switchhook.web.json import Json


def backtest_json(found: BackTest, node: int | None) -> Json:
    """A back-test; `node` is that of the journal, for the ids of receipts: None of a log."""
    tally = found.tally
    return {
        "release": found.number,
        "hash": found.release,
        "subject": found.subject,
        "log": found.log or None,
        "since": _time(found.since_ms),
        "until": _time(found.until_ms),
        "begun_at": _time(found.begun_ms),
        "ended_at": _time(found.ended_ms),
        "complete": found.complete,
        "records": {"counted": found.counted, "of": found.whole.records},
        "took_s": round(found.spent_s, 3),
        "left_s": None if found.left_s is None else round(found.left_s, 1),
        "cores": found.cores,
        **_counts(tally),
        "changes": [_change(each, node) for each in tally.changes],
        "causes": _parts(tally.causes),
        "bots": _parts(tally.bots),
        "rules": _parts(tally.rules),
        "hours": _parts(dict(sorted(tally.hours.items())), by_count=False),
        "faulty": [{**_example(each, node), "why": each.why} for each in tally.faulty],
        "mix": [{"given": word, "callers": count} for word, count in tally.callers.mix().items()],
    }


def _counts(tally: Tally) -> Json:
    callers = tally.callers
    return {
        "decided": tally.decided,
        "different": tally.different,
        "other_rule": tally.other_rule,
        "faults": tally.faults,
        "callers": callers.callers,
        "callers_different": callers.different,
        "callers_estimated": callers.level > 0,
        "without_caller": tally.without_caller,
        "left_out": _whys(tally.left_out),
        "unable": _whys(tally.unable),
        "unsure": _whys(tally.unsure),
        "flags_by_default": [
            {"flag": name, "count": count} for name, count in _by_count(tally.unkept)
        ],
    }


def _change(change: Change, node: int | None) -> Json:
    return {
        "endpoint": change.endpoint,
        "was": _given(change.was),
        "would_be": _given(change.would),
        "count": change.count,
        "receipts": [_example(each, node) for each in change.examples],
    }


def _given(given: Given) -> Json:
    said = msgspec.structs.asdict(given)
    return {**{name: text or None for name, text in said.items()}, "words": given.words}


def _example(example: Example, node: int | None) -> Json:
    where: Json = {"line": example.seq}
    if receipt := example.receipt(node):
        where = {"receipt": receipt}
    return {
        **where,
        "at": _time(example.at_ms),
        "cause": example.cause or None,
        "bot": example.bot or None,
    }


def _parts(parts: Mapping[str, Part], *, by_count: bool = True) -> list[Json]:
    rows = list(parts.items())
    if by_count:
        rows.sort(key=lambda each: (-each[1].different, -each[1].decided, each[0]))
    return [
        {"name": name, "decided": part.decided, "different": part.different} for name, part in rows
    ]


def _whys(counts: Mapping[str, int]) -> list[Json]:
    return [{"why": why, "count": count} for why, count in _by_count(counts)]


def _by_count(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _time(ms: int | None) -> str | None:
    return time_of(ms * 1000) if ms else None
