"""Figures of admission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import Figure
from switchhook.routes.admission_feed import Became

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.metrics import Source
    from switchhook.routes.admission_view import AdmissionView


def admission_figures(views: Callable[[], Sequence[AdmissionView]]) -> Source:
    """Of each account that is asked for room; room is unknown where nothing is known of it."""

    def read(now_ms: int) -> Iterable[Figure]:
        for view in views():
            estimate, labels = view.estimate, (("account", view.account),)
            for name, value in (
                ("room", None if estimate.unknown else estimate.room),
                ("pending", estimate.held.pending),
                ("live", estimate.held.live),
                ("foreign", estimate.foreign),
                ("reserve", estimate.reserve),
                ("admitted", view.admitted),
                ("refused", view.refused),
                ("unknown", view.unknown),
                ("refused_now", view.just_now.get(Became.REFUSED, (0, 0))[0]),
                ("unknown_now", view.just_now.get(Became.UNKNOWN, (0, 0))[0]),
            ):
                known = None if value is None else float(value)
                yield Figure(f"admission.{name}", known, now_ms, labels)

    return read
