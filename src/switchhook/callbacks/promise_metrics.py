"""Figures of promises: what waits, what will be late, how they ended, and whether anybody dials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.callbacks.known import AccountPromises
    from switchhook.metrics import Labels, Source


def promises_figures(known: Callable[[], Sequence[AccountPromises]]) -> Source:
    """Of each account that calls back, or did: of others there are no figures."""

    def read(_now_ms: int) -> Iterable[Figure]:
        for each in known():
            yield from _of(each)

    return read


def _of(promises: AccountPromises) -> Iterable[Figure]:
    labels: Labels = (("account", promises.account),)
    dialling, at_ms = promises.dialling, promises.at_ms
    counts = {
        "promises.waiting": promises.waiting,
        "promises.due": promises.due,
        "promises.on_the_way": promises.on_the_way,
        "promises.unknown": promises.unknown,
        "promises.late": promises.late,
        "promises.kept": promises.kept,
        "promises.dropped": promises.dropped,
        "promises.broken": promises.broken,
        "promises.refused": promises.refused,
        "promises.refuted": promises.refuted,
        "callbacks.abandoned": promises.abandoned,
        "dialling.off": promises.off,
    }
    for name, count in counts.items():
        yield Figure(name, float(count), at_ms, labels)
    refused = float(promises.exotel_refuses)
    since_ms = dialling.stopped_ms if promises.exotel_refuses else None
    yield Figure("dialling.refused", refused, at_ms, labels, since_ms=since_ms)
    if promises.owed:
        share = promises.in_time / promises.owed
        yield Figure("promises.in_time_share", share, at_ms, labels, cases=promises.owed)
