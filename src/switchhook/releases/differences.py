"""How two releases differ, in words: `throttled callers from flow 12 now go to B`. Pure.

Texts are read as they are written: also those that don't check out have words, where they are TOML.
"""

from __future__ import annotations

import tomllib
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.phone_numbers import mask_text
from switchhook.releases.phrases import ALL, callers_words
from switchhook.releases.pool_differences import pool_differences
from switchhook.rules.outcome import ORDINARY
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from collections.abc import Sequence

SAME = "the same callers go the same ways: only names, comments or layout changed"


class _Rule(msgspec.Struct, frozen=True):
    """A rule as it is written; `way` is where its callers go, in words.

    `promise` is in words for what and as which class they are promised a callback; None where they
    are not.
    """

    name: str
    when: str
    way: str
    promise: str | None = None

    @property
    def given(self) -> str:
        """All that its callers get."""
        if self.promise is None:
            return self.way
        return f"{self.way} with the promise of a callback{self.promise}"


def differences(subject: str, old: str, new: str) -> tuple[str, ...]:
    """What changes for whom from one text to another, a sentence's part each; none where nothing.

    Of what is no rules it says so, for there is nothing to compare but lines.
    """
    if old == new:
        return ()
    before, after = _tables(old), _tables(new)
    for which, read in (("former", before), ("latter", after)):
        if read is None:
            return (f"the {which} is no TOML, so that only lines can be compared",)
    assert before is not None
    assert after is not None
    if subject == POOLS:
        return pool_differences(before, after) or (SAME,)
    said = (*_rule_differences(_rules(before), _rules(after)), *_defaults(before, after))
    return tuple(map(mask_text, said)) or (SAME,)


def _tables(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _rules(tables: dict[str, Any]) -> list[_Rule]:
    entries = tables.get("rule")
    rules: dict[str, _Rule] = {}
    for place, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict):
            name = str(entry.get("name") or f"#{place + 1}")
            rules.setdefault(name, _rule(name, entry))
    return list(rules.values())


def _rule(name: str, entry: dict[str, Any]) -> _Rule:
    return _Rule(name, str(entry.get("when", "")), _way(entry), _promise(entry))


def _way(entry: dict[str, Any]) -> str:
    """Where a rule's callers go; what may be left out is as it is then."""
    if "pool" in entry:
        return f"get a bot of pool {entry['pool']}"
    option = entry.get("option")
    admits = "class" in entry and "promise" not in entry
    if option != "B" and (admits or option is None):
        named = entry.get("class", "")
        return f"ask for room as class {named}" if named else "ask for room"
    select = f" with select {entry['select']}" if "select" in entry else ""
    return f"go to {option}{select}"


def _promise(entry: dict[str, Any]) -> str | None:
    """For what and as which class callers are promised a callback; a name says nothing of it."""
    if entry.get("promise") is not True:
        return None
    reason, class_ = entry.get("reason"), entry.get("class", ORDINARY)
    words = f' for "{reason}"' if reason else ""
    return words + (f" as class {class_}" if class_ != ORDINARY else "")


def _defaults(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    tables = [each if isinstance(each, dict) else {} for each in map(_default, (before, after))]
    old, new = (_rule("", each) for each in tables)
    who = "all other callers" if after.get("rule") else ALL
    said = [] if old.way == new.way else [f"{who} now {new.way} (before: {old.way})"]
    return said + _promised(who, old, new, "")


def _default(tables: dict[str, Any]) -> object:
    return tables.get("default")


def _rule_differences(before: Sequence[_Rule], after: Sequence[_Rule]) -> list[str]:
    pairs = _paired(before, after)
    said = []
    for at, rule in enumerate(after):
        old = pairs.get(rule.name)
        said += [_added(rule, at, after)] if old is None else _changed(old, rule)
    kept = {old.name for old in pairs.values()}
    said += [_removed(rule) for rule in before if rule.name not in kept]
    return said + _moved(before, after, pairs)


def _paired(before: Sequence[_Rule], after: Sequence[_Rule]) -> dict[str, _Rule]:
    """What each rule was before: the one of its name, else one that asks the same."""
    names = {rule.name: rule for rule in before}
    pairs = {rule.name: names[rule.name] for rule in after if rule.name in names}
    gone = names.keys() - pairs.keys()
    left = {rule.when: rule for rule in before if rule.name in gone}
    for rule in after:
        if rule.name not in pairs and rule.when in left:
            pairs[rule.name] = left.pop(rule.when)
    return pairs


def _added(rule: _Rule, at: int, after: Sequence[_Rule]) -> str:
    place = f'asked after "{after[at - 1].name}"' if at else "asked first"
    if len(after) == 1:
        place = "the only one"
    return f'{callers_words(rule.when)} now {rule.given} (new rule "{rule.name}", {place})'


def _removed(rule: _Rule) -> str:
    who = callers_words(rule.when)
    return f'{who} no longer {rule.given} by rule "{rule.name}", which is gone'


def _changed(old: _Rule, new: _Rule) -> list[str]:
    """What changes for whom; a name is what nobody goes anywhere by."""
    said = []
    name = f'rule "{new.name}"'
    if _squeezed(old.when) != _squeezed(new.when):
        now, was = callers_words(new.when), callers_words(old.when)
        if now == was:
            now, was = (f"callers for whom `{_squeezed(each.when)}`" for each in (new, old))
        said.append(f"{name} is for {now} now (before: for {was}); they {new.given}")
    if old.way != new.way:
        said.append(f"{callers_words(new.when)} now {new.way} (before: {old.way}; {name})")
    return said + _promised(callers_words(new.when), old, new, name)


def _promised(who: str, old: _Rule, new: _Rule, rule: str) -> list[str]:
    """What changes of the callbacks that callers are promised; `rule` says by which."""
    if old.promise == new.promise:
        return []
    if new.promise is None:
        return [f"{who} are no longer promised a callback{f' ({rule})' if rule else ''}"]
    was = "" if old.promise is None else f"before:{old.promise or ' a plain one'}"
    beside = "; ".join(filter(None, (was, rule)))
    return [f"{who} are now promised a callback{new.promise}{f' ({beside})' if beside else ''}"]


def _squeezed(when: str) -> str:
    return " ".join(when.split())


def _moved(before: Sequence[_Rule], after: Sequence[_Rule], pairs: dict[str, _Rule]) -> list[str]:
    """The fewest rules that stand elsewhere among those that both have."""
    old = [rule.name for rule in before if rule in pairs.values()]
    new = [pairs[rule.name].name for rule in after if rule.name in pairs]
    names = {was.name: now for now, was in pairs.items()}
    kept: set[str] = set()
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        kept.update(new[block.b : block.b + block.size])
    said = []
    for at, was in enumerate(new):
        if was in kept:
            continue
        place = f'after "{names[new[at - 1]]}"' if at else "first"
        said.append(f'rule "{names[was]}" is asked {place} now')
    return said
