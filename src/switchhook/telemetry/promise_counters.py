"""Promises as counters: made, refused, what happened to them, and how callbacks went.

They are the ledger's over all time, so that a restart sets none back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Total = tuple[str, str, str, int]
"""An account, the kind of what is counted, what it is, and how often it was."""

_FAMILIES = {
    "made": ("promises_made", "Promises made, by whom.", "origin"),
    "refused": ("promises_refused", "Callers who could not be promised a callback.", "reason"),
    "event": ("promise_events", "What happened to promises.", "event"),
    "outcome": ("callbacks", "Callbacks by how they went.", "outcome"),
}


def promise_families(totals: Iterable[Total]) -> Iterator[Metric]:
    """The families; what is of no kind that is known is left out."""
    families = {
        kind: CounterMetricFamily(f"switchhook_{name}", meaning, labels=("account", label))
        for kind, (name, meaning, label) in _FAMILIES.items()
    }
    for account, kind, what, count in totals:
        if kind in families:
            families[kind].add_metric((account, what.replace(" ", "_")), count)
    yield from families.values()
