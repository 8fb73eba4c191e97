"""How two texts of pools differ, in words, weights as shares. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Table = Mapping[str, Any]

_STATES = {
    "in": "takes calls",
    "draining": "drains: it gets no new calls",
    "out": "is out: it gets no calls",
}
_AS_CONFIGURED = "as configured"


def pool_differences(before: Table, after: Table) -> tuple[str, ...]:
    """What changes, a sentence's part each; `before` and `after` are what TOML makes of them."""
    said: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if not isinstance(old, dict) or not isinstance(new, dict):
            gone = not isinstance(new, dict)
            said.append(f"pool {name} is {_AS_CONFIGURED} now" if gone else f"pool {name} is new")
            continue
        said += _pool(name, old, new)
    return tuple(said)


def _pool(name: str, old: Table, new: Table) -> list[str]:
    said = []
    before, after = _members(old), _members(new)
    if _shares(before) != _shares(after):
        said.append(_shares_words(name, _shares(before), _shares(after)))
    for member in sorted({*before, *after}):
        said += _member(f"{member} of {name}", before.get(member, {}), after.get(member, {}))
    if old.get("sticky") != new.get("sticky"):
        stay = "stay with one member" if new.get("sticky") else "no longer stay with one member"
        said.append(f"a customer's calls of {name} {stay}")
    said += _breaker(name, old.get("breaker"), new.get("breaker"))
    return said


def _members(pool: Table) -> dict[str, Table]:
    found = pool.get("members")
    if not isinstance(found, dict):
        return {}
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def _shares(members: Mapping[str, Table]) -> dict[str, float]:
    """What each member takes of the calls, in per cent, by weight and state alone."""
    weights = {
        name: float(each.get("weight", 100)) if each.get("state", "in") == "in" else 0.0
        for name, each in members.items()
    }
    total = sum(weights.values())
    return {name: 100 * weight / total if total else 0.0 for name, weight in weights.items()}


def _shares_words(pool: str, before: Mapping[str, float], after: Mapping[str, float]) -> str:
    said = []
    for member in sorted({*before, *after}):
        old, new = before.get(member, 0.0), after.get(member, 0.0)
        was = f" (before: {_per_cent(old)})" if old != new else ""
        said.append(f"{member} takes {_per_cent(new)}{was}")
    return f"of the calls of {pool}, {', '.join(said)}"


def _per_cent(share: float) -> str:
    return f"{share:.1f}".removesuffix(".0") + " %"


def _member(name: str, old: Table, new: Table) -> list[str]:
    said = []
    state, was = new.get("state", "in"), old.get("state", "in")
    if state != was:
        said.append(f"{name} {_STATES.get(state, state)} (before: {_STATES.get(was, was)})")
    if new.get("limit") != old.get("limit"):
        said.append(f"{name} takes {_limit(new)} (before: {_limit(old)})")
    return said


def _limit(member: Table) -> str:
    limit = member.get("limit", _AS_CONFIGURED)
    return "as many streams as come" if limit == "none" else f"at most {limit} streams at once"


def _breaker(pool: str, old: object, new: object) -> list[str]:
    if old == new or not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [f"the breaker of {pool} changes"]
    if old.get("enabled") != new.get("enabled"):
        on = new.get("enabled")
        return [f"a failing member of {pool} is {'' if on else 'no longer '}taken out by itself"]
    changed = [
        f"{key} {new.get(key)} (before: {old.get(key)})"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    return [f"the breaker of {pool}: {', '.join(changed)}"]
