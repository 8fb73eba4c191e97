"""What a back-test found, as the page of a release shows it: each figure with its calls.

Pure. A figure's calls are those of the differences that are kept: the newest of each kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import sentence
from switchhook.releases.backtest import hour_of, nameless_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.releases.backtest import BackTest, Example, Part, Tally

MOST_ROWS = 12
MOST_CALLS = 25
_HOUR = len("2026-11-23 14")


class CallShown(msgspec.Struct, frozen=True):
    """A call that would have gone otherwise, by its receipt; `receipt` is empty of a log's line."""

    at_ms: int
    receipt: str
    line: int
    cause: str
    bot: str


class ChangeShown(msgspec.Struct, frozen=True):
    """One kind of difference: what was given, what would be, how often, and the newest calls."""

    was: str
    would: str
    count: int
    calls: tuple[CallShown, ...]


class PartShown(msgspec.Struct, frozen=True):
    """One row of a figure: of `decided` so many would have been `different`, such as `calls`."""

    name: str
    decided: int
    different: int
    calls: tuple[CallShown, ...]


class BackTestShown(msgspec.Struct, frozen=True, kw_only=True):
    """A back-test in words; `share` of it is done, 1 where all is."""

    words: str
    progress: str
    share: float
    faults: int
    notes: tuple[str, ...]
    changes: tuple[ChangeShown, ...]
    more_changes: int
    parts: tuple[tuple[str, tuple[PartShown, ...]], ...]


def backtest_shown(found: BackTest, node: int, zone: str) -> BackTestShown:
    """What is shown of it; `node` is the journal's, `zone` the clock of the endpoint."""
    tally = found.tally
    of_log = bool(found.log)
    every = [(change, each) for change in tally.changes for each in change.examples]
    names: dict[str, Callable[[int], str]] = {
        "By rule": lambda at: every[at][0].was.rule,
        "By cause": lambda at: every[at][1].cause,
        "By bot": lambda at: every[at][1].bot,
        "By hour": lambda at: hour_of(every[at][1].at_ms, zone),
    }
    counts = (tally.rules, tally.causes, tally.bots, tally.hours)
    calls = [_call(each, node, of_log=of_log) for _, each in every]
    shown = []
    for (title, name_of), parts in zip(names.items(), counts, strict=True):
        by_name: dict[str, list[CallShown]] = {}
        for at, call in enumerate(calls):
            by_name.setdefault(name_of(at), []).append(call)
        if title == "By hour":  # one that an older version counted names no zone
            by_name |= {name[:_HOUR]: some for name, some in by_name.items()}
        shown.append((title, _rows(parts, by_name)))
    return BackTestShown(
        words=_words(found),
        progress=_progress(found),
        share=1.0 if found.complete else found.counted / max(found.whole.records, 1),
        faults=tally.faults,
        notes=tuple(_notes(tally)),
        changes=tuple(
            ChangeShown(
                each.was.words,
                each.would.words,
                each.count,
                tuple(_call(call, node, of_log=of_log) for call in each.examples[:MOST_CALLS]),
            )
            for each in tally.changes[:MOST_ROWS]
        ),
        more_changes=max(len(tally.changes) - MOST_ROWS, 0),
        parts=tuple((title, rows) for title, rows in shown if rows),
    )


def _call(example: Example, node: int, *, of_log: bool) -> CallShown:
    receipt = example.receipt(None if of_log else node)
    return CallShown(example.at_ms, receipt, example.seq, example.cause, example.bot)


def _rows(parts: Mapping[str, Part], calls: Mapping[str, list[CallShown]]) -> tuple[PartShown, ...]:
    """Those with differences, most first."""
    some = sorted(parts.items(), key=lambda each: (-each[1].different, each[0]))
    return tuple(
        PartShown(
            name,
            part.decided,
            part.different,
            tuple(sorted(calls.get(name, ()), key=lambda each: -each.at_ms)[:MOST_CALLS]),
        )
        for name, part in some[:MOST_ROWS]
        if part.different
    )


def _words(found: BackTest) -> str:
    """How many would have been decided otherwise, in a sentence."""
    tally, callers = found.tally, found.tally.callers
    if not tally.decided:
        return "No request was found that it could have decided."
    if not tally.different:
        said = f"It would have answered all {tally.decided:,} requests as they were answered"
    else:
        percent = 100 * tally.different / tally.decided
        said = (
            f"It would have answered {tally.different:,} of {tally.decided:,} requests otherwise"
            f" ({percent:.{0 if percent >= 10 else 1}f} %)"
        )
    if callers.first and tally.different:
        about = "about " if callers.level else ""
        said += f": {about}{callers.different:,} of {about}{callers.callers:,} callers"
    return said + "."


def _progress(found: BackTest) -> str:
    """How far it is, where it is not done."""
    if found.complete or found.log:
        return ""
    said = f"{found.counted:,} of {found.whole.records:,} records are looked at"
    if found.left_s is not None:
        minutes = round(found.left_s / 60)
        said += f", {minutes} min are left" if minutes else ", less than a minute is left"
    return said + "."


def _notes(tally: Tally) -> list[str]:
    """What was left out, and what is not sure."""
    said = [f"{count:,} can't be decided again: {why}." for why, count in tally.unable.items()]
    said += [f"{count:,} were left out: {why}." for why, count in tally.left_out.items()]
    said += [f"{count:,} are not sure: {why}." for why, count in tally.unsure.items()]
    said += [
        f"{count:,} had no value of flags.{flag} kept, and nobody is known to have set it:"
        " its default was taken."
        for flag, count in tally.unkept.items()
    ]
    if tally.without_caller:
        said.append(sentence(nameless_words(tally.without_caller)))
    if tally.other_rule:
        said.append(f"{tally.other_rule:,} would have had the same answer by another rule.")
    return said
