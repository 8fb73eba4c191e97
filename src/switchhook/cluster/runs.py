"""What each node runs, by hashes, and where nodes differ. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.phone_numbers import shown_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUILT_IN = "the built-in ones"


class Runs(msgspec.Struct, frozen=True):
    """Hashes of what a node runs: its configuration, each endpoint's rules, the pools.

    Of the configuration that is what all nodes have in common; empty is not known. An endpoint that
    runs the built-in rules is not in `rules`; `pools` is empty without any.
    """

    config: str = ""
    rules: dict[str, str] = {}
    pools: str = ""


def encoded(runs: Runs) -> bytes:
    """As `cluster_node.runs` has it."""
    return msgspec.json.encode(runs)


def read_runs(body: bytes) -> Runs | None:
    """None for what nobody has said, or another release said otherwise."""
    try:
        return msgspec.json.decode(body, type=Runs) if body else None
    except msgspec.DecodeError:
        return None


def differences(nodes: Mapping[str, Runs]) -> tuple[str, ...]:
    """Where nodes run something else than others, a sentence each; `nodes` by name."""
    found = [_differ("configurations", {name: each.config for name, each in nodes.items()})]
    endpoints = sorted({endpoint for each in nodes.values() for endpoint in each.rules})
    for endpoint in endpoints:
        what = f"rules for endpoint {endpoint}"
        by_name = {name: each.rules.get(endpoint, _BUILT_IN) for name, each in nodes.items()}
        found.append(_differ(what, by_name))
    found.append(_differ("pools", {name: each.pools for name, each in nodes.items()}))
    return tuple(filter(None, found))


def _differ(what: str, by_name: Mapping[str, str]) -> str:
    of: dict[str, list[str]] = {}
    for name, hash in sorted(by_name.items()):
        if hash:
            of.setdefault(hash, []).append(name)
    if len(of) < 2:
        return ""
    most_first = sorted(of.items(), key=lambda each: (-len(each[1]), each[1]))
    parts = [f"{_named(names)} {_shown(hash)}" for hash, names in most_first]
    return f"nodes run different {what}: {'; '.join(parts)}"


def _named(names: list[str]) -> str:
    """`one runs`, `one and two run`, `one, two and three run`."""
    *first, last = names
    return f"{', '.join(first)} and {last} run" if first else f"{last} runs"


def _shown(hash: str) -> str:
    return hash if hash == _BUILT_IN else shown_hash(hash)
