"""How a back-test is shown: what would have been otherwise, of whom, and what nobody can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from switchhook.cli import output
from switchhook.releases.backtest import nameless_words
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.releases.backtest import BackTest, Part, Tally

_MOST_CHANGES, _MOST_PARTS, _MOST_GIVEN = 20, 6, 8
_PART_NAMES = {"causes": "by cause", "bots": "by bot", "rules": "by rule", "hours": "by hour"}


def print_backtest(found: BackTest, what: str, node: int | None) -> None:
    """Show a back-test of `what`; `node` is the journal's, None of a log."""
    tally = found.tally
    output.out.print(_head(found, what), style="bold", soft_wrap=True)
    callers = tally.callers
    if callers.first:
        about = "about " if callers.level else ""
        said = f"{about}{callers.different:,} of {about}{callers.callers:,} callers"
        said += ", each by their first request"
        output.out.print(said, soft_wrap=True)
    if tally.changes:
        output.out.print()
        _print_changes(tally, node)
    if tally.different:
        output.out.print()
        parts = {name: _parts(getattr(tally, name)) for name in _PART_NAMES}
        output.print_pairs([(_PART_NAMES[name], said) for name, said in parts.items()])
    _print_mix(tally)
    _print_rest(tally)
    _print_faults(tally, node)


def _head(found: BackTest, what: str) -> str:
    tally = found.tally
    if found.log:
        where = f"of {output.plain(found.log)}"
    else:
        where = f"since {output.moment(time_of(found.since_ms * 1000))}"
    share = f" ({_share(tally.different, tally.decided)})" if tally.different else ""
    return (
        f"{what}: {tally.different:,} of {tally.decided:,} requests {where} would have been"
        f" answered otherwise{share}"
    )


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.2g} %" if count < of else "100 %"


def _print_changes(tally: Tally, node: int | None) -> None:
    rows = []
    for change in tally.changes[:_MOST_CHANGES]:
        newest = change.examples[0]
        where = f"line {newest.seq}"
        if receipt := newest.receipt(node):
            where = receipt
        rows.append((f"{change.count:,}", change.was.words, change.would.words, where))
    output.print_table(("COUNT", "WAS", "WOULD BE", "SUCH AS"), rows)
    if len(tally.changes) > _MOST_CHANGES:
        more = len(tally.changes) - _MOST_CHANGES
        output.err.print(f"and {more} more kinds of difference: --json has them all")


def _parts(parts: Mapping[str, Part]) -> str:
    """The parts with most differences, as in `throttled 12 of 300`."""
    some = sorted(parts.items(), key=lambda each: (-each[1].different, each[0]))
    said = [
        f"{output.plain(name)} {part.different:,} of {part.decided:,}"
        for name, part in some[:_MOST_PARTS]
        if part.different
    ]
    left = sum(part.different > 0 for _, part in some[_MOST_PARTS:])
    return ", ".join(said) + (f" and {left} more" if left else "")


def _print_mix(tally: Tally) -> None:
    mix = tally.callers.mix()
    total = sum(mix.values())
    if not total:
        return
    some = list(mix.items())[:_MOST_GIVEN]
    said = ", ".join(f"{output.plain(word)} {_share(count, total)}" for word, count in some)
    more = f" and {len(mix) - len(some)} more" if len(mix) > len(some) else ""
    output.out.print()
    output.print_pairs([("callers would get", said + more)])


def _print_rest(tally: Tally) -> None:
    """What was left out, and what is not sure, one line each."""
    if tally.other_rule:
        said = f"{tally.other_rule:,} would have had the same answer by another rule"
        output.err.print(said, soft_wrap=True)
    if tally.without_caller:
        output.err.print(nameless_words(tally.without_caller), soft_wrap=True)
    for why, count in sorted(tally.unable.items()):
        output.err.print(f"{count:,} cannot be decided again: {output.plain(why)}", soft_wrap=True)
    for why, count in sorted(tally.left_out.items()):
        output.err.print(f"{count:,} left out: {output.plain(why)}", soft_wrap=True)
    for why, count in sorted(tally.unsure.items()):
        output.err.print(f"{count:,} not sure: {output.plain(why)}", soft_wrap=True)
    for flag, count in sorted(tally.unkept.items()):
        said = f"{count:,} had no value of flags.{output.plain(flag)} kept, and nobody is known to"
        output.err.print(f"{said} have set it: its default was taken", soft_wrap=True)


def _print_faults(tally: Tally, node: int | None) -> None:
    if not tally.faults:
        return
    said = f"FAULT: {tally.faults:,} decisions of this release are not as they were kept"
    output.err.print(Text(said, style="bold red"))
    for each in tally.faulty:
        name = each.receipt(node) or f"line {each.seq}"
        output.err.print(f"  {name}: {each.why}")
