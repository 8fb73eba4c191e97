"""Figures of releases: what was taken back, what nobody watches, what waits, and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import Figure
from switchhook.releases.release_troubles import LAG_MS, harmed
from switchhook.releases.view import RolloutView
from switchhook.rules.rollout import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.metrics import Labels, Source
    from switchhook.releases.release import Standing
    from switchhook.releases.release_troubles import ReleasesSeen


def releases_figures(seen: Callable[[], ReleasesSeen]) -> Source:
    """What is known of candidates; of a subject without one there are no figures.

    Just after a start it is unknown whether somebody watches a canary.
    """
    begun_ms: int | None = None

    def read(now_ms: int) -> Iterable[Figure]:
        nonlocal begun_ms
        found = seen()
        if begun_ms is None:
            begun_ms = now_ms
        begins = found.behind_ms is None and now_ms - begun_ms < LAG_MS
        for frozen in harmed(found):
            labels: Labels = (("release", str(frozen.number)), ("subject", frozen.subject))
            yield Figure("release.harmed", 1.0, now_ms, labels, since_ms=frozen.step.at_ms)
        for ended in found.damaged:
            labels = (("release", str(ended.number)), ("subject", ended.subject))
            yield Figure("release.damaged", 1.0, now_ms, labels, since_ms=ended.step.at_ms)
        for standing, view in found.candidates:
            if isinstance(view, RolloutView):
                labels = _labels(standing)
                unwatched = found.behind_ms is None or found.behind_ms >= LAG_MS
                told = None if begins else float(unwatched)
                yield Figure("release.unwatched", told, now_ms, labels)
                yield from _of(view, labels, now_ms)

    return read


def _labels(standing: Standing) -> Labels:
    return ("release", str(standing.release.number)), ("subject", standing.release.subject)


def _of(view: RolloutView, labels: Labels, now_ms: int) -> Iterable[Figure]:
    yield Figure("release.ready", float(view.ready), now_ms, labels)
    yield Figure("release.share", view.told_share / BUCKETS, now_ms, labels)
    if view.judged is not None:
        yield Figure("release.evidence", view.judged.e, now_ms, labels)
