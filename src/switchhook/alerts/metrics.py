"""Figures of whom alerts are told: whether they can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.alerts.sender import Sender


def destination_figures(sender: Sender, now_ms: int) -> Iterable[Figure]:
    """For how long each destination has taken no message; 0 where it took the last.

    Unknown until one was tried since the start.
    """
    silent = {each.name: each for each in sender.silent()}
    for recipient in sender.destinations.recipients:
        labels, found = (("destination", recipient.name),), silent.get(recipient.name)
        if found is None:
            takes = 0.0 if sender.tried(recipient.name) else None
            yield Figure("destination.silent_s", takes, now_ms, labels)
        else:
            seconds = max(0, now_ms - found.since_ms) / 1000
            since_ms = found.since_ms
            yield Figure("destination.silent_s", seconds, now_ms, labels, since_ms=since_ms)
