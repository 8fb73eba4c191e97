"""How the commands about releases show how a candidate does, in the words of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.errors import sentence
from switchhook.releases.acts import share_words
from switchhook.releases.words import (
    NOTHING,
    chance_words,
    evidence_words,
    harm_words,
    measure_words,
    ratio_words,
    shadow_words,
    stage_words,
    stages_shown,
    waiting_words,
)
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.releases.judgement import Judgement
    from switchhook.releases.view import RolloutView, ShadowView


def print_rollout(view: RolloutView, now_ms: int) -> None:
    """A canary as it stands, or as it stood when it ended."""
    ended = "" if view.ended_ms is None else f", which ended {_moment(view.ended_ms)}"
    output.out.print(f"\nits canary{ended}", style="bold")
    judged, over = view.judged, view.ended_ms is not None
    said = "" if judged is None else f" {sentence(judged.words)}"
    output.print_pairs(
        [
            ("harm", f"{harm_words(view)}{said}"),
            ("awaited", sentence(waiting_words(view))),
            *(() if judged is None else _sure(judged, view.harm_at)),
            *(("odd", sentence(each)) for each in view.mix),
            ("unwatched", sentence(view.unwatched)),
            ("next", sentence(view.plan) if view.ended_ms is None else None),
        ]
    )
    if judged is not None and judged.measures:
        _print_measures(judged)
    if view.stages:
        output.out.print()
        output.print_table(
            ("STAGE", "HOW FAR"),
            (
                (share_words(each.share), stage_words(each, view.ended_ms or now_ms, over=over))
                for each in stages_shown(view)
            ),
        )


def _sure(judged: Judgement, harm_at: float) -> Iterable[tuple[str, str | None]]:
    """How sure that is, and what it leaves out."""
    at = evidence_words(harm_at)
    yield "evidence", f"E = {evidence_words(judged.e)}; at {at} it is taken back by itself"
    if judged.e > 1:
        yield "by chance", f"{chance_words(judged.p)} of releases that harm nobody show as much"
    if judged.low >= NOTHING or judged.high is not None:
        yield "compared", f"its callers fail {ratio_words(judged.low, judged.high)} as the others"
    for fuse in judged.fuses:
        if fuse.tripped:
            yield "also", sentence(fuse.words)
    for each in judged.excluded:
        yield (
            "left out",
            f"a caller that makes about {100 * each.share:.0f} % of all calls: a switchboard or a"
            " number of our own, and no person",
        )
    if judged.full:
        yield "full", "so many callers came that further ones are not counted"


def _print_measures(judged: Judgement) -> None:
    output.out.print()
    output.print_table(
        ("MEASURE", "CANARY CALLERS", "FAILED", "CONTROL CALLERS", "FAILED", "E"),
        (
            (
                measure_words(each.name),
                f"{each.canary:,}",
                _failed(each.canary_failed, each.canary),
                f"{each.control:,}",
                _failed(each.control_failed, each.control),
                evidence_words(each.e),
            )
            for each in judged.measures
        ),
    )


def _failed(failed: int, callers: int) -> str:
    return f"{failed:,}" + (f" ({100 * failed / callers:.1f} %)" if callers else "")


def print_shadow(view: ShadowView) -> None:
    """What a candidate came to in shadow."""
    output.out.print(f"\nits shadow, since {_moment(view.since_ms)}", style="bold")
    output.out.print(shadow_words(view))
    for kind in view.kinds:
        output.out.print(f"  {kind.count:,}: {output.plain(kind.words)}")


def _moment(at_ms: int) -> str:
    return output.moment(time_of(at_ms * 1000))
