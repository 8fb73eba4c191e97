"""Endpoints as they are shown: what each is asked, what decides for it, and which rule hits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import HOUR_MS
from switchhook.rules.decide import DEFAULT, EndpointKind, Rule
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import query_text
from switchhook.web.chart import Chart, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.streams.facet import Form, RuleHits, Tally
    from switchhook.streams.format_drift import Change
    from switchhook.streams.names import Names
    from switchhook.web.chart import Mark

MOST_SHOWN = 12
SAFE, REPEAT = "safe option", "repeat"
_AGAIN = "the same question again: the first answer once more"
"""What receipts name as the rule where deciding failed, and where the question was asked before."""


class RulesShown(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that an endpoint runs: the release, since when, by whom, from which file.

    `file` is empty for the built-in ones; `default` is what stands for the rule where none matches.
    `unused` is what is wrong with the file where it holds
    something else than what runs, in lines; it is `refused`, or waits.
    """

    release: str
    since_us: int | None
    by: str
    file: str
    rules: tuple[Rule, ...]
    default: Rule
    unused: str = ""
    refused: bool = False


class EndpointShown(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is configured and runs; `secret` is whether the operator gave it one."""

    name: str
    mode: str
    auth: str
    safe_option: str
    deadline_ms: int
    rules: RulesShown
    secret: bool
    kind: EndpointKind = EndpointKind.PASSTHRU


class RuleUse(msgspec.Struct, frozen=True):
    """A rule, or what stands in for one, with the passthrus that it decided in a stretch.

    `when` is its expression, or in words what makes it decide; `option` is empty where it chooses
    none. `hits` are those of the release that runs, `before` those of releases before it under the
    same name, whatever their text was. `last_ms` is its last ever, `last_before` whether that is of
    a release before.
    """

    name: str
    when: str
    option: str
    hits: int
    before: int
    last_ms: int | None
    last_before: bool = False
    written: bool = True
    """False of a rule that only releases before had."""
    stands_in: bool = False
    """Whether it is none of the rules that are written, but decides where none does."""
    select: str = ""
    """With what of the kind's own it answers, as in the rules file; empty where it does not."""
    pool: str = ""
    class_: str = ""
    promise: str = ""
    """Why it promises a callback, as `class_`."""


class EndpointUse(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint in a stretch. `configured` is None where it is only remembered.

    `hours` counts streams, oldest first; `options` how they were answered. `destinations` and
    `selects` say where an option and a keyword lead, as far as that is named.
    """

    name: str
    account: str
    destinations: tuple[tuple[str, str], ...]
    configured: EndpointShown | None
    rules: tuple[RuleUse, ...]
    streams: int
    hours: tuple[int, ...]
    options: tuple[tuple[str, int], ...]
    dialects: tuple[tuple[str, int], ...]
    defects: tuple[tuple[str, int], ...]
    more_defects: int
    changes: tuple[Change, ...]
    selects: dict[str, str] = {}


def rule_uses(point: EndpointShown, found: Iterable[RuleHits]) -> tuple[RuleUse, ...]:
    """The rules of an endpoint in their order, by the hits that were found of it.

    Then default, safe option and repeats, and the rules that only releases before had and that hit.
    """
    rules = point.rules
    by_name: dict[str, list[RuleHits]] = {}
    for each in found:
        by_name.setdefault(each.rule, []).append(each)
    voicebot = point.kind is EndpointKind.VOICEBOT
    safe = "" if voicebot else point.safe_option
    why = "deciding failed: the fallback address" if voicebot else "deciding failed"
    uses = [
        *(_rule_use(rule, rules.release, by_name.pop(rule.name, [])) for rule in rules.rules),
        *(
            msgspec.structs.replace(each, stands_in=True)
            for each in (
                _rule_use(rules.default, rules.release, by_name.pop(DEFAULT, [])),
                _use(SAFE, why, safe, rules.release, by_name.pop(SAFE, [])),
                _use(REPEAT, _AGAIN, "", rules.release, by_name.pop(REPEAT, [])),
            )
        ),
    ]
    gone = [_use(name, "", "", rules.release, hits) for name, hits in sorted(by_name.items())]
    uses += [msgspec.structs.replace(each, written=False) for each in gone if each.before]
    return tuple(uses)


def _rule_use(rule: Rule, release: str, found: Sequence[RuleHits]) -> RuleUse:
    option = "" if rule.pool else rule.option.value
    return msgspec.structs.replace(
        _use(rule.name, rule.when, option, release, found),
        select=rule.select,
        pool=rule.pool,
        class_=rule.class_,
        promise=rule.promise,
    )


def _use(name: str, when: str, option: str, release: str, found: Sequence[RuleHits]) -> RuleUse:
    ours = [each for each in found if each.release == release]
    before = [each for each in found if each.release != release]
    last = max(ours or before, key=lambda each: each.last_ms, default=None)
    return RuleUse(
        name,
        when,
        option,
        hits=sum(each.hits for each in ours),
        before=sum(each.hits for each in before),
        last_ms=None if last is None else last.last_ms,
        last_before=bool(before and not ours),
    )


def endpoint_use(
    name: str,
    configured: EndpointShown | None,
    hits: Sequence[RuleHits],
    tallies: Sequence[Tally],
    forms: Sequence[Form],
    changed: tuple[Change, ...],
    names: Names,
    since_ms: int,
) -> EndpointUse:
    """How an endpoint was used in the 24 hours since a full one; all that is given is of it."""
    options, hours = Counter[str](), [0] * 24
    for tally in tallies:
        options[tally.facet.option] += tally.streams
        hours[(tally.at_ms - since_ms) // HOUR_MS % 24] += tally.streams
    defects = counted(forms, "defect")
    return EndpointUse(
        name=name,
        account=names.accounts_of.get(name, ""),
        destinations=tuple(
            (option, said) for option in ("A", "B") if (said := names.destination(name, option))
        ),
        configured=configured,
        rules=() if configured is None else rule_uses(configured, hits),
        streams=sum(hours),
        hours=tuple(hours),
        options=tuple(sorted(options.items())),
        dialects=tuple(counted(forms, "dialect")),
        defects=tuple(defects[:MOST_SHOWN]),
        more_defects=max(len(defects) - MOST_SHOWN, 0),
        changes=changed,
        selects={key: said for (point, key), said in names.selects.items() if point == name},
    )


OPTIONS = ("A", "B")


def share_chart(
    endpoint: str,
    tallies: Iterable[Tally],
    since_ms: int,
    until_ms: int,
    step_ms: int,
    marks: Iterable[Mark],
) -> Chart:
    """How an endpoint's streams were shared between the options, stretch by stretch."""
    rows = {option: [0] * ((until_ms - since_ms) // step_ms) for option in OPTIONS}
    for each in tallies:
        at = (each.at_ms - since_ms) // step_ms
        if each.facet.endpoint == endpoint and each.facet.option in rows:
            rows[each.facet.option][at] += each.streams
    return Chart(
        kind="share",
        times=[at // 1000 for at in range(since_ms, until_ms, step_ms)],
        rows=[*rows.values()],
        series=[
            Series(f"Option {option}", f"--option-{option.lower()}", f"option:{option}")
            for option in OPTIONS
        ],
        marks=[each for each in marks if each.endpoint in ("", endpoint)],
        step_s=step_ms // 1000,
        q=query_text(Query((Condition("endpoint", (endpoint,)),))),
    )


def counted(forms: Iterable[Form], aspect: str) -> list[tuple[str, int]]:
    """The values of an aspect with their counts, the most first."""
    counts: Counter[str] = Counter()
    for form in forms:
        if form.aspect == aspect:
            counts[form.value] += form.count
    return counts.most_common()
