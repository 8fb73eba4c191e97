"""The stages that a canary went through, by what was done to it: the ledger misses none. Pure.

A console that was ended, hung or was slow did not see each share that a release had. Whoever
watches a canary knows of its callers; since when it had which share, the ledger alone says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.releases.release import ReleaseState
from switchhook.releases.view import StageState, StageView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.releases.release import Step
    from switchhook.releases.view import RolloutView


class StageHad(msgspec.Struct, frozen=True):
    """A share that a release had from `begun_ms` on, and until when."""

    share: int
    begun_ms: int
    ended_ms: int | None = None


def stages_had(steps: Iterable[Step]) -> tuple[StageHad, ...]:
    """All of one release, by its steps, the oldest first; the last one may go on."""
    found: list[StageHad] = []
    for step in steps:
        share = step.share if step.to is ReleaseState.CANARY else 0
        if found and found[-1].ended_ms is None:
            if found[-1].share == share:
                continue
            found[-1] = msgspec.structs.replace(found[-1], ended_ms=step.at_ms)
        if share:
            found.append(StageHad(share, step.at_ms))
    return tuple(found)


def as_it_went(view: RolloutView, had: Sequence[StageHad]) -> RolloutView:
    """How a canary was seen last, with the stages that it had, and when it ended."""
    if not had:
        return view
    known = {each.begun_ms: each for each in view.stages if each.begun_ms is not None}
    ended_ms = had[-1].ended_ms
    stages = [_stage(each, known.get(each.begun_ms)) for each in had]
    if ended_ms is None:
        stages += [each for each in view.stages if each.state is StageState.TO_COME]
    else:  # it was not left for another one
        stages[-1] = msgspec.structs.replace(stages[-1], state=StageState.NOW)
    return msgspec.structs.replace(view, stages=tuple(stages), ended_ms=ended_ms)


def _stage(had: StageHad, known: StageView | None) -> StageView:
    state = StageState.NOW if had.ended_ms is None else StageState.DONE
    known = known or StageView(
        share=had.share, state=state, least_callers=0, least_ms=0, begun_ms=had.begun_ms
    )
    return msgspec.structs.replace(known, state=state, ended_ms=had.ended_ms)
